"""listen: a burst of frames, and how many of them `dsmrctl listen --json` did not print.

A process of its own sends 100 000 frames at 50 000 a second by absolute deadlines, over multicast
on loopback; the real command prints them into a pipe, and each line is checked for its number. The
command decodes slower than that: it holds what it has not printed yet, so this is a burst it must
swallow, not a pace it must keep: that one is listen.printed_per_s. Where the system allows only a
small socket buffer (net.core.rmem_max below 4 MiB), a pause of 10 ms already loses some; the
command then says so on stderr, which is shown here.

Recorded, the same burst goes into a pcapng file beside: what is not in it, byte for byte and in
order, is lost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.runner import Result
from dsmrctl.firmware.core import frame
from dsmrctl.network.multicast import Sender
from dsmrctl.recordings.opening import open_recording

FRAMES = 100_000
RATE = 50_000
GROUP, PORT = "239.255.83.1", 18301
# Probes, sent until the command prints one, carry this as their second register.
_PROBE = 1


class Round(NamedTuple):
    """One burst: frames never printed or out of order, the pace sent and the pace printed (1/s).

    unrecorded: frames that the recording does not hold.
    """

    lost: int
    sent_per_s: float
    printed_per_s: float
    unrecorded: int = 0


def measure(quick: bool) -> Iterator[Result]:
    """The worst of several bursts for what was lost, the best for the pace."""
    rounds = _rounds(1 if quick else 5, burst)
    lost = max(each.lost for each in rounds)
    yield Result("listen.lost_of_100000_at_50000_per_s", lost, "frames", 0, "lower")
    yield Result("listen.printed_per_s", max(each.printed_per_s for each in rounds), "frames/s")
    rounds = _rounds(1 if quick else 3, _recorded)
    lost = max(each.unrecorded for each in rounds)
    yield Result("listen.lost_of_100000_recorded_pcapng", lost, "frames", 0, "lower")


def _rounds(wanted: int, one: Callable[[], Round]) -> list[Round]:
    rounds: list[Round] = []
    for _ in range(2 * wanted):
        each = one()
        # A sender that was held up sent an easier burst: that one proves nothing.
        if each.sent_per_s >= 0.99 * RATE:
            rounds.append(each)
        if len(rounds) == wanted:
            return rounds
    raise RuntimeError(f"this machine is too busy to send {RATE} frames a second")


def _recorded() -> Round:
    """A burst that is recorded as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "burst.pcapng"
        each = burst("--record", path)
        with open_recording(path, port=PORT, group=GROUP) as recording:
            found = [item.data for item in recording if item.data != _frame(0, _PROBE)]
    wanted = [_frame(number) for number in range(FRAMES)]
    unrecorded = 0 if found == wanted else max(1, len(set(wanted) - set(found)))
    return each._replace(unrecorded=unrecorded)


def _frame(number: int, t2_wh: int = 0) -> bytes:
    return frame.build((number, t2_wh, 2351, 0, 1, number // 60 % 60, number % 60, 2589, 1204, 900))


def send(frames: int, rate: int) -> None:
    """The sender's process: says how long it took (s)."""
    ready = [_frame(number) for number in range(frames)]
    with Sender(GROUP, PORT, ttl=0) as sender:
        clock, send_one = time.perf_counter, sender.send
        start = clock()
        for number, data in enumerate(ready):
            due = start + number / rate
            while clock() < due:
                pass
            send_one(data)
        sys.stdout.write(f"{clock() - start}\n")


def burst(*more: object, frames: int = FRAMES, rate: int = RATE) -> Round:
    """One round with a fresh command, with `more` options, and a fresh sender."""
    command = [sys.executable, "-m", "dsmrctl", "listen", "--json", "--timeout", "2s"]
    command += ["--group", f"{GROUP}:{PORT}", "--nic", "127.0.0.1", *map(str, more)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        _await_ready(listening.stdout.fileno())
        root = Path(__file__).resolve().parents[1]
        sending = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.listen", str(frames), str(rate)],
            cwd=root,
            stdout=subprocess.PIPE,
        )
        start = end = 0.0
        pieces = []
        while piece := os.read(listening.stdout.fileno(), 1 << 20):
            end = time.perf_counter()
            if b'"import_t2_wh": 0,' in piece:
                start = start or end
            pieces.append(piece)
        took, _ = sending.communicate()
    if sending.returncode or listening.returncode:
        raise RuntimeError("the sender or the command failed")
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]
    numbers = [line["import_t1_wh"] for line in lines if line["import_t2_wh"] != _PROBE]
    lost = frames - len(set(numbers))
    if numbers != sorted(numbers):
        lost = max(lost, 1)
    return Round(lost, frames / float(took), len(numbers) / max(end - start, 1e-9))


def _await_ready(pipe: int) -> None:
    """Probe until the command prints: then it has joined, and is warm."""
    import select

    with Sender(GROUP, PORT, ttl=0) as sender:
        for _ in range(200):
            sender.send(_frame(0, _PROBE))
            if select.select([pipe], [], [], 0.1)[0]:
                os.read(pipe, 1 << 20)
                return
    raise RuntimeError("dsmrctl listen printed nothing within 20 s")


if __name__ == "__main__":
    send(int(sys.argv[1]), int(sys.argv[2]))
