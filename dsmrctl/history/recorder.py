"""Writes the log a batch at a time, so that an SD card lives and a power cut costs little.

Two may write at once: what a second or a quarter says already is not said twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from dsmrctl import errors
from dsmrctl.history import schema
from dsmrctl.history.edges import QUARTER, Follower, Quarter, Sample

SECONDS_KEPT = 30 * 86400
BATCH_S = 30.0
"""So much is lost at most when the power fails: seconds by the clock between two commits."""
# While the disk is full so many seconds wait in memory: an hour.
_MOST_WAITING = 3600
# An archive is read faster than the clock.
_MOST_ROWS = 5000
_MOST_AHEAD_S = 86400

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


class Recorder:
    """Takes quantities as `telegram.document` and `network.frames` make them; a context manager.

    on_note: told what a person should know, once each. clock: seconds, for batches. Raises what
    `schema.connect` raises; a damaged file is set aside, and a new one begun.
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
        self._ahead = 0
        self._rows: list[tuple[Any, ...]] = []
        self._ended: list[Quarter] = []
        self._follower = Follower()
        self._full = self._closed = False
        try:
            self._log = schema.connect(path, write=True)
        except schema.Damaged:
            aside = _set_aside(path)
            on_note(f"{path} was damaged: it is {aside} now, and a new log begins")
            self._log = schema.connect(path, write=True)
        self._committed = clock()
        self._resume()

    def take(self, found: dict[str, Any]) -> None:
        """One second's quantities; without a time they say nothing. Raises DsmrError."""
        if not found.get("time"):
            return
        when = datetime.fromisoformat(found["time"])
        utc = int(when.timestamp())
        offset = when.utcoffset()
        if not 0 <= utc <= self._now() + _MOST_AHEAD_S:
            # A meter whose clock is mad for a second must not cost the thirty days before it.
            self._ahead += 1
            if self._ahead == 1:
                self._note(f"{found['time']} lies in the future: left out, as is all that does")
            return
        self.taken += 1
        self._rows.append((utc, *(_kept(found.get(name)) for name in schema.KEPT)))
        sample = Sample(
            utc,
            int(offset.total_seconds()) if offset else 0,
            _sum(found, "import"),
            _sum(found, "export"),
        )
        ended = self._follower.take(sample)
        if ended is not None:
            self._ended.append(ended)
        if self._clock() - self._committed >= BATCH_S or len(self._rows) >= _MOST_ROWS:
            self.commit()

    def commit(self) -> None:
        """Write what was taken. A full disk is told once, and tried again with the next batch."""
        self._committed = self._clock()
        try:
            with schema.told(self.path):
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
        rows, ended = self._rows, self._ended
        running = self._follower.running
        quarters = ended if running is None else [*ended, running]
        log.execute("BEGIN IMMEDIATE")
        try:
            before = log.total_changes
            log.executemany(_SECOND, rows)
            written = log.total_changes - before
            log.executemany(_QUARTER, quarters)
            if rows:
                self._prune(2 * len(rows) + 1)
            log.execute("COMMIT")
        except BaseException:
            if log.in_transaction:
                log.execute("ROLLBACK")
            raise
        self.written += written
        self._rows, self._ended = [], []

    def _prune(self, most: int) -> None:
        """Forget seconds that are older than thirty days, a few at a time."""
        oldest, newest = self._log.execute("SELECT min(utc), max(utc) FROM seconds").fetchone()
        cut = newest - SECONDS_KEPT
        if oldest is None or oldest >= cut:
            return
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

    def close(self) -> None:
        """Write what is left and close; more than once does no harm. Raises DsmrError."""
        if self._closed:
            return
        self._closed = True
        try:
            self.commit()
            if self._full and self._rows:
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


def _kept(value: object) -> object:
    return value if value is None or isinstance(value, int) else str(value)


def _sum(found: dict[str, Any], way: str) -> int | None:
    """The registers of both tariffs; a meter with one tariff has no second."""
    first, second = found.get(f"{way}_t1_wh"), found.get(f"{way}_t2_wh")
    return None if first is None else first + (second or 0)


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for end in ("-wal", "-shm"):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + end))
    return aside
