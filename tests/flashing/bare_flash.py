"""The hardware at its edge: a flash's bytes, and the questions a chip answers about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from dsmrctl.flashing import trouble
from dsmrctl.flashing.chip import Chip, Identity
from dsmrctl.flashing.plan import SECTOR, Plan


class BareFlash(Chip):
    """A chip over bytes in memory, no line. claims: more than it has, addresses wrap round."""

    def __init__(
        self, flash: bytes, *, claims: int | None = None, mac: str = "24:0a:c4:01:02:03"
    ) -> None:
        self.flash = bytearray(flash)
        self.identity = Identity("ESP8266EX", mac, 0x1440E0, claims or len(flash))
        self.questions = 0
        self.reads: list[tuple[int, int]] = []
        self.unplug_after: int | None = None  # bytes read

    def _bytes(self, offset: int, size: int) -> bytes:
        start = offset % len(self.flash)
        if start + size <= len(self.flash):
            return bytes(self.flash[start : start + size])
        return bytes(self.flash[at % len(self.flash)] for at in range(offset, offset + size))

    def md5(self, offset: int, size: int) -> str:
        assert size > 0
        assert offset + size <= self.identity.flash_size
        self.questions += 1
        return hashlib.md5(self._bytes(offset, size)).hexdigest()

    def read(self, offset: int, size: int, told: Callable[[int], None] | None = None) -> bytes:
        assert offset + size <= self.identity.flash_size
        self.reads.append((offset, size))
        if self.unplug_after is not None and self.bytes_read > self.unplug_after:
            raise trouble.Lost
        if told:
            for done in range(SECTOR, size + 1, SECTOR):
                told(done)
        return self._bytes(offset, size)

    @property
    def bytes_read(self) -> int:
        return sum(size for _, size in self.reads)

    def obey(self, plan: Plan) -> set[int]:
        """Writes as the chip does, whole sectors erased first; the numbers of those sectors."""
        sectors = set()
        for run in plan.runs:
            assert run.offset % SECTOR == 0
            assert len(run.data) > 0
            end = run.offset + run.sectors * SECTOR
            self.flash[run.offset : end] = run.data.ljust(end - run.offset, b"\xff")
            sectors |= set(range(run.offset // SECTOR, end // SECTOR))
        return sectors
