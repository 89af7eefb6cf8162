"""dsmrctl replay --onto: telegrams out of a pseudo terminal, a serial port and TCP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import BELGIAN
from ran import Run

from dsmrctl.recordings.item import Item
from dsmrctl.recordings.writing import create

RAW = BELGIAN.read_bytes()


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[int, float], Path]:
    """recorded(3, 0.1): a recording of so many telegrams, so many seconds apart."""

    def make(count: int, apart_s: float) -> Path:
        path = tmp_path / "telegrams.ndjson.gz"
        with create(path, "telegrams", started_ns=0) as writer:
            for n in range(count):
                writer.write(Item(round(n * apart_s * 1e9), "/dev/ttyUSB0", RAW))
        return path

    return make


@pytest.mark.slow
def test_telegrams_come_out_of_a_port_and_of_tcp_byte_for_byte(
    dsmrctl: Run, recorded: Callable[[int, float], Path]
) -> None:
    import pty
    import tty

    path = recorded(3, 1)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        done = dsmrctl("replay", path, "--onto", os.ttyname(slave), "--speed", "50", "--count", "1")
        assert done.code == 0, done.err
        got = b""
        while len(got) < len(RAW):
            got += os.read(master, 65536)
        assert got == RAW
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
            while got.count(RAW) < 4:
                got += reader.recv(65536)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=10)
    assert got.startswith(RAW * 4)
    assert running.returncode == 143


@pytest.mark.slow
def test_the_last_telegram_on_a_pty_is_not_lost_and_the_ports_name_is_said(
    recorded: Callable[[int, float], Path],
) -> None:
    path = recorded(2, 0.1)
    command = [sys.executable, "-m", "dsmrctl", "replay", str(path), "--onto", "pty", "--json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stderr
        assert running.stdout
        said = running.stderr.readline().decode()
        port = os.open(said.split()[-1], os.O_RDONLY | os.O_NOCTTY)
        # A reader that is slow to come back for the last.
        time.sleep(0.6)
        got = b""
        try:
            while data := os.read(port, 65536):
                got += data
        except OSError:  # hung up
            pass
        finally:
            os.close(port)
        told = json.loads(running.stdout.read())
    assert said.startswith("telegrams on /dev/")
    assert got == RAW * 2
    assert told["sent"] == 2
    assert running.returncode == 0


@pytest.mark.slow
def test_a_file_of_telegrams_goes_out_by_the_meters_clock(dsmrctl: Run, tmp_path: Path) -> None:
    import pty
    import tty

    (tmp_path / "meter.raw").write_bytes(b"\xffnoise" + RAW * 2 + RAW[:100] + RAW)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        done = dsmrctl(
            *("replay", "meter.raw", "--onto", os.ttyname(slave), "--speed", "50", "--json"),
            *("--from", "0s", "--count", "1"),
        )
        got = b""
        while len(got) < len(RAW):
            got += os.read(master, 65536)
    finally:
        os.close(master)
        os.close(slave)
    assert done.code == 0, done.err
    assert got == RAW
    assert json.loads(done.out)["kind"] == "telegrams"
    (tmp_path / "noise.raw").write_bytes(b"nothing that is a telegram\n" * 50)
    noise = dsmrctl("replay", "noise.raw", "--onto", "pty")
    assert noise.code == 6
    assert "noise.raw is no recording" in noise.err


@pytest.mark.slow
def test_telegrams_that_nobody_takes_are_not_said_to_be_sent(
    dsmrctl: Run, recorded: Callable[[int, float], Path]
) -> None:
    path = recorded(9, 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = dsmrctl("replay", path, "--onto", f"tcp://{port}", "--speed", "max", "--json")
    assert done.code == 1
    assert json.loads(done.out)["not_sent"] == {"nobody was connected": 9}
    wrong = dsmrctl("replay", path, "--onto", "tcp://nowhere")
    assert wrong.code == 2
    assert "--onto tcp://nowhere" in wrong.err
    # A pseudo terminal holds some for who comes late; the others are lost, and it says so.
    pty = dsmrctl(
        *("replay", path, "--onto", "pty", "--speed", "max", "--json"),
        env={"DSMRCTL_GROUP": "239.255.84.3:18431", "DSMRCTL_NIC": "lo"},  # not for telegrams
    )
    told = json.loads(pty.out)
    lost = told["not_sent"].get("nobody read them in time", 0)
    assert told["sent"] + lost == 9


@pytest.mark.slow
def test_a_serial_line_that_takes_nothing_blocks_nobody_and_gets_only_whole_telegrams(
    dsmrctl: Run, recorded: Callable[[int, float], Path]
) -> None:
    import pty
    import tty

    path = recorded(200, 1)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        done = dsmrctl(
            *("replay", path, "--onto", os.ttyname(slave), "--speed", "max", "--json"), timeout=20
        )
        got = b""
        os.set_blocking(master, False)
        with suppress(BlockingIOError):
            while data := os.read(master, 65536):
                got += data
    finally:
        os.close(master)
        os.close(slave)
    told = json.loads(done.out)
    sent = told["sent"]
    assert sent + told["not_sent"]["the line was still busy with the one before"] == 200
    # Of the last the line holds what it had room for; no other was cut.
    assert got[: len(RAW) * (sent - 1)] == RAW * (sent - 1)
    assert RAW.startswith(got[len(RAW) * (sent - 1) :])
