"""A meter that has been on the wall for years: registers, peaks and history invented by seed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from dsmrctl import belgian_time
from dsmrctl.virtual.chance import Chance
from dsmrctl.virtual.household import Household
from dsmrctl.virtual.meter import MONTHS, QUARTER_S, Meter, Peak, Registers


class Past(NamedTuple):
    """What a meter shows of the time before the household starts."""

    registers: Registers
    history: tuple[Peak, ...]
    peak: Peak | None


def invent(seed: int, start: int) -> Past:
    """A past of some years before `start` (seconds since 1970 UTC); the same for the same seed."""
    chance = Chance(seed, "past")
    registers = Registers(
        import_t1_wh=chance.whole(4_000_000, 16_000_000),
        import_t2_wh=chance.whole(5_000_000, 19_000_000),
        export_t1_wh=chance.whole(3_000_000, 12_000_000),
        export_t2_wh=chance.whole(1_500_000, 6_000_000),
        gas_dm3=chance.whole(1_500_000, 8_000_000),
        water_dm3=chance.whole(120_000, 600_000),
    )
    month = date(*belgian_time.month_of(start), 1)
    history: list[Peak] = []
    capture = belgian_time.month_start(month.year, month.month)
    for _ in range(MONTHS):
        month = (month - timedelta(days=1)).replace(day=1)
        begin = belgian_time.month_start(month.year, month.month)
        history.append(_peak(Chance(seed, "peak", begin), begin, capture, capture))
        capture = begin
    begin = belgian_time.month_start(*belgian_time.month_of(start))
    peak = None
    if start - begin >= QUARTER_S:
        peak = _peak(Chance(seed, "peak", begin), begin, start, 0)
    return Past(registers, tuple(reversed(history)), peak)


def _peak(chance: Chance, begin: int, end: int, capture: int) -> Peak:
    quarter = chance.whole(1, (end - begin) // QUARTER_S)
    demand_w = chance.whole(700, 1900) * 4
    return Peak(demand_w, begin + quarter * QUARTER_S, capture)


def meter_in_use(household: Household, **options: Any) -> Meter:
    """The household's meter with an invented past; options as `Meter` takes them."""
    past = invent(household.seed, household.start)
    have = {"registers": past.registers, "history": past.history, "peak": past.peak}
    return Meter(household, **(have | options))


def new_household_meter(
    start: datetime, seed: int = 1, *, household: dict[str, Any] | None = None, **options: Any
) -> Meter:
    """Household and meter at once: what a demonstration needs."""
    return meter_in_use(Household(start, seed, **(household or {})), **options)
