"""What the values of one object say: its numbers, each with unit and time, and what is wrong.

This is the definition: the fast paths (`layout`, `matrix`) must give the same, and hand over to
it on any doubt. It goes by shape. A bracket is a number, a time stamp, an OBIS code, or wrong; a
stamp belongs to the numbers after it. `problems` gathers (kind, message) of what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from . import obis
from .values import STAMP, BadValue, Measurement, Number, number, stamp
from .values import numbers as known_numbers
from .values import stamps as known_stamps

Problems = list[tuple[str, str]]
Values = tuple[str, ...]

_COUNT = re.compile(r"[0-9]{1,5}")
_SECOND = timedelta(seconds=1)


class PeakRecord(NamedTuple):
    """The highest quarter-hour demand of a month (its first day), and when that quarter ended."""

    month: date
    time: datetime | None
    demand: Measurement


class Failure(NamedTuple):
    """A long power failure: when the power came back, and how long it was away."""

    time: datetime | None
    duration: Measurement


def when(text: str, problems: Problems) -> datetime | None:
    """A time stamp, None when it is unset or wrong."""
    try:
        found = stamp(text)
    except BadValue as wrong:
        problems.append((wrong.kind, str(wrong)))
        return None
    if len(text) == 12:
        problems.append(
            ("no-offset", f"{text} says neither summer nor winter; taken as Central Europe's time")
        )
    return found


def one_number(values: Values, problems: Problems) -> list[Number]:
    """Kind "number": mostly one bracket, `(00.338*kW)`."""
    if len(values) == 1:
        found = known_numbers.get(values[0]) or number(values[0])
        if found is not None:
            return [found]
    return _by_shape(values, problems)


def _by_shape(values: Values, problems: Problems) -> list[Number]:
    found: list[Number] = []
    time, loose = None, False
    last = len(values) - 1
    for at, text in enumerate(values):
        known = known_numbers.get(text)
        if known is None:
            if text in known_stamps:
                time, loose = known_stamps[text], True
                continue
            if STAMP.fullmatch(text) and (len(text) == 13 or last):
                time, loose = when(text, problems), True
                continue
            known = number(text)
        if known is not None:
            found.append(known if time is None else (known[0], known[1], time))
            loose = False
        elif text and not obis.CODE.fullmatch(text):
            time, loose = None, False
            if at < last and "*" not in text and "." not in text:
                problems.append(("bad-time", f"{text[:40]!r} is no time stamp YYMMDDhhmmssX"))
            else:
                problems.append(("bad-number", f"{text[:40]!r} is no number"))
    if loose and len(found) == 1 and time is not None and found[0][2] is None:
        return [(found[0][0], found[0][1], time)]  # (08.796*kW)(260102010000), Belgium in 2026
    return found


def reading(values: Values, problems: Problems) -> list[Number]:
    """Kind "reading": a stamp and a number, `(200512134558S)(00112.384*m3)`."""
    before = len(problems)
    found = _by_shape(values, problems)
    if not found and len(problems) == before:
        problems.append(("no-value", "it has no number"))
    return found


def numbers(values: Values, problems: Problems) -> list[Number]:
    """Kind "number", and a complaint when there is none: `1-0:1.8.1()`."""
    before = len(problems)
    found = one_number(values, problems)
    if not found and len(problems) == before:
        problems.append(("no-value", "it has no number"))
    return found


def old_reading(values: Values, problems: Problems) -> list[Number]:
    """Kind "old-gas": `(TST)(00)(60)(1)(0-1:24.2.1)(m3)(00001.001)` (DSMR 2.2 and 3.0, chapter 6).

    The value stands on the next line, on some meters on the same.
    """
    code = next((at for at, text in enumerate(values) if obis.CODE.fullmatch(text)), None)
    if code is None:
        return reading(values, problems)
    time = when(values[0], problems) if code else None
    unit, *rest = values[code + 1 :] or ("",)
    for text in reversed(rest):
        known = number(text)
        if known is not None:
            return [(known[0], known[1] or unit or None, time)]
        if text:
            problems.append(("bad-number", f"{text[:40]!r} is no number"))
            return []
    problems.append(("no-value", "its value, on this line or the next, is missing"))
    return []


def unknown(values: Values, problems: Problems) -> list[Number]:
    """An unknown code's numbers: with a unit or a decimal point. Mere digits may be a name."""
    if not any("*" in text or "." in text for text in values):
        return []
    found = _by_shape(values, [])
    return [each for each in found if each[1] is not None or each[0].as_tuple().exponent]


def listed(values: Values, problems: Problems) -> list[Number]:
    """Kinds "peaks" and "events": the records' numbers, each with its own time, in their order."""
    if values and _COUNT.fullmatch(values[0]):
        values = values[1:]
    return _by_shape(values, problems)


def failures(values: Values, problems: Problems) -> list[Failure]:
    """The log of 1-0:99.97.0, as it is sent (DSMR P1 5.0.2, chapter 6.12).

    (z)(0-0:96.7.19) and z times (TST)(seconds*s); meters also send (), or fewer than z.
    """
    found = [Failure(each[2], Measurement(*each)) for each in listed(values, problems)]
    _count(values, len(found), "failures", problems)
    return found


def peaks(values: Values, problems: Problems) -> list[PeakRecord]:
    """The month peaks of 0-0:98.1.0, oldest first (eMUCS-P1 1.7, chapter 5).

    (n)(1-0:1.6.0)(1-0:1.6.0) and n times (capture)(occurrence)(value*kW); the capture is the first
    moment of the next month. Meters sort either way. Another layout (Hungary's) gives none.
    """
    if not values or not _COUNT.fullmatch(values[0]):
        return []
    found: list[PeakRecord] = []
    records, stamps = 0, []
    for text in values[1:]:
        if not text or obis.CODE.fullmatch(text):
            continue
        if not ("*" in text or "." in text or (len(text) < 8 and number(text))):
            stamps.append(text)
            continue
        records += 1
        record = _peak(stamps, text, problems)
        if record is not None:
            found.append(record)
        stamps = []
    _count(values, records, "month peaks", problems)
    found.sort(key=lambda peak: peak.month)
    return found


def _peak(stamps: list[str], text: str, problems: Problems) -> PeakRecord | None:
    known = number(text)
    if known is None:
        problems.append(("bad-number", f"{text[:40]!r} is no number"))
        return None
    if len(stamps) != 2:
        told = "".join(f"({each[:20]})" for each in stamps[:4])
        problems.append(("bad-peak", f"{told or 'nothing'} before ({text}) should be two times"))
    if not stamps:
        return None
    captured = when(stamps[0], problems)
    occurred = when(stamps[-1], problems) if len(stamps) > 1 else None
    if captured is None:
        return None
    month = (captured - _SECOND).date().replace(day=1)
    return PeakRecord(month, occurred, Measurement(known[0], known[1], occurred))


def _count(values: Values, records: int, what: str, problems: Problems) -> None:
    if values and _COUNT.fullmatch(values[0]) and int(values[0]) != records:
        problems.append(
            ("wrong-count", f"{int(values[0])} {what} are announced, {records} are there")
        )


def _none(values: Values, problems: Problems) -> list[Number]:
    return []


def _clock(values: Values, problems: Problems) -> None:
    if values and values[0]:
        when(values[0], problems)
    else:
        problems.append(("no-value", "it has no time"))


NUMBERS: dict[str, Callable[[Values, Problems], list[Number]]] = {
    "number": one_number,
    "reading": _by_shape,
    "old-gas": old_reading,
    "peaks": listed,
    "events": listed,
    "unknown": unknown,
    "time": _none,
    "text": _none,
    "code": _none,
}
"""By an object's kind: its numbers."""

CHECK: dict[str, Callable[[Values, Problems], object]] = {
    **NUMBERS,
    "number": numbers,
    "reading": reading,
    "peaks": peaks,
    "events": failures,
    "time": _clock,
}
"""By an object's kind: what finds all that is wrong with it."""
