"""What has to be written so that a flash holds what it should: only the sectors that differ.

The chip counts MD5s of its flash itself, so a question costs some fifty bytes and its answer
tells of any number of sectors: halving finds the few that changed. Where most did, asking costs
more than it saves, and all is written.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dsmrctl.flashing import filesystem

if TYPE_CHECKING:
    from dsmrctl.flashing.chip import Chip

SECTOR = 0x1000
# Each as a maker of flash chips gives it for a typical one (Winbond W25Q80): seconds.
_ERASE_S, _PROGRAM_S = 0.045, 0.0007
_PAGE = 256
# Where each of these differs, all is taken to: one of so many sectors is asked.
_SAMPLED = 16


@dataclass(frozen=True)
class Run:
    """Bytes that belong together on the flash; offset is a sector's."""

    offset: int
    data: bytes = field(repr=False)

    @property
    def sectors(self) -> int:
        """How many sectors it touches."""
        return -(-len(self.data) // SECTOR)

    def part(self, first: int, end: int) -> Run:
        """Its sectors from `first` to before `end`."""
        return Run(self.offset + first * SECTOR, self.data[first * SECTOR : end * SECTOR])


@dataclass(frozen=True)
class Plan:
    """The runs to write, and the bytes each takes on the line (compressed)."""

    runs: tuple[Run, ...]
    sizes: tuple[int, ...]

    @property
    def line_bytes(self) -> int:
        """Bytes over the line."""
        return sum(self.sizes)

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash that are written."""
        return sum(len(run.data) for run in self.runs)

    def seconds(self, baud: int) -> float:
        """About how long it takes on a line of that rate."""
        sectors = sum(run.sectors for run in self.runs)
        line = self.line_bytes * 10 / baud
        # The chip erases and programs while it hears the next.
        return max(line, sectors * _ERASE_S + self.flash_bytes / _PAGE * _PROGRAM_S)


def wanted(base: bytes, place: filesystem.Place, system: bytes) -> list[Run]:
    """What a flash should hold: MicroPython, and of the file system the blocks that matter."""
    spans = filesystem.used(system)
    return [
        Run(0, base),
        *(Run(place.offset + start, system[start:end]) for start, end in spans),
    ]


def whole(runs: Iterable[Run]) -> Plan:
    """A plan that writes all of them."""
    found = tuple(run for run in runs if run.data)
    # Level 9 is what esptool sends.
    sizes = tuple(min(len(run.data), len(zlib.compress(run.data, 9))) for run in found)
    return Plan(found, sizes)


def changed(chip: Chip, runs: Iterable[Run]) -> Plan:
    """A plan that writes what of them the chip does not hold yet. Raises Lost, ChipError."""
    return whole(part for run in runs for part in _differing(chip, run))


def _differing(chip: Chip, run: Run) -> list[Run]:
    count = run.sectors

    def differs(first: int, end: int) -> bool:
        part = run.part(first, end)
        return not chip.holds(part.offset, part.data)

    if not differs(0, count):
        return []
    step = max(1, min(_SAMPLED, count // 3))
    if count > 4 and all(differs(at, at + 1) for at in range(0, count, step)):
        return [run]
    questions = 24 + count // 4
    # All known to differ somewhere. Level by level: when the questions are used up, what is left
    # is as short everywhere.
    ranges = [(0, count)]
    while questions > 0 and any(end - first > 1 for first, end in ranges):
        finer: list[tuple[int, int]] = []
        for first, end in ranges:
            if end - first == 1 or questions <= 0:
                finer.append((first, end))
                continue
            half = (first + end) // 2
            before = differs(first, half)
            # If it is not before, it is after: that need not be asked.
            after = not before or differs(half, end)
            questions -= 1 + before
            finer += [(first, half)] * before + [(half, end)] * after
        ranges = finer
    found: list[tuple[int, int]] = []
    for first, end in ranges:
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], end)
        else:
            found.append((first, end))
    return [run.part(first, end) for first, end in found]


def true_size(chip: Chip) -> int:
    """Bytes the flash really has, as far as it shows: a smaller one wraps round.

    What is the same everywhere, as if it is blank, shows nothing.
    """
    claimed = chip.identity.flash_size
    first = chip.md5(0, SECTOR)
    size = 256 << 10
    while size < claimed:
        if chip.md5(size, SECTOR) == first:
            if chip.holds(0, b"\xff" * SECTOR) or chip.holds(0, bytes(SECTOR)):
                return claimed
            # A firmware may well have its beginning twice, but not all of it.
            if chip.md5(size, size) == chip.md5(0, size):
                return size
        size *= 2
    return claimed
