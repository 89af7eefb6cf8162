"""A household by the second: what runs on each phase, its panels, its gas and its water.

Between two changes nothing moves, so a day is a list of segments and a year costs seconds. All is
a function of the seed and the second: any second may be asked for, in any order, and is the same
on every computer. All figures are whole numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from dsmrctl import belgian_time
from dsmrctl.virtual import appliances
from dsmrctl.virtual.appliances import GAS, L1, L2, L3, WATER, Equipment, Run
from dsmrctl.virtual.weather import solar_steps

Kind = Literal["load", "solar", "gas", "water"]
Row = tuple[int, int, int, int, int]
"""W on L1, L2, L3 (export negative), then cm³/s of gas and of water."""

# One phase may feed in no more than this (Synergrid C10/11); larger inverters take three.
_ONE_PHASE_W = 5000
_DAYS_KEPT = 4
# Switched loads of seconds longer ago than so many switchings are forgotten.
_SWITCHINGS_KEPT = 512


class Event(NamedTuple):
    """A line of a script: at second `at_s` something of `amount` begins, for ever or `length_s`.

    amount: W of a "load" or of "solar", cm³/s of "gas" or "water". phase: 1, 2, 3, or 0 for all.
    """

    at_s: int
    kind: Kind
    amount: int
    length_s: int | None = None
    phase: int = 1


class Sample(NamedTuple):
    """One second, from `time_s` to `time_s` + 1: W a phase (export negative), cm³ of gas, water."""

    time_s: int
    l1_w: int
    l2_w: int
    l3_w: int
    gas_cm3: int
    water_cm3: int

    @property
    def net_w(self) -> int:
        """All phases summed; export is negative."""
        return self.l1_w + self.l2_w + self.l3_w

    @property
    def import_w(self) -> int:
        """What comes in when the phases are summed."""
        return max(self.net_w, 0)

    @property
    def export_w(self) -> int:
        """What goes out when the phases are summed."""
        return max(-self.net_w, 0)


class Segment(NamedTuple):
    """From second `start_s` until second `end_s` nothing changes. Gas and water in cm³/s."""

    start_s: int
    end_s: int
    l1_w: int
    l2_w: int
    l3_w: int
    gas_cm3_s: int
    water_cm3_s: int


class Household:
    """Seconds count from `start` (an aware time); those before it exist too.

    pv_wp: panels, 0 for none; car_w: 0, 7400 or 11000; script: events on top of all else. One with
    `inhabited` False is nothing but its script and what is switched. Raises ValueError for a start
    without an offset and for an event or car that cannot be.
    """

    def __init__(
        self,
        start: datetime,
        seed: int = 1,
        *,
        pv_wp: int = 4800,
        car_w: int = 7400,
        gas: bool = True,
        water_heater: bool = False,
        inhabited: bool = True,
        script: Iterable[Event] = (),
    ) -> None:
        if car_w not in (0, 7400, 11000):
            raise ValueError("a car charges at 7400 or 11000 W")
        self.seed = seed
        self.inhabited = inhabited
        self.start = belgian_time.seconds(start)
        self._equipment = Equipment(car_w, gas, water_heater)
        self._pv_wp = pv_wp if inhabited else 0
        self._script = [run for event in script for run in _runs(event, self.start)]
        self._plans: dict[int, list[Run]] = {}
        self._days: dict[int, tuple[list[int], list[Row]]] = {}
        # The segment last asked for: seconds are mostly asked for one after the other.
        self._from = self._until = 0
        self._row: Row = (0, 0, 0, 0, 0)
        self._loads: dict[str, tuple[int, int]] = {}
        self._switched: list[tuple[int, int, int, int]] = []
        self._reached = -1

    @classmethod
    def scripted(cls, start: datetime, script: Iterable[Event] = ()) -> Household:
        """A household that is nothing but its script."""
        return cls(start, inhabited=False, script=script)

    def set_load(self, name: str, watts: int, at_s: int | None = None, phase: int = 1) -> None:
        """Switch a load of this name to `watts`, counted from second `at_s` + 1 on.

        Without `at_s`: after the last second asked for. phase: 1, 2, 3, or 0 for all. Raises
        ValueError for a phase there is none of, and when `at_s` lies before an earlier switching.
        """
        _phases(watts, phase)
        first = (self._reached if at_s is None else at_s) + 1
        if self._switched and first < self._switched[-1][0]:
            raise ValueError(f"second {at_s} is over: loads are switched in the order of time")
        self._loads[name] = (watts, phase)
        totals = [0, 0, 0]
        for load_w, load_phase in self._loads.values():
            for column, part_w in _phases(load_w, load_phase):
                totals[column] += part_w
        kept = self._switched[-_SWITCHINGS_KEPT:]
        if kept and kept[-1][0] == first:
            kept.pop()
        # A new list, so that another thread that reads the old one is not disturbed.
        self._switched = [*kept, (first, totals[0], totals[1], totals[2])]

    def at(self, second: int) -> Sample:
        """What this second is like."""
        utc = self.start + second
        if not self._from <= utc < self._until:
            self._seek(utc)
        l1, l2, l3, gas, water = self._row
        if second > self._reached:
            self._reached = second
        if self._switched:
            _, d1, d2, d3 = self._switching(second)
            l1, l2, l3 = l1 + d1, l2 + d2, l3 + d3
        return Sample(second, l1, l2, l3, gas, water)

    def segments(self, start_s: int, end_s: int) -> Iterator[Segment]:
        """The seconds from `start_s` to before `end_s`, without holes or overlaps.

        A load switched meanwhile shows from the next segment on that begins after it.
        """
        origin = self.start
        at, end = origin + start_s, origin + end_s
        while at < end:
            day = belgian_time.day(at)
            starts, rows = self._day(day)
            for index in range(bisect_right(starts, at) - 1, len(rows)):
                until = starts[index + 1]
                if until > end:
                    until = end
                l1, l2, l3, gas, water = rows[index]
                first, at = at - origin, until
                until -= origin
                if until > self._reached:
                    self._reached = until - 1
                if self._switched:
                    yield from self._split(first, until, rows[index])
                else:
                    yield Segment(first, until, l1, l2, l3, gas, water)
                if at == end:
                    return

    def _split(self, start_s: int, end_s: int, row: Row) -> Iterator[Segment]:
        l1, l2, l3, gas, water = row
        changes = [change[0] for change in self._switched if start_s < change[0] < end_s]
        for until in (*changes, end_s):
            _, d1, d2, d3 = self._switching(start_s)
            yield Segment(start_s, until, l1 + d1, l2 + d2, l3 + d3, gas, water)
            start_s = until

    def _switching(self, second: int) -> tuple[int, int, int, int]:
        last = self._switched[-1]
        if second >= last[0]:
            return last
        index = bisect_right(self._switched, second, key=lambda change: change[0]) - 1
        return self._switched[index] if index >= 0 else (0, 0, 0, 0)

    def _seek(self, utc: int) -> None:
        starts, rows = self._day(belgian_time.day(utc))
        index = bisect_right(starts, utc) - 1
        self._from, self._until, self._row = starts[index], starts[index + 1], rows[index]

    def _day(self, ordinal: int) -> tuple[list[int], list[Row]]:
        """The rows of a civil day and when they begin; behind the last, when the day ends."""
        found = self._days.get(ordinal)
        if found is None:
            while len(self._days) >= _DAYS_KEPT:
                del self._days[next(iter(self._days))]
            found = self._days[ordinal] = self._make_day(ordinal)
        return found

    def _make_day(self, ordinal: int) -> tuple[list[int], list[Row]]:
        begin, end = belgian_time.midnight(ordinal), belgian_time.midnight(ordinal + 1)
        changes: list[tuple[int, int, int]] = []
        runs = [self._script]
        if self.inhabited:
            runs += [self._plan(ordinal - 1), self._plan(ordinal)]
        for run in (run for group in runs for run in group):
            start, until, column, amount = run
            if start < end and until > begin:
                changes.append((start if start > begin else begin, column, amount))
                if until < end:
                    changes.append((until, column, -amount))
        if self._pv_wp:
            changes += self._solar(ordinal, begin)
        changes.sort()
        return _rows(begin, end, changes)

    def _solar(self, ordinal: int, begin: int) -> list[tuple[int, int, int]]:
        inverter_w = self._pv_wp * 9 // 10
        columns = (L1, L2, L3) if inverter_w > _ONE_PHASE_W else (L1,)
        changes: list[tuple[int, int, int]] = []
        last = 0
        steps = solar_steps(self.seed, ordinal, begin, self._pv_wp, inverter_w)
        for at, _, watts in steps:
            each = watts // len(columns)
            if each != last:
                changes += [(at, column, last - each) for column in columns]
                last = each
        if steps:
            changes += [(steps[-1][1], column, last) for column in columns]
        return changes

    def _plan(self, ordinal: int) -> list[Run]:
        found = self._plans.get(ordinal)
        if found is None:
            while len(self._plans) >= _DAYS_KEPT:
                del self._plans[next(iter(self._plans))]
            found = appliances.day_runs(self.seed, ordinal, self._equipment)
            self._plans[ordinal] = found
        return found


def _rows(begin: int, end: int, changes: list[tuple[int, int, int]]) -> tuple[list[int], list[Row]]:
    """Running sums of (second, column, amount more), in the order of time."""
    sums = [0, 0, 0, 0, 0]
    starts, rows = [], []
    at = begin
    for when, column, amount in changes:
        if when != at:
            starts.append(at)
            rows.append((sums[0], sums[1], sums[2], sums[3], sums[4]))
            at = when
        sums[column] += amount
    starts += [at, end]
    rows.append((sums[0], sums[1], sums[2], sums[3], sums[4]))
    return starts, rows


def _phases(watts: int, phase: int) -> list[tuple[int, int]]:
    """(column, W), whole watts that add up."""
    if phase in (1, 2, 3):
        return [(phase - 1, watts)]
    if phase != 0:
        raise ValueError(f"phase {phase}: there are 1, 2, 3, and 0 for all of them")
    return [(L1, watts - 2 * (watts // 3)), (L2, watts // 3), (L3, watts // 3)]


def _runs(event: Event, origin: int) -> list[Run]:
    start = origin + event.at_s
    end = 1 << 62 if event.length_s is None else start + event.length_s
    if event.kind in ("load", "solar"):
        sign = 1 if event.kind == "load" else -1
        return [
            Run(start, end, column, sign * part_w)
            for column, part_w in _phases(event.amount, event.phase)
        ]
    if event.kind not in ("gas", "water"):
        raise ValueError(f"an event is load, solar, gas or water, not {event.kind}")
    return [Run(start, end, GAS if event.kind == "gas" else WATER, event.amount)]
