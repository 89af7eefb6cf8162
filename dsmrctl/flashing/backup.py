"""A board's whole flash as a file. It holds WiFi passwords: only this user may read it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl.errors import BadData, DsmrError, NotFound, Refused, UsageError
from dsmrctl.flashing.plan import Run
from dsmrctl.flashing.trouble import flash_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsmrctl.flashing.chip import Chip

_PIECE = 256 << 10
_LARGEST = 16 << 20


def folder() -> Path:
    """Where the user's data are kept; DSMRCTL_DATA names another."""
    named = os.environ.get("DSMRCTL_DATA")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("dsmrctl", appauthor=False)


def path_for(mac: str, when: time.struct_time) -> Path:
    """Where the backup of that board is put when nobody named a place."""
    stamp = time.strftime("%Y%m%d-%H%M%S", when)
    return folder() / "backups" / f"{mac.replace(':', '')}-{stamp}.bin"


def save(chip: Chip, path: Path, told: Callable[[int], None]) -> None:
    """The whole flash into a file, whole or not at all. Raises Lost, ChipError, Refused."""
    pieces = []
    for at in range(0, chip.identity.flash_size, _PIECE):
        pieces.append(chip.read(at, _PIECE, lambda done, at=at: told(at + done)))
    write(path, b"".join(pieces))


def load(path: Path, size: int) -> Run:
    """A backup, or another firmware's plain .bin, to be written at the flash's beginning.

    size: of the flash. Raises NotFound, BadData, Refused.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
            length = max(len(data), os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise NotFound(
            f"there is no {path}", hint=f"backups lie in {folder() / 'backups'}"
        ) from None
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    if length > size:
        raise Refused(
            f"{path} has {length} bytes; this board's flash has {flash_size(size)}.",
            hint="a backup goes back to the board it came from, or one with as much flash",
        )
    if data[:1] != b"\xe9":
        raise BadData(
            f"{path} is no firmware for an ESP8266: it does not begin with E9",
            hint="a backup by dsmrctl, or the .bin that its makers say to write at 0x0",
        )
    return Run(0, data.ljust(-(-len(data) // 4) * 4, b"\xff"))


def write(path: Path, data: bytes) -> None:
    """A file that only this user may read, whole or not at all. Raises Refused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        try:
            # Never there with more rights, not for a moment.
            opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(
            f"cannot write {path}: {error.strerror}", hint="is there room, and may you write there?"
        ) from None


def check_place(path: Path) -> None:
    """Raises UsageError when a backup cannot be put there, before any is read."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(
            f"no file can be made at {path}", hint="name a file in a folder that is there"
        )
    if path.exists():
        raise UsageError(
            f"{path} is there already", hint="backups are never overwritten: name another"
        )
    if not os.access(path.parent, os.W_OK):
        raise DsmrError(f"you may not write in {path.parent}", hint="name another folder")
