"""An interface board whose app does nothing but publish, and brokers that behave as told."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from world import KEY, SSID, World, address, bundle

from dsmrctl import boards
from dsmrctl.firmware.lib import readout
from dsmrctl.flashing import build, filesystem, image
from dsmrctl.gateway.home_assistant import SHOWN, discovery
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import HEAP, VirtualBoard
from dsmrctl.virtual.clock import Conductor

IDENT = "a1b2c3"
SECOND = 1_000_000

APP = """
class App:
    def __init__(self, board):
        self.board = board
        self.mqtt = None
        self.count = self.most = self.late = 0
        self.flooded = False
        self.seen = SEEN
        board.loop.after(1000, self.beat, 1000)

    def configure(self, settings):
        self.mqtt = self.board.rare("broker", self.mqtt, settings)

    def online(self, ip):
        pass

    def light(self, on):
        pass

    def stop(self):
        if self.mqtt:
            self.mqtt.close()

    def beat(self):
        self.count += 1
        if self.mqtt:
            state = b'{"count":%d,"fill":"%s"}' % (self.count, b"x" * SIZE)
            self.mqtt.publish(b"state", [state])
            while FLOOD and self.mqtt.step > 4 and not self.flooded:
                self.flooded = not self.mqtt.publish(b"state", [state])

    def status(self, client):
        mqtt = self.mqtt
        client.reply(200, {
            "mqtt": mqtt.status if mqtt else "off",
            "dropped": mqtt.dropped if mqtt else 0,
            "wait": mqtt.wait if mqtt else 0,
            "count": self.count,
        })
"""


def compiled(source: str) -> bytes:
    """A module of a test as a bundle would hold it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "SOURCES", Path(folder))
        (Path(folder) / "x.py").write_text(source)
        return build.compiled("x.py")


def flash(
    folder: Path,
    *,
    size: int = 500,
    flood: bool = False,
    names: Collection[str] | None = None,
    number: int = 2,
    **settings: Any,
) -> tuple[Path, filesystem.Place]:
    """A flash image; size: of the state; names: what its meter told of, None for all."""
    app = APP.replace("SIZE", str(size)).replace("FLOOD", str(flood))
    every = readout._NAMES.split()
    seen = sum(1 << place for place, name in enumerate(every) if names is None or name in names)
    app = app.replace("SEEN", str(seen))
    more = {"a/interface.mpy": compiled(app)}
    kind = boards.find("interface")
    content = image.Content({"mqtt_enabled": True, **settings}, (SSID, KEY), None, more)
    data, place = image.make(bundle("interface"), kind, kind.hardware[0], content)
    path = folder / f"mqtt{number}.bin"
    path.write_bytes(data)
    return path, place


def board(
    folder: Path,
    *,
    number: int = 2,
    clock: Conductor | None = None,
    heap: int = HEAP,
    air: Air | None = None,
    **flashed: Any,
) -> VirtualBoard:
    """A board that publishes, without power."""
    if air is None:
        air = Air()
        air.on(SSID, KEY, -55)
    path, place = flash(folder, number=number, **flashed)
    mac = bytes.fromhex("5ccf7f" + IDENT)
    return VirtualBoard(
        path, place, address=address(number), mac=mac, air=air, clock=clock, heap=heap
    )


def in_world(world: World, **flashed: Any) -> VirtualBoard:
    """The same in simulated time, and in its network."""
    new = board(world.folder, clock=world.clock, air=world.air, **flashed)
    world.boards.append(new)
    new.power_on()
    world.clock.until(lambda: new.wifi == 5, 30)
    return new


def template() -> str:
    """What dsmrctl/firmware/web/discovery.json must be: the desk's own document, with marks.

    A component stands on a line with one space before it, the rest of it on one with two; a comma
    comes first, since a component that a meter has no value for is left out; what is put in stands
    on lines of its own.
    """
    document = discovery("<id>", "<name>", "<version>", "<prefix>", SHOWN)
    components = document.pop("components")
    head = _text(document)[:-1] + ',"components":{'
    for mark in ('"name":"<name>",', '"manufacturer"', ',"state_topic"', ',"availability"'):
        head = head.replace(mark, "\n" + mark)
    lines = [head]
    for key, component in components.items():
        halves = [_text(dict(part)) for part in _halves(list(component.items()))]
        comma = "," if len(lines) > 1 else ""
        lines += [f' {comma}"{key}":{halves[0][:-1]}', f"  ,{halves[1][1:]}"]
    return "\n".join([*lines, "}}"]) + "\n"


def _halves(items: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    return [items[:3], items[3:]]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def desk(name: str, version: str, prefix: str, names: Any = SHOWN) -> str:
    """The document as `serve` sends it."""
    return _text(discovery(IDENT, name, version, prefix, names))


def parts(stream: bytes) -> list[tuple[int, bytes]]:
    """What is whole in a stream of MQTT: the first byte and the content of each."""
    found = []
    at = 0
    while at + 2 <= len(stream):
        size, shift, start = 0, 0, at + 1
        while True:
            if start >= len(stream):
                return found
            size |= (stream[start] & 127) << shift
            shift += 7
            start += 1
            if stream[start - 1] < 128:
                break
        if start + size > len(stream):
            break
        found.append((stream[at], stream[start : start + size]))
        at = start + size
    return found


class OddBroker:
    """What listens at a port in simulated time, and answers as it is told.

    welcome: what it says when it has heard something of a new connection; empty: nothing.
    answers_pings: whether it lives. came: for each connection its time and all it said.
    """

    def __init__(self, clock: Conductor, welcome: bytes = b"\x20\2\0\0") -> None:
        self.clock, self.welcome = clock, welcome
        self.answers_pings = True
        self.hangs_up = False
        self.came: list[tuple[float, bytearray]] = []
        self._open: dict[socket.socket, bytearray] = {}
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        clock.others.append(self.look)

    def __enter__(self) -> OddBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.others.remove(self.look)
        self.hang_up()
        self._listener.close()

    def hang_up(self) -> None:
        """Ends every connection."""
        for one in self._open:
            one.close()
        self._open.clear()

    def say(self, data: bytes) -> None:
        """To everyone who is connected."""
        for one in self._open:
            one.sendall(data)

    def look(self, now_us: int) -> bool:
        did = False
        try:
            new, _ = self._listener.accept()
        except BlockingIOError:
            pass
        else:
            did = True
            new.setblocking(False)
            self.came.append((now_us / SECOND, bytearray()))
            self._open[new] = self.came[-1][1]
            if self.hangs_up:
                self.hang_up()
        for one, heard in list(self._open.items()):
            try:
                data = one.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            did = True
            # Simulated seconds pass within the real moment that an acknowledgement waits.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not data:
                one.close()
                del self._open[one]
                continue
            if not heard and self.welcome:
                one.sendall(self.welcome)
            before = len(parts(bytes(heard)))
            heard += data
            for kind, _ in parts(bytes(heard))[before:]:
                if kind == 0xC0 and self.answers_pings:
                    one.sendall(b"\xd0\0")
                elif kind == 0x82:
                    one.sendall(b"\x90\3\0\1\0")
        return did
