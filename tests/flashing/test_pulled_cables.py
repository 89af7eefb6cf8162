"""The cable pulled at any place of the write: the same command again finishes, nothing is lost."""

from __future__ import annotations

import base64
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import lived_in
import pytest
import serial
from flashed import SSID, Flash, command, environment
from lived_in import BEGIN, DATA, MD5, MEMORY, READ, Cable
from ran import Ran

from dsmrctl.network import discovery
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.bootloader import Bootloader

INTERFACE = ("interface", "--hardware", "esp01s", "--ssid", SSID)


def percent(done: Ran) -> int:
    """How far it was, of a run that lost its connection."""
    assert done.code == 1, done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("dsmrctl: ")]
    before, after = (
        "dsmrctl: Connection lost at ",
        " %. Plug in and run again: it goes on from there.",
    )
    assert line.startswith(before)
    assert line.endswith(after)
    assert "Traceback" not in done.err
    return int(line.removeprefix(before).removesuffix(after))


def rescues(folder: Path) -> list[Path]:
    return list((folder / "data" / "unfinished").glob("*"))


def places(blocks: int, count: int) -> list[tuple[int, int]]:
    """How many blocks of data come, and how many bytes after them the cable is pulled.

    Spread over the whole; the last four in the very last sector and in what follows it.
    """
    spread = [divmod(blocks * at / (count - 4), 1) for at in range(count - 4)]
    last = [(blocks - 1, 5), (blocks - 1, 300), (blocks, 1), (blocks, 60)]
    return [(int(whole), 5 + int(part * 4000)) for whole, part in spread] + last


def pull(chip: Bootloader, block: int, after: int) -> None:
    """So many bytes after that block of data; after the write's beginning for none."""
    Cable(chip, DATA if block else BEGIN, block or 1, after)


# How many modules differ, and at how many places the cable is pulled.
KINDS = {"bare": (0, 6), "one module": (1, 6), "all of it": (60, 20)}


def prepared(kind: str, folder: Path) -> tuple[bytearray, list[str]]:
    """The flash before, and what is asked for; a board that has lived gets another firmware."""
    if kind == "bare":
        return bytearray(b"\xff" * (1 << 20)), list(INTERFACE)
    first = lived_in.made("interface")
    other = folder / f"{KINDS[kind][0]}.zip"
    if not other.exists():
        other.write_bytes(lived_in.changed(first, "99.0.0", KINDS[kind][0]).pack())
    return lived_in.lived(first), ["interface", "--bundle", str(other)]


def undisturbed(flash: Flash, kind: str, folder: Path) -> tuple[bytes, int]:
    """What that makes when nobody pulls: the flash, and how many blocks of data came."""
    before, words = prepared(kind, folder)
    with Bootloader(before, mac=lived_in.MAC) as chip:
        done = flash(chip, *words)
    assert done.code == 0, done.err
    assert rescues(folder) == []
    return bytes(chip.flash), chip.commands[DATA]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "part", "parts"),
    # Twenty places of the whole, and more; the last of them in every run of the tests.
    [
        pytest.param(*more, marks=pytest.mark.soak)
        for more in (
            *(("all of it", part, 4) for part in range(4)),
            *(("one module", 0, 1), ("bare", 0, 2), ("bare", 1, 2)),
        )
    ],
)
def test_pulled_anywhere_it_goes_on_and_nothing_is_lost(
    flash: Flash, tmp_path: Path, kind: str, part: int, parts: int
) -> None:
    whole, blocks = undisturbed(flash, kind, tmp_path)
    before = 0
    count = KINDS[kind][1]
    first, end = part * count // parts, (part + 1) * count // parts
    for block, after in places(blocks, count)[first:end]:
        content, words = prepared(kind, tmp_path)
        with Bootloader(content, mac=lived_in.MAC) as chip:
            pull(chip, block, after)
            told = percent(flash(chip, *words))
            assert before <= told <= 100
            before = told
            assert len(rescues(tmp_path)) == (kind != "bare")
            lived_in.plug_again(chip)
            done = flash(chip, *words)
            assert done.code == 0, done.err
        where = f"pulled {after} bytes after block {block} of {blocks}, {told} %"
        assert lived_in.same_where_it_matters(chip.flash, whole), where
        if kind != "bare":
            assert lived_in.own(chip.flash) == lived_in.OWN, where
        assert rescues(tmp_path) == [], where


@pytest.mark.soak
@pytest.mark.parametrize("part", [0.0, 0.4, 0.8])
def test_the_board_boots_with_all_that_it_had(flash: Flash, tmp_path: Path, part: float) -> None:
    """It boots before, so that its files are as MicroPython writes them; pulled twice, too."""
    first = lived_in.made("interface")
    content = lived_in.lived(first)
    with lived_in.running(tmp_path, content, "127.0.0.61") as board:
        joined(board)
    before = lived_in.own(content)
    assert (before.settings, before.history) == (lived_in.SETTINGS, lived_in.OWN.history)
    other = tmp_path / "other.zip"
    other.write_bytes(lived_in.changed(first, "99.0.0", 60).pack())
    words = ("interface", "--bundle", str(other))
    with Bootloader(content, mac=lived_in.MAC) as chip:
        for block in (int(part * 31), 2):
            pull(chip, block, 900)
            percent(flash(chip, *words))
            lived_in.plug_again(chip)
        done = flash(chip, *words)
        assert done.code == 0, done.err
    assert lived_in.own(chip.flash) == before
    assert rescues(tmp_path) == []
    with lived_in.running(tmp_path, chip.flash, "127.0.0.61") as board:
        joined(board)
        found = discovery.wait_for("0b0a0d", 20, "127.0.0.1")
        assert found is not None, board.log
        assert (found.name, found.version) == ("cellar", "99.0.0")
    assert lived_in.own(chip.flash) == before


def joined(board: VirtualBoard) -> None:
    """It is in its network: its WiFi's name and password are there."""
    end = time.monotonic() + 20
    while board.wifi != 5 and time.monotonic() < end:
        time.sleep(0.02)
    assert board.wifi == 5, board.log
    assert not board.faults


class Stopped(dict[int, int]):
    """A chip's `commands` that sends a signal to a process when so many of one kind came."""

    def __init__(self, op: int, count: int, number: int) -> None:
        super().__init__()
        self._at, self._number = (op, count), number
        self.process: subprocess.Popen[str] | None = None

    def __setitem__(self, op: int, count: int) -> None:
        super().__setitem__(op, count)
        if (op, count) == self._at and self.process is not None:
            self.process.send_signal(self._number)


def stopped(folder: Path, chip: Bootloader, op: int, count: int, number: int, *words: str) -> Ran:
    """A run of the program that gets that signal in the middle of what it does."""
    chip.commands = commands = Stopped(op, count, number)
    process = subprocess.Popen(
        command(folder, chip.port, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
        cwd=folder,
    )
    commands.process = process
    out, err = process.communicate(timeout=40)
    return Ran(process.returncode, out, err)


# In the middle of connecting (the stub goes to its memory), of reading, of asking, of writing.
MOMENTS = {
    "connecting": (MEMORY, 2),
    "reading": (READ, 3),
    "asking": (MD5, 12),
    "writing": (DATA, 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_the_port_free_and_the_next_run_goes_on(
    flash: Flash, tmp_path: Path, moment: str
) -> None:
    content, words = prepared("all of it", tmp_path)
    with Bootloader(content, mac=lived_in.MAC) as chip:
        done = stopped(tmp_path, chip, *MOMENTS[moment], signal.SIGINT, *words)
        assert done.code == 130, done
        assert "Traceback" not in done.err
        assert "is on the board" not in done.out
        with serial.Serial(chip.port, exclusive=True):
            pass
        done = flash(chip, *words)
        assert done.code == 0, done.err
    assert lived_in.own(chip.flash) == lived_in.OWN
    assert lived_in.files(chip.flash)["boot.json"] == b'{"slot":"a","version":"99.0.0"}'
    assert rescues(tmp_path) == []


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_killed_in_the_middle_it_goes_on_without_unplugging(
    flash: Flash, tmp_path: Path, moment: str
) -> None:
    content, words = prepared("all of it", tmp_path)
    with Bootloader(content, mac=lived_in.MAC) as chip:
        done = stopped(tmp_path, chip, *MOMENTS[moment], signal.SIGKILL, *words)
        assert done.code == -signal.SIGKILL
        done = flash(chip, *words)
        assert done.code == 0, done.err
    assert lived_in.own(chip.flash) == lived_in.OWN
    assert rescues(tmp_path) == []


@pytest.mark.slow
def test_pulled_with_one_firmware_and_again_with_another(flash: Flash, tmp_path: Path) -> None:
    """What the second finds is most of the first: it is no more to be trusted the third time."""
    content, words = prepared("all of it", tmp_path)
    whole, _ = undisturbed(flash, "all of it", tmp_path)
    written = written_to(content, whole)
    (torn,) = [at for at in written if b"broker.example.org" in whole[at : at + 4096]]
    other = tmp_path / "another.zip"
    other.write_bytes(lived_in.changed(lived_in.made("interface"), "99.0.1", 20).pack())
    again = ("interface", "--bundle", str(other))
    with Bootloader(content, mac=lived_in.MAC) as chip:
        pull(chip, 0, 5)
        percent(flash(chip, *words))
        # As if pulled when the sector that has its settings was just erased.
        leave(chip.flash, whole, written[: written.index(torn)], torn)
        lived_in.plug_again(chip)
        pull(chip, 0, 5)
        percent(flash(chip, *again))
        lived_in.plug_again(chip)
        done = flash(chip, *again)
        assert done.code == 0, done.err
    assert lived_in.own(chip.flash) == lived_in.OWN
    assert rescues(tmp_path) == []


def leave(flash: bytearray, whole: bytes, written: list[int], torn: int) -> None:
    """So many sectors as they were to become, and one erased."""
    for at in written:
        flash[at : at + 4096] = whole[at : at + 4096]
    flash[torn : torn + 4096] = b"\xff" * 4096


def written_to(before: bytes | bytearray, after: bytes) -> list[int]:
    """The sectors of the file system that differ, in the order they are written."""
    return [
        at
        for at in range(lived_in.place().offset, len(after), 4096)
        if before[at : at + 4096] != after[at : at + 4096]
    ]


@pytest.mark.slow
def test_a_board_that_went_on_living_keeps_what_it_had_since(flash: Flash, tmp_path: Path) -> None:
    """Pulled before a byte of its files was written: a month later its own are the newer ones."""
    content, words = prepared("one module", tmp_path)
    with Bootloader(content, mac=lived_in.MAC) as chip:
        pull(chip, 0, 5)
        percent(flash(chip, *words))
        before = lived_in.own(chip.flash)
        assert before == lived_in.OWN
    with lived_in.running(tmp_path, chip.flash, "127.0.0.62") as board:
        joined(board)
        secret = f"admin:{lived_in.SETTINGS['admin_password']}".encode()
        change = urllib.request.Request(
            f"http://{board.address}/api/settings",
            b'{"name":"attic"}',
            {
                "Content-Type": "application/json",
                "Authorization": f"Basic {base64.b64encode(secret).decode()}",
            },
            method="PUT",
        )
        with urllib.request.urlopen(change, timeout=10) as answer:
            assert answer.status == 200
    assert lived_in.own(chip.flash).settings["name"] == "attic"
    with Bootloader(chip.flash, mac=lived_in.MAC) as chip:
        done = flash(chip, *words)
        assert done.code == 0, done.err
    assert (
        lived_in.own(chip.flash).settings.items() >= (lived_in.SETTINGS | {"name": "attic"}).items()
    )
    assert rescues(tmp_path) == []


@pytest.mark.soak
@pytest.mark.parametrize("which", ["a folder's half", "its settings"])
def test_pulled_between_a_sectors_erasing_and_its_programming(
    flash: Flash, tmp_path: Path, which: str
) -> None:
    first = lived_in.made("interface")
    content = lived_in.lived(first)
    with lived_in.running(tmp_path, content, "127.0.0.63") as board:
        joined(board)
    # Of as many letters: only the block of the settings is another then.
    words = (
        ["interface", "name=garret"]
        if which == "its settings"
        else prepared("all of it", tmp_path)[1]
    )
    before = lived_in.own(content)
    assert before.wifi["known"] == 1  # the board wrote that itself, into one half of the folder
    with Bootloader(bytearray(content), mac=lived_in.MAC) as chip:
        assert flash(chip, *words).code == 0
        whole = bytes(chip.flash)
    sectors = written_to(content, whole)
    torn = sectors if which == "its settings" else sectors[:1]
    for at in torn:
        with Bootloader(bytearray(content), mac=lived_in.MAC) as chip:
            pull(chip, 0, 5)
            percent(flash(chip, *words))
            leave(chip.flash, whole, sectors[: sectors.index(at)], at)
            lived_in.plug_again(chip)
            ran = flash(chip, *words)
            assert ran.code == 0, ran.err
        expected = before.settings | ({"name": "garret"} if which == "its settings" else {})
        assert lived_in.own(chip.flash) == before._replace(settings=expected)
        assert lived_in.same_where_it_matters(chip.flash, whole)
