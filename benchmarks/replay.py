"""replay: how late frames are at a hundred times the speed, against a bare loop of deadlines.

Both send the same recording over loopback, the program's engine from the file as `dsmrctl replay`
does, the bare loop from a list in memory: it sleeps until 1.5 ms before the deadline and watches
the rest, and there is nothing else in it. They take turns frame by frame, half a period apart: a
processor that somebody else takes for some milliseconds makes either late, and neither more.
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
    """The best of several rounds: what else runs here makes both late."""
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
        # Of all rounds the one in which the two together were least disturbed.
        ours, bare = min(
            (_turns(path, found) for _ in range(rounds)), key=lambda both: both[0][1] + both[1][1]
        )
    yield Result("replay.late_p50_ms_at_100x", ours[0], "ms")
    yield Result("replay.late_p99_ms_at_100x", ours[1], "ms")
    yield Result("replay.bare_loop_late_p99_ms_at_100x", bare[1], "ms")
    yield Result("replay.late_p99_vs_bare_loop_at_100x", ours[1] / bare[1], "x", 1.5, "lower")


def _turns(path: Path, found: list[Item]) -> tuple[tuple[float, float], tuple[float, float]]:
    """(p50, p99) in ms of the engine, and of the bare loop that runs between its frames."""
    clock = time.perf_counter
    to = (GROUP, PORT)
    began: float | None = None
    with (
        Sender(GROUP, PORT, ttl=0) as sender,
        open_recording(path) as recording,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        reframer = Reframer()
        ours = _Late(lambda data: sender.send(reframer(data)))
        bare = _Late(lambda data: sending.sendto(data, to))
        left = iter(found)

        def send(data: bytes) -> None:
            nonlocal began
            ours.send(data)
            if began is None:
                began = clock()
            item = next(left)
            due = began + (item.time_ns / 1e9 + 0.5) / SPEED
            if due - clock() > _AWAKE_S:
                time.sleep(due - clock() - _AWAKE_S)
            while clock() < due:
                pass
            bare.send(item.data)

        Replay(send, speed=SPEED).run(recording)
    return ours.told(len(found)), bare.told(len(found))


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
