"""COSEM objects: the lines of a telegram taken apart, with what is odd about them beside.

This is the definition of what a telegram says. The fast paths (`layout`, `archive`) must give the
same and hand over to it on any doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from dsmrctl.telegram import obis
from dsmrctl.telegram.values import BadValue, Measurement, hex_text, number, stamp

_START = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}[.:]\d{1,3}\.\d{1,3}(?:[.*]\d{1,3})?(?=\()")
_EPOCH_MONTH = timedelta(seconds=1)


class Diagnostic(NamedTuple):
    """Something odd about a line; it costs that value at most, never the telegram."""

    kind: str
    line: int
    obis: str | None
    message: str


class PeakRecord(NamedTuple):
    """The highest quarter-hour demand of a month, and when that quarter ended."""

    month: date
    time: datetime | None
    demand: Measurement


class CosemObject:
    """One object: its OBIS code as sent, the texts between its brackets, and its line (1-based)."""

    __slots__ = ("code", "line", "values")

    def __init__(self, code: str, values: tuple[str, ...], line: int) -> None:
        self.code = code
        self.values = values
        self.line = line

    def __repr__(self) -> str:
        return f"CosemObject({self.code}{''.join(f'({value})' for value in self.values)})"

    @property
    def entry(self) -> obis.Entry | None:
        """What is known of the code; None for an unknown one."""
        return obis.code(self.code).entry

    @property
    def name(self) -> str | None:
        entry = self.entry
        return entry.name if entry else None

    @property
    def channel(self) -> int | None:
        """The M-Bus channel 1 to 4 of an object 0-n:…"""
        a, b, _, _ = obis.code(self.code)
        return b if a == 0 and b else None

    @property
    def measurement(self) -> Measurement | None:
        """The number, its unit and time; None when there is none or it cannot be read."""
        try:
            return self.read()
        except BadValue:
            return None

    @property
    def time(self) -> datetime | None:
        """The time stamp in front, of a reading or of the telegram itself."""
        try:
            return stamp(self.values[0]) if self._stamped() else None
        except BadValue:
            return None

    @property
    def text(self) -> str | None:
        """A text that is sent in hex (serial numbers, messages), decoded."""
        entry = self.entry
        if entry is None or entry.kind not in ("text", "code"):
            return None
        return hex_text(self.values[0]) if entry.kind == "text" else self.values[0]

    def _stamped(self) -> bool:
        entry = self.entry
        if entry is not None and entry.kind in ("time", "stamped", "reading", "old-gas"):
            return True
        return len(self.values) == 2 and len(self.values[0]) == 13 and self.values[0][-1] in "SW"

    def read(self) -> Measurement | None:
        """`measurement`, raising BadValue for a value that should be one and is not."""
        entry = self.entry
        kind = entry.kind if entry else None
        values = self.values
        if kind in ("text", "time", "peaks", "events") or not values or values == ("",):
            return None
        if kind == "code":
            return Measurement(Decimal(values[0])) if values[0].isdigit() else None
        if kind == "old-gas":
            return self._old_gas()
        if kind is None and "*" not in values[-1]:
            return None  # an unknown code's digits may be a name
        when = None
        if len(values) > 1 and self._stamped():
            try:
                when = stamp(values[0])
            except BadValue as wrong:
                if wrong.kind == "bad-time":
                    raise
        if values[-1] == "":
            return None
        return Measurement(*number(values[-1]), when)

    def _old_gas(self) -> Measurement | None:
        """DSMR 2 and 3: (TST)(status)(minutes)(1)(0-n:24.2.1)(m3)(00001.001), 2.2+ chapter 6.11."""
        if len(self.values) < 7:
            raise BadValue("missing-value", "the reading that belongs to it is missing")
        try:
            when = stamp(self.values[0])
        except BadValue:
            when = None
        digits, _ = number(self.values[-1])
        return Measurement(digits, self.values[-2] or None, when)

    def numbers(self) -> Iterator[Measurement]:
        """Every number in it: one, or one for each record of a peak history or event log."""
        entry = self.entry
        kind = entry.kind if entry else None
        if kind == "peaks":
            yield from (peak.demand for peak in peaks(self)[0])
        elif kind == "events":
            yield from events(self)[0]
        else:
            found = self.measurement
            if found is not None:
                yield found

    def diagnose(self) -> Iterator[tuple[str, str]]:
        """(kind, message) of what is wrong with its values."""
        entry = self.entry
        kind = entry.kind if entry else None
        if kind == "peaks":
            yield from peaks(self)[1]
            return
        if kind == "events":
            yield from events(self)[1]
            return
        try:
            if self._stamped() and self.values[0]:
                stamp(self.values[0])
                if len(self.values[0]) == 12:
                    yield "no-offset", "its time says neither summer nor winter"
        except BadValue as wrong:
            yield wrong.kind, str(wrong)
            if wrong.kind == "bad-time":
                return
        try:
            self.read()
        except BadValue as wrong:
            yield wrong.kind, str(wrong)


def peaks(item: CosemObject) -> tuple[list[PeakRecord], list[tuple[str, str]]]:
    """The records of 0-0:98.1.0, oldest first, and what is wrong with others (eMUCS-P1 1.7, 5.4).

    (n)(1-0:1.6.0)(1-0:1.6.0) and n times (capture)(occurrence)(value*kW); the capture is the first
    moment of the month after. Meters sort either way, send unset records, and fewer than n.
    """
    values = item.values
    wrong: list[tuple[str, str]] = []
    if not values or not values[0].isdigit():
        return [], [("bad-history", "it does not begin with the number of records")] if values else []
    if len(values) > 1 and not obis.CODE.fullmatch(values[1]):
        return [], [("other-layout", "another layout than month peaks; kept as it is")]
    rows = [value for value in values[1:] if not obis.CODE.fullmatch(value)]
    if rows == [""]:
        rows = []
    claimed = int(values[0])
    if len(rows) != claimed * 3:
        wrong.append(("short-history", f"it announces {claimed} records and has {len(rows) // 3}"))
    found = []
    for i in range(0, len(rows) - 2, 3):
        try:
            captured = stamp(rows[i])
            digits, unit = number(rows[i + 2])
        except BadValue as bad:
            wrong.append((bad.kind, str(bad)))
            continue
        try:
            occurred = stamp(rows[i + 1])
        except BadValue as bad:
            wrong.append((bad.kind, str(bad)))
            occurred = None
        month = (captured - _EPOCH_MONTH).date().replace(day=1)
        found.append(PeakRecord(month, occurred, Measurement(digits, unit, occurred)))
    found.sort(key=lambda peak: peak.month)
    return found, wrong


def events(item: CosemObject) -> tuple[list[Measurement], list[tuple[str, str]]]:
    """The durations of 1-0:99.97.0, each with the end of the failure as its time (DSMR 5.0.2, 6.12).

    (z)(0-0:96.7.19) and z times (TST)(seconds*s); meters also send (), or z without records.
    """
    values = item.values
    if values in ((), ("",)):
        return [], []
    rows = [value for value in values[1:] if value and not obis.CODE.fullmatch(value)]
    found, wrong = [], []
    if values[0].isdigit() and int(values[0]) != len(rows) // 2:
        wrong.append(("short-log", f"it announces {values[0]} events and has {len(rows) // 2}"))
    for i in range(0, len(rows) - 1, 2):
        try:
            found.append(Measurement(*number(rows[i + 1]), stamp(rows[i])))
        except BadValue as bad:
            wrong.append((bad.kind, str(bad)))
    return found, wrong


def split(text: str) -> tuple[tuple[str, ...], bool]:
    """The texts between the outer brackets of `(a)(b)`, and whether the brackets balance."""
    if text[-1:] == ")" and "((" not in text and "))" not in text:
        inner = text[1:-1]
        parts = inner.split(")(")
        if inner.count("(") + inner.count(")") == 2 * (len(parts) - 1):
            return tuple(parts), True
    found, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        if sign == "(":
            if depth == 0:
                start = at + 1
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
            if depth == 0:
                found.append(text[start:at])
    if depth:
        found.append(text[start:])
    return tuple(found), depth == 0


def read_lines(body: str) -> tuple[tuple[CosemObject, ...], list[Diagnostic]]:
    """The objects of a telegram's body (from its header to before its `!`), and the odd lines."""
    objects: list[CosemObject] = []
    odd: list[Diagnostic] = []
    code: str | None = None
    text, begun = "", 0

    def close() -> None:
        if code is None:
            return
        values, balanced = split(text)
        if not balanced:
            odd.append(Diagnostic("unbalanced", begun, code, "a bracket is not closed"))
        objects.append(CosemObject(code, values, begun))

    lines = body.split("\n")
    for at, line in enumerate(lines[1:], 2):
        line = line.rstrip("\r")
        match = _START.match(line)
        if match is not None:
            close()
            code, text, begun = match[0], line[match.end() :], at
        elif line.strip("\0\xff "):
            if code is not None and (line[0] == "(" or text.count("(") > text.count(")")):
                text += line
            else:
                odd.append(Diagnostic("no-object", at, None, f"'{line[:40]}' is no COSEM object"))
    close()
    return tuple(objects), odd
