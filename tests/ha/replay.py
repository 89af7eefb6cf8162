"""Recorded MQTT messages played to Home Assistant itself, which tells what it made of them.

Run by the project's tests, in an environment that has Home Assistant (`make ha`):
`python -m pytest -c tests/ha/pytest.ini tests/ha/replay.py`, with two names in the environment.
REPLAY_SCRIPTS is a JSON file: {script: {"kept": {topic: payload}, "steps": [step, ...]}}; each
script gets a new Home Assistant. `kept` is what the broker holds before it comes. A step is
["message", topic, payload, retain] (a second passes after it), ["wait", seconds] or ["look", name].
REPLAY_TOLD is the folder for the answers, <script>.json: its version, what it published itself,
and for each look its entities, devices, states that belong to none, and log from warnings up.
Nothing is judged here.
"""
# This file's imports are of that environment, which the type checker does not see.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import homeassistant.components.mqtt.config_flow  # noqa: F401 - not to be loaded in frozen time
import pytest
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry
from paho.mqtt.client import topic_matches_sub
from pytest_homeassistant_custom_component.common import (
    async_fire_mqtt_message,
    async_fire_time_changed,
)

SCRIPTS: dict[str, dict[str, Any]] = json.loads(Path(os.environ["REPLAY_SCRIPTS"]).read_text())
TOLD = Path(os.environ["REPLAY_TOLD"])
# It misses a faster library, always.
NOT_OURS = {"aiohttp_fast_zlib"}


class Broker:
    """What the harness's broker lacks: who subscribes gets what was retained."""

    def __init__(self, hass: HomeAssistant, client: Any, kept: dict[str, str]) -> None:
        self.hass = hass
        self.kept = dict(kept)
        self._subscribe = client.subscribe.side_effect
        client.subscribe.side_effect = self.subscribe

    def subscribe(self, topics: Any, qos: int = 0) -> Any:
        for pattern, _ in [(topics, qos)] if isinstance(topics, str) else topics:
            for topic, payload in self.kept.items():
                if topic_matches_sub(pattern, topic):
                    self.hass.loop.call_soon(
                        async_fire_mqtt_message, self.hass, topic, payload, 0, True
                    )
        return self._subscribe(topics, qos)

    def publish(self, topic: str, payload: str, retain: bool) -> None:
        if retain:
            self.kept[topic] = payload
        async_fire_mqtt_message(self.hass, topic, payload)


def look(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    entities = {}
    for entry in entity_registry.async_get(hass).entities.values():
        state = hass.states.get(entry.entity_id)
        entities[entry.unique_id] = {
            "entity_id": entry.entity_id,
            "platform": entry.platform,
            "device": entry.device_id,
            "state": state and state.state,
            "attributes": state and dict(state.attributes),
            "changed": state and state.last_changed.isoformat(),
        }
    devices = {
        device.id: {
            "identifiers": sorted("/".join(pair) for pair in device.identifiers),
            "name": device.name,
            "manufacturer": device.manufacturer,
            "model": device.model,
            "sw_version": device.sw_version,
        }
        for device in device_registry.async_get(hass).devices.values()
    }
    # A state without an entry in the registry would be of something that has no unique_id.
    strays = set(hass.states.async_entity_ids()) - {e["entity_id"] for e in entities.values()}
    log = [
        f"{record.levelname} {record.name}: {record.getMessage()}"
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING and record.name not in NOT_OURS
    ]
    return {"entities": entities, "devices": devices, "strays": sorted(strays), "log": log}


@pytest.fixture
def mqtt_config_entry_options() -> dict[str, Any]:
    """As a person's own: with the birth message that is Home Assistant's default."""
    return {}


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Values that have not expired yet when the test ends."""
    return True


@pytest.fixture
def enable_event_loop_debug() -> None:
    """Not here: simulated time makes every callback slow."""


@pytest.mark.parametrize("script", SCRIPTS)
async def test_replay(
    hass: HomeAssistant,
    mock_hass_config: None,
    mqtt_client_mock: Any,
    mqtt_mock_entry: Any,
    freezer: Any,
    caplog: pytest.LogCaptureFixture,
    script: str,
) -> None:
    async def settle() -> None:
        # Subscribing is done in the background, topic after topic, and nothing else waits for it.
        for _ in range(3):
            while hass.loop._ready:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            await hass.async_block_till_done()

    async def wait(seconds: float) -> None:
        freezer.tick(seconds)
        async_fire_time_changed(hass)
        await settle()

    broker = Broker(hass, mqtt_client_mock, SCRIPTS[script]["kept"])
    await mqtt_mock_entry()
    await wait(1)
    looks: dict[str, Any] = {}
    for kind, *rest in SCRIPTS[script]["steps"]:
        if kind == "message":
            broker.publish(*rest)
            await settle()
            await wait(1)
        elif kind == "wait":
            await wait(*rest)
        else:
            looks[rest[0]] = look(hass, caplog)
    published = [[call.args[0], call.args[1]] for call in mqtt_client_mock.publish.mock_calls]
    told = {
        "version": __version__,
        "published": published,
        "looks": looks,
    }
    (TOLD / f"{script}.json").write_text(json.dumps(told, default=str))
