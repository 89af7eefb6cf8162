"""`dsmrctl console` on a board in its programmer: what it says at its start, its crashes first."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from flashed import KEY, SSID
from ran import Run, clean_environment

from dsmrctl import boards
from dsmrctl.flashing import build, image
from dsmrctl.virtual import base
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.programmer import Programmer

BANNER = "dsmrctl interface esp01s - Ctrl-C within 2 s stops it"
CRASH = b"reset cause 1\nTraceback (most recent call last):\nValueError: \x1b[31mred\n"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Programmer]:
    """An interface with WiFi baked in that crashed once, in its programmer; not plugged in."""
    kind = boards.INTERFACE
    hardware = kind.hardware[0]
    content = image.Content({}, (SSID, KEY), more={"crash.txt": CRASH})
    made = image.header(base.make(hardware.variant), hardware, 1 << 20)
    flash, _ = image.make(build.build(kind), kind, hardware, content, made)
    air = Air()
    air.on(SSID, KEY, -50)
    with Programmer(tmp_path, flash=bytearray(flash), address="127.0.0.47", air=air) as programmer:
        yield programmer


@contextmanager
def plugged_in_soon(board: Programmer) -> Iterator[None]:
    """Somebody unplugs it and plugs it in, once the program listens."""

    def anew() -> None:
        time.sleep(1.2)
        board.chip.button = False
        board.chip._reset(download=False)
        board._on()

    thread = threading.Thread(target=anew)
    thread.start()
    yield
    thread.join()


@pytest.mark.slow
def test_the_crash_log_comes_first_then_what_it_is(board: Programmer, dsmrctl: Run) -> None:
    with plugged_in_soon(board):
        ran = dsmrctl("console", "--port", board.port, "--duration", "5s", "--timestamps")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    texts = [line[10:] for line in lines]
    # The chip's first words come at another rate; a crash log's colours stay in it.
    assert "bytes of noise" in texts[0]
    assert texts[1].endswith("crash log: reset cause 1")
    assert texts[3] == "crash log: ValueError: \N{REPLACEMENT CHARACTER}[31mred"
    assert texts[4] == BANNER
    assert [float(line[:8]) for line in lines] == sorted(float(line[:8]) for line in lines)
    assert KEY not in ran.out + ran.err
    assert "\x1b" not in ran.out


@pytest.mark.slow
def test_as_records_so_many_of_them_and_as_bytes(board: Programmer, dsmrctl: Run) -> None:
    with plugged_in_soon(board):
        ran = dsmrctl("console", "--port", board.port, "--json", "--count", "3")
    assert ran.code == 0, ran.err
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert len(records) == 3
    assert records[1]["text"].endswith("crash log: reset cause 1")
    assert records[2]["text"] == "crash log: Traceback (most recent call last):"
    assert all(record["time_s"] >= 0 for record in records)
    board.unplug()
    board.plug(button=True)
    with plugged_in_soon(board):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dsmrctl", "console"),
                *("--port", board.port, "--raw", "--duration", "4s"),
            ],
            capture_output=True,
            env=clean_environment(Path("/nowhere")),
        )
    assert b"crash log: ValueError: \x1b[31mred" in done.stdout


@pytest.mark.slow
def test_silence_a_pulled_cable_and_ctrl_c(board: Programmer, dsmrctl: Run, tmp_path: Path) -> None:
    ran = dsmrctl("console", "--port", board.port, "--timeout", "1s")
    assert ran.code == 4
    assert f"nothing came from {board.port} for 1 s" in ran.err
    assert "UART mode" in ran.err
    program = [sys.executable, "-m", "dsmrctl", "console", "--port", board.port]

    def during(act: Callable[[subprocess.Popen[str]], object]) -> tuple[int, str]:
        with subprocess.Popen(
            program, stderr=subprocess.PIPE, text=True, env=clean_environment(tmp_path)
        ) as process:
            assert process.stderr is not None
            assert "listening" in process.stderr.readline()
            time.sleep(0.3)
            act(process)
            return process.wait(20), process.stderr.read()

    code, said = during(lambda process: process.send_signal(signal.SIGINT))
    assert (code, said) == (130, "")
    with serial.Serial(board.port, exclusive=True):
        pass
    code, said = during(lambda process: board.unplug())
    assert code == 1
    assert f"the connection to {board.port} was lost" in said
    ran = dsmrctl("console", "--port", board.port)
    assert ran.code == 3
    assert f"there is no port {board.port}" in ran.err


def test_two_ways_to_show_are_one_too_many(dsmrctl: Run) -> None:
    ran = dsmrctl("console", "--raw", "--json", "--port", "/dev/ttyUSB0")
    assert ran.code == 2
