"""COSEM objects: the lines of a telegram taken apart, with what is odd about them beside."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from . import obis
from .readings import CHECK, NUMBERS, Problems, when
from .values import Measurement, Number, hex_text


class Diagnostic(NamedTuple):
    """Something odd about a line (1-based); it costs that value at most, never the telegram."""

    kind: str
    line: int
    obis: str | None
    message: str


class CosemObject:
    """One object: its OBIS code as sent, the texts between its brackets, and its line (1-based).

    Values are read when they are asked for; what cannot be read is None, and a diagnostic.
    """

    __slots__ = ("code", "line", "obis", "values")

    def __init__(self, code: str, values: tuple[str, ...], line: int, known: obis.Code) -> None:
        self.code = code
        self.values = values
        self.line = line
        self.obis = known

    def __repr__(self) -> str:
        return f"CosemObject({self.code}{''.join(f'({value})' for value in self.values)})"

    @property
    def entry(self) -> obis.Entry | None:
        """What is known of the code; None for an unknown one."""
        return self.obis.entry

    @property
    def kind(self) -> obis.Kind:
        """How its values are read: "number", "reading", "peaks" …, "unknown"."""
        return self.obis.kind

    @property
    def name(self) -> str | None:
        """Its name in `Telegram` and in documents; None for an unknown code."""
        return self.obis.entry.name if self.obis.entry else None

    @property
    def channel(self) -> int | None:
        """The M-Bus channel of an object 0-n:…, n from 1."""
        return self.obis.channel

    def numbers(self) -> list[Number]:
        """Every number in it as (number, unit, time): one, or one for each record of a list."""
        return NUMBERS[self.obis.kind](self.values, [])

    @property
    def measurement(self) -> Measurement | None:
        """The number, its unit and time; None when there is none, or it is a list."""
        if self.obis.kind in ("peaks", "events"):
            return None
        found = self.numbers()
        return Measurement(*found[0]) if found else None

    @property
    def time(self) -> datetime | None:
        """The clock's time, or that of the reading."""
        if self.obis.kind == "time":
            return when(self.values[0], []) if self.values else None
        found = self.measurement
        return found.time if found is not None else None

    @property
    def text(self) -> str | None:
        """A text sent in hex (serial numbers, messages) decoded; of a code, its characters."""
        if self.obis.kind not in ("text", "code"):
            return None
        text = "".join(self.values)
        return hex_text(text) if self.obis.kind == "text" else text

    def problems(self) -> Problems:
        """(kind, message) of everything wrong with its values."""
        found: Problems = []
        CHECK[self.obis.kind](self.values, found)
        return found


def read_objects(body: str) -> tuple[tuple[CosemObject, ...], list[Diagnostic]]:
    """The objects of a telegram, header to before its `!`, and what is wrong with its lines.

    A line that begins with no OBIS code goes on with the one before when that is open: a message
    wrapped over lines, or the reading that DSMR 2 sets on a line of its own.
    """
    objects: list[CosemObject] = []
    odd: dict[int, Diagnostic] = {}
    text, begun = "", 0  # the line of the object that may go on; 0: none may
    parts: list[str] = []  # of one that does; joined once, when it ends
    depth = 0  # brackets open in them
    separator = "\r\n" if body.count("\r\n") == body.count("\n") else "\n"
    lines = body.split(separator) if "\n" in body else body.split("\r")
    for at, line in enumerate(lines[1:], 2):
        found = _lines.get(line) or _object(line)
        if found is None:
            if not (bare := line.strip(_BLANK)):
                continue
            if begun:
                if not parts:
                    depth = text.count("(") - text.count(")")
                if bare[0] == "(" or depth > 0:
                    parts += [line] if parts else [text, line]
                    depth += line.count("(") - line.count(")")
                    continue
        if parts:
            _join(parts, begun, objects, odd)
            parts = []
        if found is None:
            odd[at] = Diagnostic("no-object", at, None, f"{line[:40]!r} is no COSEM object")
            begun = 0  # what follows belongs to this line, not to the one before
            continue
        code, values, known, wrong = found
        text, begun = line, at
        if wrong is not None:
            odd[at] = Diagnostic("bad-brackets", at, code, wrong)
        objects.append(CosemObject(code, values, at, known))
    if parts:
        _join(parts, begun, objects, odd)
    return tuple(objects), list(odd.values())


def _join(
    parts: list[str], begun: int, objects: list[CosemObject], odd: dict[int, Diagnostic]
) -> None:
    """The last object goes on over lines: it is read again, whole."""
    if "(" not in parts[0]:  # the code stands alone: no blank between it and its bracket
        parts[:2] = [parts[0].rstrip(_BLANK) + parts[1].lstrip(_BLANK)]
    found = _object("".join([part.rstrip("\r") for part in parts[:-1]]) + parts[-1])
    if found is None:  # cannot be: the first part alone has a code
        return
    code, values, known, wrong = found
    odd.pop(begun, None)
    if wrong is not None:
        odd[begun] = Diagnostic("bad-brackets", begun, code, wrong)
    objects[-1] = CosemObject(code, values, begun, known)


_BLANK = " \t\r\0\xff"
_Line = tuple[str, tuple[str, ...], obis.Code, "str | None"]
_KEPT = 1024  # lines kept at most: many are the same from telegram to telegram
_lines: dict[str, _Line] = {}


def _object(line: str) -> _Line | None:
    """(code, values, what the code is, what is wrong); None when it begins with no code."""
    code, bracket, rest = line.partition("(")
    known = obis.find(code)
    if known is None:
        code, bracket, rest = line.strip(_BLANK).partition("(")
        known = obis.find(code)
        if known is None:
            return None
    rest = bracket + rest.rstrip(_BLANK)
    if rest[-1:] == ")" and rest.find("(", 1) < 0 and rest.find(")") == len(rest) - 1:
        values, wrong = (rest[1:-1],), None  # one bracket, as on most lines
    else:
        values, wrong = _brackets(rest, message=known.cde.startswith("96.13."))
    found = (code, values, known, wrong)
    if len(line) < 1024:
        if len(_lines) >= _KEPT:
            _lines.clear()
        _lines[line] = found
    return found


def _brackets(text: str, message: bool) -> tuple[tuple[str, ...], str | None]:
    """The texts between the outer brackets of `(a)(b)`, and what is wrong with them."""
    if not text:
        return (), "no bracket follows the code"
    if text[-1] == ")":
        inner = text[1:-1]
        if message:
            return (inner,), None  # a message may say (anything :)
        parts = inner.split(")(")
        if inner.count("(") + inner.count(")") == 2 * (len(parts) - 1):
            return tuple(parts), None
    found: list[str] = []
    depth, start, loose = 0, 0, 0
    for at, sign in enumerate(text):
        if sign == "(":
            if not depth:
                start = at + 1
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
            if not depth:
                found.append(text[start:at])
        elif not depth:
            loose += 1
    if depth:
        return (*found, text[start:]), "a bracket is not closed"
    return tuple(found), f"{loose} characters stand outside its brackets" if loose else None
