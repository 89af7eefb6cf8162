"""recording: a day of frames, one a second, read back.

Against a bare loop of `json.loads` over the same file, line by line, in the same run, the two in
turn: what the format itself costs, without its times, its checks and bounded memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.runner import Result
from benchmarks.timing import Turn, best
from dsmrctl.firmware.core import frame
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import create

DAY_S = 86_400
_START_NS = 1_795_000_000 * 10**9


def measure(quick: bool) -> Iterator[Result]:
    """The ratio to the bare loop, and what our own forms take."""
    with tempfile.TemporaryDirectory() as folder:
        files = {suffix: Path(folder) / f"day{suffix}" for suffix in (".ndjson", ".pcapng")}
        for file in files.values():
            _record(file)
        ndjson, pcapng = files.values()
        turns = {
            "bare": Turn(lambda: _bare(ndjson)),
            "ours": Turn(lambda: _read(ndjson)),
            "pcapng": Turn(lambda: _read(pcapng)),
        }
        found = best(lambda _: turns, rounds=5 if quick else 15, seconds=30)
    yield Result("recording.day_read_vs_json_loads", found["ours"] / found["bare"], "x", 2, "lower")
    yield Result("recording.day_read_ms", found["ours"] * 1000, "ms")
    yield Result("recording.day_pcapng_read_ms", found["pcapng"] * 1000, "ms")


def _record(path: Path) -> None:
    """A day of version 2 frames, as `listen --record` keeps them."""
    with create(path, "frames", started_ns=_START_NS) as writer:
        for n in range(DAY_S):
            values = (83125000 + n, 27689000, n % 2351, 0, 1, n // 60 % 60, n % 60, 2589, 1204, 900)
            # A board's clock and a network are a little uneven.
            time_ns = _START_NS + n * 10**9 + n * 7919 % 3_000_000
            writer.write(Item(time_ns, "192.168.1.20:49153", frame.build(values)))


def _bare(path: Path) -> None:
    # In text mode: json.loads is slower with bytes, whose encoding it looks for each time.
    with path.open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)


def _read(path: Path) -> None:
    count = 0
    with open_recording(path) as recording:
        for _ in recording:
            count += 1
    if count != DAY_S:
        raise RuntimeError(f"{count} of {DAY_S} were read")
