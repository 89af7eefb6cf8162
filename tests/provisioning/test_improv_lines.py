"""Improv over lines that are real: our client, and the one that others wrote, with a board."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from improv_boards import Endpoint, on_pty, on_socket, on_virtual_board

from dsmrctl.provisioning import Network
from dsmrctl.provisioning.improv import BAUD, CannotJoin, Improv, State

NPM = Path(__file__).parent / "npm"
SDK = NPM / "node_modules" / "improv-wifi-serial-sdk"


@pytest.fixture(
    params=[
        on_pty,
        on_socket,
        pytest.param(on_virtual_board, marks=pytest.mark.soak),
    ],
    ids=["pty", "socket", "virtual board"],
)
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    with request.param("house & garden", "correct horse") as line:
        yield line


def opened(endpoint: Endpoint) -> Any:
    return serial.serial_for_url(endpoint.port, BAUD, timeout=0.1, write_timeout=2)


@pytest.mark.slow
def test_our_client_hands_a_board_its_network(endpoint: Endpoint):
    with opened(endpoint) as port:
        board = Improv(port)
        assert board.state() == State("ready", None)
        assert board.info().firmware == "dsmrctl blink"
        assert board.networks() == [
            Network("house & garden", -50, True),
            Network("café", -80, False),
        ]
        with pytest.raises(CannotJoin):
            board.connect(endpoint.ssid, "incorrect horse")
        assert board.connect(endpoint.ssid, endpoint.password) == endpoint.url
        assert board.state() == State("joined", endpoint.url)


def talk(node: str, endpoint: Endpoint, result: Path) -> dict[str, Any]:
    """What others' SDK finds at `endpoint`, any port or URL of pyserial; node has but two pipes."""
    with opened(endpoint) as port:
        ran = subprocess.Popen(
            [node, str(NPM / "talk.js"), str(result), endpoint.ssid, endpoint.password],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert ran.stdin
        assert ran.stdout
        assert ran.stderr
        said: list[bytes] = []
        incoming = threading.Thread(target=carry, args=(ran.stdout.fileno(), port.write))
        errors = threading.Thread(target=carry, args=(ran.stderr.fileno(), said.append))
        incoming.start()
        errors.start()
        try:
            while ran.poll() is None:
                data = port.read(1)
                if data:
                    data += port.read(port.in_waiting)
                    os.write(ran.stdin.fileno(), data)
        except BrokenPipeError:
            pass
        finally:
            timer = threading.Timer(10, ran.kill)
            timer.start()
            code = ran.wait()
            timer.cancel()
            incoming.join()
            errors.join()
            for pipe in (ran.stdin, ran.stdout, ran.stderr):
                pipe.close()
    assert code == 0, b"".join(said).decode()
    found = json.loads(result.read_text())
    assert "error" not in found, f"{found} {b''.join(said).decode()}"
    return found


def carry(source: int, sink: Callable[[bytes], object]) -> None:
    while data := os.read(source, 4096):
        sink(data)


@pytest.mark.slow
def test_the_client_that_others_wrote_hands_a_board_its_network(
    endpoint: Endpoint, need: Callable[[str], str], tmp_path: Path
):
    node = need("node")
    if not SDK.is_dir():
        absent = "improv-wifi-serial-sdk is absent: npm ci --prefix tests/provisioning/npm"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    found = talk(node, endpoint, tmp_path / "found.json")
    assert set(found["info"]) >= {"firmware", "version", "name", "chipFamily"}
    assert found["info"]["chipFamily"] == "ESP8266"
    assert found["before"] == {"state": 2, "url": None}
    networks = {one["name"]: one for one in found["networks"]}
    assert networks[endpoint.ssid]["secured"] is True
    assert -100 < networks[endpoint.ssid]["rssi"] < 0
    assert found["unknown"] == "UNKNOWN_RPC_COMMAND"
    assert found["wrong"] == "UNABLE_TO_CONNECT"
    assert found["provisioned"]["state"] == 4
    assert found["provisioned"]["url"].startswith("http://")
    assert found["after"] == found["provisioned"]
