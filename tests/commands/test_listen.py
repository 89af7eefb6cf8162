"""The real command in a process of its own; frames come over loopback, on a group of each test."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pytest
from conftest import Run, clean_environment

from dsmrctl import errors
from dsmrctl.commands.listen import Lines
from dsmrctl.firmware.core import frame, signature
from dsmrctl.network.frames import Intake
from dsmrctl.network.multicast import Receiver, Sender
from dsmrctl.terminal.output import Terminal

LO = ("--nic", "127.0.0.1")
_numbers = iter(range(1, 250))

GOOD = frame.build((83125000, 27689123, 2351, 0, 1, 11, 2, 2589, 1204, 900))
KEY = b"an invented key, for tests only"
BAD = b"\x1b]0;owned\x07 no frame"


@pytest.fixture
def group() -> str:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    number = next(_numbers)
    return f"239.255.{110 + worker}.{number}:{24000 + worker * 300 + number}"


@contextmanager
def sending(group: str, *many: bytes) -> Iterator[None]:
    """Send these in turn, fifty a second, as long as the block lasts."""
    done = threading.Event()
    address, port = group.split(":")

    def run() -> None:
        with Sender(address, int(port), ttl=0) as sender:
            while not done.is_set():
                for data in many:
                    sender.send(data)
                    done.wait(0.02)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_json_prints_one_line_a_frame_with_the_quantities(dsmrctl: Run, group: str) -> None:
    with sending(group, GOOD):
        ran = dsmrctl("listen", "--json", "--count", 3, "--timeout", "20s", "--group", group, *LO)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert len(lines) == 3
    assert lines[0]["import_w"] == 2351
    assert lines[0]["month_peak_w"] == 2589
    assert lines[0]["forecast_w"] == 1204 + (7 * 2351 + 1204 * 900 // 662) * (900 - 662) // 7200
    assert lines[0]["threshold_w"] is None
    assert lines[0]["frame"]["minute"] == 11
    assert lines[0]["frame"]["sender"].startswith("127.0.0.1:")


def test_a_pipe_gets_one_aligned_line_a_frame(dsmrctl: Run, group: str) -> None:
    small = frame.build((1, 2, 3, 99999, 2, 11, 2), 1)
    with sending(group, GOOD, small):
        ran = dsmrctl("listen", "--count", 2, "--timeout", "20s", "--group", group, *LO)
    assert ran.code == 0, ran.err
    one, other = sorted(ran.out.splitlines(), key=lambda line: "tariff 2" in line)
    assert "import   2351 W  export      0 W  tariff 1  quarter   1204 W" in one
    assert "peak   2589 W  t1  83125.000 kWh  t2  27689.123 kWh  clock 11:02  from 127" in one
    assert (
        "import      3 W  export  99999 W  tariff 2  quarter      - W  forecast      - W" in other
    )
    assert "t1      0.001 kWh" in other
    assert one.index(" t2 ") == other.index(" t2 ")


@pytest.mark.slow
def test_silence_exits_4_with_a_hint_that_helps(dsmrctl: Run, group: str) -> None:
    ran = dsmrctl("listen", "--timeout", "0.3s", "--group", group, *LO)
    assert ran.code == errors.NO_ANSWER
    assert ran.out == ""
    for words in ("no frame came for 0.3 s", group, "127.0.0.1", "power", "frame_target",
                  "firewall", "dsmrctl demo", "--nic"):  # fmt: skip
        assert words in ran.err
    assert max(map(len, ran.err.splitlines())) <= 78


def test_silence_at_a_unicast_address_gives_its_own_hint(dsmrctl: Run, group: str) -> None:
    address = f"127.0.0.1:{group.split(':')[1]}"
    ran = dsmrctl("listen", "--timeout", "0.2", "--group", address)
    assert ran.code == errors.NO_ANSWER
    assert "is this the interface's frame_target?" in ran.err


@pytest.mark.slow
def test_only_bad_frames_are_no_answer_and_the_reasons_are_told(dsmrctl: Run, group: str) -> None:
    with sending(group, BAD, b'{"dsmr":[1,2,3]}'):
        ran = dsmrctl("listen", "--timeout", "0.5s", "--json", "--group", group, *LO)
    assert ran.code == errors.NO_ANSWER
    assert ran.out == ""
    told, error = map(json.loads, ran.err.splitlines())
    assert told["frames"] == 0
    assert set(told["refused"]) == {"not-json", "too-few"}
    assert error["error"]["code"] == "no_answer"
    assert "not a JSON object" in error["error"]["hint"]
    assert "\x1b" not in error["error"]["hint"]


def test_bad_frames_between_good_ones_are_counted_and_shown_harmlessly(
    dsmrctl: Run, group: str
) -> None:
    with sending(group, BAD, GOOD):
        ran = dsmrctl("listen", "--count", 5, "--timeout", "20s", "--group", group, *LO)
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 5
    assert re.search(r"^5 frames, \d+ refused:\n  \d+ not a JSON object \(from 127", ran.err)
    assert "owned" in ran.err
    assert "\x1b" not in ran.err
    assert "\x07" not in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_with_a_key_only_signed_frames_are_shown_and_the_others_told(
    dsmrctl: Run, tmp_path: Path, group: str
) -> None:
    file = tmp_path / "frame.key"
    file.write_text("an invented key, for tests only\n")
    file.chmod(0o600)
    signed = signature.sign(frame.build((1, 2, 3, 0, 1, 11, 2, 0, 0, 0)), KEY, 1000)
    with sending(group, GOOD, signed):
        done = dsmrctl("listen", "--group", group, *LO, "--json", "--frame-key-file", str(file),
                       "--count", "1", "--duration", "10s")  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["frame"]["n"] == 1000
    with sending(group, GOOD):
        done = dsmrctl("listen", "--group", group, *LO, "--frame-key-file", str(file),
                       "--timeout", "0.5s")  # fmt: skip
    assert done.code == errors.NO_ANSWER
    assert "not signed with our key" in done.err


@pytest.mark.slow
def test_fewer_than_asked_is_no_answer(dsmrctl: Run, group: str) -> None:
    one_in_two = [GOOD, *[BAD] * 100]  # one good frame in two seconds
    with sending(group, *one_in_two):
        ran = dsmrctl("listen", "--count", 50, "--duration", "2.5s", "--group", group, *LO)
    assert ran.code == errors.NO_ANSWER
    assert re.search(r"only \d of 50 frames came", ran.err)


@pytest.mark.slow
def test_frames_that_stop_end_a_listening_without_count_well(tmp_path: Path, group: str) -> None:
    with start(tmp_path, "--timeout", "2s", "--group", group, *LO) as running:
        assert running.stdout
        with sending(group, GOOD):
            assert running.stdout.readline()
        assert running.wait(20) == errors.DONE


def test_without_a_timeout_thirty_silent_seconds_are_told_once(group: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    address, port = group.split(":")
    with Receiver(address, int(port), ["127.0.0.1"]) as receiver:
        lines = Lines(Terminal(out=out, err=err), receiver, Intake())
        lines.idle(29.9)
        assert err.getvalue() == ""
        lines.idle(30.0)
        lines.idle(31.0)
    assert err.getvalue().startswith("no frame for 30 s; still waiting\n  listening to")
    assert err.getvalue().count("still waiting") == 1
    assert out.getvalue() == ""


@pytest.mark.slow
def test_a_duration_ends_it(dsmrctl: Run, group: str) -> None:
    with sending(group, GOOD):
        ran = dsmrctl("listen", "--duration", "2s", "--group", group, *LO)
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) > 1


def test_a_layout_reads_a_foreign_frame(dsmrctl: Run, group: str) -> None:
    with sending(group, b'{"dsmr":[1,2,300000,400000,5,6,7]}'):
        names = "import_t1_wh,import_t2_wh,export_t1_wh,export_t2_wh,-,import_w"
        ran = dsmrctl("listen", "--json", "-n", 1, "--layout", names, "--timeout", "20", "--group",
                      group, *LO)  # fmt: skip
        assert ran.code == 0, ran.err
        found = json.loads(ran.out)
        assert (found["export_t2_wh"], found["import_w"], found["tariff"]) == (400000, 6, None)
        assert dsmrctl("listen", "-n", 1, "--layout", names, "--timeout", "20", "--group", group,
                       *LO).code == 0  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--layout", "volts"], errors.USAGE, "volts is not one of"),
        (["--group", "224.0.1"], errors.USAGE, "224.0.1.3:8266"),
        (["--nic", "wlan7"], errors.NOT_FOUND, "127.0.0.1"),
        (["--count", "0"], errors.USAGE, "--count"),
    ],
)
def test_a_wrong_option_is_told(dsmrctl: Run, options: list[str], code: int, words: str) -> None:
    ran = dsmrctl("listen", *options)
    assert ran.code == code
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path, group: str) -> None:
    with sending(group, GOOD), start(tmp_path, "--group", group, *LO) as running:
        assert running.stdout
        assert running.stdout.readline()
        running.stdout.close()
        assert running.wait(20) == errors.BROKEN_PIPE
        assert running.stderr
        assert running.stderr.read() == b""


def test_ctrl_c_in_a_pipe_exits_130_and_tells_what_was_refused(tmp_path: Path, group: str) -> None:
    with sending(group, GOOD, BAD), start(tmp_path, "--group", group, *LO) as running:
        assert running.stdout
        for _ in range(3):
            assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)
        assert running.returncode == errors.INTERRUPTED
        assert b"not a JSON object" in told
        assert b"Traceback" not in told


@contextmanager
def start(home: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "listen", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(home),
    ) as running:
        try:
            yield running
        finally:
            running.kill()


class Screen:
    """`dsmrctl listen` on a real pseudo-terminal of 80 by 24."""

    def __init__(self, home: Path, *options: str, term: str = "xterm-256color") -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.running = subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", "listen", *options],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=clean_environment(home) | {"TERM": term},
            start_new_session=True,
        )
        self._slave = slave
        self.seen = ""

    def read_until(self, words: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self._read(0.1)

    def _read(self, timeout: float) -> bool:
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
        return True

    def end(self, number: int) -> int:
        """The exit code after a signal, with everything read that was written."""
        self.running.send_signal(number)
        code = self.running.wait(20)
        while self._read(0.1):
            pass
        return code

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.running.kill()
        self.running.wait()
        self.after = termios.tcgetattr(self._slave)
        os.close(self._slave)
        os.close(self._master)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_live_view_shows_frames_and_gives_the_terminal_back(
    tmp_path: Path, group: str, number: int, code: int
) -> None:
    with Screen(tmp_path, "--group", group, *LO) as screen:
        screen.read_until("Waiting for frames")
        with sending(group, GOOD, BAD):
            screen.read_until("83 125.000")
            screen.read_until("not a JSON object")
            assert screen.end(number) == code
    seen = screen.seen
    for words in ("IMPORT, W", "EXPORT, W", "2 589 W", "1 204 W", "day in Belgium"):
        assert words in seen
    # The other screen is left, the cursor is back, and what was refused is told below.
    assert seen.count("\x1b[?1049h") == seen.count("\x1b[?1049l") == 1
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert "refused:" in seen[seen.rindex("\x1b[?1049l") :]
    assert "Traceback" not in seen
    assert "]0;owned\x07" not in seen
    assert screen.after == screen.before


@pytest.mark.slow
def test_the_live_view_helps_while_nothing_comes(tmp_path: Path, group: str) -> None:
    with Screen(tmp_path, "--group", group, *LO, "--timeout", "6.5s") as screen:
        screen.read_until("frame_target")
        assert screen.running.wait(20) == errors.NO_ANSWER


@pytest.mark.slow
def test_a_dumb_terminal_gets_lines(tmp_path: Path, group: str) -> None:
    with Screen(tmp_path, "--group", group, *LO, term="dumb") as screen, sending(group, GOOD):
        screen.read_until("clock 11:02")
        assert "\x1b" not in screen.seen
        assert screen.end(signal.SIGINT) == errors.INTERRUPTED
