"""log: a month by the second written and read, and what it takes on the disk.

Reading is held against a bare sqlite3 cursor over the same rows and columns of the same file, both
summed in Python, the two in turn. Every number of every second differs, so that the size is one of
a busy house with three phases and gas. What an SD card has to bear is a day by the clock, a commit
every half a minute: all that is written for it is counted.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.runner import Result
from benchmarks.timing import Turn, best
from dsmrctl.history.recorder import Recorder
from dsmrctl.history.schema import KEPT
from dsmrctl.history.store import History

_START = 1_795_000_500
_DAY = 86_400
_NAMES = ("import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh", "import_w", "export_w")


def measure(quick: bool) -> Iterator[Result]:
    """The ratio to the bare scan, and what our log takes."""
    days = 5 if quick else 30
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        took = 0.0
        others = [_second(n)[4:] for n in range(8640)]
        with Recorder(path, now=lambda: 4e9) as recorder:
            for first in range(0, days * _DAY, 8640):
                # What is no register may come again: SQLite packs nothing.
                rows = [
                    (_START + first + n, 3600, (*_registers(first + n), *rest))
                    for n, rest in enumerate(others)
                ]
                start = perf_counter()
                for row in rows:
                    recorder.take_row(*row)
                took += perf_counter() - start
        turns = {"bare": Turn(lambda: _bare(path)), "ours": Turn(lambda: _ours(path))}
        if _bare(path) != _ours(path):
            raise RuntimeError("the two do not read the same")
        found = best(lambda _: turns, rounds=7 if quick else 5, seconds=60)
        size = path.stat().st_size
        quarters = best(lambda _: {"ours": Turn(lambda: _periods(path))}, rounds=5, seconds=10)
        worn = _worn(Path(folder) / "worn.db")
    yield Result(
        "log.month_by_second_vs_sqlite_scan", found["ours"] / found["bare"], "x", 1.5, "lower"
    )
    yield Result("log.month_by_second_s", found["ours"] * 30 / days, "s")
    yield Result("log.30_days_by_second_mb", size / 1e6 * 30 / days, "MB")
    yield Result("log.year_of_quarters_mb", _year_of_quarters_mb(), "MB")
    yield Result("log.recorded_per_s", days * _DAY / took, "seconds/s")
    yield Result("log.show_days_ms", quarters["ours"] * 1000, "ms")
    if worn is not None:
        yield Result("log.written_a_day_mb", worn / 1e6, "MB")


def _registers(n: int) -> tuple[int, int, int, int]:
    return 83_125_000 + n // 3, 27_689_000 + n // 7, 12_000_000 + n // 9, 5_000_000


def _second(n: int) -> tuple[Any, ...]:
    """What is kept of the nth second; registers rise, all else goes up and down."""

    def digits(place: int, below: int) -> int:
        return (n * 31 + place) * 2654435761 % 2**32 * below >> 32

    values: dict[str, Any] = {
        **dict(zip(KEPT, _registers(n), strict=False)),
        "tariff": n // 43_200 % 2 + 1,
        "month_peak_w": 3000 + n // 900 % 2000,
        "gas_m3": f"1234{n // 86_400 % 10}.{n // 300 % 1000:03}",
    }
    for place, name in enumerate(KEPT):
        if name.startswith("voltage"):
            values[name] = f"{220 + digits(place, 20)}.{digits(place + 50, 10)}"
        elif name.startswith("current"):
            values[name] = f"{digits(place, 40)}.{digits(place + 50, 100):02}"
        elif name.endswith("_w") and name not in values:
            values[name] = digits(place, 5000)
    return tuple(values.get(name) for name in KEPT)


def _ours(path: Path) -> list[int]:
    with History(path) as history:
        return _summed(history.seconds(_NAMES))


def _bare(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as log:
        return _summed(log.execute(f"SELECT utc, {', '.join(_NAMES)} FROM seconds ORDER BY utc"))


def _summed(rows: Iterator[tuple[Any, ...]] | sqlite3.Cursor) -> list[int]:
    one = two = three = four = five = six = 0
    for _, a, b, c, d, e, f in rows:
        one += a
        two += b
        three += c
        four += d
        five += e
        six += f
    return [one, two, three, four, five, six]


def _periods(path: Path) -> int:
    from datetime import date

    with History(path) as history:
        return len(history.periods(date(2026, 1, 1), date(2027, 1, 1), "day"))


def _worn(path: Path) -> int | None:
    """Bytes that a day by the clock gives the disk to write; None where the system does not say."""
    now = 0.0
    before = _written()
    if before is None:
        return None
    with Recorder(path, clock=lambda: now, now=lambda: 4e9) as recorder:
        for n in range(_DAY):
            now += 1
            recorder.take_row(_START + n, 3600, _second(n))
    return (_written() or 0) - before


def _written() -> int | None:
    """All that this process wrote until now (Linux: /proc/self/io, in proc(5))."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


def _year_of_quarters_mb() -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        with Recorder(path, now=lambda: 4e9) as recorder:
            for n in range(0, 366 * _DAY, 900):
                # A minute's clock would keep the seconds: here only the edges are there.
                recorder.take_row(_START + n, 3600, (83_125_000 + n // 3, 0, n // 9, *_REST))
        with closing(sqlite3.connect(path)) as log:
            (empty,) = log.execute("PRAGMA page_size").fetchone()
            log.execute("DELETE FROM seconds")
            log.commit()
            log.execute("VACUUM")
        return (path.stat().st_size - empty) / 1e6


_REST = (0, *(None,) * (len(KEPT) - 4))
