"""A real broker and a real subscriber, for every test that publishes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SECRET = "kelder-42 é"


def until(condition: Callable[[], object], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


class Mosquitto:
    """Debian's broker on a free port of 127.0.0.1; stop and start keep the port."""

    def __init__(self, program: str, folder: Path, password: str | None = None) -> None:
        self.port = free_port()
        self._program = program
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root"]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            file = folder / "passwords"
            file.write_text(f"dsmr:{password}\n")
            file.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", file], check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {file}"]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto ended at once"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Listener:
    """A subscriber to everything: what came, in order, as (topic, payload, retained)."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.came: list[tuple[str, str, bool]] = []
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self.client.username_pw_set(user, password)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.came.append(
            (message.topic, message.payload.decode(), bool(message.retain))
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("#")
        assert subscribed.wait(10)

    def of(self, topic: str) -> list[str]:
        return [payload for name, payload, _ in list(self.came) if name == topic]

    def kept(self, topic: str) -> str | None:
        """What the broker had retained when we came."""
        return next((text for name, text, kept in list(self.came) if name == topic and kept), None)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def broker(need: Callable[[str], str], tmp_path: Path) -> Iterator[Mosquitto]:
    running = Mosquitto(need("mosquitto"), tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def locked_broker(need: Callable[[str], str], tmp_path: Path) -> Iterator[Mosquitto]:
    running = Mosquitto(need("mosquitto"), tmp_path, SECRET)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    opened: list[Listener] = []

    def new(*args: Any) -> Listener:
        opened.append(Listener(*args))
        return opened[-1]

    yield new
    for listener in opened:
        listener.close()
