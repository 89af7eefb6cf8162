"""What esptool's stub does with a flash over many commands: a reading, and a write."""

from __future__ import annotations

import hashlib
import zlib

from dsmrctl.virtual.spi_flash import SECTOR, SpiFlash

# It inflates into this much before it programs.
_BUFFER = 0x8000


class Reading:
    """A reading under way: a piece for each acknowledgement, then the MD5 of all."""

    def __init__(self, spi: SpiFlash, offset: int, size: int, piece: int) -> None:
        self.size = size
        self._spi, self._offset, self._piece = spi, offset, piece
        self._sent = 0
        self._md5 = hashlib.md5()

    def next(self) -> bytes:
        """The next piece; b"" when all went out."""
        found = self._spi.read(self._offset + self._sent, min(self._piece, self.size - self._sent))
        self._sent += len(found)
        self._md5.update(found)
        return found

    def digest(self) -> bytes:
        """Of what went out so far."""
        return self._md5.digest()


class Writing:
    """A write under way. It erases ahead of what it programs, and what is blank not at all."""

    def __init__(self, spi: SpiFlash, offset: int, size: int, *, inflate: bool) -> None:
        self.left = size
        self._spi, self._at = spi, offset
        self._erased_to = offset // SECTOR * SECTOR
        self._erase_to = -(-(offset + size) // SECTOR) * SECTOR
        self._dirty = False
        self._inflate = zlib.decompressobj() if inflate else None
        self._held = b""

    def erase_next(self) -> None:
        """Begins to erase what comes next, by the block where it can."""
        at = self._erased_to
        if at >= self._erase_to:
            return
        # From the first sector that is not blank on it looks no more.
        self._dirty = self._dirty or not self._spi.blank(at)
        self._erased_to += self._spi.erase_next(at, self._erase_to) if self._dirty else SECTOR

    def take(self, body: bytes) -> None:
        """A block. Raises zlib.error."""
        if self._inflate is None:
            self._put(body[: self.left])
            return
        while body:
            if self._spi.idle:
                self.erase_next()
            self._held += self._inflate.decompress(body, _BUFFER - len(self._held))
            body = self._inflate.unconsumed_tail
            if self._inflate.eof or len(self._held) == _BUFFER:
                held, self._held = self._held, b""
                self._put(held)

    def _put(self, data: bytes) -> None:
        while self._erased_to < min(self._at + len(data), self._erase_to):
            self.erase_next()
        self.program(data)

    def program(self, data: bytes) -> None:
        """Onto what is erased already."""
        self._spi.program(self._at, data)
        self._at += len(data)
        self.left -= len(data)
