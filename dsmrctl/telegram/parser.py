"""One telegram's bytes to a Telegram: its shape and CRC are checked, nothing else is read yet."""

from __future__ import annotations

import re

from dsmrctl.errors import BadData

from . import crc
from .marks import Beginning
from .telegram import Telegram

LIMIT = 16384
"""Bytes a telegram may have, as in a stream (framing)."""

# `!` at the start of a line, up to four hexadecimal digits, and what lines send while idle.
_END = re.compile(rb"(?<=[\r\n])!([0-9A-Fa-f]{0,4})(?=[ \t\x00\xff]*(?:[\r\n]|\Z))[ \t]*[\r\n]*")
_HEADER = re.compile(rb"/[A-Za-z]{3}")
_IDLE = b"\0\xff \t\r\n"


class BadTelegram(BadData):
    """These bytes are no telegram, or a damaged one.

    `reason` is "garbage", "truncated", "overrun" or "crc", as in a Reject.
    """

    code = "bad_telegram"

    def __init__(self, reason: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.reason = reason


def parse(raw: bytes) -> Telegram:
    """The telegram in `raw`: from `/` to `!` and its CRC, whatever the country and version.

    CRC-16/ARC over `/` to `!` inclusive (DSMR P1 5.0.2, chapter 6.2); lower case and fewer than
    four digits are taken, and idle bytes around. Where line ends lost their CR on the way the CRC
    is taken as if they had it. Meters that send none (DSMR 2 and 3) are `crc` "absent". What is
    odd inside becomes `Telegram.diagnostics`. Raises BadTelegram, and nothing else, for any bytes.
    """
    # The usual telegram ends "\r\n!ABCD\r\n": no search needed.
    if (
        raw[-8:-6] == b"\n!"
        and b"%04X\r\n" % crc.crc16(raw[:-6]) == raw[-6:]
        and _HEADER.match(raw)
        and len(raw) <= LIMIT
    ):
        return Telegram(raw)
    return _parse_odd(raw)


def _parse_odd(raw: bytes) -> Telegram:
    raw = raw.lstrip(_IDLE)
    if not _HEADER.match(raw):
        raise BadTelegram(
            "garbage",
            "no telegram: " + ("it begins without / and three letters" if raw else "empty"),
            hint="in a stream, telegrams are found by dsmrctl telegram read",
        )
    if len(raw.rstrip(_IDLE)) > LIMIT:
        raise BadTelegram("overrun", f"longer than the {LIMIT} bytes a telegram may have")
    last = None
    checked = Beginning(0)  # its CRC runs on, so that many such lines cost no more than few
    for match in _END.finditer(raw):  # a message may have lines that look like the end
        if match[1] and checked.holds(raw, match.start() + 1, match[1]):
            return _whole(raw, match, "valid")
        last = match
    if last is None:
        raise BadTelegram("truncated", "a telegram without its end, a line with ! and the CRC")
    if not last[1]:
        return _whole(raw, last, "absent")
    found = crc.crc16(raw[: last.start() + 1])
    raise BadTelegram(
        "crc",
        f"wrong CRC: it says {last[1].decode().upper():0>4}, its bytes give {found:04X}",
        hint="a bit fell over on the way: a long cable, a weak pull-up, or noise",
    )


def _whole(raw: bytes, end: re.Match[bytes], check: str) -> Telegram:
    if raw[end.end() :].strip(_IDLE):
        raise BadTelegram(
            "garbage",
            "more bytes follow the end of the telegram",
            hint="in a stream, telegrams are found by dsmrctl telegram read",
        )
    return Telegram(raw[: end.end()], "valid" if check == "valid" else "absent")
