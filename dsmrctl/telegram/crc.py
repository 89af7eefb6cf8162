"""CRC-16/ARC, the check at the end of a telegram.

Polynomial x^16 + x^15 + x^2 + 1, bits reflected, start 0, no final xor; it covers `/` to `!`
inclusive (DSMR P1 5.0.2, chapter 6.2).

crcmod's C extension does the work. Where crcmod was installed without a compiler only its pure
Python is there, and `folded_crc16` below is several times faster than that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

Crc = Callable[..., int]

_crc: Crc | None = None
_implementation = ""

# x^16 + x^15 + x^2 + 1 = (x + 1)(x^15 + x + 1). Squaring in GF(2) only spreads the exponents, so
# for every s = 2^j:  x^(15 s) = x^s + 1  modulo the second factor. All bits from 15 s up can be
# folded onto the lower ones by two exclusive-ors of whole (big) integers, and j counts down to 0.
# Modulo x + 1 a polynomial is the parity of its bits; the two remainders make the CRC.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FOLDS = tuple((15 << j, 1 << j, (1 << (15 << j)) - 1) for j in range(14, -1, -1))
_SLICE = 32768  # bytes: the largest fold takes no more in one step
_FACTOR = 0x8003  # x^15 + x + 1


def crc16(data: bytes | bytearray | memoryview, start: int = 0) -> int:
    """The CRC of `data`, 0..65535; `start` is the CRC of what came before it."""
    return (_crc or function())(data, start)


def function() -> Crc:
    """The function behind `crc16` (data, start=0), for loops that count every call."""
    global _crc, _implementation
    if _crc is None:
        _crc, _implementation = _choose()
    return _crc


def implementation() -> str:
    """ "crcmod C extension" or "dsmrctl fallback": which one `crc16` uses here."""
    function()
    return _implementation


def holds(covered: bytes, digits: bytes) -> bool:
    """Whether `digits` (1 to 4, hexadecimal, any case) are the CRC of `covered`, `/` to `!`.

    A stream stored with bare line feeds keeps the CRC its meter made over CR LF: that holds too.
    """
    wanted = int(digits, 16)
    if crc16(covered) == wanted:
        return True
    return b"\r" not in covered and crc16(covered.replace(b"\n", b"\r\n")) == wanted


def folded_crc16(data: bytes | bytearray | memoryview, start: int = 0) -> int:
    """`crc16` in pure Python, without a table to build: big integers do the work."""
    if len(data) > _SLICE:
        view = memoryview(data)
        for at in range(0, len(view), _SLICE):
            start = folded_crc16(view[at : at + _SLICE], start)
        return start
    bits = 8 * len(data)
    value = int.from_bytes(bytes(data).translate(_REVERSED), "big") << 16
    if start:
        value ^= _reversed16(start) << bits
    odd = value.bit_count() & 1
    # The first fold that can do anything: 15 << j is at most the bits there are.
    for high, spread, mask in _FOLDS[max(0, 18 - (bits + 16).bit_length()) :]:
        while over := value >> high:
            value = (value & mask) ^ over ^ (over << spread)
    if value.bit_count() & 1 != odd:
        value ^= _FACTOR
    return _reversed16(value)


def _reversed16(value: int) -> int:
    return _REVERSED[value & 0xFF] << 8 | _REVERSED[value >> 8]


def _choose() -> tuple[Crc, str]:
    try:
        # `from crcmod import crcmod` would give the package: its star import shadows the module.
        module = importlib.import_module("crcmod.crcmod")
    except ImportError:
        return folded_crc16, "dsmrctl fallback"
    # crcmod does not say in public which of its two it took; without the name we take ours.
    if not getattr(module, "_usingExtension", False):
        return folded_crc16, "dsmrctl fallback"
    return module.mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0), "crcmod C extension"
