"""Write the CRC at the end of captures, for when one is made or changed by hand.

    python tests/captures/sign.py tests/captures/p1/belgium_emucs-1.3.txt …

The digits after the last `!` are replaced; their style stays (upper or lower case). A capture whose
name says that it has no CRC, or whose line ends are bare, is better left alone.

The CRC is computed here bit by bit, straight from the specification (DSMR P1 5.0.2, chapter 6.2:
x^16 + x^15 + x^2 + 1, least significant bit first, start 0), so that it checks the product's.
"""

from __future__ import annotations

import sys
from pathlib import Path


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def signed(body: bytes, style: str = "%04X") -> bytes:
    """`body`, from `/` up to its last `!`, with the CRC and a line end behind it."""
    covered = body[: body.rindex(b"!") + 1]
    return covered + (style % crc16(covered)).encode() + b"\r\n"


def main(files: list[str]) -> None:
    for name in files:
        file = Path(name)
        body = file.read_bytes()
        lower = body[body.rindex(b"!") :].strip().islower()
        file.write_bytes(signed(body, "%04x" if lower else "%04X"))


if __name__ == "__main__":
    main(sys.argv[1:])
