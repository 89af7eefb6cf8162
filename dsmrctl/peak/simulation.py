"""Months of quarters: demand, forecasts, thresholds and warnings, as interface and monitor have it.

The forecast is the boards' own; a test holds it equal to a booted monitor's. The month's peak is
that of the readings: what came before them in the month is not known, unless the meter says it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl import belgian_time
from dsmrctl.firmware.core.warning import LEAST_W
from dsmrctl.peak.quarters import MINUTES, QUARTER, Change, Rows, rows
from dsmrctl.peak.readings import UNKNOWN, Readings

if TYPE_CHECKING:
    import numpy as np


class Month(NamedTuple):
    """A month: its peak (W; None: no quarter is known) and when that quarter began (UTC).

    peak_w is the meter's own where it is higher: then peak_utc is None. import_wh: of the quarters
    whose demand is known. quarters: how many those are; of: how many the month has. warned: how
    many the monitor warned in.
    """

    year: int
    month: int
    peak_w: int | None
    peak_utc: int | None
    import_wh: int
    quarters: int
    of: int
    warned: int


class Gap(NamedTuple):
    """From begin until end (UTC) no quarter's demand is known."""

    begin: int
    end: int


@dataclass(frozen=True)
class Simulated:
    """Quarters in the order they came, int64 columns; -1 is unknown. See `quarters.Rows`.

    threshold_w: the forecast above which the monitor warns in this quarter. month_peak_w: the
    month's peak when it began. warned_at: the minute in which the warning began, -1: none.
    """

    rows: Rows
    threshold_w: np.ndarray
    month_peak_w: np.ndarray
    warns: np.ndarray
    changes: list[Change]

    @property
    def warned_at(self) -> np.ndarray:
        """The minute in which each quarter's first warning came; -1: none."""
        import numpy as np

        first = np.argmax(self.warns, axis=1) + MINUTES[0]
        return np.where(self.warns.any(axis=1), first, UNKNOWN)

    def months(self) -> list[Month]:
        """Each month that has a reading."""
        import numpy as np

        found: list[Month] = []
        keys = month_keys(self.rows.utc)
        warned = np.asarray(self.warns.any(axis=1))
        for key in np.unique(keys).tolist():
            its = np.flatnonzero(keys == key)
            demand = self.rows.demand_w[its]
            highest = int(np.argmax(demand))
            peak: int | None = int(demand[highest])
            utc: int | None = int(self.rows.utc[its[highest]])
            if peak is not None and peak < 0:
                peak = utc = None
            meter = int(self.rows.meter_peak_w[its].max())
            if meter > (-1 if peak is None else peak):
                peak, utc = meter, None
            known = demand >= 0
            year, month = divmod(key, 100)
            energy, count = int(demand[known].sum()) // 4, int(np.count_nonzero(known))
            whole, times = quarters_of(year, month), int(np.count_nonzero(warned[its]))
            found.append(Month(year, month, peak, utc, energy, count, whole, times))
        return found

    def gaps(self) -> list[Gap]:
        """Where no quarter is known, between the first quarter and the last."""
        import numpy as np

        known = np.unique(self.rows.utc[self.rows.demand_w >= 0])
        places = np.flatnonzero(np.diff(known) > QUARTER)
        return [Gap(int(known[at]) + QUARTER, int(known[at + 1])) for at in places]


def simulate(
    blocks: Iterable[Readings], *, forecaster: str = "power", manual_w: int = LEAST_W
) -> Simulated:
    """Follow a meter; manual_w: the monitor's setting `peak_threshold_w`.

    Blocks may be cut anywhere, and few are held at once. Without any reading, no quarters.
    """
    import numpy as np

    changes: list[Change] = []
    found = [one for one in rows(blocks, forecaster, changes) if len(one.utc)]
    if found:
        whole = _once(Rows(*(np.concatenate(column) for column in zip(*found, strict=True))))
    else:
        none, minutes = np.zeros(0, np.int64), np.zeros((0, len(MINUTES)), np.int64)
        whole = Rows(none, none, minutes, minutes, none, none)
    before = _peaks_before(whole)
    threshold = np.maximum(before, max(manual_w, LEAST_W))
    warns = whole.forecast_w > threshold[:, None]
    return Simulated(whole, threshold, before, warns, changes)


def _once(all_rows: Rows) -> Rows:
    """Where a register fell in mid-quarter, both halves as one quarter, whose demand is unknown."""
    import numpy as np

    same = np.flatnonzero(np.diff(all_rows.utc) == 0)
    if not len(same):
        return all_rows
    # From the last, so that three parts of one end in the first.
    for at in same[::-1].tolist():
        for column in (all_rows.forecast_w, all_rows.power_w, all_rows.meter_peak_w):
            column[at] = np.where(column[at + 1] >= 0, column[at + 1], column[at])
        all_rows.readings[at] += all_rows.readings[at + 1]
        all_rows.demand_w[at] = UNKNOWN
    stay = np.ones(len(all_rows.utc), bool)
    stay[same + 1] = False
    return Rows(*(column[stay] for column in all_rows))


def _peaks_before(all_rows: Rows) -> np.ndarray:
    """The month's peak as known when each quarter began (W); -1: none yet."""
    import numpy as np

    keys = month_keys(all_rows.utc)
    before = np.full(len(keys), UNKNOWN)
    cuts = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    kept: dict[int, int] = {}
    for begin, end in itertools.pairwise(cuts):
        if begin == end:
            continue
        key = int(keys[begin])
        run = np.maximum.accumulate(
            np.concatenate(([kept.get(key, UNKNOWN)], all_rows.demand_w[begin:end]))
        )
        before[begin:end] = run[:-1]
        kept[key] = int(run[-1])
    # The meter's own goes before what is counted here, as in a frame.
    return np.where(all_rows.meter_peak_w >= 0, all_rows.meter_peak_w, before)


def local_offsets(utc: np.ndarray) -> np.ndarray:
    """How far the clock on the wall is ahead of UTC, s, by the column."""
    import numpy as np

    found = np.full(len(utc), 3600)
    if len(utc):
        for year in range(_year(int(utc.min())), _year(int(utc.max())) + 1):
            begin, end = belgian_time.summer(year)
            found[(utc >= begin) & (utc < end)] = 7200
    return found


def month_keys(utc: np.ndarray) -> np.ndarray:
    """The local month of each moment: 202611."""
    import numpy as np

    months = ((utc + local_offsets(utc)) // belgian_time.DAY_S).astype("datetime64[D]")
    since = months.astype("datetime64[M]").astype(np.int64)
    return (1970 + since // 12) * 100 + since % 12 + 1


def _year(utc: int) -> int:
    return belgian_time.month_of(utc)[0]


def quarters_of(year: int, month: int) -> int:
    """How many quarters a month has: the clock changes in two of them."""
    following = (year + month // 12, month % 12 + 1)
    begin, end = belgian_time.month_start(year, month), belgian_time.month_start(*following)
    return (end - begin) // QUARTER
