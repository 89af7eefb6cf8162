"""How far it is: a bar for a person at a terminal, lines for a program, nothing for a file."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import clean_environment
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.terminal.output import Terminal
from dsmrctl.terminal.progress import Progress

WORK = """
    import sys
    from dsmrctl.terminal.output import Terminal
    from dsmrctl.terminal.progress import Progress

    with Progress(Terminal("--json" in sys.argv), "flash [b]interface[/b]", 1_000_000) as progress:
        progress.stage("erasing")
        progress.to(250_000)
        progress.stage("writing")
        progress.to(500_000)
        progress.note("a note [x]")
        progress.total = 2_000_000
        progress.to(1_000_000)
        END
    sys.stdout.write("done\\n")
"""
SHOW, HIDE = b"\x1b[?25h", b"\x1b[?25l"


def drawn(
    home: Path, *args: str, end: str = "pass", stop: int | None = None, **env: str
) -> tuple[bytes, bytes, int]:
    """What the work wrote on a terminal of 80 columns as stderr, and on stdout, and its code."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    code = textwrap.dedent(WORK).replace("END", end)
    work = subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=clean_environment(home) | {"TERM": "xterm-256color"} | env,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
            if stop and b"50%" in shown:
                work.send_signal(stop)
                stop = None
    except OSError:
        pass  # the other end was closed
    os.close(ours)
    out, _ = work.communicate(timeout=30)
    return shown, out, work.returncode


pty_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")


@pty_only
def test_on_a_terminal_there_is_one_bar_with_stage_bytes_and_percent(tmp_path: Path) -> None:
    shown, out, code = drawn(tmp_path)
    assert (out, code) == (b"done\n", 0)
    text = shown.decode()
    for words in ("flash [b]interface[/b]: erasing", ": writing", "a note [x]", "50%", "MiB"):
        assert words in text, words
    # One line, drawn over again and again, the cursor back at the end.
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    assert shown.rindex(SHOW) > shown.rindex(b"writing")
    lines = [line for line in text.split("\r\n") if "flash" in line]
    assert len(lines) <= 2  # as it was when the note came, and the last


@pty_only
@pytest.mark.parametrize("end", ["raise SystemExit(4)", "raise KeyboardInterrupt"])
def test_however_it_ends_the_cursor_is_back_and_the_bar_says_how_far_it_was(
    tmp_path: Path, end: str
) -> None:
    shown, _, code = drawn(tmp_path, end=end)
    assert code != 0
    assert shown.count(SHOW) == 1
    assert b"50%" in shown[: shown.rindex(SHOW)].rsplit(b"\r", 2)[1]


@pty_only
@pytest.mark.slow
def test_a_bar_that_is_killed_gives_the_cursor_back(tmp_path: Path) -> None:
    end = "progress.stage('waiting'); import time; time.sleep(20)"
    shown, _, code = drawn(tmp_path, end=end, stop=signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert shown.count(SHOW) == 1


@pty_only
@pytest.mark.parametrize(("args", "env"), [(["--json"], {}), ([], {"TERM": "dumb"})])
def test_where_nothing_can_be_drawn_only_the_note_is_there(
    tmp_path: Path, args: list[str], env: dict[str, str]
) -> None:
    shown, out, _ = drawn(tmp_path, *args, stop=None, **env)
    assert shown == b"a note [x]\r\n"
    assert out == b"done\n"


def test_piped_there_is_nothing_but_the_note() -> None:
    out, err = io.StringIO(), io.StringIO()
    with Progress(Terminal(False, out, err), "flash", 10) as progress:
        progress.stage("writing")
        progress.to(10)
        progress.note("a note")
        assert not progress.drawn
    assert (out.getvalue(), err.getvalue()) == ("", "a note\n")


@given(
    total=st.integers(0, 3_000_000),
    steps=st.lists(st.integers(0, 3_000_000), max_size=400).map(sorted),
)
def test_events_are_one_a_percent_at_most_and_never_of_an_unknown_total(
    total: int, steps: list[int]
) -> None:
    out = io.StringIO()
    steps = [min(step, total) for step in steps]
    with Progress(Terminal(True, out), "flash", total, events=True) as progress:
        progress.stage("writing")
        for step in steps:
            progress.to(step)
    stage, *events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert stage == {"event": "stage", "stage": "writing"}
    percents = [each["done"] * 100 // each["total"] for each in events]
    assert len(percents) == len(set(percents)) <= 101
    assert bool(events) == bool(steps and total)
    if steps and steps[-1] == total > 0:
        assert events[-1] == {"event": "progress", "done": total, "total": total}


def test_without_events_standard_output_stays_what_it_is() -> None:
    out = io.StringIO()
    with Progress(Terminal(True, out), "flash", 10) as progress:
        progress.stage("writing")
        progress.to(10)
    assert out.getvalue() == ""
