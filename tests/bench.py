"""A board in its programmer, for the tests from end to end: the virtual one, or a real one.

    pytest tests/flashing/test_bare_board_to_working_one.py -s \\
        --board-port /dev/ttyUSB0 --hardware esp01s

For a real one: DSMRCTL_WIFI_SSID and DSMRCTL_WIFI_PASSWORD name the network of this computer, and
-s lets a person be asked to unplug it and plug it in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
from flashed import SSID, Flash
from ran import Ran

from dsmrctl.boards import BOARDS
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.programmer import Programmer

KEY = "an invented key 1"


class Flashed(NamedTuple):
    """What a flash said: its events by name, and what was said beside them."""

    code: int
    events: dict[str, dict[str, Any]]
    err: str


class Bench(Protocol):
    """What both have. nic: the network they share with this computer; None for all."""

    board: str
    hardware: str
    nic: str | None
    ssid: str

    def bootloader(self) -> None:
        """It is unplugged, and plugged in with its button held."""

    def start(self) -> None:
        """It is unplugged, and plugged in: it runs what is on its flash."""

    def flash(self, *words: str) -> Flashed:
        """`dsmrctl flash` of this board, with these words more."""
        ...


def _flashed(ran: Ran) -> Flashed:
    events = [json.loads(line) for line in ran.out.splitlines()]
    return Flashed(ran.code, {event["event"]: event for event in events}, ran.err)


class VirtualBench:
    """An interface on an ESP-01S, in the air of a household; both virtual."""

    def __init__(self, flash: Flash, programmer: Programmer) -> None:
        self.board, self.hardware, self.ssid = "interface", "esp01s", SSID
        self.nic: str | None = "127.0.0.1"
        self._flash, self.programmer = flash, programmer

    def bootloader(self) -> None:
        self.programmer.unplug()
        self.programmer.plug(button=True)

    def start(self) -> None:
        self.programmer.unplug()
        self.programmer.plug(button=False)

    def flash(self, *words: str) -> Flashed:
        return _flashed(self._flash(self.programmer.chip, self.board, *words, "--json"))


class RealBench:
    """Somebody's board, and somebody who unplugs it."""

    def __init__(self, port: str, hardware: str) -> None:
        self.nic: str | None = None
        self._port, self.hardware = port, hardware
        self.ssid = os.environ["DSMRCTL_WIFI_SSID"]
        (self.board,) = [
            name
            for name, board in BOARDS.items()
            if name != "blink" and hardware in [kind.name for kind in board.hardware]
        ]

    def _ask(self, text: str) -> None:
        input(f"\n{text}, then press Enter: ")

    def bootloader(self) -> None:
        kind = BOARDS[self.board].kind(self.hardware)
        self._ask(f"put it into its bootloader:\n{kind.programmer.guide()}\n")

    def start(self) -> None:
        self._ask(BOARDS[self.board].kind(self.hardware).programmer.start() + "\n")

    def flash(self, *words: str) -> Flashed:
        more = ["--port", self._port, "--json", "--yes"]
        done = subprocess.run(
            [sys.executable, "-m", "dsmrctl", "flash", self.board, *words, *more],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return _flashed(Ran(done.returncode, done.stdout, done.stderr))


@pytest.fixture(params=["virtual", "real"])
def bench(request: pytest.FixtureRequest, flash: Flash, tmp_path: Path) -> Iterator[Bench]:
    """The virtual board; and the real one when --board-port names it."""
    if request.param == "real":
        port = request.config.getoption("--board-port")
        if port is None:
            pytest.skip("no real board: --board-port PORT --hardware NAME")
        yield RealBench(port, str(request.config.getoption("--hardware")))
        return
    air = Air()
    air.on(SSID, KEY, -50)
    with Programmer(tmp_path, mac="5c:cf:7f:0b:0a:0d", address="127.0.0.41", air=air) as programmer:
        yield VirtualBench(flash, programmer)
