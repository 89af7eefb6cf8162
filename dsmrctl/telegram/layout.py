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
from typing import NamedTuple

from .objects import CosemObject
from .telegram import Telegram
from .values import NUMBER, STAMP, BadValue, Measurement, Number, stamp

_WHOLE = re.compile(rb"/[^!]*\r\n!([0-9A-Fa-f]{4})\r\n")
_FLAGGED = re.compile(r"[0-9]{12}[SW]")
_BY_SHAPE = ("number", "reading", "peaks", "events", "unknown")
_DIGITS = b"0123456789"
_integer = int.from_bytes
_PROBES = 3
_LENGTHS, _OF_ONE_LENGTH = 16, 4  # layouts kept at most
_MINUTES = 1024  # kept at most, of summer and of winter


class Place(NamedTuple):
    """Where a number stands: its digits, and its time stamp where that can change."""

    digits: slice
    unit: str | None
    stamp: slice | None
    time: datetime | None  # the time of every telegram of this shape, when `stamp` is None


class Layout:
    """The shape of one meter's telegrams.

    `mask` and `fixed` are little-endian integers of a telegram's size: what has this shape gives
    `fixed` when masked. `digits` and `stamps` are its free places in their order, `clock` that of
    the telegram's own time, `places` where the numbers stand by key.
    """

    __slots__ = (
        "_cut", "_cut_stamps", "_others", "_stamped", "_timed", "_times", "_units",
        "clock", "digits", "fixed", "mask", "places", "raw", "stamps",
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
        self.mask, self.fixed = self._compared()

        self._cut = _cutter(self.digits)
        self._units = [place.unit for place in found]
        self._times = [place.time for place in found]
        stamped = [(at, place.stamp) for at, place in enumerate(found) if place.stamp is not None]
        self._stamped = [at for at, _ in stamped]
        self._cut_stamps = _cutter([cut for _, cut in stamped])
        self._timed: tuple[tuple[str, ...], list[datetime | None]] = ((), self._times)
        others = enumerate(numbers)
        self._others = [(at, each) for at, each in others if not isinstance(each, Place)]

    def _compared(self) -> tuple[int, int]:
        mask = bytearray(b"\xff" * len(self.raw))
        for cut in (*self.digits, *self.stamps):
            for at in range(cut.start, cut.stop):
                if self.raw[at] in _DIGITS:
                    mask[at] = 0xF0
        for cut in self.stamps:
            mask[cut.stop - 1] = 0xFB  # S and W differ in this bit
        mask[-6:-2] = bytes(4)  # the CRC: it was checked before
        value = int.from_bytes(mask, "little")
        return value, int.from_bytes(self.raw, "little") & value

    def numbers(self, raw: bytes) -> list[Number] | None:
        """`Telegram.numbers` of a telegram of this shape; None in doubt."""
        text = raw.decode("latin-1")
        try:
            stamps, times = self._timed
            # Most times stay for minutes, or for the month.
            if (now := self._cut_stamps(text)) != stamps:
                times = self._times.copy()
                for at, stamped in zip(self._stamped, now):  # noqa: B905
                    times[at] = when(stamped)
                self._timed = now, times
            found = list(zip(map(Decimal, self._cut(text)), self._units, times))  # noqa: B905
        except (BadValue, InvalidOperation):
            return None
        for at, number in self._others:
            found.insert(at, number)
        return found

    def time(self, raw: bytes) -> datetime | None:
        """`Telegram.time` of a telegram of this shape; None in doubt, or when it has none."""
        if self.clock is None:
            return None
        try:
            return when(raw[self.clock].decode("latin-1"))
        except BadValue:
            return None

    def measured(self, raw: bytes, key: str) -> Measurement | None:
        """`Telegram.measured` of a telegram of this shape; None in doubt, or for an unknown key."""
        place = self.places.get(key)
        if place is None:
            return None
        try:
            stamp = place.stamp
            time = place.time if stamp is None else when(raw[stamp].decode("latin-1"))
            return Measurement(Decimal(raw[place.digits].decode("latin-1")), place.unit, time)
        except (BadValue, InvalidOperation):
            return None

    def filled(self, digit: Callable[[int], int]) -> bytes:
        """A telegram of this shape with other digits, each `digit(10)`; its CRC is not made."""
        raw = bytearray(self.raw)
        for cut in self.digits:
            for at in range(cut.start, cut.stop):
                if raw[at] in _DIGITS:
                    raw[at] = _DIGITS[digit(10)]
        for cut in self.stamps:
            date = (11 + digit(50), 1 + digit(12), 1 + digit(28), digit(24), digit(60), digit(60))
            raw[cut] = b"%02d%02d%02d%02d%02d%02d" % date + b"SW"[digit(2) :][:1]
        return bytes(raw)


def numbers(raw: bytes) -> list[Number] | None:
    """`Telegram.numbers` by a layout; None when the general parser must say."""
    layout = _layout_of(raw)
    return layout.numbers(raw) if layout is not None else None


def time(raw: bytes) -> datetime | None:
    """`Telegram.time` by a layout; None when the general parser must say."""
    last, layout = _last
    if last is not raw:
        layout = _layout_of(raw)
    return layout.time(raw) if layout is not None else None


def measured(raw: bytes, key: str) -> Measurement | None:
    """`Telegram.measured` by a layout; None when the general parser must say."""
    layout = _layout_of(raw)
    return layout.measured(raw, key) if layout is not None else None


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
        value = _integer(raw, "little")
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
    ends = raw.count(b"\r\n")
    if not (_WHOLE.fullmatch(raw) and ends == raw.count(b"\r") == raw.count(b"\n")):
        return None
    telegram = Telegram(raw)
    found: list[Place | Number] = []
    places: dict[str, Place] = {}
    clock = None
    starts = [0, *(match.end() for match in re.finditer(rb"\r\n", raw))]
    for item in telegram.objects:
        cuts = _cuts(item, raw, starts[item.line - 1])
        said = list(_places(item, cuts))
        found += said
        if len(telegram.all(item.code)) > 1:
            continue  # which of them counts is for the general parser to say
        if item.kind == "time" and cuts and item.time and _FLAGGED.fullmatch(item.values[0]):
            clock = cuts[0]
        elif item.kind not in ("peaks", "events") and said and isinstance(said[0], Place):
            places[item.obis.key] = said[0]
    layout = Layout(raw, found, places, clock)
    if not layout.digits or not all(_agrees(layout, probe) for probe in (raw, *_probes(layout))):
        return None
    return layout


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
    found: list[Place | Number] = []
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
        if before is not None and time is None:
            found.append(said[len(found)])  # at a time that means "never": a dead meter's
            continue
        digits = slice(cut.start, cut.start + len(match[1]))
        found.append(Place(digits, unit, before, None if before else time))
    yield from found if len(found) == len(said) else said


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
    if layout.numbers(raw) != telegram.numbers_by_line():
        return False
    if layout.clock is not None and layout.time(raw) != telegram.time:
        return False
    return all(layout.measured(raw, key) == telegram.measured(key) for key in layout.places)


# --- time stamps ---------------------------------------------------------------------------------

_SECONDS = {f"{second:02}": timedelta(seconds=second) for second in range(60)}
_summer: dict[str, datetime] = {}
_winter: dict[str, datetime] = {}


def when(text: str) -> datetime:
    """`stamp` of 13 characters, faster for a running clock. Raises BadValue.

    The second is added to a minute that was there before: none of a date that means "never" was.
    """
    minutes = _summer if text[12] == "S" else _winter
    try:
        return minutes[text[:10]] + _SECONDS[text[10:12]]
    except KeyError:
        found = stamp(text)
    if len(minutes) >= _MINUTES:
        minutes.clear()
    minutes[text[:10]] = found.replace(second=0)
    return found


def _cutter(cuts: list[slice]) -> Callable[[str], tuple[str, ...]]:
    """The texts of these cuts, in one call when there are several."""
    if len(cuts) > 1:
        return itemgetter(*cuts)
    return lambda text: tuple(text[cut] for cut in cuts)
