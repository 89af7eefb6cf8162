"""The boards' rule of quarters (`firmware.core.quarter`) over columns: a year in a breath.

What `Quarter.follow` does telegram by telegram is looked up here at the edges of quarters and at
the minutes of judgement only. A test holds both equal for whatever comes; readings whose own demand
is known now and then go through `Quarter` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl.firmware.core.quarter import MOST_W, QUARTER, Quarter, forecast
from dsmrctl.peak.readings import UNKNOWN, Readings, joined

if TYPE_CHECKING:
    import numpy as np

MINUTES = tuple(range(5, 15))
"""When a quarter is judged."""
# Around an edge the register is taken to rise evenly between readings this near (see `follow`).
_NEAR_S = 10


class Rows(NamedTuple):
    """Quarters in the order they came, int64; -1 is unknown.

    utc: their beginning. demand_w: known when both edges are. forecast_w: (quarters, 10), what was
    judged in each of `MINUTES`. meter_peak_w: the month's peak as the meter said it last. readings:
    how many there were. power_w: (quarters, 10), what was imported when it was judged.
    """

    utc: np.ndarray
    demand_w: np.ndarray
    forecast_w: np.ndarray
    power_w: np.ndarray
    meter_peak_w: np.ndarray
    readings: np.ndarray


class Change(NamedTuple):
    """What no one meter does: its clock ("clock") or its register ("register") went back.

    utc: of the reading before; then: of the reading after. went: s or Wh, below zero.
    """

    kind: str
    utc: int
    then: int
    went: int


def rows(
    blocks: Iterable[Readings], forecaster: str, changes: list[Change] | None = None
) -> Iterator[Rows]:
    """Quarters of blocks of readings, which may be cut anywhere; few blocks are held at once."""
    changes = [] if changes is None else changes
    tail: Readings | None = None
    # Whether the tail begins with the last reading of a quarter that was handed out.
    shown = False
    for block in blocks:
        if not len(block.utc):
            continue
        if tail is None or block.fresh:
            if tail is not None:
                yield _from(_rows(tail, forecaster), shown)
            whole, shown = block._replace(fresh=True), False
        else:
            whole = joined([tail, block])
        runs = list(_runs(whole, changes))
        for run in runs[:-1]:
            yield _from(_rows(run, forecaster), shown)
            shown = False
        last = runs[-1]
        begin = int(_search(last.utc, last.utc[-1:] // QUARTER * QUARTER)[0])
        if begin:
            # The last quarter waits for its end, with the reading before it.
            yield _from(_rows(last, forecaster), shown, -1)
            begin, shown = begin - 1, True
        tail = last.part(begin)
    if tail is not None:
        yield _from(_rows(tail, forecaster), shown, _end(tail))


def _end(tail: Readings) -> int | None:
    """Without the last quarter when its only reading is the one that ends the quarter before.

    A month that ends at midnight is no reading of the next month.
    """
    edge = int(tail.utc[-1])
    alone = not edge % QUARTER and len(tail.utc) > 1 and int(tail.utc[-2]) < edge
    return -1 if alone else None


def _from(found: Rows, shown: bool, end: int | None = None) -> Rows:
    """Without the first quarter when that one was handed out already."""
    return Rows(*(column[1 if shown else 0 : end] for column in found))


def _runs(whole: Readings, changes: list[Change]) -> Iterator[Readings]:
    """Cut where the clock or a register went back."""
    import numpy as np

    steps, rises = np.diff(whole.utc), np.diff(whole.import_wh)
    cuts = (np.flatnonzero((steps < 0) | (rises < 0)) + 1).tolist()
    begin = 0
    for cut in cuts:
        before, then = int(whole.utc[cut - 1]), int(whole.utc[cut])
        if then < before:
            changes.append(Change("clock", before, then, then - before))
        else:
            changes.append(Change("register", before, then, int(rises[cut - 1])))
        yield whole.part(begin, cut)
        begin = cut
    yield whole.part(begin)


def _search(utc: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The index of the first reading at or after each moment."""
    import numpy as np

    if int(utc[-1]) - int(utc[0]) == len(utc) - 1 and utc[-1] > utc[0] and _regular(utc):
        return np.clip(moments - utc[0], 0, len(utc))
    return np.searchsorted(utc, moments)


def _regular(utc: np.ndarray) -> bool:
    import numpy as np

    return bool((np.diff(utc) == 1).all())


def _rows(run: Readings, forecaster: str) -> Rows:
    """Every quarter that has a reading, in a run whose clock and registers never go back."""
    import numpy as np

    own = run.quarter_w
    if own is not None and (own < 0).any() and (own >= 0).any():
        return _slowly(run, forecaster)
    utc, wh = run.utc, run.import_wh
    edges = np.arange(utc[0] // QUARTER, utc[-1] // QUARTER + 1) * QUARTER
    # All edges and all minutes between, in one look.
    marks = (edges[:, None] + np.array((0, *(minute * 60 for minute in MINUTES), QUARTER))).ravel()
    found = _search(utc, marks).reshape(len(edges), -1)
    there = found[:, 0] < found[:, -1]
    edges, found = edges[there], found[there]
    at, end = found[:, 0], found[:, -1]
    known, start = _starts(run, edges, at)
    demand = np.full(len(edges), UNKNOWN)
    told = known[:-1] & known[1:] & (np.diff(edges) == QUARTER)
    demand[:-1][told] = (np.diff(start) * 4)[told]
    demand[demand > MOST_W] = UNKNOWN
    # The first reading of each minute judges.
    judged = found[:, 1:-1]
    present = judged < found[:, 2:]
    judged = np.minimum(judged, len(utc) - 1)
    if own is None or not (own >= 0).any():
        so_far = (wh[judged] - start[:, None]) * 4
        present &= known[:, None]
    else:
        so_far = own[judged]
    power = run.import_w[judged]
    ahead = forecasts(so_far, power, utc[judged] % QUARTER, forecaster)
    ahead[~present] = power[~present] = UNKNOWN
    meter = run.month_peak_w
    peaks = np.full(len(edges), UNKNOWN) if meter is None else meter[end - 1]
    return Rows(edges, demand, ahead, power, peaks, end - at)


def _starts(run: Readings, edges: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the register at each quarter's beginning is known, and what it was."""
    import numpy as np

    utc, wh = run.utc, run.import_wh
    before = np.maximum(at - 1, 0)
    elapsed, gap = utc[at] - edges, edges - utc[before]
    known = (elapsed == 0) | ((gap <= _NEAR_S) & (elapsed <= _NEAR_S))
    apart = np.maximum(utc[at] - utc[before], 1)
    start = wh[before] + (wh[at] - wh[before]) * gap // apart
    if at[0] == 0:
        # Nothing before it: known when the very first reading of all is at the edge.
        known[0] = run.fresh and elapsed[0] == 0
        start[0] = wh[0]
    return known, start


def forecasts(
    so_far_w: np.ndarray, power_w: np.ndarray, elapsed_s: np.ndarray, forecaster: str
) -> np.ndarray:
    """`firmware.core.quarter.forecast` of each; power_w -1: unknown."""
    import numpy as np

    elapsed_s = np.maximum(elapsed_s, 1)
    linear: np.ndarray = np.asarray(forecast(so_far_w, None, elapsed_s))
    if forecaster == "linear":
        return linear
    by_power: np.ndarray = np.asarray(forecast(so_far_w, power_w, elapsed_s))
    return np.where(power_w < 0, linear, by_power)


def _slowly(run: Readings, forecaster: str) -> Rows:
    """The same by `Quarter` itself."""
    import numpy as np

    quarter = Quarter()
    quarter.power = forecaster == "power"
    if not run.fresh:
        # A register that nothing falls below: there was a meter before, of which nothing is known.
        quarter.utc_s, quarter.wh = 1 << 62, 0
    kept: list[list[int]] = []
    ahead: list[list[int]] = []
    powers: list[list[int]] = []
    columns = (run.utc, run.import_wh, run.import_w, run.quarter_w)
    month = run.month_peak_w
    for place, (utc, wh, power, own) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):  # type: ignore[union-attr]
        minute = quarter._minute
        edge = utc - utc % QUARTER
        quarter.follow(utc, wh, None if power < 0 else power, None if own < 0 else own)
        if not kept or kept[-1][0] != edge:
            if kept and kept[-1][0] == edge - QUARTER and quarter.last_quarter_w is not None:
                kept[-1][1] = quarter.last_quarter_w
            kept.append([edge, UNKNOWN, UNKNOWN, 0])
            ahead.append([UNKNOWN] * len(MINUTES))
            powers.append([UNKNOWN] * len(MINUTES))
            minute = 0
        kept[-1][3] += 1
        if month is not None:
            kept[-1][2] = int(month[place])
        if quarter.forecast_w is not None and quarter._minute != minute:
            ahead[-1][quarter._minute - 5] = quarter.forecast_w
            powers[-1][quarter._minute - 5] = power
    edges, demand, peaks, readings = np.array(kept, np.int64).T
    return Rows(
        edges, demand, np.array(ahead, np.int64), np.array(powers, np.int64), peaks, readings
    )
