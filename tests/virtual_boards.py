"""Virtual boards for the tests of the firmware."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from world import KEY, SSID, World, address, flash

from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Simulated time, with the network that freshly flashed boards know in the air."""
    made = World(tmp_path)
    made.air.on(SSID, KEY, -55)
    yield made
    for board in made.boards:  # shown when the test fails
        print(board.address, board.resets, board.faults, board.log[-3000:])
    made.close()


@dataclass
class Blinking:
    """A blink board that runs in real time."""

    board: VirtualBoard
    url: str
    air: Air


@pytest.fixture
def blinking(tmp_path: Path) -> Iterator[Blinking]:
    """A blink board in the network, in real time, its page on port 80 of its own address."""
    import time

    air = Air()
    air.on(SSID, KEY, -55)
    air.on("NEIGHBOUR", "someone else's", -80)
    path, place = flash(tmp_path)
    with VirtualBoard(path, place, address=address(200), air=air) as board:
        board.power_on()
        end = time.monotonic() + 20
        while board.wifi != 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert board.wifi == 5, board.log
        time.sleep(0.5)
        yield Blinking(board, f"http://{board.address}", air)
