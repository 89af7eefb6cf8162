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
# So often a minute was seen to begin before anything is named by it: once may be chance.
LEAST_MINUTES = 2
_TARIFF_FRAMES = 10
_POWER_W = 100_000
# A clock's second agrees with ours to so much, but for one frame in ten, which came late; what
# is between the two clocks is followed slowly, so that an hour of drift does no harm.
_CLOCK_S = 1.5
_CLOCK_FOLLOWS = 0.05


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
    # Of a clock's second: frames that agreed with ours, and how far it stands from ours.
    _agreed: int = 0
    _frames: int = 0
    _ahead_s: float = 0.0

    @property
    def since_first(self) -> int:
        """The change since the first frame."""
        return self.value - self.first

    @property
    def ticks(self) -> bool:
        """Whether it goes with our clock's seconds, from 0 to 59."""
        in_range = self.least >= 0 and self.most < 60
        return in_range and self.moves > 0 and self._agreed * 10 >= self._frames * 9

    def take(self, value: int, elapsed_s: float) -> None:
        """The next frame's, so many seconds after the first."""
        self.change = value - self.value
        self.moves += self.change != 0
        self.falls += self.change < 0
        self.largest_step = max(self.largest_step, abs(self.change))
        self.least, self.most = min(self.least, value), max(self.most, value)
        self.value = value
        off_s = (self.since_first - elapsed_s - self._ahead_s + 30) % 60 - 30
        self._frames += 1
        self._agreed += abs(off_s) <= _CLOCK_S
        self._ahead_s += off_s * _CLOCK_FOLLOWS


@dataclass
class Elements:
    """All places of the frames of one sender; begun anew when their number changes."""

    places: list[Element] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    # Pairs of places of which the second is not the minute of the first, should that be a second.
    _astray: set[tuple[int, int]] = field(default_factory=set)

    def take(self, elements: list[int], passed_s: float) -> None:
        """The next frame, so many seconds after the one before."""
        if len(elements) != len(self.places):
            self.places = [
                Element(number, value, value, least=value, most=value)
                for number, value in enumerate(elements, 1)
            ]
            self._astray = set()
            self.frames, self.seconds = 1, 0.0
            return
        self.frames += 1
        self.seconds += passed_s
        for place, value in zip(self.places, elements, strict=True):
            place.take(value, self.seconds)
        small = [each for each in self.places if each.least >= 0 and each.most < 60]
        for second in small:
            # Whole minutes that no frame came are told by our clock, what is over by theirs.
            passed = second.change + 60 * round((passed_s - second.change) / 60)
            begun = (second.value - second.change + passed) // 60
            for place in small:
                if (place.change - begun) % 60:
                    self._astray.add((second.number, place.number))

    def guesses(self) -> list[Guess]:
        """What each place may be."""
        if self.frames < LEAST_FRAMES or self.seconds < LEAST_S:
            return [Guess("too few frames yet")] * len(self.places)
        seconds = [each for each in self.places if each.ticks]
        minutes = [each for each in self.places if any(self._goes_with(each, s) for s in seconds)]
        tariffs = [each for each in self.places if {each.least, each.most} <= {1, 2}]
        return [self._guess(place, seconds, minutes, tariffs) for place in self.places]

    def _goes_with(self, place: Element, second: Element) -> bool:
        """Whether it is that second's minute, by the minutes that began meanwhile."""
        small = place.least >= 0 and place.most < 60
        return (
            small and place is not second and place.moves >= LEAST_MINUTES
            and (second.number, place.number) not in self._astray
        )  # fmt: skip

    def layout(self) -> str:
        """What to give to --layout, with `-` for every place that is not sure."""
        return ",".join(guess.name or "-" for guess in self.guesses())

    def _guess(
        self, place: Element, seconds: list[Element], minutes: list[Element], tariffs: list[Element]
    ) -> Guess:
        # Anything small may count for a while as a second does; a clock also begins anew.
        clock = len(seconds) == 1 and seconds[0].falls > 0 and seconds[0].largest_step > 30
        if place in seconds:
            return Guess("the clock's second", "second" if clock else None)
        if place in minutes:
            return Guess("the clock's minute", "minute" if clock and len(minutes) == 1 else None)
        if place in tariffs and self.frames >= _TARIFF_FRAMES:
            # Until the minute is known, this may be the minute.
            sure = clock and len(minutes) == 1 and len(tariffs) == 1
            return Guess("1 or 2: the tariff?", "tariff" if sure else None)
        if place.moves == 0:
            if place.value == 0:
                return Guess("0 all the time: a power that is not there, or unknown")
            if 0 <= place.value < 60:
                return Guess("stands still: the minute, or anything small")
            return Guess("stands still: a register of the other tariff, or a peak")
        if place.falls == 0 and place.first >= place.largest_step * 10:
            an_hour = place.since_first * 3600 / self.seconds
            return Guess(f"only grows, {an_hour:.0f} an hour: a register in Wh?")
        if place.falls == 0:
            return Guess("only grows: the quarter's demand, or a power that rises")
        if place.least >= 0 and place.most < _POWER_W:
            return Guess("rises and falls: a power in W, import or export?")
        return Guess("rises and falls")
