"""A board's own files, kept on this computer while its flash is written."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from bare_flash import BareFlash
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.flashing.plan import SECTOR, Run
from dsmrctl.flashing.present import Present
from dsmrctl.flashing.rescue import Rescue

MAC = "24:0a:c4:01:02:03"
ROOT = 0x99000
FILES = {"settings.json": b'{"name":"x"}', "wifi.json": b"\x00\xff", "empty": b""}
THERE = Present("ours", "interface", "esp01s", "1.0.0", 8080, FILES)
OLD = b"o" * SECTOR + b"p" * SECTOR
NEW = b"n" * SECTOR + b"p" * SECTOR


@pytest.fixture(autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("DSMRCTL_DATA", str(folder))
    return folder


def chip(root: bytes = OLD) -> BareFlash:
    """A board whose file system begins with these two sectors."""
    flash = bytearray(1 << 20)
    flash[ROOT : ROOT + len(root)] = root
    return BareFlash(bytes(flash))


def saved(there: Present = THERE, new: bytes = NEW, *, again: bool = False) -> Rescue:
    rescue = Rescue(MAC)
    runs = [Run(0, b"a base"), Run(ROOT + 8 * SECTOR, b"m" * SECTOR)]
    rescue.save(there, chip(), Run(ROOT, new + b"more"), runs, again=again)
    return rescue


def test_what_is_saved_is_there_for_the_same_board_until_it_is_forgotten() -> None:
    rescue = Rescue(MAC)
    assert rescue.load() is None
    rescue.forget()
    saved()
    found = Rescue(MAC).load()
    assert found is not None
    there = found.present
    assert (there.board, there.hardware, there.port, there.kept) == (
        *("interface", "esp01s", 8080),
        FILES,
    )
    assert Rescue("24:0a:c4:01:02:04").load() is None
    rescue.forget()
    assert rescue.load() is None
    assert list(rescue.path.parent.iterdir()) == []


def test_only_its_owner_may_read_it() -> None:
    before = os.umask(0)
    try:
        rescue = saved()
    finally:
        os.umask(before)
    assert stat.S_IMODE(rescue.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(rescue.path.parent.stat().st_mode) == 0o700


BLANK = b"\xff" * SECTOR
TORN = NEW[:100] + BLANK[100:]


@pytest.mark.parametrize(
    ("root", "begun"),
    [
        (OLD, False),  # nothing of it was reached
        (NEW, True),  # all of its beginning was
        (BLANK + OLD[SECTOR:], True),  # its first sector was erased
        (TORN + OLD[SECTOR:], True),  # and written in part
        (b"?" * 2 * SECTOR, False),  # the board has lived since
        (OLD[:SECTOR] + b"?" * SECTOR, False),
        (b"n" * SECTOR + b"?" * SECTOR, False),
    ],
)
def test_a_flash_is_trusted_as_long_as_its_file_system_was_not_reached(
    root: bytes, begun: bool
) -> None:
    found = saved().load()
    assert found is not None
    assert found.begun(chip(root)) is begun


def test_where_the_root_stays_as_it_is_what_else_is_written_tells() -> None:
    found = saved(new=OLD).load()
    assert found is not None
    board = chip()
    assert found.begun(board) is False
    board.flash[ROOT + 8 * SECTOR] ^= 1
    assert found.begun(board) is True


def test_a_second_flash_that_did_not_end_trusts_nothing_of_the_first() -> None:
    found = saved(again=True).load()
    assert found is not None
    assert found.begun(chip()) is True


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"board":"blink"}',
        b'{"board":"blink","files":{"a":7}}',
        b'{"board":"blink","files":{"a":"x"}}',
        b'{"board":"b","hardware":"h","port":1,"files":{},"root":0,"old":[],"new":[],"runs":[],'
        b'"again":false}',
        b'{"board":"b","hardware":"h","port":1,"files":{},"root":[],"old":[1,2],"new":["",""],'
        b'"runs":[],"again":false}',
    ],
)
def test_a_damaged_one_is_none(damaged: bytes) -> None:
    rescue = Rescue(MAC)
    rescue.path.parent.mkdir(parents=True)
    rescue.path.write_bytes(damaged)
    assert rescue.load() is None
    assert saved().load() is not None


@given(st.integers(0, 300))
def test_a_part_of_one_is_none(cut: int) -> None:
    rescue = saved()
    whole = rescue.path.read_bytes()
    assert json.loads(whole)["format"] == 1
    rescue.path.write_bytes(whole[: max(0, len(whole) - 1 - cut)])
    assert rescue.load() is None
