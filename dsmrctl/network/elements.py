"""What the numbers of a foreign frame may be, by how they change; only a person knows for sure.

Each element is followed by its place in the array. Nothing is guessed from one frame, and a name
is given only to what nothing else could be: the clock, and the tariff.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 64
"""Elements that are looked at; a frame has at most 512 bytes."""
_LARGEST = 10**12
_MOST_BYTES = 2048
# Fewer frames, or seconds, say nothing.
LEAST_FRAMES, LEAST_S = 5, 4.0
_TARIFF_FRAMES = 10
_POWER_W = 100_000


class Raw(NamedTuple):
    """The numbers of one frame of whatever order, and the version it says it has."""

    elements: list[int]
    version: int | None


class Guess(NamedTuple):
    """What it looks like, in words; `name` is one for --layout, None when it is not sure."""

    words: str
    name: str | None = None


def read(data: bytes) -> Raw | None:
    """The array `dsmr` of whole numbers in a datagram, in whatever order; None without one."""
    if len(data) > _MOST_BYTES:
        return None
    try:
        found = json.loads(data)
        elements = found["dsmr"]
        version = found.get("v")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(elements, list) or not 0 < len(elements) <= MOST:
        return None
    if not all(type(each) is int and abs(each) < _LARGEST for each in elements):
        return None
    return Raw(elements, version if type(version) is int else None)


@dataclass
class Element:
    """One place of the array, over all frames; change: since the frame before."""

    number: int
    first: int
    value: int
    change: int = 0
    least: int = 0
    most: int = 0
    moves: int = 0
    falls: int = 0
    largest_step: int = 0
    # Whether every change was that of a clock's seconds.
    ticks: bool = True

    def take(self, value: int, passed_s: float) -> None:
        """The next frame's, so many seconds later."""
        self.change = value - self.value
        self.moves += self.change != 0
        self.falls += self.change < 0
        self.largest_step = max(self.largest_step, abs(self.change))
        self.least, self.most = min(self.least, value), max(self.most, value)
        # A frame may come a little late; the meter's clock does not wait for it.
        error = (self.change - round(passed_s)) % 60
        self.ticks = self.ticks and 0 <= value < 60 and min(error, 60 - error) <= 1
        self.value = value


@dataclass
class Elements:
    """All places of the frames of one sender; begun anew when their number changes."""

    places: list[Element] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    # Of each place, how often it went one up just as a place of seconds began anew.
    _with_wrap: list[int] = field(default_factory=list)

    def take(self, elements: list[int], passed_s: float) -> None:
        """The next frame, so many seconds after the one before."""
        if len(elements) != len(self.places):
            self.places = [
                Element(number, value, value, least=value, most=value)
                for number, value in enumerate(elements, 1)
            ]
            self._with_wrap = [0] * len(elements)
            self.frames, self.seconds = 1, 0.0
            return
        self.frames += 1
        self.seconds += passed_s
        for place, value in zip(self.places, elements, strict=True):
            place.take(value, passed_s)
        if any(place.change < 0 for place in self._seconds()):
            for at, place in enumerate(self.places):
                self._with_wrap[at] += place.change % 60 == 1

    def guesses(self) -> list[Guess]:
        """What each place may be."""
        if self.frames < LEAST_FRAMES or self.seconds < LEAST_S:
            return [Guess("too few frames yet")] * len(self.places)
        seconds = self._seconds()
        minutes = [
            place for at, place in enumerate(self.places)
            if place not in seconds and self._with_wrap[at] and place.moves == self._with_wrap[at]
            and place.least >= 0 and place.most < 60
        ]  # fmt: skip
        tariffs = [each for each in self.places if {each.least, each.most} <= {1, 2}]
        return [self._guess(place, seconds, minutes, tariffs) for place in self.places]

    def layout(self) -> str:
        """What to give to --layout, with `-` for every place that is not sure."""
        return ",".join(guess.name or "-" for guess in self.guesses())

    def _seconds(self) -> list[Element]:
        return [each for each in self.places if each.ticks and each.moves >= LEAST_FRAMES - 1]

    def _guess(
        self, place: Element, seconds: list[Element], minutes: list[Element], tariffs: list[Element]
    ) -> Guess:
        if place in seconds:
            return Guess("the clock's second", "second" if len(seconds) == 1 else None)
        if place in minutes:
            return Guess("the clock's minute", "minute" if len(minutes) == 1 else None)
        if place in tariffs and self.frames >= _TARIFF_FRAMES:
            return Guess("1 or 2: the tariff", "tariff" if len(tariffs) == 1 else None)
        if place.moves == 0:
            if place.value == 0:
                return Guess("0 all the time: a power that is not there, or unknown")
            if 0 <= place.value < 60:
                return Guess("stands still: the minute, or anything small")
            return Guess("stands still: a register of the other tariff, or a peak")
        if place.falls == 0 and place.first >= place.largest_step * 10:
            if self.seconds < 1:
                return Guess("grows")
            an_hour = (place.value - place.first) * 3600 / self.seconds
            return Guess(f"only grows, {an_hour:.0f} an hour: a register in Wh?")
        if place.falls == 0:
            return Guess("only grows: the quarter's demand, or a power that rises")
        if place.least >= 0 and place.most < _POWER_W:
            return Guess("rises and falls: a power in W, import or export?")
        return Guess("rises and falls")
