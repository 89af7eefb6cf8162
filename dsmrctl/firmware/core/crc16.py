"""CRC-16/ARC, the checksum that ends a telegram (DSMR P1 5.0.2, chapter 6.2)."""

# A nibble at a time: 16 entries, for 256 would cost a kilobyte of the chip's heap.
_TABLE = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(buf: bytes | bytearray | memoryview, n: int | None = None, crc: int = 0) -> int:
    """CRC of the first `n` bytes (None: all) of `buf`, going on from `crc`."""
    table = _TABLE
    for i in range(len(buf) if n is None else n):
        crc ^= buf[i]
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return crc
