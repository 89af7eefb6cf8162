"""CRC-16/ARC, the checksum that ends a telegram (DSMR P1 5.0.2, chapter 6.2)."""

from . import reader


def crc16(buf: bytes | bytearray | memoryview, n: int | None = None, crc: int = 0) -> int:
    """CRC of the first `n` bytes (None: all) of `buf`, going on from `crc`."""
    return reader.crc16(buf, 0, len(buf) if n is None else n, crc)
