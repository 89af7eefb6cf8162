"""Power by the step: the form in which a household is changed (`scenario`) and compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl.peak.readings import Readings

if TYPE_CHECKING:
    import numpy as np

QUARTER = 900
WS_PER_WH = 3600
# Readings this far apart are of one run: a meter speaks each second or each 10 s.
_APART_S = 10


class Power(NamedTuple):
    """An unbroken run of mean power.

    start_s: UTC, seconds since 1970, a multiple of step_s. step_s: 1 to 900, divides 900. net_w:
    int64, W in each step, import minus export of all phases summed.
    """

    start_s: int
    step_s: int
    net_w: np.ndarray

    @property
    def end_s(self) -> int:
        """When the last step ends."""
        return self.start_s + self.step_s * len(self.net_w)

    def readings(self) -> Readings:
        """What a meter would say at the end of each step: the power is that of the step before."""
        import numpy as np

        import_w = np.maximum(self.net_w, 0)
        utc = np.arange(len(import_w) + 1, dtype=np.int64) * self.step_s + self.start_s
        register = np.zeros(len(utc), np.int64)
        np.cumsum(import_w * self.step_s, out=register[1:])
        register //= WS_PER_WH
        now = np.empty(len(utc), np.int64)
        now[0] = -1
        now[1:] = import_w
        return Readings(utc, register, now, fresh=True)


def pieces(utc: np.ndarray, net_w: np.ndarray, step_s: int) -> list[Power]:
    """Steps that begin at `utc` (ascending, multiples of step_s) as runs without a gap."""
    import numpy as np

    if not len(utc):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(utc) != step_s) + 1).tolist(), len(utc)]
    return [
        Power(int(utc[begin]), step_s, net_w[begin:end].astype(np.int64))
        for begin, end in itertools.pairwise(cuts)
    ]


def to_power(blocks: Iterable[Readings], step_s: int) -> list[Power]:
    """Readings as power by the step, for scenarios; each quarter's energy is the registers'.

    The powers give the shape (each stands until the next reading), the registers the energy: what
    they differ is spread evenly over the quarter. Readings more than 10 s (or a step) apart are a
    gap, and so is a step that is not whole.
    """
    found: list[Power] = []
    for run in _runs(blocks, max(_APART_S, step_s)):
        found += _stepped(run, step_s)
    return found


def _runs(blocks: Iterable[Readings], apart_s: int) -> Iterator[Readings]:
    """Readings of one meter without a gap between them."""
    import numpy as np

    from dsmrctl.peak.readings import joined

    waiting: list[Readings] = []
    for block in blocks:
        if not len(block.utc):
            continue
        if waiting and not block.fresh:
            # A year by the second does not fit as often as a list of blocks would make it.
            waiting = [joined([*waiting, block])]
        else:
            yield from waiting
            waiting = [block]
        run = waiting[0]
        step = np.diff(run.utc)
        cuts = np.flatnonzero((step > apart_s) | (step < 0) | (np.diff(run.import_wh) < 0)) + 1
        begin = 0
        for end in cuts.tolist():
            yield run.part(begin, end)
            begin = end
        waiting = [run.part(begin)]
    yield from waiting


def _stepped(run: Readings, step_s: int) -> list[Power]:
    import numpy as np

    first = -(-int(run.utc[0]) // step_s) * step_s
    last = int(run.utc[-1]) // step_s * step_s
    if last <= first:
        return []
    net = np.maximum(run.import_w, 0)
    if run.export_w is not None:
        net = net - np.maximum(run.export_w, 0)
    # Each power stands from its reading to the next: W·s up to each reading, then up to each edge.
    upto = np.zeros(len(run.utc), np.int64)
    np.cumsum(net[:-1] * np.diff(run.utc), out=upto[1:])
    edges = np.arange(first, last + 1, step_s)
    at = np.searchsorted(run.utc, edges, "right") - 1
    work = np.diff(upto[at] + net[at] * (edges - run.utc[at]))
    work += _spread(run, edges, work)
    # Whole watts a step; what is left over goes to the next one, so that nothing is lost.
    total = np.cumsum(work) // step_s
    return [Power(first, step_s, np.diff(total, prepend=0))]


def _spread(run: Readings, edges: np.ndarray, work: np.ndarray) -> np.ndarray:
    """W·s to add to each step for its quarter to hold what the registers say."""
    import numpy as np

    begins = np.unique(np.concatenate(([edges[0]], edges[edges % QUARTER == 0], [edges[-1]])))
    register = _at(run.utc, run.import_wh, begins)
    if run.export_wh is not None and run.export_wh[0] >= 0:
        register = register - _at(run.utc, run.export_wh, begins)
    at = np.searchsorted(edges, begins)
    upto = np.concatenate(([0], np.cumsum(work)))[at]
    missing = np.diff(register) - np.diff(upto)
    steps = np.diff(at)
    share, rest = np.divmod(np.repeat(missing, steps), np.repeat(steps, steps))
    place = np.arange(len(work)) - np.repeat(at[:-1], steps)
    return share + (place < rest)


def _at(utc: np.ndarray, register_wh: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """W·s a register shows at moments between its readings, which it is taken to reach evenly."""
    import numpy as np

    after = np.searchsorted(utc, moments, "left")
    before = np.maximum(after - (utc[after] > moments), 0)
    long = np.maximum(utc[after] - utc[before], 1)
    went = (register_wh[after] - register_wh[before]) * WS_PER_WH
    return register_wh[before] * WS_PER_WH + went * (moments - utc[before]) // long
