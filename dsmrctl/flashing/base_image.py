"""MicroPython's own release image, on which the boards' firmware runs: found, fetched, checked.

What is sure, from MicroPython 1.29's sources (ports/esp8266/makeimg.py, mpconfigboard.h, the
boards' linker scripts): an image begins with 0xE9; the four bytes before 0x9000 say how long it
is; its last 16 bytes are the MD5 of all from byte 4 on, since tools that flash it change the
header; it holds its banner, "MicroPython v1.29.0 on DATE", and its board's name as plain text:
"ESP module (1M) with ESP8266" in FLASH_1M, "ESP module (512K) …" in FLASH_512K, and "ESP module
with ESP8266" in both the generic build and FLASH_2M_ROMFS. Only the last of these has VfsRom,
whose name then stands among its words. No release was at hand to look at; printed banners of
earlier releases agree. A build of one's own with that name and another layout cannot be told.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl.errors import BadData, NotFound, Refused
from dsmrctl.flashing import filesystem
from dsmrctl.flashing.bundle import BASE, base_url, whole_file

if TYPE_CHECKING:
    from dsmrctl.terminal.progress import Progress

MOST = 2 * filesystem.MEGABYTE
_ROM_AT = 0x9000
_MD5 = 16
_MAGIC = b"\xe9"
_OWN = "MicroPython's file can be given with --base FILE"
# What the banner calls a build -> the variant; the longer names first.
_NAMES = {
    b"ESP module (1M) with ESP8266": "FLASH_1M",
    b"ESP module (512K) with ESP8266": "FLASH_512K",
    b"ESP module with ESP8266": "",
}
_MEANT_FOR = {
    "FLASH_1M": "FLASH_1M, for boards with 1 MB",
    "FLASH_512K": "FLASH_512K, which has no files",
    "FLASH_2M_ROMFS": "FLASH_2M_ROMFS, whose files lie elsewhere",
    "": "the build for 2 MB and more",
}
_NEEDED = {"FLASH_1M": "FLASH_1M", "": "the generic build, for 2 MB and more"}


class BadBase(BadData):
    """A file that is not the base image wanted, or not whole."""

    code = "bad_base_image"


def variant_of(data: bytes) -> str | None:
    """Which of MicroPython's builds an image is; None when it does not say."""
    for name, variant in _NAMES.items():
        if name in data:
            return "FLASH_2M_ROMFS" if variant == "" and b"VfsRom" in data else variant
    return None


def check(data: bytes, variant: str, name: Path | str) -> None:
    """Holds that these bytes are the base image of that variant ("FLASH_1M" or ""), and whole.

    name: the file or address they are from, for the message. Raises BadBase.
    """

    def bad(why: str, hint: str = f"fetch it again: dsmrctl firmware fetch; or {_OWN}") -> BadBase:
        return BadBase(f"{name}: {why}", hint=hint)

    if data[:1] != _MAGIC:
        raise bad("no firmware for an ESP8266 (it does not begin with E9)")
    (length,) = struct.unpack("<I", data[_ROM_AT - 4 : _ROM_AT].ljust(4, b"\xff"))
    if not _ROM_AT < length < MOST:
        raise bad("not of the form of MicroPython for the ESP8266")
    if len(data) != length + _MD5:
        raise bad(f"{len(data)} bytes; it says of itself that it has {length + _MD5}")
    if hashlib.md5(data[4:-_MD5], usedforsecurity=False).digest() != data[-_MD5:]:
        raise bad("damaged: its MD5 at the end is another")
    version = _version(data)
    wanted = BASE["version"]
    release = f"take MicroPython's own release: {base_url(variant)}"
    if version is None:
        raise bad("no MicroPython: it does not say its version", release)
    if version != wanted:
        raise bad(f"MicroPython {version}; the boards' firmware runs on {wanted}", release)
    found = variant_of(data)
    if found != variant:
        if found is None:
            raise bad("it does not say which build of MicroPython for the ESP8266 it is", release)
        needed = _NEEDED[variant]
        raise bad(f"this is {_MEANT_FOR[found]}; this board needs {needed}", release)
    room = filesystem.place(variant, MOST).offset
    if len(data) > room:
        raise bad(f"{len(data)} bytes reach into the board's files, which begin at {room}", release)


def _version(data: bytes) -> str | None:
    import re

    found = re.search(rb"MicroPython v([0-9][ -~]{1,40}?) on [0-9]{4}-", data)
    return found[1].decode() if found else None


def url(variant: str) -> str:
    """Where that variant is fetched from; DSMRCTL_BASE_URL names another folder (a mirror)."""
    whole = base_url(variant)
    mirror = os.environ.get("DSMRCTL_BASE_URL", "")
    return f"{mirror.rstrip('/')}/{whole.rsplit('/', 1)[1]}" if mirror else whole


def cache_folder() -> Path:
    """Where fetched base images lie: the user's cache, or under DSMRCTL_CACHE."""
    named = os.environ.get("DSMRCTL_CACHE")
    if named:
        return Path(named) / "base"
    from platformdirs import user_cache_path

    return user_cache_path("dsmrctl", appauthor=False) / "base"


def cache_file(variant: str) -> Path:
    """Where that variant lies once it was fetched; it may be put there by hand."""
    return cache_folder() / base_url(variant).rsplit("/", 1)[1]


def sha256(data: bytes) -> str:
    """The SHA-256 of an image, in hex."""
    return hashlib.sha256(data).hexdigest()


def state(variant: str) -> str:
    """What the cache has of that variant: "ready", "absent" or "bad"."""
    try:
        _from_cache(variant)
    except NotFound:
        return "absent"
    except (BadData, OSError):
        return "bad"
    return "ready"


def find(
    variant: str,
    *,
    base: Path | None = None,
    progress: Progress | None = None,
    offline: bool = False,
    timeout: float = 20.0,
) -> bytes:
    """The base image of that variant, checked: from `base`, else the cache, else fetched.

    A `base` of the user's own is neither kept nor held to the hash pinned. progress: its total
    and stage are set while fetching. timeout: seconds without a byte. Raises NotFound, NoAnswer,
    Refused, BadBase.
    """
    if base is not None:
        return read(base, variant)
    try:
        return _from_cache(variant)
    except NotFound:
        if offline:
            raise
    return fetch(variant, progress=progress, timeout=timeout)


def fetch(variant: str, *, progress: Progress | None = None, timeout: float = 20.0) -> bytes:
    """Fetch the base image of that variant into the cache, whatever lies there, checked.

    Raises NotFound, NoAnswer, Refused, BadBase.
    """
    from dsmrctl.flashing import download

    address, path = url(variant), cache_file(variant)
    with _writable(path.parent):
        data = download.fetch(address, path, _MAGIC, MOST, progress, timeout)
    keep(data, variant, address)
    return data


def read(path: Path, variant: str) -> bytes:
    """A base image from a file, checked. Raises NotFound, BadBase."""
    data = _whole(path, variant)
    check(data, variant, path)
    return data


def _whole(path: Path, variant: str) -> bytes:
    try:
        return whole_file(path, MOST)
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", hint=f"it is at {base_url(variant)}") from None
    except ValueError as error:
        raise BadBase(f"{path}: {error}", hint=f"it is at {base_url(variant)}") from None


def identified(path: Path) -> tuple[str, bytes]:
    """Which variant a file is, and its bytes, checked. Raises NotFound, BadBase."""
    data = _whole(path, "FLASH_1M")
    found = variant_of(data)
    variant = found if found in _NEEDED else "FLASH_1M"
    check(data, variant, path)
    return variant, data


def keep(data: bytes, variant: str, name: Path | str) -> Path:
    """Put an image into the cache, whole or not at all, its SHA-256 pinned at first use.

    Raises BadBase when it is not that variant, or not the one that was pinned; Refused when the
    cache cannot be written.
    """
    check(data, variant, name)
    path = cache_file(variant)
    with _writable(path.parent):
        _hold_to_pin(data, path, name)
        write_whole(path, data)
    return path


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise Refused(
            f"cannot keep the base image in {folder}: {error.strerror or error}",
            hint=f"DSMRCTL_CACHE names another folder; {_OWN}",
        ) from None


def _from_cache(variant: str) -> bytes:
    path = cache_file(variant)
    try:
        data = whole_file(path, MOST)
    except FileNotFoundError:
        raise NotFound(
            f"MicroPython for the boards is not on this computer ({url(variant)})",
            hint="fetch it: dsmrctl firmware fetch\n"
            f"or put the file there by hand: {path}\n"
            "or name it: --base FILE",
        ) from None
    except ValueError as error:
        raise BadBase(f"{path}: {error}", hint="delete it") from None
    check(data, variant, path)
    _hold_to_pin(data, path, path)
    return data


def _hold_to_pin(data: bytes, path: Path, name: Path | str) -> None:
    """Compares with what was pinned; pins at first use."""
    record = path.with_name(path.name + ".json")
    pinned, found = _pinned(record), sha256(data)
    if pinned is None:
        text = json.dumps({"file": path.name, "sha256": found, "size": len(data)}, indent=1)
        try:
            write_whole(record, text.encode() + b"\n")
        except OSError:
            # A cache that somebody else filled and that may only be read: no pin, but an image.
            if not path.exists():
                raise
    elif pinned != found:
        raise BadBase(
            f"{name}: its SHA-256 is {found}, and at first use it was {pinned or 'unreadable'}",
            hint="not used: the file was changed, or another stands in its place.\n"
            f"When the new one is right, delete {record} and {path.name} beside it,\n"
            "and fetch again: dsmrctl firmware fetch",
        )


def _pinned(record: Path) -> str | None:
    """The SHA-256 of first use; None when there was none, "" when it cannot be read."""
    try:
        found = json.loads(record.read_bytes())["sha256"]
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: beside it, then in its place."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if sys.platform != "win32":
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
