"""Gzip to bytes, a block at a time: whatever is in a file, the memory it takes is bounded."""

from __future__ import annotations

import zlib

from dsmrctl import errors

BLOCK = 1 << 18
"""Bytes unpacked at once."""
GZIP = b"\x1f\x8b"


class Gunzip:
    """Gzip to bytes, bounded: what was added is unpacked a block at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._packed = b""
        self._member = zlib.decompressobj(wbits=31)

    @property
    def whole(self) -> bool:
        """Whether the last member has its end."""
        return self._member.eof

    def add(self, data: bytes) -> None:
        self._packed += data

    def more(self) -> bytes:
        """The next block; b"" when bytes have to be added first."""
        while self._packed:
            if self._member.eof:
                # Appended members are one file; zeros after them are a tape's padding.
                self._packed = self._packed.lstrip(b"\x00")
                if not self._packed:
                    break
                self._member = zlib.decompressobj(wbits=31)
            try:
                data = self._member.decompress(self._packed, BLOCK)
            except zlib.error:
                raise errors.BadData(
                    f"{self._name} is damaged: not gzip all through",
                    hint="unpack what can be had with gzip -dc, and read that with -",
                ) from None
            self._packed = self._member.unconsumed_tail or self._member.unused_data
            if data:
                return data
        return b""
