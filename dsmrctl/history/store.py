"""Reads the log: seconds as they were, and periods (days, months, years) made of quarters."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from dsmrctl.history import schema
from dsmrctl.history.edges import QUARTER, Quarter, possible

_EPOCH = dt.date(1970, 1, 1).toordinal()
_DAY = 86400
# Local time is at most so far from UTC.
_MOST_OFFSET_S = 15 * 3600


class Period(NamedTuple):
    """What went through in a quarter, day, month or year; None is unknown.

    time: its beginning, local, with offset. import_wh, export_wh: what the registers say, gaps in
    the log included where both of their ends are known. quarters: of how many the demand is known.
    """

    time: dt.datetime
    import_wh: int | None
    export_wh: int | None
    peak_w: int | None
    peak_time: dt.datetime | None
    seen_s: int
    quarters: int

    def document(self) -> dict[str, Any]:
        """By the names of `quantities.PERIOD`."""
        found = self._asdict()
        del found["quarters"]
        found["time"] = self.time.isoformat()
        found["peak_time"] = self.peak_time.isoformat() if self.peak_time else None
        return found


class History:
    """The log, open for reading; a context manager. Raises what `schema.connect` raises."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = schema.connect(path, write=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._log.close()

    def seconds(
        self, names: Sequence[str] = schema.KEPT, begin: int = 0, end: int = 1 << 40
    ) -> Iterator[tuple[Any, ...]]:
        """(utc, …) of every second from `begin` until before `end` (UTC, since 1970), oldest first.

        Decimals are text, with the meter's digits. Raises KeyError for a name that is not kept.
        """
        for name in names:
            if name not in schema.KEPT:
                raise KeyError(name)
        question = f"SELECT {', '.join(('utc', *names))} FROM seconds WHERE utc >= ? AND utc < ? "
        with schema.told(self.path):
            # Not `yield from`: that would close the cursor, maybe after the log was closed.
            for row in self._log.execute(question + "ORDER BY utc", (begin, end)):  # noqa: UP028
                yield row

    def quarters(self, begin: int = 0, end: int = 1 << 40) -> Iterator[Quarter]:
        """Every quarter that begins from `begin` until before `end` (UTC, since 1970)."""
        question = "SELECT * FROM quarters WHERE utc >= ? AND utc < ? ORDER BY utc"
        with schema.told(self.path):
            for row in self._log.execute(question, (begin, end)):
                yield Quarter(*row)

    @property
    def first(self) -> int | None:
        """The oldest second that is kept (UTC, since 1970)."""
        return self._end("ORDER BY utc")

    @property
    def last(self) -> int | None:
        """The newest."""
        return self._end("ORDER BY utc DESC")

    def _end(self, order: str) -> int | None:
        with schema.told(self.path):
            row = self._log.execute(f"SELECT utc FROM seconds {order} LIMIT 1").fetchone()
        return None if row is None else row[0]

    def last_day(self) -> dt.date | None:
        """The local day of the newest quarter; None when nothing is in it."""
        with schema.told(self.path):
            row = self._log.execute(
                "SELECT utc + offset_s FROM quarters ORDER BY utc DESC LIMIT 1"
            ).fetchone()
        return None if row is None else dt.date.fromordinal(_EPOCH + row[0] // _DAY)

    def within(self, first: dt.date, until: dt.date) -> list[Quarter]:
        """The quarters of the local days from `first` until before `until`.

        And the one after them when it follows at once: its beginning is their end.
        """
        begin, end = ((day.toordinal() - _EPOCH) * _DAY for day in (first, until))
        wide = self.quarters(begin - _MOST_OFFSET_S, end + _MOST_OFFSET_S)
        return [one for one in wide if begin <= one.utc + one.offset_s < end]

    def periods(self, first: dt.date, until: dt.date, each: str) -> list[Period]:
        """Periods of those local days; each: "quarter", "day", "month" or "year"."""
        found = self.within(first, until)
        if not found:
            return []
        following = next(self.quarters(found[-1].utc + QUARTER), None)
        runs: list[list[Quarter]] = []
        key: object = None
        for one in found:
            its = _key(one, each)
            if not runs or its != key:
                runs.append([])
                key = its
            runs[-1].append(one)
        after = [run[0] for run in runs[1:]] + [following]
        return [_period(run, then, each) for run, then in zip(runs, after, strict=True)]


def _key(one: Quarter, each: str) -> object:
    if each == "quarter":
        return one.utc
    day = (one.utc + one.offset_s) // _DAY
    if each == "day":
        return day
    date = dt.date.fromordinal(_EPOCH + day)
    return (date.year, date.month) if each == "month" else date.year


def local(utc: int, offset_s: int) -> dt.datetime:
    """A second as local time, with its offset."""
    return dt.datetime.fromtimestamp(utc, dt.timezone(dt.timedelta(seconds=offset_s)))


def _period(run: list[Quarter], after: Quarter | None, each: str) -> Period:
    first = run[0]
    known = [one for one in run if one.import_wh is not None]
    peak = max(known, key=lambda one: one.import_wh or 0, default=None)
    time = local(first.utc, first.offset_s)
    if each != "quarter":
        # A period begins with its day, not with what was recorded of it.
        time = time.replace(hour=0, minute=0)
        if each != "day":
            time = time.replace(day=1, month=1 if each == "year" else time.month)
    # Its end is the next one's beginning, and nothing between: a gap over it belongs to neither.
    end = after if after is not None and after.utc == run[-1].utc + QUARTER else None
    return Period(
        time,
        _through(run, end, "import"),
        _through(run, end, "export"),
        None if peak is None else (peak.import_wh or 0) * 4,
        None if peak is None else local(peak.utc, peak.offset_s),
        min(sum(one.seen_s for one in run), len(run) * QUARTER),
        len(known),
    )


def _through(run: list[Quarter], end: Quarter | None, way: str) -> int | None:
    """Wh from the first edge whose register is known to the last, gaps included.

    Between two registers that cannot be one meter's nothing is known, so nothing is counted.
    """
    edges: list[tuple[int, int]] = []
    for one in run if end is None else [*run, end]:
        start = getattr(one, f"{way}_start_wh")
        if start is None:
            continue
        edges.append((one.utc, start))
        went = getattr(one, f"{way}_wh")
        if went is not None and one is not end:
            edges.append((one.utc + QUARTER, start + went))
    if len(edges) < 2:
        return None
    steps = ((b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(edges))
    return sum(wh for seconds, wh in steps if possible(seconds, wh))
