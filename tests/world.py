"""A small world for virtual boards: flash images, the air, simulated time and clients in it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dsmrctl import boards
from dsmrctl.flashing import build, filesystem, image
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.clock import Conductor

SSID, KEY = "HOME", "an invented key"


@cache
def bundle(board: str = "blink", version: str = "1.0.0") -> Bundle:
    """The board's bundle of the sources beside these tests, made once a process."""
    return build.build(boards.find(board), version)


def other_version(change: dict[str, bytes], version: str = "1.1.0") -> Bundle:
    """The blink board's bundle with some files of its own."""
    from dsmrctl.flashing import bundle as bundles

    files = {**bundle().files, **change}
    variants = ["FLASH_1M", ""]
    made = bundles.manifest("blink", ["esp01s", "nodemcu-v3"], variants, version, {}, files)
    return Bundle(made, files)


def flash(
    folder: Path,
    *,
    board: str = "blink",
    hardware: str | None = None,
    wifi: tuple[str, str] | None = (SSID, KEY),
    settings: dict[str, Any] | None = None,
    more: dict[str, bytes] | None = None,
    port: int | None = None,
    name: str = "flash.bin",
) -> tuple[Path, filesystem.Place]:
    """A file with every byte of a freshly flashed board, and where its file system lies."""
    kind = boards.find(board)
    chosen = kind.kind(hardware) if hardware else kind.hardware[0]
    content = image.Content(settings or {}, wifi, port, more or {})
    data, place = image.make(bundle(board), kind, chosen, content)
    path = folder / name
    path.write_bytes(data)
    return path, place


def address(number: int) -> str:
    """An address of this test process's own on the loopback network."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return f"127.0.{20 + worker}.{number}"


@dataclass
class Answer:
    """What a board answered; status 0: the connection ended without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection to a board in simulated time: its bytes go out as the board takes them."""

    def __init__(self, clock: Conductor, where: tuple[str, int], data: bytes) -> None:
        self.clock, self.data = clock, data
        self.came = b""
        self.over = False
        self.began_us = clock.now_us
        self.ended_us = 0
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.connect_ex(where)
        clock.others.append(self.look)

    def look(self, now_us: int) -> bool:
        did = False
        if self.data:
            try:
                sent = self._socket.send(self.data[:4096])
                self.data = self.data[sent:]
                did = sent > 0
            except BlockingIOError:
                pass
            except OSError:
                self.data = b""
        try:
            part = self._socket.recv(65536)
        except BlockingIOError:
            return did
        except OSError:
            part = b""
        if part:
            self.came += part
            return True
        self.close()
        return True

    def close(self) -> None:
        if not self.over:
            self.over = True
            self.ended_us = self.clock.now_us
            self._socket.close()
            self.clock.others.remove(self.look)

    def answer(self) -> Answer:
        head, _, body = self.came.partition(b"\r\n\r\n")
        if not head:
            return Answer(0, {}, b"")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(first.split(" ")[1]), headers, body)


@dataclass
class World:
    """Boards, a clock and the air; boards are switched off at the end."""

    folder: Path
    clock: Conductor = field(default_factory=Conductor)
    air: Air = field(default_factory=Air)
    boards: list[VirtualBoard] = field(default_factory=list)

    def board(self, number: int = 2, *, on: bool = True, **flashed: Any) -> VirtualBoard:
        """A freshly flashed board with its own address; it has power when `on`."""
        path, place = flash(self.folder, name=f"flash{number}.bin", **flashed)
        mac = bytes([0x5C, 0xCF, 0x7F, 0xA1, 0xB2, number])
        new = VirtualBoard(
            path, place, address=address(number), mac=mac, air=self.air, clock=self.clock
        )
        self.boards.append(new)
        if on:
            new.power_on()
        return new

    def online(self, board: VirtualBoard, seconds: float = 30) -> VirtualBoard:
        """Waits until it is in the network."""
        self.clock.until(lambda: board.wifi == 5, seconds)
        self.clock.run(2)
        return board

    def again(self, board: VirtualBoard, seconds: float = 60) -> VirtualBoard:
        """Waits until it has restarted and is back in the network."""
        self.clock.until(lambda: board.wifi != 5, 20)
        return self.online(board, seconds)

    def begin(self, board: VirtualBoard, data: bytes, port: int = 80) -> Client:
        """Opens a connection and sends bytes, without waiting."""
        return Client(self.clock, (board.address, port), data)

    def ask(
        self,
        board: VirtualBoard,
        method: str,
        path: str,
        body: Any = None,
        *,
        seconds: float = 60,
        **headers: str,
    ) -> Answer:
        """One request; a body that is not bytes goes as JSON. Headers by name, _ for -."""
        data = body if isinstance(body, bytes) else b""
        fields = {"Host": board.address}
        if method != "GET":
            fields["Content-Type"] = "application/json"
            if body is not None and not isinstance(body, bytes):
                data = json.dumps(body).encode()
            fields["Content-Length"] = str(len(data))
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        client = self.begin(board, head.encode() + b"\r\n" + data)
        try:
            self.clock.until(lambda: client.over, seconds)
        finally:
            client.close()
        return client.answer()

    def close(self) -> None:
        for board in self.boards:
            board.__exit__()
