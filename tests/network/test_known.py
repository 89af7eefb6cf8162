"""The boards of the last discovery: kept, replaced, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsmrctl.network import known
from dsmrctl.network.discovery import MOST, Found

BOILER = Found("boiler", "127.0.0.2", 80, "miniswitch", "v1", "1.0.0", "a1b2c3", "dsmr-a.local")
HALL = Found("hall", "127.0.0.3", 80, "monitor", "v1", "1.0.0", "d4e5f6", "dsmr-b.local")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own cache."""
    monkeypatch.setenv("DSMRCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_heard_is_kept_beside_what_was_known() -> None:
    assert known.read() == []
    known.remember([BOILER])
    known.remember([HALL])
    moved = BOILER._replace(address="127.0.0.9")
    known.remember([moved])
    assert sorted(known.read()) == [moved, HALL]


def test_all_there_is_replaces_what_was_known() -> None:
    known.remember([BOILER])
    known.remember([HALL], all_of_them=True)
    assert known.read() == [HALL]


def test_no_more_is_kept_than_a_household_has(folder: Path) -> None:
    many = [BOILER._replace(id=f"{number:06x}") for number in range(3 * MOST)]
    known.remember(many)
    assert known.read() == many[-MOST:]
    assert [one.name for one in folder.iterdir()] == ["boards.json"]


def test_a_board_of_any_name_is_kept_as_it_is() -> None:
    odd = BOILER._replace(name="\x1b[2J\n\u202e\ud800é", host="\x00")
    known.remember([odd])
    assert known.read() == [odd]


def test_it_is_not_written_when_nothing_changed(folder: Path) -> None:
    known.remember([BOILER])
    before = (folder / "boards.json").stat()
    known.remember([BOILER])
    assert (folder / "boards.json").stat() == before


BROKEN = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b'[{"name": "\xff"}]',
    "a number": b"5",
    "null": b"null",
    "an object": b'{"name": "boiler"}',
    "a list of lists": b"[[]]",
    "a board without a name": b'[{"board": "monitor"}]',
    "a board with more": json.dumps([BOILER._asdict() | {"x": 1}]).encode(),
    "a name that is no text": json.dumps([BOILER._asdict() | {"name": 5}]).encode(),
    "a port that is no number": json.dumps([BOILER._asdict() | {"port": "80"}]).encode(),
    "a port that is true": json.dumps([BOILER._asdict() | {"port": True}]).encode(),
    "an id that is a list": json.dumps([BOILER._asdict() | {"id": []}]).encode(),
    "nested deep": b"[" * 100_000,
    "a number with many digits": b"9" * 100_000,
    "2 MB": b" " * (2 << 20) + b"[]",
    "zeros": bytes(5000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_is_as_none_and_is_replaced(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / "boards.json").write_bytes(BROKEN[name])
    assert known.read() == []
    known.remember([BOILER])
    assert known.read() == [BOILER]


def test_a_place_that_cannot_be_written_is_no_error(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    known.remember([BOILER])
    assert known.read() == []
    folder.unlink()
    (folder / "boards.json").mkdir(parents=True)
    known.remember([BOILER])
    assert known.read() == []
    assert [one.name for one in folder.iterdir()] == ["boards.json"]
