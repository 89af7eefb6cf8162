"""Telegrams and streams of them, made for tests; the CRC comes from crcmod, not from us."""

from __future__ import annotations

import re
from pathlib import Path

from crcmod.crcmod import mkCrcFun
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PROJECT = Path(__file__).parents[2]
OWN_STREAM = PROJECT / "tests" / "captures" / "p1" / "stream_dsmr50_lf-only.raw"
_REAL_STREAMS = (PROJECT.parent / "shared" / "captures" / "p1").glob("*stream_dsmr50.raw")
SERIAL_CAPTURES = [OWN_STREAM, *_REAL_STREAMS]
"""Ours, and as an extra a real one where it lies beside the project."""

crc_of = mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0)

HEADER = "/FLU5\\253769484_A"
OBJECTS = (
    "0-0:96.1.4(50217)",
    "0-0:1.0.0(260114123001W)",
    "1-0:1.8.1(000301.548*kWh)",
    "1-0:1.7.0(00.338*kW)",
    "0-0:96.13.0()",
)


def telegram(*objects: str, header: str = HEADER, crc: str | None = "%04X") -> bytes:
    """A whole telegram; `crc` is how the digits are written, None leaves them away."""
    lines = objects or OBJECTS
    covered = "".join(f"{line}\r\n" for line in (header, "", *lines)).encode("latin-1") + b"!"
    digits = b"" if crc is None else (crc % crc_of(covered)).encode()
    return covered + digits + b"\r\n"


def numbered(n: int) -> bytes:
    """One of a series: each differs from the next in its time and register."""
    return telegram(
        "0-0:96.1.4(50217)",
        f"0-0:1.0.0(260114{n // 3600 % 24:02}{n // 60 % 60:02}{n % 60:02}W)",
        f"1-0:1.8.1({n / 1000:010.3f}*kWh)",
        "1-0:1.7.0(00.338*kW)",
        header=HEADER,
    )


def dutch(n: int) -> bytes:
    """A DSMR 5.0 telegram of the size meters send, the n-th second of an afternoon."""
    watt = 300 + n * 37 % 900
    return telegram(
        "1-3:0.2.8(50)",
        f"0-0:1.0.0(26011415{n // 60 % 60:02}{n % 60:02}W)",
        "0-0:96.1.1(4530303030303030303030303030303031)",
        f"1-0:1.8.1({3432.827 + n // 8 / 1000:010.3f}*kWh)",
        f"1-0:1.8.2({3224.632:010.3f}*kWh)",
        "1-0:2.8.1(000000.000*kWh)",
        "1-0:2.8.2(000000.000*kWh)",
        "0-0:96.14.0(0001)",
        f"1-0:1.7.0({watt / 1000:06.3f}*kW)",
        "1-0:2.7.0(00.000*kW)",
        "0-0:96.7.21(00005)",
        "0-0:96.7.9(00003)",
        "1-0:99.97.0(1)(0-0:96.7.19)(180417201458S)(0000000236*s)",
        *(f"1-0:{phase}.32.0(00001)" for phase in (32, 52, 72)),
        *(f"1-0:{phase}.36.0(00001)" for phase in (32, 52, 72)),
        "0-0:96.13.0()",
        *(f"1-0:{phase}.7.0({235 + (n + phase) % 25 / 10:05.1f}*V)" for phase in (32, 52, 72)),
        *(f"1-0:{phase}.7.0({watt // 230:03}*A)" for phase in (31, 51, 71)),
        *(f"1-0:{phase}.7.0({watt / 3000:06.3f}*kW)" for phase in (21, 41, 61)),
        *(f"1-0:{phase}.7.0(00.000*kW)" for phase in (22, 42, 62)),
        header="/DCT5\\2A000T-0001",
    )


def line_fed_stream(telegrams: int = 60) -> bytes:
    """Telegrams as a terminal that drops CRs stores them, cut inside the first and the last."""
    whole = b"".join(dutch(n) for n in range(telegrams + 2)).replace(b"\r\n", b"\n")
    return whole[300:-250]


def slices(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def whole_telegrams(stream: bytes) -> list[bytes]:
    """The independent answer: split at line ends that start with !, check with crcmod."""
    found = []
    for covered, digits in re.findall(rb"(?s)(/[A-Z]{3}5[^!]*?!)([0-9A-F]{4})", stream):
        if crc_of(covered.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) == int(digits, 16):
            found.append(covered + digits)
    return found


KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")[::-1]
TITLE = b"SAGgp\x05\xdb\x08"  # the mark of a frame may well be in a title


def sealed(text: bytes, counter: int = 1, key: bytes = KEY, title: bytes = TITLE) -> bytes:
    """One frame, as the Smarty specification says it."""
    count = counter.to_bytes(4, "big")
    cipher = Cipher(algorithms.AES(key), modes.GCM(title + count)).encryptor()
    cipher.authenticate_additional_data(bytes.fromhex("3000112233445566778899AABBCCDDEEFF"))
    body = b"\x30" + count + cipher.update(text) + cipher.finalize() + cipher.tag[:12]
    size = len(body)
    length = b"\x82" + size.to_bytes(2, "big")
    if size < 256:
        length = bytes([0x81, size]) if size > 127 else bytes([size])
    return b"\xdb\x08" + title + length + body


SEALED = b"".join(sealed(numbered(n), n) for n in range(5))
