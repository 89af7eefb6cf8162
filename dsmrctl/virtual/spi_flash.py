"""A NOR flash chip, as a board has one beside its ESP8266, and what may be wrong with it."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field

SECTOR, BLOCK, PAGE = 0x1000, 0x10000, 256
# Of a typical one (Winbond W25Q80): seconds a sector, a block, a page; and to read a byte back.
_SECTOR_S, _BLOCK_S, _PAGE_S, _READ_S = 0.045, 0.150, 0.0007, 1e-6
# JEDEC: maker and kind (Winbond, EF 40), then the size as a power of two.
_WINBOND = 0x40EF


@dataclass
class Faults:
    """What may go wrong with a board on a cable; each may be changed while it is used.

    unplug_after, hang_after: bytes from the host since it was plugged in. flip: addresses of which
    a bit is inverted when they are programmed, `flips_left` times (None: always). fail: answers
    to a command (its number) with that status. most_baud: above it only garbage comes through.
    true_size: bytes it really has, whatever it says; addresses wrap round.
    """

    unplug_after: int | None = None
    hang_after: int | None = None
    mute: bool = False
    dead_stub: bool = False
    flip: set[int] = field(default_factory=set)
    flips_left: int | None = None
    fail: dict[int, int] = field(default_factory=dict)
    write_protected: bool = False
    most_baud: int | None = None
    true_size: int | None = None


class SpiFlash:
    """size: what it says it has, in bytes. `busy_s` is how long all its work took so far."""

    def __init__(
        self, data: bytearray | None, size: int, jedec: int | None, faults: Faults
    ) -> None:
        true = faults.true_size or size
        self.data = bytearray(b"\xff" * true) if data is None else data
        if len(self.data) != true:
            raise ValueError(f"{len(self.data)} bytes of a flash of {true}")
        self.size = size
        self.jedec = _WINBOND | (size.bit_length() - 1) << 16 if jedec is None else jedec
        self.erased = self.programmed = 0
        self.busy_s = 0.0
        self._faults = faults

    def erase(self, address: int, size: int) -> None:
        """Whole sectors, those that this touches."""
        first, end = address // SECTOR, -(-(address + size) // SECTOR)
        blocks = (end - first) * SECTOR // BLOCK
        self.busy_s += blocks * _BLOCK_S + ((end - first) - blocks * BLOCK // SECTOR) * _SECTOR_S
        self.erased += end - first
        if not self._faults.write_protected:
            for sector in range(first, end):
                at = sector * SECTOR % len(self.data)
                self.data[at : at + SECTOR] = b"\xff" * SECTOR

    def program(self, address: int, data: bytes) -> None:
        """Clears bits, and sets none: what was not erased becomes both at once."""
        self.busy_s += len(data) / PAGE * _PAGE_S
        self.programmed += len(data)
        if self._faults.write_protected:
            return
        for at in range(0, len(data), SECTOR):
            self._program((address + at) % len(self.data), data[at : at + SECTOR])

    def _program(self, at: int, data: bytes) -> None:
        end = min(at + len(data), len(self.data))
        before = int.from_bytes(self.data[at:end], "little")
        new = before & int.from_bytes(data[: end - at], "little")
        self.data[at:end] = new.to_bytes(end - at, "little")
        faults = self._faults
        for address in faults.flip:
            if at <= address < end and faults.flips_left != 0:
                self.data[address] ^= 0x10
                if faults.flips_left is not None:
                    faults.flips_left -= 1

    def read(self, address: int, size: int) -> bytes:
        """Bytes as they are now."""
        found = bytearray()
        while len(found) < size:
            at = (address + len(found)) % len(self.data)
            found += self.data[at : at + size - len(found)]
        return bytes(found)

    def md5(self, address: int, size: int) -> bytes:
        """Of that much."""
        self.busy_s += size * _READ_S
        return hashlib.md5(self.read(address, size)).digest()

    def blank(self, sector: int) -> bool:
        """Whether that sector is erased."""
        return self.read(sector * SECTOR, SECTOR) == b"\xff" * SECTOR


class Reading:
    """A reading under way: a piece for each acknowledgement, then the MD5 of all."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self._piece, self._at = data, piece, 0

    def next(self) -> bytes:
        found = self.data[self._at : self._at + self._piece]
        self._at += len(found)
        return found

    def digest(self) -> bytes:
        return hashlib.md5(self.data).digest()


class Writing:
    """A write under way: what the stub inflates, erases just before it comes, and programs."""

    _BUFFER = 0x8000

    def __init__(self, spi: SpiFlash, offset: int, size: int, *, inflate: bool) -> None:
        self._spi, self._at, self._end = spi, offset, offset + size
        self._erased_to = offset // SECTOR * SECTOR
        self._inflate = zlib.decompressobj() if inflate else None
        self._held = b""
        self._dirty = False
        self.left = size

    def take(self, body: bytes) -> None:
        """A block. Raises zlib.error."""
        if self._inflate is None:
            self._put(body[: self.left])
            return
        self._held += self._inflate.decompress(body)
        while len(self._held) >= self._BUFFER or (self._inflate.eof and self._held):
            self._put(self._held[: self._BUFFER])
            self._held = self._held[self._BUFFER :]

    def _put(self, data: bytes) -> None:
        while self._erased_to < self._at + len(data):
            at = self._erased_to
            if not self._dirty and self._spi.blank(at // SECTOR):
                self._erased_to += SECTOR
                continue
            # From the first that is not blank on it erases all, by the block where it can.
            self._dirty = True
            size = BLOCK if at % BLOCK == 0 and self._end - at >= BLOCK else SECTOR
            self._spi.erase(at, size)
            self._erased_to += size
        self.program(data)

    def program(self, data: bytes) -> None:
        """Onto what is erased already."""
        self._spi.program(self._at, data)
        self._at += len(data)
        self.left -= len(data)
