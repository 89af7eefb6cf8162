"""A board's own files on this computer, as long as its flash is written.

A cable pulled in the middle may leave a flash that cannot be read any more: the next run takes
its settings, its WiFi and its months from here. They hold passwords: mode 0600.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dsmrctl.flashing.backup import folder, write
from dsmrctl.flashing.plan import SECTOR
from dsmrctl.flashing.present import Present

if TYPE_CHECKING:
    from dsmrctl.flashing.chip import Chip
    from dsmrctl.flashing.plan import Run

# The file system's root, twice; a flash writes these first.
_ROOT = 2


@dataclass(frozen=True)
class Saved:
    """What a board had when the flash of it began. root: offset of the file system; old, new: the
    MD5s of its first sectors before, and as they were to become."""

    present: Present
    root: int
    old: tuple[str, ...]
    new: tuple[str, ...]

    def begun(self, chip: Chip) -> bool:
        """Whether its file system was reached: then what can be read of it is not to be trusted."""
        now = [chip.md5(self.root + number * SECTOR, SECTOR) for number in range(_ROOT)]
        return any(n == new != old for n, new, old in zip(now, self.new, self.old, strict=True))


class Rescue:
    """Of the board with that MAC."""

    def __init__(self, mac: str) -> None:
        self.path = folder() / "unfinished" / f"{mac.replace(':', '')}.json"

    def save(self, there: Present, chip: Chip, system: Run) -> None:
        """Before the first byte is written; system: the run that begins the file system.

        Raises Refused, Lost.
        """
        parts = [system.part(number, number + 1) for number in range(_ROOT)]
        record = {
            "format": 1,
            "board": there.board,
            "hardware": there.hardware,
            "port": there.port,
            "files": {path: base64.b64encode(data).decode() for path, data in there.kept.items()},
            "root": system.offset,
            "old": [chip.md5(part.offset, SECTOR) for part in parts],
            "new": [hashlib.md5(part.data).hexdigest() for part in parts],
        }
        write(self.path, json.dumps(record).encode())

    def load(self) -> Saved | None:
        """What a flash that did not end left; None when the last one did, or it is damaged."""
        try:
            found = json.loads(self.path.read_bytes())
            files = {path: base64.b64decode(text) for path, text in found["files"].items()}
            there = Present(
                "ours",
                str(found["board"]),
                found["hardware"],
                port=found["port"],
                kept=files,
            )
            old, new = tuple(found["old"]), tuple(found["new"])
            good = len(old) == len(new) == _ROOT and isinstance(found["root"], int)
            return Saved(there, found["root"], old, new) if good else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def forget(self) -> None:
        """After the last byte is written and verified."""
        self.path.unlink(missing_ok=True)
