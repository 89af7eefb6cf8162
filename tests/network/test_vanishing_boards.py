"""output, identify and status of boards that vanish midway, or do otherwise than they were told."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hostile_boards import ESCAPES, Act, Stand, by_call, in_turn, resets, says, silent
from ran import Ran, Run, clean_environment

pytestmark = pytest.mark.slow

INFO = {"board": "switcher", "id": "a1b2c3", "name": "bath", "hw": "dimmer-v1", "fw": "1.0.0"}
BY_HAND = {
    "output": 40, "hand": 40, "timer_s": 599, "mode": "proportional", "reason": "hand",
}  # fmt: skip
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def asked(dsmrctl: Run, act: Act, *args: str, call: str = "output") -> tuple[Ran, list[bytes]]:
    """The program at a stand-in, and the requests that change something."""
    with Stand(act) as board:
        where = ("--host", f"{board.address}:{board.port}", "--timeout", "600ms")
        ran = dsmrctl(call, *args, *where, timeout=20)
        return ran, [each for each in board.asked if not each.startswith(b"GET")]


def test_the_board_is_told_whole_minutes_and_says_what_it_does(dsmrctl: Run) -> None:
    good = by_call(info=INFO, output={}, status=BY_HAND)
    ran, (told,) = asked(dsmrctl, good, "41%", "--for", "541s")
    assert ran.code == 0, ran.err
    assert json.loads(told.partition(b"\r\n\r\n")[2]) == {"level": 41, "minutes": 10}
    # Its step is a fiftieth: what it does is told, not what it was asked for.
    assert ran.out == "bath: 40 % for 10 min, then back to its rule (proportional)\n"
    assert "whole minutes: 10 min" in ran.err


def test_nobody_is_asked_for_what_cannot_be(dsmrctl: Run) -> None:
    good = by_call(info=INFO, output={}, status=BY_HAND)
    for args, why in {
        ("on", "--for", "0s"): "1 to 240 minutes",
        ("on", "--for", "14401s"): "1 to 240 minutes",
        ("auto", "--for", "10m"): "leave out --for",
        ("101%",): "no level",
        ("٤٠%",): "no level",
        (): "shall be what",
    }.items():
        ran, changes = asked(dsmrctl, good, *args)
        assert (ran.code, ran.out, changes) == (2, "", []), args
        assert why in ran.err
    dark = by_call(info=INFO | {"board": "monitor"}, output={}, status=BY_HAND)
    ran, changes = asked(dsmrctl, dark, "on", "--all", "--yes")
    assert (ran.code, ran.out, changes) == (2, "", [])
    assert "bath (monitor) has no output" in ran.err
    ran = dsmrctl("output", "on")
    assert (ran.code, "which board shall be on?" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("act", "code", "why"),
    [
        (in_turn(says(INFO), resets()), 4, "does not answer"),
        (in_turn(says(INFO), silent), 4, "does not answer"),
        (in_turn(says(INFO), says({}), resets()), 4, "took the order (40 % for 60 min)"),
        (in_turn(says(INFO), says({}), silent), 4, "took the order (40 % for 60 min)"),
        (in_turn(says(INFO), says({}), says({"output": 0, "hand": None})), 1, "is off, by its"),
        (by_call(info=INFO), 2, "these have one: miniswitch, switcher"),
        (in_turn(says(INFO), says({"error": "level of it is 0", "field": "level"}, 422)), 2,
         "level of it is 0"),
        (in_turn(says(INFO), says({"error": "not now"}, 503)), 5, "not now"),
    ],
    ids=["torn", "silent", "then torn", "then silent", "otherwise", "without", "wrong", "refused"],
)  # fmt: skip
def test_what_became_of_it_is_never_guessed(dsmrctl: Run, act: Act, code: int, why: str) -> None:
    ran, _ = asked(dsmrctl, act, "40%")
    assert (ran.code, ran.out) == (code, ""), ran
    assert why in ran.err


@pytest.mark.parametrize("turn", range(3))
def test_a_board_that_says_anything_breaks_nothing(dsmrctl: Run, turn: int) -> None:
    values = [-5, 10**30, [], ESCAPES, {}, True, 0.5][2 * (turn % 2) :]
    status = {"mains": False} | dict(zip(BY_HAND, values, strict=False))
    if turn:
        status["hand"] = 40
    odd = by_call(info=INFO, output={}, status=status)
    ran, _ = asked(dsmrctl, odd, "40%", *(("--json",) if turn == 1 else ()))
    assert ran.code == (0 if turn else 1), ran
    assert not CONTROL.search(ran.out + ran.err), ascii(ran)


def test_identify_of_a_board_that_vanishes(dsmrctl: Run) -> None:
    for act in (resets(), silent):
        ran, _ = asked(dsmrctl, in_turn(says(INFO), act), call="identify")
        assert (ran.code, ran.out) == (4, ""), ran
        assert "bath" in ran.err


# ---- status

WELL = BY_HAND | {"import_w": 0, "export_w": 1500, "tariff": 1, "frame_age_s": 0, "frames": 9}
HOUSE = INFO | {"wifi": {"rssi_dbm": -60}, "uptime_s": 7200}


def watching(home: Path, *args: str) -> subprocess.Popen[str]:
    """The program, still running, into a pipe."""
    env = clean_environment(home)
    env.pop("PYTHONUNBUFFERED", None)  # it is to flush by itself
    return subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "status", "--watch", *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=env,
    )  # fmt: skip


@pytest.mark.parametrize(
    "more", [pytest.param(("--json",), marks=pytest.mark.soak), ()], ids=["json", "text"]
)
def test_who_vanishes_is_told_and_ctrl_c_ends_it(tmp_path: Path, more: tuple[str, ...]) -> None:
    with Stand(by_call(info=HOUSE, status=WELL)) as board:
        where = f"{board.address}:{board.port}"
        with watching(tmp_path, "--host", where, *more) as program:
            late = threading.Timer(20, program.kill)
            late.start()
            assert program.stdout
            assert program.stderr
            # Each comes at once, though this is no terminal.
            first = [program.stdout.readline() for _ in range(1 if more else 3)]
            board.act = resets()
            second = [program.stdout.readline() for _ in range(1 if more else 3)]
            # What is wrong comes after the table; a Ctrl-C between would cost it.
            noted = "" if more else program.stderr.readline()
            program.send_signal(signal.SIGINT)
            rest = program.stdout.read()
            noted += program.stderr.read()
            late.cancel()
    assert program.returncode == 130
    assert "Traceback" not in noted
    if more:
        (one,), (gone,) = (json.loads(line)["boards"] for line in (first[0], second[0]))
        assert (one["state"], one["frames"]) == ("40 %: by hand, 10 min left", "ok")
        assert (gone["frames"], gone["answers"], gone["values"]) == ("no answer", False, {})
        return
    assert first[0] == "import 0 W   export 1 500 W   tariff 1\n"
    assert first[2] == "bath\tswitcher: 40 %: by hand, 10 min left\t-60\t0 s\t2 h\n"
    assert second[0] == "\n"  # parts one from the next
    assert "no answer" in second[2] + rest
    assert "bath: it announced itself and does not answer" in noted


def test_a_board_that_is_asked_alone_does_not_say_what_others_do(dsmrctl: Run) -> None:
    for age in (None, 60):
        status = WELL | {"frame_age_s": age}
        ran, _ = asked(dsmrctl, by_call(info=HOUSE, status=status), call="status")
        assert (ran.code, "nobody sends" in ran.err) == (0, False)
        assert "bath: it hears no frames: dsmrctl status without --host" in ran.err
