"""household: how much faster than its own time the virtual house and its meter run.

Shown without a bound: there is no peer, and a figure of one machine binds no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from benchmarks.runner import Result

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400


def measure(quick: bool) -> Iterator[Result]:
    from dsmrctl.virtual.household import Household
    from dsmrctl.virtual.meter_past import new_household_meter

    days = 10 if quick else 60
    telegrams = 10_000 if quick else 50_000

    def house() -> None:
        for _ in Household(START).segments(0, days * DAY_S):
            pass

    def meter() -> None:
        running = new_household_meter(START)
        for second in range(telegrams):
            running.telegram(second)

    yield Result("household.seconds_of_the_house_per_s", days * DAY_S / _best(house), "/s")
    yield Result("household.telegrams_per_s", telegrams / _best(meter), "/s")


def _best(work: Callable[[], None], rounds: int = 3) -> float:
    """Seconds of the fastest round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)
