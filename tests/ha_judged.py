"""Home Assistant's own code takes what a source publishes: entities, states, units, expiry.

A source with a meter that we write publishes to a real mosquitto; what came is played to Home
Assistant in its own environment (tests/ha/replay.py), and here its answer is judged.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from brokers import Listener, Mosquitto, until
from conftest import ROOT, clean_environment
from ha_scenes import FULL, LATER, SLOW, telegrams

from dsmrctl.gateway.home_assistant import BIRTH_TOPIC, discovery_topic

IDENT = "a1b2c3"
PREFIX = f"dsmrctl/{IDENT}"
CONFIG = discovery_topic(IDENT)
Message = tuple[str, str]

# Two kinds of entities that are its first, in one document: it sets them up side by side, and warns
# itself of that.
ITS_OWN = (
    "WARNING homeassistant.helpers.frame: Detected code that calls async_forward_entry_setups "
    "for integration mqtt "
)


class Source(NamedTuple):
    """What publishes, as IDENT under PREFIX: what its discovery calls it, and how it is run.

    run(folder, broker's port) is a context that gives tell(telegram), which lets its meter say one;
    at its end the source is gone, and the broker knows.
    """

    name: str
    version: str
    run: Callable[[Path, int], AbstractContextManager[Callable[[bytes], object]]]


# Recording and playing


class Recording(NamedTuple):
    """What came in each scene, and at the birth message; what the broker then held; the end."""

    scenes: dict[str, list[Message]]
    birth: list[Message]
    kept: dict[str, str]
    end: list[Message]


def record(
    source: Source, broker: Mosquitto, listen: Callable[..., Listener], folder: Path
) -> Recording:
    """Every scene told to a source; it publishes to a real broker."""
    heard = listen(broker.port)
    taken = 0

    def new() -> list[Message]:
        nonlocal taken
        came = heard.came[taken:]
        taken += len(came)
        return [(topic, payload) for topic, payload, _ in came]

    def states() -> list[dict[str, Any]]:
        return [json.loads(text) for text in heard.of(f"{PREFIX}/state")]

    scenes: dict[str, list[Message]] = {}
    with source.run(folder, broker.port) as tell:
        until(lambda: heard.of(f"{PREFIX}/status") == ["online"])
        for name, (raw, t1, shown) in telegrams().items():

            def told(raw: bytes = raw, t1: int = t1) -> None:
                """Until a state comes of it: a board may miss one, and a meter says it again."""
                count = len(states())
                for _ in range(10):
                    tell(raw)
                    end = time.monotonic() + 2
                    while time.monotonic() < end:
                        if any(one["import_t1_wh"] == t1 for one in states()[count:]):
                            return
                        time.sleep(0.01)
                raise AssertionError("it tells no state of its meter's telegram")

            told()
            # A state that comes before the discovery is lost; the next second brings another.
            wanted = set(FULL) if shown["forecast_w"] != "unknown" else set(FULL) - LATER
            until(lambda wanted=wanted: wanted <= components(heard))
            told()
            scenes[name] = new()
        count = len(heard.of(CONFIG))
        heard.client.publish(BIRTH_TOPIC, "online")
        until(lambda: len(heard.of(CONFIG)) > count)
        birth = new()
        late = listen(broker.port)
        until(lambda: late.kept(CONFIG) and late.kept(f"{PREFIX}/status"))
        kept = {topic: text for topic, text, retained in late.came if retained}
    until(lambda: heard.of(f"{PREFIX}/status")[-1] == "offline")
    return Recording(scenes, birth, kept, new())


def components(heard: Listener) -> set[str]:
    documents = heard.of(CONFIG)
    return set(json.loads(documents[-1])["components"]) if documents else set()


def play(python: Path, recording: Recording, folder: Path) -> dict[str, dict[str, Any]]:
    """What Home Assistant makes of it: one that was there first, and one that came later."""

    def steps(messages: list[Message]) -> list[list[object]]:
        return [["message", topic, text, topic in recording.kept] for topic, text in messages]

    early: list[list[object]] = []
    for name, messages in recording.scenes.items():
        early += [*steps(messages), ["look", name]]
    early += [*steps(recording.birth), ["look", "birth"]]
    last = [one for one in recording.scenes["again"] if one[0] == f"{PREFIX}/state"][-1:]
    # A second has passed after a message.
    early += [*steps(last), ["wait", 58], ["look", "59 s"], ["wait", 2], ["look", "61 s"]]
    early += [["wait", 7138], ["look", "7199 s"], ["wait", 2], ["look", "7201 s"]]
    early += [*steps(last), ["look", "back"], *steps(recording.end), ["look", "end"]]
    # Its own subscriptions take it a moment, one after the other.
    late = [*[["wait", 1]] * 5, ["look", "nothing yet"], *steps(last), ["look", "state"]]
    scripts = {
        "early": {"kept": {}, "steps": early},
        "late": {"kept": recording.kept, "steps": late},
    }
    (folder / "scripts.json").write_text(json.dumps(scripts))
    ran = subprocess.run(
        [python, "-m", "pytest", "-q", "-c", ROOT / "tests/ha/pytest.ini", "tests/ha/replay.py"],
        cwd=ROOT,
        env={
            **{k: v for k, v in clean_environment(folder).items() if not k.startswith("PYT")},
            "REPLAY_SCRIPTS": str(folder / "scripts.json"),
            "REPLAY_TOLD": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in scripts}


def interpreter() -> Path:
    """That of the environment that `make ha` makes; without it skips, or fails where CI runs."""
    made = ROOT / ".venv-ha"
    if not (made / ".ready").exists():
        text = (
            "Home Assistant is not installed here: it needs Python 3.13 "
            "(`pyenv install 3.13`), and then `make ha`"
        )
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return made / "bin" / "python"


# Judging


def states(look: dict[str, Any]) -> dict[str, Any]:
    """The states by the component's name, without the device's id; numbers as such."""
    found = {}
    for unique_id, entity in look["entities"].items():
        state = entity["state"]
        number = re.fullmatch(r"-?[\d.]+", state or "")
        found[unique_id.removeprefix(f"dsmrctl_{IDENT}_")] = float(state) if number else state
    return found


def check_entities(look: dict[str, Any], names: set[str], source: Source) -> None:
    assert set(look["entities"]) == {f"dsmrctl_{IDENT}_{name}" for name in names}
    assert look["strays"] == []
    for name in names:
        kind, unit, state_class, _ = FULL[name]
        entity = look["entities"][f"dsmrctl_{IDENT}_{name}"]
        platform = "binary_sensor" if name == "peak_warning" else "sensor"
        assert entity["platform"] == "mqtt"
        assert entity["entity_id"].startswith(f"{platform}."), name
        attributes = entity["attributes"]
        assert attributes.pop("friendly_name").startswith(f"{source.name} ")
        wanted = {
            "device_class": kind,
            "unit_of_measurement": unit,
            "state_class": state_class,
            "options": ["T1", "T2"] if name == "tariff" else None,
        }
        assert attributes == {key: value for key, value in wanted.items() if value}, name


def check_device(look: dict[str, Any], source: Source) -> None:
    (device,) = look["devices"].values()
    assert device == {
        "identifiers": [f"mqtt/dsmrctl_{IDENT}"],
        "name": source.name,
        "manufacturer": "dsmrctl",
        "model": "P1 interface",
        "sw_version": source.version,
    }
    assert {entity["device"] for entity in look["entities"].values()} == set(look["devices"])


def check_scenes(looks: dict[str, Any], source: Source) -> None:
    for scene, (_, _, shown) in telegrams().items():
        found = states(looks[scene])
        if scene == "first":
            shown = {name: state for name, state in shown.items() if name in found}
            assert set(FULL) - LATER <= set(shown)
        assert found == shown, scene
        check_entities(looks[scene], set(shown), source)
        check_device(looks[scene], source)


def check_birth(looks: dict[str, Any]) -> None:
    """The same discovery again: nothing is new, gone, changed, or even for a moment away."""
    assert looks["birth"]["entities"].keys() == looks["again"]["entities"].keys()
    for unique_id, entity in looks["birth"]["entities"].items():
        before = looks["again"]["entities"][unique_id]
        for key in ("entity_id", "device", "state", "changed"):
            assert entity[key] == before[key], unique_id


def check_expiry(looks: dict[str, Any]) -> None:
    shown = telegrams()["again"][2]
    gone = dict.fromkeys(shown, "unavailable")
    kept = gone | {name: shown[name] for name in SLOW}
    assert states(looks["59 s"]) == shown
    assert states(looks["61 s"]) == kept
    assert states(looks["7199 s"]) == kept
    assert states(looks["7201 s"]) == gone
    assert states(looks["back"]) == shown


def judge(source: Source, broker: Mosquitto, listen: Callable[..., Listener], folder: Path) -> None:
    """All of it: recorded, played, and what came of it compared with what is meant."""
    python = interpreter()
    recording = record(source, broker, listen, folder)
    assert set(recording.kept) == {CONFIG, f"{PREFIX}/status"}
    told = play(python, recording, folder)

    early = told["early"]["looks"]
    check_scenes(early, source)
    check_birth(early)
    check_expiry(early)
    assert set(states(early["end"]).values()) == {"unavailable"}

    late = told["late"]["looks"]
    shown = telegrams()["again"][2]
    # What can expire is not there before its first value.
    assert states(late["nothing yet"]) == dict.fromkeys(shown, "unavailable")
    assert states(late["state"]) == shown
    check_entities(late["state"], set(FULL), source)

    assert told["late"]["version"] == "2025.4.4"
    assert [BIRTH_TOPIC, "online"] in told["early"]["published"]
    # Neither a warning nor an error, in all of it.
    log = {line for looks in (early, late) for look in looks.values() for line in look["log"]}
    assert [line for line in log if not line.startswith(ITS_OWN)] == []
