"""A stand-in for MicroPython's release image: the same form and size, and no MicroPython in it.

For the demo and for tests, which have no network. It passes base_image.check and esptool's own
look at an image; a chip that got it would do nothing.
"""

from __future__ import annotations

import hashlib
import random
import struct

# As MicroPython's makeimg.py lays an image out: what goes to RAM, filled up to here, then the rest.
_ROM_AT = 0x9000
_SEGMENTS = ((0x40100000, 31 * 1024), (0x3FFE8000, 1088), (0x3FFE8440, 2976))
_ENTRY = 0x40100000
# Bytes of the rest and the name MicroPython gives the build; about those of its releases.
_BUILDS = {
    "FLASH_1M": (563_200, "ESP module (1M)"),
    "FLASH_512K": (520_192, "ESP module (512K)"),
    "FLASH_2M_ROMFS": (617_472, "ESP module"),
    "": (612_352, "ESP module"),
}
# 33 of 256 values, about evenly: compresses to about 0.65, as the chip's code does.
_LIKE_CODE = bytes(33 * value // 256 * 5 + 3 for value in range(256))


def make(variant: str = "FLASH_1M", version: str = "1.29.0") -> bytes:
    """The stand-in of that variant and version; the same arguments give the same bytes."""
    size, name = _BUILDS[variant]
    chance = random.Random(f"{variant} {version}")

    def code(count: int) -> bytes:
        return chance.randbytes(count).translate(_LIKE_CODE)

    # 1 MB and QIO at 40 MHz in the header, as the build leaves it; flashing corrects it.
    head = struct.pack("<BBBBI", 0xE9, len(_SEGMENTS), 0, 0x20, _ENTRY)
    checksum = 0xEF
    for address, count in _SEGMENTS:
        data = code(count)
        head += struct.pack("<II", address, count) + data
        for byte in data:
            checksum ^= byte
    head += bytes(-(len(head) + 1) % 16) + bytes([checksum])
    said = [
        "a stand-in made by dsmrctl: this is no MicroPython, and boots nothing",
        f"MicroPython v{version} on 2026-08-24",
        f"; {name} with ESP8266",
        *(["VfsRom"] if variant == "FLASH_2M_ROMFS" else []),
    ]
    text = b"\0".join(each.encode() for each in said) + b"\0"
    rom = code(size // 2) + text
    rom += code(size - len(rom))
    image = head.ljust(_ROM_AT - 4, b"\xff") + struct.pack("<I", _ROM_AT + len(rom)) + rom
    # Without the first 4 bytes, which tools that flash it may change.
    return image + hashlib.md5(image[4:], usedforsecurity=False).digest()
