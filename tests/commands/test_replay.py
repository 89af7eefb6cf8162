"""dsmrctl replay, as a person or a script runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import BELGIAN
from ran import Run

from dsmrctl.firmware.core import frame as core
from dsmrctl.network.multicast import Receiver
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.writing import create

START_NS = 1_795_000_000 * 10**9
GROUP = "239.255.84.3"


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """recorded("name.ndjson", [(second, data), …], kind) -> the file."""

    def make(name: str, found: list[tuple[float, bytes]], kind: str = "frames") -> Path:
        path = tmp_path / name
        with create(path, kind, started_ns=START_NS) as writer:  # type: ignore[arg-type]
            for at, data in found:
                writer.write(Item(START_NS + round(at * 1e9), "192.168.1.9:5000", data))
        return path

    return make


def frames(count: int) -> list[tuple[float, bytes]]:
    return [
        (n, core.build((n, 0, 351, 0, 1, n // 60, n % 60, 0, 0, 0), 2 if n % 2 else 1))
        for n in range(count)
    ]


def heard(receiver: Receiver) -> list[bytes]:
    found: list[bytes] = []
    while batch := receiver.receive(0.2):
        found += [datagram.data for datagram in batch]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "port"), [("ndjson", 18420), ("pcapng", 18421), ("ndjson.gz", 18422)]
)
def test_what_was_recorded_is_heard_again_byte_for_byte(
    dsmrctl: Run, recorded: Callable[..., Path], form: str, port: int
) -> None:
    wanted = frames(300)
    path = recorded(f"evening.{form}", wanted)
    with Receiver(GROUP, port, ["127.0.0.1"]) as receiver:
        done = dsmrctl("replay", path, "--speed", "1000", "--group", f"{GROUP}:{port}", "--json")
        assert heard(receiver) == [data for _, data in wanted]
    told = json.loads(done.out)
    assert done.code == 0
    assert told["sent"] == 300
    assert told["not_sent"] == told["skipped"] == {}
    assert 0 <= told["late_p50_ms"] <= told["late_p99_ms"] < 1000


@pytest.mark.slow
def test_a_part_of_it_made_current(dsmrctl: Run, recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(100))
    with Receiver(GROUP, 18423, ["127.0.0.1"]) as receiver:
        done = dsmrctl(
            *("replay", path, "--from", "60s", "--to", "1.5m", "--now", "--speed", "max"),
            *("--group", f"{GROUP}:18423", "--count", "20"),
            env={"TZ": "UTC"},
        )
        now = time.time()
        found = [core.read(data) for data in heard(receiver)]
    assert done.code == 0
    assert "20 frames sent\n" in done.err
    assert [f.import_t1_wh for f in found] == list(range(60, 80))
    first = (found[0].minute or 0) * 60 + (found[0].second or 0)
    assert (now - first) % 3600 < 10


@pytest.mark.slow
def test_from_a_local_time_and_standard_input(dsmrctl: Run, recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(100))
    with Receiver(GROUP, 18424, ["127.0.0.1"]) as receiver:
        done = dsmrctl(
            *("replay", "-", "--from", "12:07", "--to", "2026-11-18T12:07:05+01:00"),
            *("--speed", "max", "--group", f"{GROUP}:18424"),
            stdin=path.read_bytes(),
            env={"TZ": "Europe/Brussels"},
        )
        found = [core.read(data).import_t1_wh for data in heard(receiver)]
    assert done.code == 0, done.err
    assert found == [20, 21, 22, 23, 24]  # it began at 12:06:40


@pytest.mark.slow
def test_ctrl_c_ends_a_loop_with_what_was_sent(recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(3))
    command = [sys.executable, "-m", "dsmrctl", "replay", str(path), "--loop", "--speed", "100"]
    with (
        Receiver(GROUP, 18425, ["127.0.0.1"]) as receiver,
        subprocess.Popen(
            [*command, "--group", f"{GROUP}:18425"], stderr=subprocess.PIPE
        ) as running,
    ):
        count = 0
        while count < 10:
            count += len(receiver.receive(10.0)) or 1000
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=10)
    assert count < 1000
    assert running.returncode == 130
    assert b" frames sent, late: half of them under " in told


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["none.ndjson"], 3, "no file none.ndjson"),
        (["meter.raw"], 6, "dsmrctl serve reads it"),
        (["telegrams.ndjson"], 2, "--onto pty"),
        (["telegrams.ndjson", "--now", "--onto", "pty"], 2, "leave out --sign, --now"),
        (["frames.ndjson", "--onto", "pty"], 2, "leave out --onto"),
        (["frames.ndjson", "--sign"], 2, "which key shall sign?"),
        (["frames.ndjson", "--from", "yesterday"], 2, "90s or 2h after its start"),
        (["frames.ndjson", "--from", "1h"], 2, "begins at 2026-11-18"),
        (["frames.ndjson", "--speed", "0"], 2, "no speed"),
        (["-", "--loop"], 2, "--loop needs a file"),
        (["empty.ndjson"], 6, "no frames are in"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_what_to_do(
    dsmrctl: Run,
    recorded: Callable[..., Path],
    tmp_path: Path,
    args: list[str],
    code: int,
    words: str,
) -> None:
    recorded("frames.ndjson", frames(2))
    recorded("empty.ndjson", [])
    recorded("telegrams.ndjson", [(0, BELGIAN.read_bytes())], "telegrams")
    (tmp_path / "meter.raw").write_bytes(BELGIAN.read_bytes())
    done = dsmrctl("replay", *args, *(() if "--speed" in args else ("--speed", "max")), stdin="")
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_telegrams_come_out_of_a_port_and_of_tcp_byte_for_byte(
    dsmrctl: Run, recorded: Callable[..., Path]
) -> None:
    import pty
    import tty

    raw = BELGIAN.read_bytes()
    path = recorded("telegrams.ndjson.gz", [(n, raw) for n in range(3)], "telegrams")
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        done = dsmrctl("replay", path, "--onto", os.ttyname(slave), "--speed", "50", "--count", "1")
        assert done.code == 0, done.err
        got = b""
        while len(got) < len(raw):
            got += os.read(master, 65536)
        assert got == raw
    finally:
        os.close(master)
        os.close(slave)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dsmrctl", "replay", str(path), "--onto", f"tcp://{port}"]
    with subprocess.Popen([*command, "--loop", "--speed", "20"], stderr=subprocess.PIPE) as running:
        deadline = time.monotonic() + 20
        while True:
            try:
                reader = socket.create_connection(("127.0.0.1", port), timeout=5)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with reader:
            got = b""
            while got.count(raw) < 4:
                got += reader.recv(65536)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=10)
    assert got.startswith(raw * 4)
    assert running.returncode == 143


@pytest.mark.slow
def test_no_network_named_is_this_computer_and_a_named_one_is_asked_about(
    dsmrctl: Run, recorded: Callable[..., Path]
) -> None:
    path = recorded("frames.ndjson", frames(2))
    here = dsmrctl("replay", path, "--speed", "max", "--group", f"{GROUP}:18426")
    assert "on this computer only; --nic NAME sends them on a network" in here.err
    there = dsmrctl("replay", path, "--speed", "max", "--nic", "lo", "--group", f"{GROUP}:18426")
    assert there.code == 0
    assert "no board was found on lo" in there.err
