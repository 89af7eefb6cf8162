"""Every byte of a board's flash, as it is before its first boot."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsmrctl.boards import Board, Hardware
from dsmrctl.flashing import filesystem
from dsmrctl.flashing.bundle import Bundle

SOURCES = Path(__file__).parents[1] / "firmware"


START = ("boot.py", "main.py", "choose.py")


@dataclass(frozen=True)
class Content:
    """What a board is given besides its bundle; wifi is (network, password), kept from repr."""

    settings: dict[str, Any] = field(default_factory=dict, repr=False)
    wifi: tuple[str, str] | None = field(default=None, repr=False)
    port: int | None = None  # of its page, where 80 cannot be had
    more: dict[str, bytes] = field(default_factory=dict, repr=False)


def files(bundle: Bundle, board: Board, hardware: Hardware, content: Content) -> dict[str, bytes]:
    """What starts the board, the bundle in slot a, the board's record, what it is given."""
    record = {**hardware.record(board.name), "host": board.host}
    if content.port is not None:
        record["port"] = content.port
    found = {
        # These stay as they are for ever, so they are no part of a bundle; and compiled,
        # MicroPython would not find the first two at its start.
        **{name: _bare((SOURCES / name).read_text("utf-8")) for name in START},
        **bundle.slot("a"),
        "board.json": _json(record),
        # The version only spares whoever looks at the flash (present.py) the way to it in the slot.
        "boot.json": _json({"slot": "a", "version": bundle.version}),
    }
    if content.settings:
        found["settings.json"] = _json(content.settings)
    if content.wifi is not None:
        ssid, password = content.wifi
        found["wifi.json"] = _json({"ssid": ssid, "password": password})
    return {**found, **content.more}


def header(base: bytes, hardware: Hardware, flash_size: int) -> bytes:
    """MicroPython's image, its header telling that flash's size and how that hardware reads it.

    The size decides where MicroPython ends its files, so it is the one that `filesystem.place`
    reckons with. Third and fourth byte: mode, then size and speed (the ROM's image format).
    """
    size = _SIZES[1 if hardware.variant else min(flash_size >> 20, 4)]
    mode = base[2] if hardware.flash_mode == "keep" else _MODES[hardware.flash_mode]
    return base[:2] + bytes([mode, size | base[3] & 0x0F]) + base[4:]


_SIZES = {1: 0x20, 2: 0x30, 4: 0x40}
_MODES = {"qio": 0, "qout": 1, "dio": 2, "dout": 3}


def make(
    bundle: Bundle,
    board: Board,
    hardware: Hardware,
    content: Content | None = None,
    base: bytes = b"",
) -> tuple[bytes, filesystem.Place]:
    """The flash and where its file system lies; 1 MB, or 4 for hardware with the generic build.

    base: MicroPython's image, which lies before the file system. Raises Refused, UsageError.
    """
    size = filesystem.MEGABYTE * (1 if hardware.variant else 4)
    place = filesystem.place(hardware.variant, size)
    system = filesystem.make(place.blocks, files(bundle, board, hardware, content or Content()))
    before = base.ljust(place.offset, b"\xff")
    return (before + system).ljust(size, b"\xff"), place


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _bare(source: str) -> bytes:
    """Without comment lines, which the chip would read at each start; lines keep their numbers."""
    lines = ["" if line.lstrip().startswith("#") else line for line in source.splitlines()]
    return ("\n".join(lines) + "\n").encode()
