"""firmware: what each board and each of its modules takes of the chip's flash and heap.

By the real MicroPython on this 64-bit computer, whose objects are about 1.45 times the chip's;
the stand-ins for the chip's modules are not counted.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from benchmarks.runner import Result
from dsmrctl import boards
from dsmrctl.errors import NotFound
from dsmrctl.flashing import build, filesystem, image
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import HEAP, VirtualBoard
from dsmrctl.virtual.clock import Conductor

SLOT_BLOCKS = 40
# Held by a board that runs, for its app and all its services together.
MOST_HELD = 28_672
HOME = ("HOME", "an invented key")

_EACH = """
import gc
for name in {names}:
    gc.collect()
    before = gc.mem_alloc()
    __import__("a." + name)
    gc.collect()
    print("module", name, gc.mem_alloc() - before)
"""


def measure(quick: bool) -> Iterator[Result]:
    for board in boards.BOARDS.values():
        try:
            bundle = build.build(board)
        except NotFound:
            continue  # not written yet
        yield from _board(board, bundle)
        if board is boards.INTERFACE:
            yield from _modules(board, bundle)


def _board(board: boards.Board, bundle: Bundle) -> Iterator[Result]:
    name = f"firmware.{board.name}"
    empty = filesystem.used_blocks(98, {})
    blocks = filesystem.used_blocks(98, bundle.slot("a")) - empty
    yield Result(f"{name}_slot_blocks", blocks, "blocks", SLOT_BLOCKS, "lower")
    held = _fed(bundle) if board is boards.INTERFACE else _alone(board, bundle)
    yield Result(f"{name}_alloc_bytes", held, "bytes", MOST_HELD, "lower")


def _alone(board: boards.Board, bundle: Bundle) -> int:
    """The bytes it holds with someone at its page, who asked for half of it."""
    with _booted(board, bundle, image.Content(wifi=HOME)) as (one, clock):
        clock.run(60)
        with _half_a_request(one):
            clock.run(1)
            return one.figures()["alloc"]


def _fed(bundle: Bundle) -> int:
    """The interface's, at its worst: telegrams, a broker, a TCP reader, someone at its page."""
    from dsmrctl.virtual.meter_past import new_household_meter

    broker = Broker()
    settings = {"mqtt_enabled": True, "mqtt_host": "127.0.0.1", "mqtt_port": broker.port}
    content = image.Content(settings, HOME)
    meter = new_household_meter(datetime(2026, 6, 18, 16, 34, tzinfo=UTC), seed=1)
    with broker, _booted(boards.INTERFACE, bundle, content) as (one, clock):
        clock.others.append(broker.look)
        clock.run(20)
        worst = 0
        with socket.create_connection((one.address, 8088)), _half_a_request(one):
            for second in range(1, 7):
                one.serial(meter.telegram(second))
                clock.run(1)
                worst = max(worst, one.figures()["alloc"])
        if b"dsmrctl/" not in broker.heard or b'"import_w"' not in broker.heard:
            raise RuntimeError("the interface told its broker nothing")
        return worst


def _half_a_request(one: VirtualBoard) -> socket.socket:
    visitor = socket.create_connection((one.address, 80))
    visitor.sendall(b"GET /api/status HTTP/1.1\r\nHost: x\r\n")
    return visitor


class Broker:
    """Lets anyone in, and keeps what it is told."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._one: socket.socket | None = None
        self.heard = b""

    def look(self, now_us: int) -> bool:
        try:
            if self._one is None:
                self._one, _ = self._listener.accept()
                self._one.setblocking(False)
            part = self._one.recv(65536)
        except BlockingIOError:
            return False
        if not self.heard and part:
            self._one.sendall(b"\x20\2\0\0")
        self.heard += part
        return bool(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._one is not None:
            self._one.close()


def _modules(board: boards.Board, bundle: Bundle) -> Iterator[Result]:
    paths = [f"{Path(path).stem}.mpy" for path in _leaves_first(board.name)]
    names = [path.removesuffix(".mpy") for path in paths]
    content = image.Content(more={"main.py": _EACH.format(names=names).encode()})
    with _booted(board, bundle, content, heap=512 * 1024) as (one, clock):
        clock.run(5)
        told = dict(line.split()[1:] for line in one.log.splitlines() if line.startswith("module "))
    for path, name in zip(paths, names, strict=True):
        yield Result(f"firmware.{name}_mpy", len(bundle.files[path]), "bytes", better="lower")
        yield Result(f"firmware.{name}_heap", int(told[name]), "bytes", better="lower")


def _leaves_first(board: str) -> list[str]:
    """The modules, each after those that it imports, so that it is not charged for them."""
    found: list[str] = []
    begun: set[str] = set()  # they name each other in circles

    def add(path: str) -> None:
        if path not in begun:
            begun.add(path)
            for below in build.imports(path):
                add(below)
            found.append(path)

    for path in build.sources(board):
        add(path)
    return found


class _booted:
    """A board of that content in simulated time, switched off at the end."""

    def __init__(
        self, board: boards.Board, bundle: Bundle, content: image.Content, heap: int = HEAP
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        data, place = image.make(bundle, board, board.hardware[0], content)
        flash = Path(self._folder.name) / "flash.bin"
        flash.write_bytes(data)
        air = Air()
        air.on(*HOME)
        self._clock = Conductor()
        self._board = VirtualBoard(flash, place, air=air, clock=self._clock, heap=heap)

    def __enter__(self) -> tuple[VirtualBoard, Conductor]:
        self._board.power_on()
        return self._board, self._clock

    def __exit__(self, *_: object) -> None:
        self._board.__exit__()
        self._folder.cleanup()
