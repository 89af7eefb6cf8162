"""One telegram's bytes to a Telegram: its shape and its CRC are checked, nothing else is read yet."""

from __future__ import annotations

import re

from dsmrctl.errors import BadData
from dsmrctl.telegram.crc import crc16
from dsmrctl.telegram.telegram import Telegram

# `!` at the start of a line, up to four hexadecimal digits, and what lines send while idle.
_END = re.compile(rb"(?<=\n)!([0-9A-Fa-f]{0,4})[ \t\x00\xff\r\n]*\Z")


class BadTelegram(BadData):
    """These bytes are no telegram, or a damaged one. `reason` is "garbage", "truncated" or "crc"."""

    def __init__(self, reason: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.reason = reason


def parse(raw: bytes) -> Telegram:
    """The telegram in `raw`: from `/` to `!` and its CRC, whatever the country and version.

    CRC-16/ARC over `/` to `!` inclusive (DSMR P1 5.0.2, chapter 6.2); lower case and fewer than
    four digits are taken. Where line ends lost their CR on the way the CRC is taken as if they
    had it. Meters that send none (DSMR 2 and 3) are `crc` "absent". Raises BadTelegram.
    """
    # The usual telegram ends "!ABCD\r\n": no search needed.
    digits = raw[-6:-2]
    if raw[-7:-6] == b"!" and raw[:1] == b"/":
        try:
            if crc16(raw[:-6]) == int(digits, 16):
                return Telegram(raw, "valid")
        except ValueError:
            pass
    return _parse_odd(raw)


def _parse_odd(raw: bytes) -> Telegram:
    raw = raw.lstrip(b"\0\xff \t\r\n")
    if raw[:1] != b"/":
        raise BadTelegram("garbage", "no telegram: it does not begin with /")
    match = _END.search(raw)
    if match is None:
        raise BadTelegram("truncated", "a telegram without its end: no line begins with ! and a CRC")
    raw = raw[: match.end()].rstrip(b"\0\xff")
    body = raw[: match.start() + 1]
    if not match[1]:
        return Telegram(raw, "absent")
    expected = int(match[1], 16)
    if crc16(body) == expected:
        return Telegram(raw, "valid")
    if b"\r" not in body and crc16(body.replace(b"\n", b"\r\n")) == expected:
        return Telegram(raw, "valid")
    raise BadTelegram(
        "crc",
        f"wrong CRC: it says {expected:04X}, its bytes give {crc16(body):04X}",
        hint="a bit fell over on the way: a long cable, a weak pull-up, or noise",
    )
