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

NUMBER = re.compile(r"(-?\d{1,15}(?:\.\d{1,9})?)(?:\*([^*()]{1,12}))?")
STAMP = re.compile(r"\d{12}[SW]?")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")

# What meters send for "never": undefined bytes (FF FF read as digits), the epochs, zeros.
_UNSET = ("632525252525", "700101", "000000000000", "000101000001", "250000000000")
_ODDITIES = 4096  # stamps kept at most: a meter with a running clock makes new ones for ever


class Measurement(NamedTuple):
    """A number as the meter wrote it, its unit ("kWh", "kW", "V", "A", "m3" …) and its time."""

    number: Decimal
    unit: str | None = None
    time: datetime | None = None

    def __str__(self) -> str:
        return f"{self.number} {self.unit}" if self.unit else str(self.number)


class BadValue(ValueError):
    """A value that is none; `kind` names the diagnostic."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_stamps: dict[str, datetime] = {}


def stamp(text: str) -> datetime:
    """A TST as an aware datetime. Raises BadValue ("unset-time", "bad-time")."""
    known = _stamps.get(text)
    if known is not None:
        return known
    if not STAMP.fullmatch(text):
        raise BadValue("bad-time", f"'{text[:20]}' is no time stamp YYMMDDhhmmssX")
    if text.startswith(_UNSET):
        raise BadValue("unset-time", f"{text} means that no time was set")
    try:
        when = datetime(
            2000 + int(text[:2]), int(text[2:4]), int(text[4:6]),
            int(text[6:8]), int(text[8:10]), int(text[10:12]),
        )  # fmt: skip
    except ValueError as error:
        raise BadValue("bad-time", f"{text} is no date: {error}") from None
    when = when.replace(tzinfo=_OFFSETS[text[12]] if len(text) == 13 else european(when))
    if len(_stamps) >= _ODDITIES:
        _stamps.clear()
    _stamps[text] = when
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


def number(text: str) -> tuple[Decimal, str | None]:
    """`00.338*kW` as (Decimal, "kW"). Raises BadValue ("bad-number")."""
    match = NUMBER.fullmatch(text)
    if match is None:
        raise BadValue("bad-number", f"'{text[:40]}' is no number")
    return Decimal(match[1]), match[2]


def hex_text(text: str) -> str:
    """Octets in hex as text; what is not hex, or not text, stays as it is."""
    if not _HEX.fullmatch(text):
        return text
    decoded = bytes.fromhex(text).decode("latin-1")
    return decoded if decoded.isprintable() else text
