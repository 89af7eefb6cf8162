"""From registers by the second to quarters: what was imported and exported in each, in whole Wh.

A register at a quarter's edge is known when a sample fell on it, or when two near it on both sides
let it be taken to rise evenly between them: the rule of `firmware/core/quarter`, here for both
registers. Nothing else is guessed. Quarters are differences of the same registers, so they add up
exactly.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from dsmrctl.firmware.core.quarter import MOST_W
from dsmrctl.firmware.core.warning import SWAPPED_S

QUARTER = 900
NEAR_S = 10
"""Two samples no further from each other are taken as one story: some meters speak every 10 s."""
# A register that is shown late, or by the minute, rises in leaps.
_LATE_S = 60


class Sample(NamedTuple):
    """What was said at a second (UTC, since 1970): the sums of the registers of both tariffs (Wh).

    offset_s: how far local time was ahead of UTC.
    """

    utc: int
    offset_s: int
    import_wh: int | None
    export_wh: int | None


class Quarter(NamedTuple):
    """A quarter by its beginning (UTC, since 1970); None is unknown.

    import_start_wh, export_start_wh: the registers then; import_wh, export_wh: what went through
    in it; seen_s: seconds of it that were followed.
    """

    utc: int
    offset_s: int
    import_start_wh: int | None
    export_start_wh: int | None
    import_wh: int | None = None
    export_wh: int | None = None
    seen_s: int = 0


class Follower:
    """Takes samples as they come; the running quarter is `running`.

    odd: what the last sample broke off: "clock" was set back, or "register" is another meter's.
    """

    def __init__(self) -> None:
        self.running: Quarter | None = None
        self.last: Sample | None = None
        self.odd: Literal["clock", "register"] | None = None

    def resume(self, last: Sample, running: Quarter) -> None:
        """Go on after a restart, from the last sample and its quarter."""
        if last.utc // QUARTER * QUARTER == running.utc:
            self.last, self.running = last, running

    def take(self, sample: Sample) -> Quarter | None:
        """The quarter that this sample ended, if it did.

        What was overtaken on the way, or a clock set back a little, says nothing new: it is left
        out until its time is later again.
        """
        last, running = self.last, self.running
        self.odd = None
        utc = sample.utc
        if last is not None:
            if 0 <= last.utc - utc <= SWAPPED_S:
                return None
            # From here no difference says anything.
            if utc < last.utc:
                self.odd, last = "clock", None
            elif other_meter(last, sample):
                self.odd, last = "register", None
        self.last = sample
        start = utc - utc % QUARTER
        if running is not None and last is not None and running.utc == start:
            step = utc - last.utc
            if step <= NEAR_S:
                self.running = running._replace(seen_s=running.seen_s + step)
            return None
        imported, exported = _at(last, sample, start, 2), _at(last, sample, start, 3)
        near = last is not None and utc - last.utc <= NEAR_S
        ended = running
        if running is not None and last is not None and running.utc == start - QUARTER:
            ended = running._replace(
                import_wh=_between(running.import_start_wh, imported),
                export_wh=_between(running.export_start_wh, exported),
                seen_s=running.seen_s + (start - last.utc if near else 0),
            )
        seen = utc - start if near else 0
        self.running = Quarter(start, sample.offset_s, imported, exported, seen_s=seen)
        return ended


def possible(seconds: int, wh: int) -> bool:
    """Whether so much may have gone through a house's register: it never falls, nor leaps."""
    return 0 <= wh <= MOST_W * (seconds + _LATE_S) // 3600


def other_meter(last: Sample, sample: Sample) -> bool:
    """Whether the registers of two samples, in their order, cannot be one meter's."""
    seconds = sample.utc - last.utc
    return any(
        before is not None and now is not None and not possible(seconds, now - before)
        for before, now in ((last[2], sample[2]), (last[3], sample[3]))
    )


def _at(last: Sample | None, sample: Sample, edge: int, field: Literal[2, 3]) -> int | None:
    """A register at an edge that `sample` is at or after, and `last` before."""
    now = sample[field]
    if now is None or sample.utc == edge:
        return now
    before = None if last is None else last[field]
    if last is None or before is None or max(edge - last.utc, sample.utc - edge) > NEAR_S:
        return None
    return before + (now - before) * (edge - last.utc) // (sample.utc - last.utc)


def _between(start: int | None, end: int | None) -> int | None:
    if start is None or end is None or (end - start) * 4 > MOST_W:
        return None
    return end - start
