"""A board's own files on this computer, as long as its flash is written.

A cable pulled in the middle may leave a flash that cannot be read any more: the next run takes
its settings, its WiFi and its months from here. They hold passwords: mode 0600.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
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
    """What a board had when the flash of it began.

    root: offset of the file system, new: its first sectors as they were to become, old: their MD5s
    before; runs: offset, size and MD5 before of what else of it was to be written. again: this
    was saved from one saved before.
    """

    present: Present
    root: int
    old: tuple[str, ...]
    new: tuple[bytes, ...]
    runs: tuple[tuple[int, int, str], ...]
    again: bool

    def begun(self, chip: Chip) -> bool:
        """Whether its file system was reached: then what can be read of it is not to be trusted.

        A board that was put back into use has written its root itself since: that one counts.
        """
        if self.again:
            return True
        halves = [chip.read(self.root + number * SECTOR, SECTOR) for number in range(_ROOT)]
        changed = [
            (half, new)
            for half, old, new in zip(halves, self.old, self.new, strict=True)
            if hashlib.md5(half).hexdigest() != old
        ]
        if changed:
            return all(_torn(half, new) for half, new in changed)
        return any(chip.md5(offset, size) != old for offset, size, old in self.runs)


def _torn(half: bytes, new: bytes) -> bool:
    """Whether a sector was being written: what is not blank is what it was to become."""
    return all(byte in (0xFF, wanted) for byte, wanted in zip(half, new, strict=True))


class Rescue:
    """Of the board with that MAC."""

    def __init__(self, mac: str) -> None:
        self.path = folder() / "unfinished" / f"{mac.replace(':', '')}.json"

    def save(
        self, there: Present, chip: Chip, root: Run, runs: Iterable[Run], *, again: bool = False
    ) -> None:
        """Before the first byte is written. root: the run that begins the file system; runs: what
        is to be written. Raises Refused, Lost.
        """
        halves = [root.part(number, number + 1) for number in range(_ROOT)]
        system = [run for run in runs if run.offset >= root.offset]
        record = {
            "format": 1,
            "board": there.board,
            "hardware": there.hardware,
            "port": there.port,
            "files": {path: _text(data) for path, data in there.kept.items()},
            "root": root.offset,
            "old": [chip.md5(half.offset, SECTOR) for half in halves],
            "new": [_text(half.data) for half in halves],
            "runs": [
                (run.offset, len(run.data), chip.md5(run.offset, len(run.data))) for run in system
            ],
            "again": again,
        }
        write(self.path, json.dumps(record).encode())

    def load(self) -> Saved | None:
        """What a flash that did not end left; None when the last one did, or it is damaged."""
        try:
            found = json.loads(self.path.read_bytes())
            files = {path: base64.b64decode(text) for path, text in found["files"].items()}
            there = Present(
                "ours", str(found["board"]), found["hardware"], port=found["port"], kept=files
            )
            new = tuple(base64.b64decode(text) for text in found["new"])
            old = tuple(map(str, found["old"]))
            runs = tuple((int(at), int(size), str(md5)) for at, size, md5 in found["runs"])
            good = len(old) == _ROOT and [len(half) for half in new] == [SECTOR] * _ROOT
            root, again = int(found["root"]), bool(found["again"])
            return Saved(there, root, old, new, runs, again) if good else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def forget(self) -> None:
        """After the last byte is written and verified."""
        self.path.unlink(missing_ok=True)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
