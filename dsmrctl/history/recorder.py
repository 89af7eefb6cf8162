"""Writes the log a batch at a time, so that an SD card lives and a power cut costs little.

Two may write at once: what a second or a quarter says already is not said twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from dsmrctl import errors
from dsmrctl.history import schema
from dsmrctl.history.edges import QUARTER, Follower, Quarter, Sample
from dsmrctl.history.store import local

SECONDS_KEPT = 30 * 86400
BATCH_S = 30.0
"""So much is lost at most when the power fails: seconds by the clock between two commits."""
# While the disk is full so many seconds wait in memory: an hour.
_MOST_WAITING = 3600
# An archive is read faster than the clock.
_MOST_ROWS = 5000
_MOST_AHEAD_S = 86400
_LARGEST = 2**63 - 1
_TOLD = 5

_SECOND = (
    f"INSERT OR IGNORE INTO seconds (utc, {', '.join(schema.KEPT)}) "
    f"VALUES ({', '.join('?' * (len(schema.KEPT) + 1))})"
)
# Whoever knew something of a quarter first is right; what is known later is added.
_QUARTER = (
    "INSERT INTO quarters VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (utc) DO UPDATE SET "
    + ", ".join(
        f"{name} = coalesce({name}, excluded.{name})"
        for name in ("import_start_wh", "export_start_wh", "import_wh", "export_wh")
    )
    + ", seen_s = max(seen_s, excluded.seen_s)"
)
_REGISTERS = tuple(
    schema.KEPT.index(f"{way}_t{tariff}_wh") for way in ("import", "export") for tariff in (1, 2)
)


class Recorder:
    """Takes quantities as `telegram.document` and `network.frames` make them; a context manager.

    on_note: told what a person should know. clock: seconds, for batches. now: seconds since 1970.
    Raises what `schema.connect` raises; a damaged file is set aside, and a new one begun.
    taken, written, lost: seconds that came, that were new, that a full disk cost.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_note: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.taken = 0
        self.written = 0
        self.lost = 0
        self._note = on_note
        self._clock = clock
        self._now = now
        self._ahead = self._odd = 0
        self._rows: list[tuple[Any, ...]] = []
        self._ended: list[Quarter] = []
        self._follower = Follower()
        self._resumed = False
        self._full = self._closed = False
        try:
            self._log = schema.connect(path, write=True)
            self._resume()
        except schema.Damaged:
            self._begin_anew()
        self._committed = clock()

    def take(self, found: dict[str, Any]) -> None:
        """One second's quantities; without a time they say nothing. Raises DsmrError."""
        if not found.get("time"):
            return
        when = datetime.fromisoformat(found["time"])
        aside = when.utcoffset()
        values = tuple(_kept(found.get(name)) for name in schema.KEPT)
        self.take_row(int(when.timestamp()), int(aside.total_seconds()) if aside else 0, values)

    def take_row(self, utc: int, offset_s: int, values: Sequence[Any]) -> None:
        """One second as it is kept: the values of `schema.KEPT`. Raises DsmrError."""
        if not 0 <= utc <= self._now() + _MOST_AHEAD_S:
            # A meter whose clock is mad for a second must not cost the thirty days before it.
            self._ahead += 1
            if self._ahead == 1:
                self._note(f"{_said(utc)} is no time of now: left out, as is all like it")
            return
        self.taken += 1
        self._rows.append((utc, *values))
        first, second, third, fourth = (values[at] for at in _REGISTERS)
        sample = Sample(
            utc,
            offset_s,
            # A meter with one tariff has no second.
            None if first is None else first + (second or 0),
            None if third is None else third + (fourth or 0),
        )
        before = self._follower.last
        ended = self._follower.take(sample)
        if self._follower.odd is not None and before is not None:
            self._tell(self._follower.odd, before, sample)
        self._resumed = False
        if ended is not None:
            self._ended.append(ended)
        if len(self._rows) % _MOST_ROWS == 0 or self._clock() - self._committed >= BATCH_S:
            self.commit()

    def _tell(self, odd: str, before: Sample, sample: Sample) -> None:
        if self._resumed and odd == "clock":
            return  # an archive from before what is in the log
        self._odd += 1
        if self._odd > _TOLD:
            return
        then, here = local(before.utc, before.offset_s), local(sample.utc, sample.offset_s)
        if odd == "clock":
            text = f"the clock was set back from {then.isoformat()} to {here.isoformat()}"
        else:
            text = (
                f"at {here.isoformat()} the registers are no longer those of {then.isoformat()}: "
                "another meter? what lies between is not counted"
            )
        self._note(text if self._odd < _TOLD else f"{text} (more of this is not told)")

    def commit(self) -> None:
        """Write what was taken. A full disk is told once, and tried again with the next batch."""
        self._committed = self._clock()
        try:
            try:
                self._write()
            except schema.Damaged:
                self._begin_anew()
                self._write()
        except schema.DiskFull as error:
            if not self._full:
                self._note(f"{error.message}: an hour is kept in memory; {error.hint}")
            self._full = True
            if len(self._rows) > _MOST_WAITING:
                self.lost += len(self._rows) - _MOST_WAITING
                del self._rows[:-_MOST_WAITING]
            return
        if self._full:
            self._note(f"{self.path} is written again")
            self._full = False

    def _write(self) -> None:
        log = self._log
        running = self._follower.running
        quarters = self._ended if running is None else [*self._ended, running]
        with schema.told(self.path):
            log.execute("BEGIN IMMEDIATE")
            try:
                before = log.total_changes
                log.executemany(_SECOND, self._rows)
                written = log.total_changes - before
                log.executemany(_QUARTER, quarters)
                if self._rows:
                    self._prune(2 * len(self._rows) + 1)
                log.execute("COMMIT")
            except BaseException:
                if log.in_transaction:
                    log.execute("ROLLBACK")
                raise
        self.written += written
        self._rows, self._ended = [], []

    def _prune(self, most: int) -> None:
        """Forget seconds that are older than thirty days, a few at a time."""
        # Two questions: SQLite answers each from an end of the table, both at once by all of it.
        oldest, newest = (
            self._log.execute(f"SELECT {end}(utc) FROM seconds").fetchone()[0]
            for end in ("min", "max")
        )
        cut = newest - SECONDS_KEPT
        if oldest < cut:
            self._log.execute(
                "DELETE FROM seconds WHERE utc IN "
                "(SELECT utc FROM seconds WHERE utc < ? ORDER BY utc LIMIT ?)",
                (cut, most),
            )

    def _resume(self) -> None:
        with schema.told(self.path):
            running = self._log.execute(
                "SELECT * FROM quarters ORDER BY utc DESC LIMIT 1"
            ).fetchone()
            last = self._log.execute(
                "SELECT utc, import_t1_wh + coalesce(import_t2_wh, 0), "
                "export_t1_wh + coalesce(export_t2_wh, 0) FROM seconds "
                "ORDER BY utc DESC LIMIT 1"
            ).fetchone()
        if running and last and last[0] // QUARTER * QUARTER == running[0]:
            quarter = Quarter(*running)
            self._follower.resume(Sample(last[0], quarter.offset_s, last[1], last[2]), quarter)
            self._resumed = True

    def _begin_anew(self) -> None:
        if hasattr(self, "_log"):
            self._log.close()
        aside = schema.set_aside(self.path)
        self._note(f"{self.path} was damaged: it is {aside} now, and a new log begins")
        self._log = schema.connect(self.path, write=True)

    def close(self) -> None:
        """Write what is left and close; more than once does no harm. Raises DsmrError."""
        if self._closed:
            return
        self._closed = True
        try:
            self.commit()
            if self._full and self._rows:
                self.lost += len(self._rows)
                raise errors.DsmrError(
                    f"{len(self._rows)} seconds are not in {self.path}: the disk is full",
                    hint="free some space before it records again",
                )
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _said(utc: int) -> str:
    try:
        return local(utc, 0).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(utc)


def _kept(value: object) -> object:
    if isinstance(value, int):
        # More has no place in SQLite, and no meter says it.
        return value if abs(value) <= _LARGEST else None
    return format(value, "f") if isinstance(value, Decimal) else value
