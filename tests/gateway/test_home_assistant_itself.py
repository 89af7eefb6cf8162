"""Home Assistant's own code takes what we publish: entities, states, units, expiry, availability.

A source with a meter that we write publishes to a real mosquitto; what came is played to Home
Assistant in its own environment (tests/ha/replay.py), and here its answer is judged.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from brokers import Listener, Mosquitto, until
from conftest import BELGIAN, ROOT, clean_environment
from crcmod.predefined import mkPredefinedCrcFun

from dsmrctl import __version__
from dsmrctl.gateway.home_assistant import BIRTH_TOPIC, discovery_topic

pytestmark = pytest.mark.slow

HOME_ASSISTANT = ROOT / ".venv-ha"
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


# What the meter says, scene by scene, and what must be shown for it


class Scene(NamedTuple):
    """One telegram: its clock, the lines that differ from the capture, and what changes on show."""

    clock: str
    lines: dict[str, str]
    shown: dict[str, object]


POWER = ("power", "W", "measurement")
ENERGY = ("energy", "kWh", "total_increasing")
# What Home Assistant must show of the capture: class, unit, state class, state.
FULL: dict[str, tuple[str | None, str | None, str | None, object]] = {
    "import_t1_wh": (*ENERGY, 301.548),
    "import_t2_wh": (*ENERGY, 270.014),
    "export_t1_wh": (*ENERGY, 0.005),
    "export_t2_wh": (*ENERGY, 0),
    "import_w": (*POWER, 338),
    "export_w": (*POWER, 0),
    "quarter_w": (*POWER, 24),
    "forecast_w": (*POWER, "unknown"),
    "month_peak_w": (*POWER, 1500),
    "gas_m3": ("gas", "m³", "total_increasing", 112.384),
    "water_m3": ("water", "m³", "total_increasing", 872.234),
    "voltage_l1_v": ("voltage", "V", "measurement", 232.9),
    "voltage_l2_v": ("voltage", "V", "measurement", 228.1),
    "voltage_l3_v": ("voltage", "V", "measurement", 228.1),
    "current_l1_a": ("current", "A", "measurement", 0.27),
    "current_l2_a": ("current", "A", "measurement", 0.88),
    "current_l3_a": ("current", "A", "measurement", 0.52),
    "import_l1_w": (*POWER, 47),
    "import_l2_w": (*POWER, 179),
    "import_l3_w": (*POWER, 111),
    "export_l1_w": (*POWER, 0),
    "export_l2_w": (*POWER, 0),
    "export_l3_w": (*POWER, 0),
    "tariff": ("enum", None, None, "T1"),
    "peak_warning": ("problem", None, None, "off"),
}
SLOW = {"gas_m3", "water_m3"}
VOLTAGES = {f"voltage_l{n}_v" for n in (1, 2, 3)}
# The forecast begins in minute 5, so what goes by it may appear later.
LATER = {"forecast_w", "peak_warning"}

# Forecasts by hand: the quarter so far × 900 s / seconds of it that are over.
SCENES: dict[str, Scene] = {
    "first": Scene(
        "260314123001W",
        {"1-0:1.4.0": "(00.024*kW)", "1-0:1.6.0": "(260309134500W)(01.500*kW)"},
        {},
    ),
    # Above the month's peak, but not above 2500 W, which is billed anyway.
    "calm": Scene(
        "260314123600W", {"1-0:1.4.0": "(00.960*kW)"}, {"quarter_w": 960, "forecast_w": 2400}
    ),
    "peak": Scene(
        "260314124000W",
        {"1-0:1.4.0": "(01.800*kW)", "1-0:1.7.0": "(04.711*kW)"},
        {"quarter_w": 1800, "forecast_w": 2700, "import_w": 4711, "peak_warning": "on"},
    ),
    # The same forecast, but the month has cost more already.
    "dearer": Scene(
        "260314124100W",
        {
            "1-0:1.4.0": "(01.980*kW)",
            "1-0:1.6.0": "(260314124000W)(02.800*kW)",
            "1-0:1.7.0": "(00.000*kW)",
            "1-0:2.7.0": "(01.234*kW)",
            "1-0:22.7.0": "(01.234*kW)",
            "0-0:96.14.0": "(0002)",
        },
        {
            "quarter_w": 1980,
            "forecast_w": 2700,
            "month_peak_w": 2800,
            "import_w": 0,
            "export_w": 1234,
            "export_l1_w": 1234,
            "tariff": "T2",
            "peak_warning": "off",
        },
    ),
    # A new quarter: no forecast, and no voltage that could be measured.
    "gaps": Scene(
        "260314124501W",
        {"1-0:1.4.0": "(00.008*kW)", **{f"1-0:{n}.7.0": "" for n in (32, 52, 72)}},
        {"quarter_w": 8, "forecast_w": "unknown", **dict.fromkeys(VOLTAGES, "unknown")},
    ),
    "again": Scene(
        "260314124502W",
        {"1-0:1.4.0": "(00.008*kW)", "1-0:32.7.0": "(231.0*V)", "1-0:52.7.0": "(229.5*V)"}
        | {"1-0:72.7.0": "(230.4*V)", "0-1:24.2.3": "(260314124500W)(00112.401*m3)"},
        {"voltage_l1_v": 231.0, "voltage_l2_v": 229.5, "voltage_l3_v": 230.4, "gas_m3": 112.401},
    ),
}


def telegrams() -> dict[str, tuple[bytes, int, dict[str, object]]]:
    """Each scene's telegram, its T1 register in Wh (no two alike), and all that must be shown."""
    body = BELGIAN.read_bytes().decode().rpartition("!")[0]
    shown = {key: state for key, (*_, state) in FULL.items()}
    found = {}
    for number, (name, scene) in enumerate(SCENES.items()):
        t1 = 301548 + number
        lines = {
            "0-0:1.0.0": f"({scene.clock})",
            "1-0:1.8.1": f"({t1 / 1000:010.3f}*kWh)",
            **scene.lines,
        }
        for code, rest in lines.items():
            line = f"{code}{rest}\r\n" if rest else ""
            # A line that was left out comes back at the end.
            pattern = rf"(?m)^{re.escape(code)}\(.*\r\n"
            body = re.sub(pattern, line, body) if re.search(pattern, body) else body + line
        shown = shown | {"import_t1_wh": t1 / 1000} | scene.shown
        text = (body + "!").encode()
        raw = text + b"%04X\r\n" % mkPredefinedCrcFun("crc-16")(text)
        found[name] = (raw, t1, shown)
    return found


# Where the messages come from


class Source(NamedTuple):
    """What publishes, as IDENT under PREFIX: what its discovery calls it, and how it is run.

    run(folder, broker's port) is a context that gives tell(telegram), which lets its meter say one;
    at its end the source is gone, and the broker knows.
    """

    name: str
    version: str
    run: Callable[[Path, int], AbstractContextManager[Callable[[bytes], object]]]


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Callable[[bytes], object]]:
    """The desk: `dsmrctl serve --mqtt`, with a meter at a TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        meter = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        options = ["--group", "239.255.70.21:17021", "--mqtt", f"mqtt://127.0.0.1:{port}"]
        options += ["--mqtt-prefix", PREFIX]
        with subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", "serve", meter, *options],
            stdin=subprocess.DEVNULL,
            env=clean_environment(folder),
        ) as process:
            try:
                line, _ = server.accept()
                with line:
                    yield line.sendall
                    process.terminate()
                    process.wait(20)
            finally:
                process.kill()


SOURCES = {"desk": Source("DSMR interface", __version__, serving)}


# Recording and playing


class Recording(NamedTuple):
    """What came in each scene, and at the birth message; what the broker then held; the end."""

    scenes: dict[str, list[Message]]
    birth: list[Message]
    kept: dict[str, str]
    end: list[Message]


def record(source: Source, broker: Mosquitto, listen: Callable[..., Listener], folder: Path):
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
                count = len(states())
                tell(raw)
                until(lambda: any(one["import_t1_wh"] == t1 for one in states()[count:]))

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
    last = [message for message in recording.scenes["again"] if message[0] == f"{PREFIX}/state"][
        -1:
    ]
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


@pytest.fixture
def home_assistant() -> Path:
    """The interpreter of the environment that `make ha` makes."""
    python = HOME_ASSISTANT / "bin" / "python"
    if not python.exists():
        text = (
            "Home Assistant is not installed here: it needs Python 3.13 "
            "(`pyenv install 3.13`), and then `make ha`"
        )
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return python


# Judging


def states(look: dict[str, Any]) -> dict[str, Any]:
    """The states by the component's name, without the device's id; numbers as such."""
    found = {}
    for unique_id, entity in look["entities"].items():
        state = entity["state"]
        number = re.fullmatch(r"-?[\d.]+", state or "")
        found[unique_id.removeprefix(f"dsmrctl_{IDENT}_")] = float(state) if number else state
    return found


def check_entities(look: dict[str, Any], names: set[str]) -> None:
    assert set(look["entities"]) == {f"dsmrctl_{IDENT}_{name}" for name in names}
    assert look["strays"] == []
    for name in names:
        kind, unit, state_class, _ = FULL[name]
        entity = look["entities"][f"dsmrctl_{IDENT}_{name}"]
        platform = "binary_sensor" if name == "peak_warning" else "sensor"
        assert entity["platform"] == "mqtt"
        assert entity["entity_id"].startswith(f"{platform}."), name
        attributes = entity["attributes"]
        assert attributes.pop("friendly_name")
        wanted = {"device_class": kind, "unit_of_measurement": unit, "state_class": state_class}
        if name == "tariff":
            wanted["options"] = ["T1", "T2"]  # type: ignore[assignment]
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
        check_entities(looks[scene], set(shown))
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


@pytest.mark.parametrize("name", SOURCES)
def test_home_assistant_makes_of_it_what_we_mean(
    home_assistant: Path,
    broker: Mosquitto,
    listen: Callable[..., Listener],
    tmp_path: Path,
    name: str,
) -> None:
    source = SOURCES[name]
    recording = record(source, broker, listen, tmp_path)
    assert set(recording.kept) == {CONFIG, f"{PREFIX}/status"}
    told = play(home_assistant, recording, tmp_path)

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
    check_entities(late["state"], set(FULL))

    assert told["late"]["version"] == "2025.4.4"
    assert [BIRTH_TOPIC, "online"] in told["early"]["published"]
    # Neither a warning nor an error, in all of it.
    log = {line for looks in (early, late) for look in looks.values() for line in look["log"]}
    assert [line for line in log if not line.startswith(ITS_OWN)] == []
