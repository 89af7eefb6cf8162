"""What stands between the brackets of a telegram: numbers with units, time stamps, text in hex.

Number formats: DSMR P1 5.0.2 chapter 6.4 and eMUCS-P1 1.7.1 chapter 5. A time stamp (TST) is
YYMMDDhhmmssX; X=S means +02:00 and X=W +01:00, and the flag is the offset even where the date
says otherwise.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

CET = timezone(timedelta(hours=1), "CET")
CEST = timezone(timedelta(hours=2), "CEST")
_OFFSETS = {"S": CEST, "W": CET}

NUMBER = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)(?:\*([^*()]{1,12}))?")
STAMP = re.compile(r"[0-9]{12}[SW]?")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_LAYOUT = {ord(character): None for character in "\t\r\n\0"}

# What meters send for "never": undefined bytes read as digits, the epochs of 1970 and 2000, zeros.
_UNSET = ("632525252525", "700101", "000000000000", "000101", "250000000000")
_KEPT = 4096  # stamps and numbers kept at most: a running clock makes new ones for ever

Number = tuple[Decimal, "str | None", "datetime | None"]
"""A number, its unit and its time: what a Measurement is, as a plain tuple."""


class Measurement(NamedTuple):
    """A number as the meter wrote it, its unit ("kWh", "kW", "V", "A", "m3" …) and its time."""

    number: Decimal
    unit: str | None = None
    time: datetime | None = None

    def __str__(self) -> str:
        return f"{self.number:f} {self.unit}" if self.unit else f"{self.number:f}"


class BadValue(ValueError):
    """A value that is none; `kind` names the diagnostic."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


stamps: dict[str, datetime] = {}
"""Time stamps that were read before: aware ones, with their flag."""
numbers: dict[str, Number] = {}
"""Numbers that were read before; never twelve digits, which may be a time stamp without a flag."""


def stamp(text: str) -> datetime:
    """A TST as an aware datetime. Raises BadValue ("unset-time", "bad-time")."""
    known = stamps.get(text)
    if known is not None:
        return known
    if not STAMP.fullmatch(text):
        raise BadValue("bad-time", f"{text[:20]!r} is no time stamp YYMMDDhhmmssX")
    if text.startswith(_UNSET):
        raise BadValue("unset-time", f"{text} means that no time was set")
    try:
        when = datetime(
            2000 + int(text[:2]), int(text[2:4]), int(text[4:6]),
            int(text[6:8]), int(text[8:10]), int(text[10:12]),
            tzinfo=_OFFSETS[text[12]] if len(text) == 13 else None,
        )  # fmt: skip
    except ValueError as error:
        raise BadValue("bad-time", f"{text} is no date: {error}") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=european(when))
    if len(text) == 13:
        if len(stamps) >= _KEPT:
            stamps.clear()
        stamps[text] = when
    return when


def european(local: datetime) -> timezone:
    """The offset of a local time in Central Europe, for stamps without a flag (DSMR 2 and 3).

    Summer time runs from the last Sunday of March, 02:00, to the last of October, 03:00
    (Directive 2000/84/EC); the hour that comes twice is taken as summer's.
    """
    begins = _last_sunday(local.year, 3).replace(hour=2)
    ends = _last_sunday(local.year, 10).replace(hour=3)
    return CEST if begins <= local < ends else CET


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def number(text: str) -> Number | None:
    """`00.338*kW` as (Decimal, "kW", None); None when it is no number. NaN and 1e3 are none."""
    known = numbers.get(text)
    if known is not None:
        return known
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    found = (Decimal(match[1]), match[2], None)
    if len(text) != 12:
        if len(numbers) >= _KEPT:
            numbers.clear()
        numbers[text] = found
    return found


def hex_text(text: str) -> str:
    """Octets in hex as text; what is not hex, or gives no text, stays as it is.

    Octets FF are what Hungary's meters fill an empty message with.
    """
    if not _HEX.fullmatch(text):
        return text.strip("\xff")
    octets = bytes.fromhex(text)
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        # Latin-1 turns anything into letters: believed only where most of it is plain ASCII.
        if sum(octet < 128 for octet in octets) * 2 <= len(octets):
            return text
        decoded = octets.decode("latin-1")
    return decoded if decoded.translate(_LAYOUT).isprintable() else text
