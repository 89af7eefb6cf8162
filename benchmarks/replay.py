"""replay: how late frames are at a hundred times the speed, against a bare loop of deadlines.

Both send the same recording over loopback, the program's engine from the file as `dsmrctl replay`
does, the bare loop from a list in memory: it sleeps until 1.5 ms before the deadline and watches
the rest, and there is nothing else in it. They take turns.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.runner import Result
from dsmrctl.firmware.core import frame
from dsmrctl.network.multicast import Sender
from dsmrctl.network.reframing import Reframer
from dsmrctl.network.replaying import Replay
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import create

GROUP, PORT = "239.255.83.2", 18302
SPEED = 100.0
_AWAKE_S = 0.0015


def measure(quick: bool) -> Iterator[Result]:
    """The best of several rounds each: what else runs here makes both late."""
    count, rounds = (200, 3) if quick else (500, 6)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.ndjson"
        found = [
            Item(
                n * 10**9, "10.0.0.1:8266", frame.build((n, 0, 351, 0, 1, n // 60, n % 60, 0, 0, 0))
            )
            for n in range(count)
        ]
        with create(path, "frames", started_ns=0) as writer:
            for item in found:
                writer.write(item)
        ours: list[tuple[float, float]] = []
        bare: list[tuple[float, float]] = []
        for _ in range(rounds):
            bare.append(_bare(found))
            ours.append(_ours(path, count))
    yield Result("replay.late_p50_ms_at_100x", min(p50 for p50, _ in ours), "ms")
    yield Result("replay.late_p99_ms_at_100x", min(p99 for _, p99 in ours), "ms")
    yield Result("replay.bare_loop_late_p99_ms_at_100x", min(p99 for _, p99 in bare), "ms")
    ratio = min(p99 for _, p99 in ours) / min(p99 for _, p99 in bare)
    yield Result("replay.late_p99_vs_bare_loop_at_100x", ratio, "x", 1.5, "lower")


def _ours(path: Path, count: int) -> tuple[float, float]:
    reframer = Reframer()
    with Sender(GROUP, PORT, ttl=0) as sender, open_recording(path) as recording:
        late = _Late(lambda data: sender.send(reframer(data)))
        Replay(late.send, speed=SPEED).run(recording)
    return late.told(count)


def _bare(found: list[Item]) -> tuple[float, float]:
    to = (GROUP, PORT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        late = _Late(lambda data: sending.sendto(data, to))
        clock = time.perf_counter
        began = clock()
        for item in found:
            due = began + item.time_ns / 1e9 / SPEED
            if due - clock() > _AWAKE_S:
                time.sleep(due - clock() - _AWAKE_S)
            while clock() < due:
                pass
            late.send(item.data)
    return late.told(len(found))


class _Late:
    """When each was really sent, seen from outside of both: after the send came back."""

    def __init__(self, send: object) -> None:
        self._send = send
        self._at: list[float] = []

    def send(self, data: bytes) -> None:
        self._send(data)  # type: ignore[operator]
        self._at.append(time.perf_counter())

    def told(self, count: int) -> tuple[float, float]:
        """(p50, p99) in ms, against the earliest that all of them could have been on time by."""
        assert len(self._at) == count
        offsets = [at - number / SPEED for number, at in enumerate(self._at)]
        first = min(offsets)
        late = sorted(offset - first for offset in offsets)
        return late[count // 2] * 1000, late[count * 99 // 100] * 1000
