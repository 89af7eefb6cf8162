"""A real broker and a real subscriber: what stays, what is dropped, and what a person is told."""

from __future__ import annotations

import json
import queue
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from brokers import SECRET, Listener, Mosquitto, free_port, until
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client

from dsmrctl.gateway import mqtt
from dsmrctl.gateway.mqtt import Publisher
from dsmrctl.quantities import NAMES

STATE = {
    "time": "2026-11-23T10:00:00+01:00",
    "import_t1_wh": 83125000,
    "import_w": 411,
    "export_w": 0,
    "tariff": 2,
    "gas_m3": Decimal("112.384"),
    "water_m3": None,
}
DISCOVERY = "homeassistant/device/dsmrctl_a1b2c3/config"


def also(client: Client, callback: str, do: Callable[..., object]) -> None:
    """Let the test know of a callback after the publisher has seen it."""
    own = getattr(client, callback)

    def both(*args: object) -> None:
        own(*args)
        do(*args)

    setattr(client, callback, both)


def publisher(port: int, notes: list[str] | None = None, **options: Any) -> Publisher:
    notes = [] if notes is None else notes
    options = {"id": "a1b2c3", "on_note": notes.append, "retry_s": (1, 1)} | options
    return Publisher("127.0.0.1", port, **options)


# What a broker gets


def test_a_subscriber_gets_one_state_a_call_with_the_meters_own_digits(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(broker.port)
    with publisher(broker.port) as meter:
        until(lambda: meter.connected)
        for power in (411, 412, 413):
            meter.publish(STATE | {"import_w": power})
        until(lambda: len(listener.of("dsmrctl/a1b2c3/state")) == 3)
        assert (meter.sent, meter.dropped) == (3, 0)
    states = listener.of("dsmrctl/a1b2c3/state")
    assert states[0] == (
        '{"time":"2026-11-23T10:00:00+01:00","import_t1_wh":83125000,"import_w":411,'
        '"export_w":0,"tariff":2,"gas_m3":112.384,"water_m3":null}'
    )
    assert [json.loads(state)["import_w"] for state in states] == [411, 412, 413]
    assert not any(
        retained for topic, _, retained in listener.came if topic == "dsmrctl/a1b2c3/state"
    )


def test_status_and_discovery_stay_at_the_broker_and_the_end_says_offline(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    early = listen(broker.port)
    with publisher(broker.port, name="Kelder\x1b[2J") as meter:
        until(lambda: meter.connected)
        meter.publish(STATE)
        until(lambda: early.of(DISCOVERY))
        late = listen(broker.port)
        until(lambda: late.kept(DISCOVERY))
        assert late.kept("dsmrctl/a1b2c3/status") == "online"
        found = json.loads(late.kept(DISCOVERY) or "")
        assert found["device"]["name"] == "Kelder[2J"
        assert set(found["components"]) == {
            "import_t1_wh", "import_w", "export_w", "tariff", "gas_m3",
        }  # fmt: skip
        assert late.kept("dsmrctl/a1b2c3/state") is None
    until(lambda: late.of("dsmrctl/a1b2c3/status")[-1] == "offline")
    after = listen(broker.port)
    until(lambda: after.kept("dsmrctl/a1b2c3/status") == "offline")


def test_a_meter_that_vanishes_is_declared_offline_by_its_last_will(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(broker.port)
    program = (
        "import os, time\nfrom dsmrctl.gateway.mqtt import Publisher\n"
        f"with Publisher('127.0.0.1', {broker.port}, id='a1b2c3') as meter:\n"
        "    while not meter.connected: time.sleep(0.01)\n"
        "    input()\n    os._exit(9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, text=True
    ) as vanishing:
        until(lambda: listener.of("dsmrctl/a1b2c3/status") == ["online"])
        vanishing.communicate("\n", timeout=20)
    until(lambda: listener.of("dsmrctl/a1b2c3/status") == ["online", "offline"])


def test_a_component_appears_when_its_quantity_is_first_seen_and_its_state_is_then_never_missing(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(broker.port)
    with publisher(broker.port) as meter:
        until(lambda: meter.connected)
        meter.publish({"import_w": 1, "forecast_w": None})
        meter.publish({"import_w": 2, "forecast_w": None})
        meter.publish({"import_w": 3, "forecast_w": 3000})
        meter.publish({"import_w": 4})
        until(lambda: len(listener.of("dsmrctl/a1b2c3/state")) == 4)
    components = [set(json.loads(text)["components"]) for text in listener.of(DISCOVERY)]
    assert components == [{"import_w"}, {"import_w", "forecast_w", "peak_warning"}]
    last = json.loads(listener.of("dsmrctl/a1b2c3/state")[-1])
    assert last == {"import_w": 4, "forecast_w": None}


def test_home_assistants_birth_brings_the_discovery_again(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(broker.port)
    with publisher(broker.port) as meter:
        until(lambda: meter.connected)
        meter.publish(STATE)
        until(lambda: len(listener.of(DISCOVERY)) == 1)
        listener.client.publish("homeassistant/status", "offline")
        listener.client.publish("homeassistant/status", "online")
        until(lambda: len(listener.of(DISCOVERY)) == 2)
        meter.publish(STATE)
        until(lambda: len(listener.of("dsmrctl/a1b2c3/state")) == 2)
    assert len(set(listener.of(DISCOVERY))) == 1
    assert len(listener.of(DISCOVERY)) == 2


def test_without_discovery_home_assistant_is_told_nothing(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(broker.port)
    with publisher(broker.port, ha_discovery=False, prefix="huis/meter") as meter:
        until(lambda: meter.connected)
        meter.publish(STATE)
        until(lambda: listener.of("huis/meter/state"))
    until(lambda: listener.of("huis/meter/status")[-1:] == ["offline"])
    assert {topic for topic, _, _ in listener.came} == {"huis/meter/state", "huis/meter/status"}


# Trouble, and its end


@pytest.mark.slow
def test_a_broker_that_restarts_is_found_again_with_status_and_discovery(
    broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    notes: list[str] = []
    with publisher(broker.port, notes) as meter:
        until(lambda: meter.connected)
        meter.publish(STATE | {"import_w": 1})
        until(lambda: meter._unsent and mqtt._written(meter._unsent[-1]))
        broker.stop()
        until(lambda: not meter.connected)
        meter.publish(STATE | {"import_w": 2})
        assert (meter.sent, meter.dropped) == (1, 1)
        broker.start()  # without persistence: it has forgotten all that was retained
        listener = listen(broker.port)
        until(lambda: meter.connected)
        until(lambda: listener.of(DISCOVERY))
        until(lambda: listener.of("dsmrctl/a1b2c3/status")[-1:] == ["online"])
        meter.publish(STATE | {"import_w": 3})
        until(lambda: listener.of("dsmrctl/a1b2c3/state"))
        # What could not go out was dropped and not kept for later.
        assert [json.loads(text)["import_w"] for text in listener.of("dsmrctl/a1b2c3/state")] == [3]
    place = f"127.0.0.1:{broker.port}"
    assert notes == [
        f"MQTT: connected to {place}",
        notes[1],
        f"MQTT: connected to {place}",
    ]
    assert notes[1].startswith(f"MQTT: the connection to {place} ended; trying again")


@pytest.mark.slow
def test_a_broker_that_is_absent_at_first_is_told_once_and_found_when_it_comes(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    broker = Mosquitto(need("mosquitto"), tmp_path)
    notes: list[str] = []
    failures: list[object] = []
    with publisher(broker.port, notes) as meter:
        also(meter._client, "on_connect_fail", lambda *args: failures.append(args))
        slowest = 0.0
        until(lambda: notes)
        for _ in range(1000):
            before = time.perf_counter()
            meter.publish(STATE)
            slowest = max(slowest, time.perf_counter() - before)
        assert slowest < 2  # a call that waited for the broker would take its time-outs
        assert (meter.sent, meter.dropped) == (0, 1000)
        until(lambda: len(failures) >= 2)
        assert len(notes) == 1
        assert f"no broker listens at 127.0.0.1:{broker.port}" in notes[0]
        assert "Is it running" in notes[0]
        try:
            broker.start()
            until(lambda: meter.connected)
            assert notes[1:] == [f"MQTT: connected to 127.0.0.1:{broker.port}"]
        finally:
            broker.stop()


def test_the_right_user_and_password_open_the_door(
    locked_broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    listener = listen(locked_broker.port, "dsmr", SECRET)
    with publisher(locked_broker.port, user="dsmr", password=SECRET) as meter:
        until(lambda: meter.connected)
        meter.publish(STATE)
        until(lambda: listener.of("dsmrctl/a1b2c3/state"))


@pytest.mark.slow
def test_a_wrong_password_is_told_once_and_shown_nowhere(
    locked_broker: Mosquitto, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    notes: list[str] = []
    caplog.set_level("DEBUG")
    attempts: queue.Queue[str] = queue.Queue()
    meter = publisher(locked_broker.port, notes, user="dsmr", password="hunter2")
    also(meter._client, "on_connect", lambda *args: attempts.put(str(args[3])))
    meter._client.enable_logger()
    with meter:
        for _ in range(3):
            attempts.get(timeout=20)
        meter.publish(STATE)
        assert not meter.connected
        assert meter.dropped == 1
    assert len(notes) == 1
    assert "refuses the user or password" in notes[0]
    assert "--mqtt-password-file or DSMRCTL_MQTT_PASSWORD" in notes[0]
    assert caplog.text
    everywhere = [repr(meter), str(meter), *notes, caplog.text, *capfd.readouterr()]
    assert not [text for text in everywhere if "hunter2" in text]
    assert "hunter2" not in repr({k: v for k, v in vars(meter).items() if k != "_client"})


@pytest.mark.slow
def test_two_publishers_of_one_id_do_not_fill_the_log(broker: Mosquitto) -> None:
    first_notes: list[str] = []
    second_notes: list[str] = []
    ended: list[object] = []
    with publisher(broker.port, first_notes) as first:
        until(lambda: first.connected)
        also(first._client, "on_disconnect", lambda *args: ended.append(args))
        with publisher(broker.port, second_notes):
            until(lambda: len(ended) >= 2)
    assert len(first_notes) <= 3
    assert "does another program publish as a1b2c3?" in first_notes[1]


def test_a_broker_that_stops_reading_blocks_nobody_and_piles_nothing_up() -> None:
    slowest = 0.0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with publisher(port) as meter, server.accept()[0] as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.recv(4096)
            stuck.sendall(b"\x20\x02\x00\x00")  # CONNACK, and then it reads nothing more
            until(lambda: meter.connected)
            while meter.dropped < 100:
                before = time.perf_counter()
                meter.publish(STATE)
                slowest = max(slowest, time.perf_counter() - before)
                assert meter.sent < 200_000
            assert len(meter._unsent) == mqtt.UNSENT_LIMIT
            before = time.perf_counter()
            meter.close(patience_s=0.2)
            assert time.perf_counter() - before < 3
    assert slowest < 2  # a call that waited would wait for good


def test_a_note_that_cannot_be_shown_does_not_end_the_publisher(broker: Mosquitto) -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError(text)

    with publisher(broker.port, on_note=broken) as meter:
        until(lambda: meter.connected)
        meter.publish(STATE)
        until(lambda: meter._unsent and mqtt._written(meter._unsent[-1]))


@pytest.mark.slow
def test_leaving_before_a_connection_takes_no_time() -> None:
    before = time.perf_counter()
    with publisher(free_port()):
        pass
    assert time.perf_counter() - before < 3


# The state


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "secret", "serial"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.decimals()
        | st.floats()
        | st.text()
        | st.binary(),
    ),
    st.sets(st.sampled_from(NAMES)),
)
def test_a_state_is_always_json_with_quantities_only_and_no_number_is_changed(
    quantities: dict[str, object], also: set[str]
) -> None:
    text = mqtt.state(quantities, also)
    found = json.loads(text, parse_float=Decimal, parse_constant=lambda name: pytest.fail(name))
    assert list(found) == [name for name in NAMES if name in quantities or name in also]
    for name, value in found.items():
        given_value = quantities.get(name)
        if isinstance(given_value, Decimal) and value is not None:
            assert Decimal(value) == given_value
        elif type(given_value) is int:
            assert value == given_value
        elif given_value is None or isinstance(given_value, bytes):
            assert value is None
    assert len(text) < 40_000
    text.encode()


def test_a_publisher_asks_for_paho_only_when_it_is_made() -> None:
    program = (
        "import sys\nimport dsmrctl.gateway.mqtt\n"
        "assert not [name for name in sys.modules if name.startswith('paho')]\n"
        "sys.modules['paho'] = None\n"
        "from dsmrctl import errors\n"
        "try:\n    dsmrctl.gateway.mqtt.Publisher('127.0.0.1')\n"
        "except errors.MissingExtra as error:\n    print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert re.search(r"dsmrctl\[mqtt\]", done.stdout), done.stderr
