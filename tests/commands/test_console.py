"""`dsmrctl console` on a board in its programmer: what it says at its start, its crashes first."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from flashed import KEY, SSID
from hypothesis import given
from hypothesis import strategies as st
from ran import Ran, Run, clean_environment

from dsmrctl import boards
from dsmrctl.flashing import build, image
from dsmrctl.terminal.serial_log import LONGEST, Keys, Said, SerialLog, Typescript
from dsmrctl.virtual import base
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.programmer import Programmer
from dsmrctl.virtual.wire import PtyWire

BANNER = "dsmrctl interface esp01s - Ctrl-C within 2 s stops it"
CRASH = b"reset cause 1\nTraceback (most recent call last):\nValueError: \x1b[31mred\n"
NOISE = bytes(range(128, 200))


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


def boot(board: Programmer) -> None:
    """A reset, without its cable."""
    board.chip.button = False
    board.chip._reset(download=False)
    board._on()


@contextmanager
def plugged_in_soon(board: Programmer) -> Iterator[None]:
    """Somebody lets it start, once the program listens."""

    def anew() -> None:
        time.sleep(1.2)
        boot(board)

    thread = threading.Thread(target=anew)
    thread.start()
    yield
    thread.join()


@pytest.mark.slow
def test_the_crash_log_comes_first_then_what_it_is(board: Programmer, dsmrctl: Run) -> None:
    with plugged_in_soon(board):
        ran = dsmrctl("console", "--port", board.port, "--duration", "9s", "--timestamps")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    texts = [line[10:] for line in lines]
    # The chip's first words come at another rate; a crash log's colours stay in it.
    assert ran.err.count("noise") == 1
    assert texts[0].endswith("crash log: reset cause 1")
    assert texts[2] == "crash log: ValueError: \N{REPLACEMENT CHARACTER}[31mred"
    assert texts[3] == BANNER
    assert [float(line[:8]) for line in lines] == sorted(float(line[:8]) for line in lines)
    # It used its WiFi's password, and said it nowhere.
    assert board.board is not None
    assert board.board.wifi == 5
    assert KEY not in ran.out + ran.err + board.board.log
    assert "\x1b" not in ran.out
    # Whoever listens says nothing to a board.
    assert board.chip.received == 0


@pytest.mark.slow
def test_as_records_so_many_of_them_and_as_bytes(board: Programmer, dsmrctl: Run) -> None:
    with plugged_in_soon(board):
        ran = dsmrctl("console", "--port", board.port, "--json", "--count", "2")
    assert ran.code == 0, ran.err
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert len(records) == 2
    assert records[0]["text"].endswith("crash log: reset cause 1")
    assert records[1]["text"] == "crash log: Traceback (most recent call last):"
    assert all(record["time_s"] >= 0 for record in records)
    assert "noise" in json.loads(ran.err)["note"]
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


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """fed(b"…", "--json") -> what console made of these bytes."""
    wire = PtyWire()
    wire.plug()

    def run(data: bytes, *words: str) -> Ran:
        with subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", "console", "--port", wire.path, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(tmp_path),
        ) as process:
            assert process.stderr is not None
            assert "listening" in process.stderr.readline()
            wire.write(data)
            out, err = process.communicate(timeout=20)
            return Ran(process.returncode, out, err)

    yield run
    wire.close()


@pytest.mark.slow
def test_after_a_timeout_it_says_what_came_instead(fed: Callable[..., Ran]) -> None:
    # A board of ours is silent once it said what it is: that is no fault.
    ran = fed(b"dsmrctl interface\r\n", "--timeout", "0.6s")
    assert (ran.code, ran.out, ran.err) == (0, "dsmrctl interface\n", "")
    ran = fed(b"one\n", "--timeout", "0.6s", "--count", "2")
    assert (ran.code, ran.out) == (4, "one\n")
    assert "only 1 of 2 lines came" in ran.err
    ran = fed(NOISE, "--timeout", "0.6s")
    assert (ran.code, ran.out) == (4, "")
    assert "only noise came" in ran.err
    assert "115200 baud" in ran.err


class Person:
    """At a terminal of their own, before the program."""

    def __init__(self, words: list[str], home: Path) -> None:
        self.screen = b""
        self._ours, self.tty = pty.openpty()
        self.before = termios.tcgetattr(self.tty)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", *words],
            stdin=self.tty,
            stdout=self.tty,
            stderr=self.tty,
            env=clean_environment(home) | {"TERM": "xterm-256color"},
            # Its own: else Ctrl-C would be a mere byte in any case.
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def sees(self, text: str, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while text.encode() not in self.screen:
            ready = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, f"{text!r} did not come; {self.screen!r}"
            self.screen += os.read(self._ours, 65536)

    def presses(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.tty)


@pytest.mark.slow
def test_a_persons_ctrl_c_stops_the_board_and_not_the_console(
    board: Programmer, tmp_path: Path
) -> None:
    with Person(["console", "--interact", "--port", board.port], tmp_path) as person:
        person.sees("Ctrl-] leaves")
        boot(board)
        person.sees(BANNER)
        person.presses(b"\x03")
        assert board.board is not None
        end = time.monotonic() + 10
        while "stopped; it starts again" not in board.board.log and time.monotonic() < end:
            time.sleep(0.05)
        assert "stopped; it starts again" in board.board.log
        assert person.process.poll() is None
        person.presses(b"\x1d")
        assert person.process.wait(10) == 0
        assert termios.tcgetattr(person.tty) == person.before
        assert KEY.encode() not in person.screen
    with serial.Serial(board.port, exclusive=True):
        pass


@pytest.mark.slow
def test_a_cable_pulled_while_somebody_types_leaves_their_terminal_well(
    board: Programmer, tmp_path: Path
) -> None:
    with Person(["console", "--interact", "--port", board.port], tmp_path) as person:
        person.sees("Ctrl-] leaves")
        board.unplug()
        person.sees("was lost")
        assert person.process.wait(10) == 1
        assert termios.tcgetattr(person.tty) == person.before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--raw", "--json"], "--raw or --json"),
        (["--raw", "--count", "2"], "--raw has no lines"),
        (["--interact", "--raw"], "--interact shows what comes as it comes"),
        (["--interact"], "--interact needs a terminal"),
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], says: str, dsmrctl: Run) -> None:
    ran = dsmrctl("console", *words, "--port", "/dev/ttyUSB0")
    assert ran.code == 2
    assert says in ran.err


# Its lines, and a person's keys

TOLD = Said("", noise=True)
BAD = "\N{REPLACEMENT CHARACTER}"
# What stands for any board's output: letters, noise, colours, ends of lines.
ANY = st.lists(
    st.sampled_from([b"word ", b"\n", b"\r\n", "é€".encode(), b"\x1b[31m", b"\xff\x90", b"\0"])
    | st.binary(max_size=8)
    | st.integers(390, 410).map(lambda size: b"x" * size),
    max_size=12,
).map(b"".join)


def said(*pieces: bytes) -> list[Said]:
    log = SerialLog()
    return [one for piece in pieces for one in log.take(piece)] + log.rest(over=True)


@given(ANY, st.data())
def test_lines_are_the_same_however_they_come_in_pieces(data: bytes, draw: st.DataObject) -> None:
    at = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    assert said(*pieces) == said(data)


@given(ANY)
def test_nothing_in_a_line_drives_a_terminal(data: bytes) -> None:
    for text, _ in said(data):
        assert text.isprintable() or BAD in text
        assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)


def test_a_long_line_loses_no_byte() -> None:
    whole = bytes(97 + index % 26 for index in range(3 * LONGEST + 7))
    assert "".join(one.text for one in said(whole + b"\r\n")) == whole.decode()
    letters = "é" * 301 + "€" * 301
    assert "".join(one.text for one in said(b"a" + letters.encode())) == "a" + letters


def test_a_letter_of_which_half_came_waits_for_the_other() -> None:
    log = SerialLog()
    assert log.take(b"caf\xc3") == []
    assert log.rest() == [Said("caf")]
    assert log.rest() == []
    assert log.take(b"\xa9 ole\n") == [Said("é ole")]
    assert log.take(b"caf\xc3") == []
    assert log.rest(over=True) == [Said("caf" + BAD)]


def test_noise_is_told_once_until_something_reads_well() -> None:
    assert said(NOISE + b"\n" + NOISE + b"S$)\n" + NOISE) == [TOLD]
    assert said(NOISE + b"dsmrctl monitor\n" + NOISE) == [TOLD, Said("dsmrctl monitor"), TOLD]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"\0dsmrctl monitor\r", "dsmrctl monitor"),
        (b"d\xe9j\xe0 vu", f"d{BAD}j{BAD} vu"),  # Latin-1
        (b"\x1b[31mred\x1b[0m", f"{BAD}[31mred{BAD}[0m"),
        (b"a\tb", "a       b"),
        (b">>>", ">>>"),
    ],
)
def test_a_few_odd_bytes_are_no_noise(line: bytes, text: str) -> None:
    assert said(line + b"\n") == [Said(text)]


def test_a_prompt_may_edit_its_line_and_do_no_more() -> None:
    script = Typescript()
    assert script.take(b">>> ab\b\x1b[K\x1b[2D\r\n") == ">>> ab\b\x1b[K\x1b[2D\r\n"
    assert script.take(b"\x1b[2J\x1b]0;title\x07\x9b") == f"{BAD}[2J{BAD}]0;title{BAD}"
    # In halves: a move, and a letter.
    assert [script.take(part) for part in (b"x\x1b", b"[", b"K", b"\xc3", b"\xa9")] == [
        *("x", "", "\x1b[K", "", "é")
    ]


def test_keys_leave_the_terminal_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin, os.fdopen(ours, "wb", buffering=0) as person:
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(stdin.fileno())

        def typed_at_an_error() -> None:
            with Keys() as keys:
                assert keys.pressed() == b""
                person.write(b"\x03\r")
                assert keys.pressed() == b"\x03\r"
                raise OSError

        with pytest.raises(OSError):  # noqa: PT011
            typed_at_an_error()
        assert termios.tcgetattr(stdin.fileno()) == before
