"""CRC-16/ARC against crcmod, published vectors and itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from crcmod.crcmod import mkCrcFun
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.telegram import crc

REFERENCE = mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0)

VECTORS = [
    (b"", 0x0000),
    (b"\x00", 0x0000),
    (b"A", 0x30C0),
    (b"123456789", 0xBB3D),  # the catalogue's check value of CRC-16/ARC
    (b"\x00\x01", 0xC0C1),
]


@pytest.mark.parametrize(("data", "value"), VECTORS)
@pytest.mark.parametrize("function", [crc.crc16, crc.folded_crc16])
def test_known_values_come_out(function: crc.Crc, data: bytes, value: int) -> None:
    assert function(data) == value


@given(st.binary(max_size=600), st.integers(0, 0xFFFF))
def test_the_fallback_equals_crcmod(data: bytes, start: int) -> None:
    assert crc.folded_crc16(data, start) == REFERENCE(data, start)
    assert crc.crc16(data, start) == REFERENCE(data, start)


@pytest.mark.parametrize("size", [*range(70), 1059, 16384, 32767, 32768, 32769, 100_001])
def test_the_fallback_equals_crcmod_at_every_fold(size: int) -> None:
    data = bytes((7 * at + at // 251) & 0xFF for at in range(size))
    assert crc.folded_crc16(data, 0xBEEF) == REFERENCE(data, 0xBEEF)
    assert crc.folded_crc16(b"\xff" * size) == REFERENCE(b"\xff" * size)


@given(st.binary(max_size=200), st.integers(0, 200))
@pytest.mark.parametrize("function", [crc.crc16, crc.folded_crc16])
def test_a_crc_goes_on_where_it_stopped(function: crc.Crc, data: bytes, cut: int) -> None:
    assert function(data[cut:], function(data[:cut])) == function(data)


@pytest.mark.parametrize("function", [crc.crc16, crc.folded_crc16])
def test_any_buffer_will_do(function: crc.Crc) -> None:
    assert function(bytearray(b"123456789")) == function(memoryview(b"123456789")) == 0xBB3D


@pytest.mark.parametrize("digits", [b"bb3d", b"BB3D", b"Bb3D"])
def test_digits_in_any_case_hold(digits: bytes) -> None:
    assert crc.holds(b"123456789", digits)
    assert not crc.holds(b"123456780", digits)


def test_digits_without_their_leading_zeros_hold() -> None:
    data = next(b"%d" % n for n in range(10_000) if REFERENCE(b"%d" % n) < 0x100)
    assert crc.holds(data, b"%X" % REFERENCE(data))


def test_bare_line_feeds_hold_a_crc_made_over_carriage_returns() -> None:
    sent = b"/AAA5\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n!"
    digits = b"%04X" % REFERENCE(sent)
    assert crc.holds(sent.replace(b"\r\n", b"\n"), digits)
    assert not crc.holds(sent.replace(b"\r\n", b"\n", 1), digits), "mixed line ends are damage"


def in_a_fresh_python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_without_the_c_extension_the_fallback_is_used_and_told() -> None:
    program = (
        "import sys; sys.modules['crcmod._crcfunext'] = None\n"
        "from dsmrctl.telegram import crc\n"
        "assert crc.crc16(b'123456789') == 0xBB3D\n"
        "assert crc.function() is crc.folded_crc16\n"
        "sys.stdout.write(crc.implementation())"
    )
    assert in_a_fresh_python(program) == "dsmrctl fallback"


def test_without_crcmod_the_fallback_is_used() -> None:
    program = (
        "import sys; sys.modules['crcmod'] = None\n"
        "from dsmrctl.telegram import crc\n"
        "sys.stdout.write(crc.implementation())"
    )
    assert in_a_fresh_python(program) == "dsmrctl fallback"


def test_the_c_extension_is_used_where_it_is() -> None:
    pytest.importorskip("crcmod._crcfunext", reason="crcmod was built without a C compiler")
    assert crc.implementation() == "crcmod C extension"


def test_importing_it_imports_no_crcmod() -> None:
    program = (
        "import sys\n"
        "from dsmrctl.telegram import crc\n"
        "sys.stdout.write(str('crcmod' in sys.modules))"
    )
    assert in_a_fresh_python(program) == "False"
