"""What is on a board's flash now, read from it by as few bytes as will do.

A board of ours has its settings, its WiFi and its months of history there, and they are kept.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dsmrctl.errors import BadData
from dsmrctl.flashing import filesystem, image
from dsmrctl.flashing.filesystem import Place

if TYPE_CHECKING:
    from dsmrctl.flashing.chip import Chip

# One question brings so many bytes: more is read for nothing, fewer take a question each.
_PIECE = 256
# Of which sizes the file system was made before this one, if that decides where its files lie.
LAID = "laid.json"
# Written anew by each flash, or of an update that did not end.
_OURS = {*image.START, "board.json", "boot.json", "boot.new", "update.json", LAID, filesystem.FULL}
# A board's own are a few kilobytes; what is more is no board's.
_MOST = 16_384
_MOST_SLOT = 40 * filesystem.BLOCK
# Bytes come by 256; and a damaged folder may lead back to itself, where nothing new is read.
_MOST_PIECES, _MOST_READS = 512, 50_000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,39}")
# No name of ours has other letters; "a" and "b" are the slots.
_NAME = re.compile(r"(?![ab]$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Present:
    """What is there. state: "blank", "ours" (a board of ours) or "foreign" (any other firmware).

    kept: the files of its own (settings, WiFi, history, crash log) by path; sizes: asks for the
    size of each file by path; laid: the sizes that decided where they lie. All empty unless it is
    ours.
    """

    state: str
    board: str | None = None
    hardware: str | None = None
    version: str | None = None
    port: int | None = None  # of its page, where it is not 80
    kept: dict[str, bytes] = field(default_factory=dict, repr=False)
    laid: dict[str, int] | None = None
    sizes: Callable[[], dict[str, int]] = field(default=dict, repr=False, compare=False)
    files: bool = False  # foreign, but with files that MicroPython reads

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings as they are kept: those that were changed. Bad ones are none."""
        found = _json(self.kept.get("settings.json", b"{}"))
        return found if isinstance(found, dict) else {}

    @property
    def wifi(self) -> str | None:
        """The name of its WiFi network."""
        found = _json(self.kept.get("wifi.json", b"{}"))
        ssid = found.get("ssid") if isinstance(found, dict) else None
        return ssid if isinstance(ssid, str) else None


def look(chip: Chip) -> Present:
    """What is on that chip's flash. Raises Lost, ChipError."""
    for place in _places(chip.identity.flash_size):
        with contextlib.suppress(BadData):
            return _of_ours(chip, place)
    # A sector is enough: a chip runs nothing without a header there.
    blank = b"\xff" * filesystem.BLOCK
    return Present("blank" if chip.holds(0, blank) else "foreign")


def _places(flash_size: int) -> list[Place]:
    places = [filesystem.place("FLASH_1M", flash_size)] if flash_size >= filesystem.MEGABYTE else []
    if flash_size >= 2 * filesystem.MEGABYTE:
        places.insert(0, filesystem.place("", flash_size))
    return places


def _of_ours(chip: Chip, place: Place) -> Present:
    """Raises BadData when no file system of ours lies there."""
    from littlefs import LittleFSError

    pieces: dict[int, bytes] = {}
    reads = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        first, last = offset // _PIECE, (offset + size - 1) // _PIECE
        for number in range(first, last + 1):
            if number not in pieces:
                pieces[number] = chip.read(place.offset + number * _PIECE, _PIECE)
        if len(pieces) > _MOST_PIECES or reads > _MOST_READS:
            raise BadData("more than a board has")
        data = b"".join(pieces[number] for number in range(first, last + 1))
        return data[offset - first * _PIECE :][:size]

    # LittleFS's own name stands at byte 8 of one of the two: without it nothing is mounted.
    if not any(read(block * filesystem.BLOCK, 16)[8:] == b"littlefs" for block in (0, 1)):
        raise BadData("no file system")
    system = filesystem.mount(read, place.blocks)
    try:
        with filesystem.unbroken(system):
            return _board(system)
    except (LittleFSError, OSError, ValueError, IndexError, RecursionError) as error:
        raise BadData(f"no file system of a board ({error})") from None


def _board(system: Any) -> Present:
    """Raises BadData, and LittleFSError, OSError and ValueError when it cannot be read."""
    sizes = _sizes(system, "")
    record = _json(_content(system, "board.json", sizes)) if "board.json" in sizes else None
    board = _word(record, "board")
    if not isinstance(record, dict) or board is None:
        return Present("foreign", files=True)
    boot = _json(_content(system, "boot.json", sizes)) if "boot.json" in sizes else None
    version = _word(boot, "version")
    if version is None:
        version = _version(system, _word(boot, "slot"))
    port = record.get("port")
    return Present(
        "ours",
        board,
        _word(record, "hardware"),
        version,
        port if type(port) is int and 0 < port < 65536 else None,
        {path: _content(system, path, sizes) for path in sizes if path not in _OURS},
        _laid(system, sizes),
        lambda: _every(system, sizes),
    )


def _word(found: Any, key: str) -> str | None:
    """What is shown on a screen, or no word: a flash may hold anything."""
    word = found.get(key) if isinstance(found, dict) else None
    return word if isinstance(word, str) and _WORD.fullmatch(word) else None


def _version(system: Any, slot: str | None) -> str | None:
    """Of what an update over WiFi brought: its listing begins {"version":"1.2.3","files":{…"""
    from littlefs import LittleFSError

    try:
        with system.open(f"/{slot}/files.json", "rb") as file:
            found = file.read(64).decode("latin-1").split('"')[3]
    except (LittleFSError, OSError, IndexError):
        return None
    return _word({"version": found}, "version")


def _sizes(system: Any, folder: str) -> dict[str, int]:
    """The sizes of a folder's files by their path. Raises LittleFSError, OSError, ValueError."""
    return {
        f"{folder}/{entry.name}".lstrip("/"): entry.size
        for entry in system.scandir(f"/{folder}")
        if entry.type == 1 and _NAME.fullmatch(entry.name)
    }


def _every(system: Any, sizes: dict[str, int]) -> dict[str, int]:
    """Those and slot a's, as far as they can be read."""
    from littlefs import LittleFSError

    found: dict[str, int] = {}
    with (
        contextlib.suppress(LittleFSError, OSError, ValueError, BadData),
        filesystem.unbroken(system),
    ):
        found = _sizes(system, "a")
    return sizes | {path: size for path, size in found.items() if size < _MOST_SLOT}


def _laid(system: Any, sizes: dict[str, int]) -> dict[str, int] | None:
    found = _json(_content(system, LAID, sizes)) if LAID in sizes else None
    if not isinstance(found, dict) or len(found) > 100:
        return None
    for path, size in found.items():
        folder, _, name = path.rpartition("/")
        if folder not in ("", "a") or not _NAME.fullmatch(name):
            return None
        if type(size) is not int or not 0 <= size < _MOST_SLOT:
            return None
    return found


def _content(system: Any, path: str, sizes: dict[str, int]) -> bytes:
    if path not in sizes or sizes[path] > _MOST:
        raise BadData(f"{path} is not a board's")
    with system.open(f"/{path}", "rb") as file:
        return file.read()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
