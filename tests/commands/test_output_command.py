"""output and identify on boards that really run; `test_vanishing_boards` has those that do not."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_boards import Fleet, Wanted, fleet

BOARDS = [
    Wanted("miniswitch", "pump", hardware="sonoff-basic"),
    Wanted("switcher", "bath"),
    Wanted("monitor", "hall"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("outputs"), *BOARDS) as made:
        yield made


def answered(home: Fleet, answer: bytes, *args: str) -> bytes:
    """What the program says on a terminal where somebody answers its question."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "dsmrctl", *args]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=home.environment()
    )
    os.close(slave)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(master, 65536)
        os.write(master, answer)
        while True:
            said += os.read(master, 65536)
    except OSError:  # the other side is closed
        pass
    os.close(master)
    return said + b" exit %d" % process.wait(20)


@pytest.mark.slow
def test_all_outputs_are_switched_once_somebody_said_yes(home: Fleet) -> None:
    pump = home.boards["pump"]
    soon = ("--timeout", "1s")  # they answer within 0.2 s
    unsaid = home.run("output", "--all", "on", *soon)
    assert (unsaid.code, unsaid.out) == (2, "")
    assert "the output of 2 boards goes on: bath, pump" in unsaid.err
    no = answered(home, b"n\n", "output", "--all", "on", *soon)
    assert b"nothing was changed" in no
    assert no.endswith(b"exit 1")
    assert pump.pins[12] == 0
    ran = home.run("output", "--all", "on", "--for", "5m", "--yes", *soon)
    assert ran.out == (
        "bath: on for 5 min, then back to its rule (proportional)\n"
        "pump: on for 5 min, then back to its rule (tariff)\n"
    )
    assert pump.pins[12] == 1
    # Nothing hangs on it here, and a person would wait for warm water.
    assert "bath: there are no mains at its load" in ran.err
    back = home.run("output", "--all", "auto", "--yes", "--json", *soon)
    told = [json.loads(line) for line in back.out.splitlines()]
    assert [(one["name"], one["hand_percent"]) for one in told] == [("bath", None), ("pump", None)]
    assert pump.pins[12] == 0


@pytest.mark.soak
def test_of_all_those_are_switched_that_can_be_and_the_others_are_told(home: Fleet) -> None:
    # A relay knows no parts.
    part = home.run("output", "--all", "50%", "--yes")
    assert (part.code, part.out) == (
        2,
        "bath: 50 % for 60 min, then back to its rule (proportional)\n",
    )
    assert "pump: level of a relay is 0 or 100" in part.err


@pytest.mark.slow
def test_what_blinks_is_said_and_blinks(home: Fleet) -> None:
    hall = home.boards["hall"]
    before = len(hall.changes)
    ran = home.run("identify", "hall", "--json")
    told = json.loads(ran.out)
    assert (told["hardware"], told["light"]) == ("nodemcu-v3", "all its LEDs blink")
    end = time.monotonic() + 5
    while len({gpio for _, gpio, _ in hall.changes[before:]}) < 11:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert home.run("identify", "pump").out == (
        "pump (miniswitch), SonOff Basic: its LED blinks, for 10 s\n"
    )


@pytest.mark.slow
def test_a_board_without_power_is_told_to_be_gone(home: Fleet, tmp_path: Path) -> None:
    home.boards["bath"].power_off()
    for command in (("output", "on"), ("identify",)):
        ran = home.run(*command, "--host", home.address("bath"), "--timeout", "1s")
        assert (ran.code, ran.out) == (4, ""), ran
        assert "does not answer" in ran.err
