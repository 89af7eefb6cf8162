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
# Nobody else took the processor for long: both together were no later than that (99 %).
_QUIET_MS = 0.4
_ROUNDS = 4


def measure(quick: bool) -> Iterator[Result]:
    """The four quietest rounds together; rounds are short, and go on until so many were quiet."""
    count, most = 150, 14 if quick else 40
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
        rounds: list[tuple[float, list[float], list[float]]] = []
        while len(rounds) < most and sum(worst < _QUIET_MS for worst, _, _ in rounds) < _ROUNDS:
            mine, its = _turns(path, found)
            # Judged by both together, so that neither is favoured.
            rounds.append((_part(mine, 0.99) + _part(its, 0.99), mine, its))
    rounds.sort(key=lambda each: each[0])
    ours = [late for _, mine, _ in rounds[:_ROUNDS] for late in mine]
    bare = [late for _, _, its in rounds[:_ROUNDS] for late in its]
    yield Result("replay.late_p50_ms_at_100x", _part(ours, 0.5), "ms")
    yield Result("replay.late_p99_ms_at_100x", _part(ours, 0.99), "ms")
    yield Result("replay.bare_loop_late_p99_ms_at_100x", _part(bare, 0.99), "ms")
    ratio = _part(ours, 0.99) / _part(bare, 0.99)
    yield Result("replay.late_p99_vs_bare_loop_at_100x", ratio, "x", 1.5, "lower")


def _part(late: list[float], part: float) -> float:
    return sorted(late)[int(part * len(late))]


def _turns(path: Path, found: list[Item]) -> tuple[list[float], list[float]]:
    """How late (ms) the engine was, and the bare loop that runs between its frames."""
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

    def told(self, count: int) -> list[float]:
        """In ms, against the earliest that all of them could have been on time by."""
        assert len(self._at) == count
        offsets = [at - number / SPEED for number, at in enumerate(self._at)]
        first = min(offsets)
        return [(offset - first) * 1000 for offset in offsets]
