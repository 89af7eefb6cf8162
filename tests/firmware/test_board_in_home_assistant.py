"""Home Assistant's own code takes what the booted interface board publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokers import Listener, Mosquitto
from ha_judged import IDENT, Source, judge
from world import KEY, SSID, address, flash

from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard

BYTE_S = 87e-6  # at 115200 baud


@contextmanager
def running(folder: Path, port: int) -> Iterator[Callable[[bytes], object]]:
    """The board in real time, with a meter at its serial line; its power fails at the end."""
    air = Air()
    air.on(SSID, KEY, -55)
    settings = {"mqtt_enabled": True, "mqtt_host": "127.0.0.1", "mqtt_port": port}
    path, place = flash(folder, board="interface", settings=settings)
    mac = bytes.fromhex("5ccf7f" + IDENT)
    with VirtualBoard(path, place, address=address(90), mac=mac, air=air) as board:

        def say(telegram: bytes) -> None:
            for at in range(0, len(telegram), 64):
                board.serial(telegram[at : at + 64])
                time.sleep(64 * BYTE_S)

        board.power_on()
        try:
            yield say
            board.power_off()
            assert board.faults == []
            assert board.resets == []
        finally:
            print(board.address, board.resets, board.faults, board.log[-3000:])


@pytest.mark.slow
def test_home_assistant_makes_of_the_board_what_we_mean(
    broker: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    judge(Source(f"interface-{IDENT}", "1.0.0", running), broker, listen, tmp_path)
