"""A board that has lived: its flash with settings, WiFi and history, and cables to pull out of it.

Made of the same bytes as `dsmrctl flash` writes; a test holds one equal to a flashed one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flashed import KEY, SSID

from dsmrctl import boards
from dsmrctl.flashing import build, bundle, filesystem, image, plan
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.virtual import base
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.bootloader import Bootloader

MAC = "5c:cf:7f:0b:0a:0d"
SETTINGS: dict[str, object] = {
    "name": "cellar",
    "language": "fr",
    "mqtt_host": "broker.example.org",
    "admin_password": "an invented admin",
    "frame_key": "an invented frame key",
}
WIFI = {"ssid": SSID, "password": KEY}
# Two blocks and a bit: not in its folder's block, as a short one is.
HISTORY = json.dumps([[2026, month % 12 + 1, month * 1234567 % 99991] for month in range(500)])
# esptool's commands: code for the chip's memory, a write's beginning, its data, an MD5, reading.
MEMORY, BEGIN, DATA, MD5, READ = 0x07, 0x10, 0x11, 0x13, 0xD2


class Own(NamedTuple):
    """What a board's own files say, whatever their bytes are."""

    settings: dict[str, object]
    wifi: dict[str, str]
    history: bytes


@cache
def made(board: str) -> Bundle:
    """The bundle of the sources."""
    return build.build(boards.find(board))


def changed(first: Bundle, version: str, modules: int) -> Bundle:
    """A later version: so many of its modules are others, and longer, some by a block or two.

    MicroPython reads a module to its end, and does not look at what follows: it runs as before.
    """
    files = dict(first.files)
    names = sorted(name for name in files if name.endswith(".mpy"))[-modules:]
    for number, name in enumerate(names):
        more = 60 if modules == 1 else 9000 if number == 1 else number * 173 % 4000 + 1
        files[name] += random.Random(number).randbytes(more)
    before = first.manifest
    return replace(
        first,
        manifest=bundle.manifest(
            before["board"], before["hardware"], ["FLASH_1M"], version, before["needs"], files
        ),
        files=files,
    )


def place(size: int = filesystem.MEGABYTE) -> filesystem.Place:
    """Where an interface has its files."""
    return filesystem.place("FLASH_1M", size)


def system(flash: bytes | bytearray) -> bytes:
    """The file system's bytes."""
    where = place(len(flash))
    return bytes(flash[where.offset : where.offset + where.size])


def files(flash: bytes | bytearray) -> dict[str, bytes]:
    """Every file that MicroPython would find there."""
    return filesystem.read(system(flash))


def own(flash: bytes | bytearray) -> Own:
    """What the board has of its own."""
    found = files(flash)
    return Own(
        json.loads(found["settings.json"]), json.loads(found["wifi.json"]), found["history.json"]
    )


OWN = Own(SETTINGS, WIFI, HISTORY.encode())


def flashed(
    bundle_: Bundle, more: dict[str, bytes] | None = None, hardware: str = "esp01s"
) -> bytearray:
    """1 MB with an interface on it, as it is after its first flash."""
    board = boards.INTERFACE
    kind = board.kind(hardware)
    content = image.Content(more=more or {})
    return bytearray(
        image.make(
            bundle_,
            board,
            kind,
            content,
            image.header(base.make("FLASH_1M"), kind, filesystem.MEGABYTE),
        )[0]
    )


def lived(bundle_: Bundle) -> bytearray:
    """The same, after months."""
    return flashed(
        bundle_,
        {
            "settings.json": json.dumps(SETTINGS).encode(),
            "wifi.json": json.dumps(WIFI).encode(),
            "history.json": HISTORY.encode(),
        },
    )


def same_where_it_matters(flash: bytes | bytearray, undisturbed: bytes | bytearray) -> bool:
    """Every byte that MicroPython would ever read."""
    code = base.make("FLASH_1M")
    runs = plan.wanted(bytes(undisturbed[: len(code)]), place(len(flash)), system(undisturbed))
    return all(flash[run.offset : run.offset + len(run.data)] == run.data for run in runs)


class Cable(dict[int, int]):
    """A chip's `commands` that pulls its cable after so many of one kind, and some bytes more.

    Cable(chip, DATA, 12, 100): 100 bytes after the 12th block of data came.
    """

    def __init__(self, chip: Bootloader, op: int, count: int, after: int = 1) -> None:
        super().__init__()
        self._chip, self._op, self._count, self._after = chip, op, count, after
        self._before = chip.received
        chip.faults.unplug_after = None
        chip.commands = self

    def __setitem__(self, op: int, count: int) -> None:
        super().__setitem__(op, count)
        if (op, count) == (self._op, self._count):
            since = self._chip.received - self._before
            self._chip.faults.unplug_after = since + self._after


def plug_again(chip: Bootloader) -> None:
    """The cable back in, its button held."""
    chip.faults.unplug_after = None
    chip.commands = {}
    chip.plug()


@contextmanager
def running(folder: Path, flash: bytearray, address: str, mac: str = MAC) -> Iterator[VirtualBoard]:
    """It boots what is on its flash, byte for byte, in its network; what it writes stays."""
    path = folder / "flash.bin"
    path.write_bytes(flash)
    air = Air()
    air.on(SSID, KEY, -50)
    number = bytes.fromhex(mac.replace(":", ""))
    with VirtualBoard(path, place(len(flash)), address=address, air=air, mac=number) as board:
        board.power_on()
        yield board
        board.power_off()
    flash[:] = path.read_bytes()
