"""The layout cache: telegrams of one meter have one shape, so only their digits are looked at.

A layout is learned from a telegram the general parser has read. Digits of numbers and of time
stamps are free, every other byte is not: where those are the same, the same numbers stand in the
same places. Comparing a whole telegram is one `and` of two large integers.

The general parser is the definition. It reads on any doubt: a new shape, something else than a
digit in a digit's place (the comparison lets `:` to `?` through), a time that is none or means
"never". And a layout is used only after it gave the same as the general parser on telegrams of
its shape with other digits. This file can be deleted: all but the speed stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from typing import Any, NamedTuple

from .objects import CosemObject
from .telegram import Telegram
from .values import NUMBER, STAMP, BadValue, Measurement, Number, stamp

CLOCK = "time"
"""The key of the telegram's own time; other keys are those of OBIS codes."""

_WHOLE = re.compile(rb"/[^!]*\r\n!([0-9A-Fa-f]{4})\r\n")
_FLAGGED = re.compile(r"[0-9]{12}[SW]")
_BY_SHAPE = ("number", "reading", "peaks", "events", "unknown")
_DIGITS = b"0123456789"
_PROBES = 3
_LENGTHS, _OF_ONE_LENGTH = 16, 4  # layouts kept at most
_STAMPS = 1024  # time stamps kept at most


class Place(NamedTuple):
    """Where a number stands: its digits, and its time stamp where that can change."""

    digits: slice
    unit: str | None
    stamp: slice | None
    time: datetime | None  # the time of every telegram of this shape, when `stamp` is None

    def read(self, text: str) -> Measurement:
        """Raises BadValue or InvalidOperation in doubt."""
        time = self.time if self.stamp is None else when(text[self.stamp])
        return Measurement(Decimal(text[self.digits]), self.unit, time)


class Layout:
    """The shape of one meter's telegrams.

    `mask` and `fixed` are little-endian integers of a telegram's size: what has this shape gives
    `fixed` when masked. `digits` and `stamps` are its free places in their order, `clock` that of
    the telegram's own time, `places` where the numbers stand by key.
    """

    __slots__ = (
        "_constants", "_cut", "_stamped", "_times", "_units", "clock", "digits", "fixed", "mask",
        "places", "raw", "stamps",
    )  # fmt: skip

    def __init__(
        self,
        raw: bytes,
        numbers: list[Place | Number],
        places: dict[str, Place],
        clock: slice | None,
    ) -> None:
        self.raw = raw
        self.clock = clock
        self.places = places
        found = [each for each in numbers if isinstance(each, Place)]
        self.digits = [place.digits for place in found]
        stamps = [clock, *(place.stamp for place in found)]
        by_start = {cut.start: cut for cut in stamps if cut is not None}
        self.stamps = [by_start[start] for start in sorted(by_start)]
        self._cut = _cutter(self.digits)
        self._units = [place.unit for place in found]
        self._times = [place.time for place in found]
        self._stamped = [(at, place.stamp) for at, place in enumerate(found) if place.stamp]
        self._constants = [
            (at, each) for at, each in enumerate(numbers) if not isinstance(each, Place)
        ]
        mask = bytearray(b"\xff" * len(raw))
        for cut in (*self.digits, *self.stamps):
            for at in range(cut.start, cut.stop):
                if raw[at] in _DIGITS:
                    mask[at] = 0xF0
        for cut in self.stamps:
            mask[cut.stop - 1] = 0xFB  # S and W differ in this bit
        mask[-6:-2] = bytes(4)  # the CRC: it was checked before
        self.mask = int.from_bytes(mask, "little")
        self.fixed = int.from_bytes(raw, "little") & self.mask

    def numbers(self, text: str) -> list[Number] | None:
        """`Telegram.numbers` of a telegram of this shape; None in doubt."""
        try:
            times = self._times.copy()
            for at, cut in self._stamped:
                times[at] = _known_stamps.get(text[cut]) or when(text[cut])
            found = list(zip(map(Decimal, self._cut(text)), self._units, times))  # noqa: B905
        except (BadValue, InvalidOperation):
            return None
        for at, number in self._constants:
            found.insert(at, number)
        return found

    def filled(self, digit: Callable[[int], int]) -> bytes:
        """A telegram of this shape with other digits, `digit(10)` at a time; its CRC is not made."""
        raw = bytearray(self.raw)
        for cut in self.digits:
            for at in range(cut.start, cut.stop):
                if raw[at] in _DIGITS:
                    raw[at] = _DIGITS[digit(10)]
        for cut in self.stamps:
            date = (11 + digit(50), 1 + digit(12), 1 + digit(28), digit(24), digit(60), digit(60))
            raw[cut] = b"%02d%02d%02d%02d%02d%02d" % date + b"SW"[digit(2) :][:1]
        return bytes(raw)


class Named:
    """What a telegram says by key, made when it is asked for. A key in doubt is not in it."""

    __slots__ = ("_known", "_layout", "_text")

    def __init__(self, layout: Layout, raw: bytes) -> None:
        self._layout = layout
        self._text = raw.decode("latin-1")
        self._known: dict[str, Any] = {}

    def __contains__(self, key: str) -> bool:
        if key in self._known:
            return True
        layout = self._layout
        try:
            if key in layout.places:
                self._known[key] = layout.places[key].read(self._text)
            elif key == CLOCK and layout.clock is not None:
                self._known[key] = when(self._text[layout.clock])
            else:
                return False
        except (BadValue, InvalidOperation):
            return False
        return True

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        return self._known[key]


def numbers(raw: bytes) -> list[Number] | None:
    """`Telegram.numbers` by a layout; None when there is none for `raw`, or in doubt."""
    layout = _layout_of(raw)
    return layout.numbers(raw.decode("latin-1")) if layout is not None else None


def named(raw: bytes) -> Named | None:
    """What a layout knows by key of the telegram `raw`; None when there is no layout for it."""
    layout = _layout_of(raw)
    return Named(layout, raw) if layout is not None else None


_layouts: dict[int, tuple[Layout, ...]] = {}
_misses: dict[int, int] = {}
_last: tuple[bytes, Layout | None] = (b"", None)


def _layout_of(raw: bytes) -> Layout | None:
    global _last
    last, layout = _last
    if last is raw:
        return layout
    if type(raw) is not bytes:
        return None  # it might change
    found = _layouts.get(len(raw))
    if found is not None:
        value = int.from_bytes(raw, "little")
        for layout in found:
            if value & layout.mask == layout.fixed:
                _last = raw, layout
                return layout
    layout = _missed(raw)
    _last = raw, layout
    return layout


def _missed(raw: bytes) -> Layout | None:
    """Learn at the second telegram of a length that has no layout, then at the fourth, eighth …

    A meter that never sends the same shape twice costs little more than without layouts.
    """
    size = len(raw)
    count = _misses[size] = _misses.get(size, 0) + 1
    if count == 1 or count & (count - 1):
        return None
    layout = learn(raw)
    if layout is not None:
        _layouts[size] = (layout, *_layouts.get(size, ()))[:_OF_ONE_LENGTH]
    for kept in (_layouts, _misses):
        while len(kept) > _LENGTHS:
            del kept[next(iter(kept))]
    return layout


# --- learning ------------------------------------------------------------------------------------


def learn(raw: bytes) -> Layout | None:
    """The layout of a whole telegram with its CRC; None when its shape is none to rely on."""
    if _WHOLE.fullmatch(raw) is None or raw.count(b"\r") != raw.count(b"\r\n") != raw.count(b"\n"):
        return None
    telegram = Telegram(raw)
    found: list[Place | Number] = []
    places: dict[str, Place] = {}
    clock = None
    starts = _line_starts(raw)
    for item in telegram.objects:
        cuts = _cuts(item, raw, starts[item.line - 1])
        said = list(_places(item, cuts))
        found += said
        key = item.obis.key
        if item.kind not in ("peaks", "events") and said and isinstance(said[0], Place):
            if telegram.get(item.code) is item and telegram.measured(key) == item.measurement:
                places.setdefault(key, said[0])
        if item.kind == "time" and telegram.time is not None and cuts:
            if clock is None and _FLAGGED.fullmatch(item.values[0]) and item.time == telegram.time:
                clock = cuts[0]
    if not any(isinstance(each, Place) for each in found):
        return None
    layout = Layout(raw, found, places, clock)
    return layout if all(_agrees(layout, probe) for probe in (raw, *_probes(layout))) else None


def _line_starts(raw: bytes) -> list[int]:
    starts = [0]
    for match in re.finditer(rb"\r\n", raw):
        starts.append(match.end())
    return starts


def _cuts(item: CosemObject, raw: bytes, start: int) -> list[slice]:
    """Where the values of an object stand, when it is one plain line; else none."""
    line = f"{item.code}{''.join(f'({value})' for value in item.values)}\r\n".encode("latin-1")
    if not raw.startswith(line, start):
        return []
    found = []
    at = start + len(item.code)
    for value in item.values:
        found.append(slice(at + 1, at + 1 + len(value)))
        at += len(value) + 2
    return found


def _places(item: CosemObject, cuts: list[slice]) -> Iterator[Place | Number]:
    """An object's numbers, each by its place; by its value where it is not plainly to be seen."""
    said = item.numbers()
    if item.kind not in _BY_SHAPE or not cuts:
        yield from said
        return
    found: list[Place] = []
    before: slice | None = None
    for value, cut in zip(item.values, cuts, strict=True):
        if _FLAGGED.fullmatch(value):
            before = cut
            continue
        match = NUMBER.fullmatch(value)
        if match is None or STAMP.fullmatch(value) or len(found) == len(said):
            continue
        number, unit, time = said[len(found)]
        if Decimal(match[1]) != number or match[2] != unit:
            continue
        stamped = before is not None and time is not None and _is(time, item, cuts, before)
        digits = slice(cut.start, cut.start + len(match[1]))
        found.append(Place(digits, unit, before if stamped else None, None if stamped else time))
    yield from found if len(found) == len(said) else said


def _is(time: datetime, item: CosemObject, cuts: list[slice], cut: slice) -> bool:
    try:
        return stamp(item.values[cuts.index(cut)]) == time
    except BadValue:
        return False


def _probes(layout: Layout) -> Iterator[bytes]:
    from random import Random

    random = Random(len(layout.raw))
    for _ in range(_PROBES):
        yield layout.filled(random.randrange)
    yield layout.filled(lambda below: 0)
    yield layout.filled(lambda below: below - 1)


def _agrees(layout: Layout, raw: bytes) -> bool:
    """Whether it says the same as the general parser."""
    telegram = Telegram(raw)
    if layout.numbers(raw.decode("latin-1")) != telegram.numbers_by_line():
        return False
    quick = Named(layout, raw)
    if layout.clock is not None and (CLOCK not in quick or quick[CLOCK] != telegram.time):
        return False
    return all(key in quick and quick[key] == telegram.measured(key) for key in layout.places)


# --- time stamps ---------------------------------------------------------------------------------

_known_stamps: dict[str, datetime] = {}
_minutes: dict[str, datetime] = {}
_SECONDS = {f"{second:02}": timedelta(seconds=second) for second in range(60)}


def when(text: str) -> datetime:
    """`stamp`, faster for a clock that runs: its minute was there before. Raises BadValue.

    Years 00 and 70 hold what meters send for "never", so those are left to `stamp`.
    """
    known = _known_stamps.get(text)
    if known is not None:
        return known
    minute = _minutes.get(text[:10] + text[12:])
    second = _SECONDS.get(text[10:12])
    if minute is not None and second is not None:
        found = minute + second
    else:
        found = stamp(text)
        if len(text) == 13 and "01" <= text[:2] < "70":
            if len(_minutes) >= _STAMPS:
                _minutes.clear()
            _minutes[text[:10] + text[12]] = found.replace(second=0)
    if len(_known_stamps) >= _STAMPS:
        _known_stamps.clear()
    _known_stamps[text] = found
    return found


def _cutter(cuts: list[slice]) -> Callable[[str], tuple[str, ...]]:
    """The texts of these cuts, in one call when there are several."""
    if len(cuts) > 1:
        return itemgetter(*cuts)
    return lambda text: tuple(text[cut] for cut in cuts)
