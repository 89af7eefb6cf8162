"""firmware: what each board and each of its modules takes of the chip's flash and heap.

By the real MicroPython on this 64-bit computer, whose objects are about 1.45 times the chip's;
the stand-ins for the chip's modules are not counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

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
        if board is boards.BLINK:
            yield from _modules(board, bundle)


def _board(board: boards.Board, bundle: Bundle) -> Iterator[Result]:
    name = f"firmware.{board.name}"
    empty = filesystem.used_blocks(98, {})
    blocks = filesystem.used_blocks(98, bundle.slot("a")) - empty
    yield Result(f"{name}_slot_blocks", blocks, "blocks", SLOT_BLOCKS, "lower")
    content = image.Content(wifi=("HOME", "an invented key"))
    with _booted(board, bundle, content) as (one, clock):
        clock.run(60)
        held = one.figures()["alloc"]
    yield Result(f"{name}_alloc_bytes", held, "bytes", MOST_HELD, "lower")


def _modules(board: boards.Board, bundle: Bundle) -> Iterator[Result]:
    paths = [f"{path.removesuffix('.py')}.mpy" for path in _leaves_first(board.name)]
    names = [path.removesuffix(".mpy").replace("/", ".") for path in paths]
    content = image.Content(more={"main.py": _EACH.format(names=names).encode()})
    with _booted(board, bundle, content, heap=512 * 1024) as (one, clock):
        clock.run(5)
        told = dict(line.split()[1:] for line in one.log.splitlines() if line.startswith("module "))
    for path, name in zip(paths, names, strict=True):
        short = name.replace(".", "_")
        yield Result(f"firmware.{short}_mpy", len(bundle.files[path]), "bytes", better="lower")
        yield Result(f"firmware.{short}_heap", int(told[name]), "bytes", better="lower")


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
        air.on("HOME", "an invented key")
        self._clock = Conductor()
        self._board = VirtualBoard(flash, place, air=air, clock=self._clock, heap=heap)

    def __enter__(self) -> tuple[VirtualBoard, Conductor]:
        self._board.power_on()
        return self._board, self._clock

    def __exit__(self, *_: object) -> None:
        self._board.__exit__()
        self._folder.cleanup()
