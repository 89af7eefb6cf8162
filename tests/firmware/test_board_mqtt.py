"""The board's MQTT: a broker that is there, says no, is gone, or half gone; and its names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mqtt_board
import pytest
from brokers import SECRET, Listener, Mosquitto, until
from conftest import ROOT
from mqtt_board import IDENT, OddBroker, desk, in_world, parts
from world import World

from dsmrctl.gateway.home_assistant import SHOWN, discovery, discovery_topic
from dsmrctl.virtual.board import VirtualBoard

FILE = ROOT / "dsmrctl" / "firmware" / "web" / "discovery.json"
PREFIX = f"dsmrctl/{IDENT}"
TOPIC = discovery_topic(IDENT)
Listen = Callable[..., Listener]


def test_the_boards_discovery_is_the_desks() -> None:
    assert FILE.read_text("utf-8") == mqtt_board.template()
    marks = discovery("<id>", "<name>", "<version>", "<prefix>", SHOWN)
    assert json.loads(FILE.read_text("utf-8")) == marks


def status(world: World, board: VirtualBoard) -> dict[str, Any]:
    return world.ask(board, "GET", "/api/status").json()


def test_it_comes_in_says_that_it_is_there_and_tells_a_state_a_second(world: World) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(30)
        assert status(world, board)["mqtt"] == "connected"
        ((_, heard),) = broker.came
    (hello, *rest) = parts(bytes(heard))
    assert hello == (
        0x10,
        b"\0\4MQTT\4\x26\0\x3c\0\x0edsmrctl-a1b2c3\0\x15dsmrctl/a1b2c3/status\0\7offline",
    )
    assert rest[0] == (0x31, b"\0\x15dsmrctl/a1b2c3/statusonline")
    assert rest[1] == (0x82, b"\0\1\0\x14homeassistant/status\0")
    kinds = [kind for kind, _ in rest]
    assert kinds.count(0x31) == 2
    assert kinds.count(0xC0) == 1
    assert 24 <= kinds.count(0x30) <= 30
    assert board.faults == []
    assert board.resets == []
