"""Whole archives as columns: what `quantities` says of each telegram, by the hundred thousand.

Telegrams of one layout that follow each other are read together (`matrix`). Whatever is not exactly
so (another shape, a wrong CRC, noise, an odd time, the first telegrams of a meter) goes through
`Framer` and `quantities` and lands in the same columns, in its order.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .block import NAMES, Block, Column, joined, numpy, read_generally
from .framing import LIMIT, Framer, Reject
from .obis import code as obis_code
from .telegram import Telegram

if TYPE_CHECKING:
    from .matrix import Plan

Source = bytes | str | Path | Iterable[bytes]

BLOCK = 8 << 20
"""Bytes a block has at most; several times as many are in memory at once."""

_GZIP = b"\x1f\x8b"
_END = re.compile(rb"\n![0-9A-Fa-f]{4}\r\n")
_ROWS = 4096  # telegrams read together at most: their digits fit in the processor's cache
_FEW = 32  # and so many at first, where the layout may end soon
_PLANS = 8
_LENGTHS = 64


def iter_blocks(
    source: Source, *, objects: Sequence[str] = (), key: bytes | None = None, size: int = BLOCK
) -> Iterator[Block]:
    """The telegrams of an archive, 8 MB of it at a time: it may be larger than the memory.

    `source`: the bytes, the path of a file (plain, .gz or a recording) or an iterable of bytes,
    gzipped or not. `objects`: OBIS codes whose number becomes a column too, named by the code as
    given. `key` opens Luxembourg's telegrams. A number that does not fit in int64 is unknown.
    Raises ValueError for no OBIS code, MissingExtra without numpy, and for a path or gzip what
    `open_source` and its `read` raise.
    """
    reader = _Reader(objects, key)
    for chunk in _chunks(source, size):
        found = reader.read(chunk)
        if found.rows or found.rejects:
            yield found
    found = reader.close()
    if found.rows or found.rejects:
        yield found


def read_archive(source: Source, *, objects: Sequence[str] = (), key: bytes | None = None) -> Block:
    """All of an archive as one block; see `iter_blocks`."""
    return joined(list(iter_blocks(source, objects=objects, key=key)), (*NAMES, *objects))


def _chunks(source: Source, size: int) -> Iterator[memoryview]:
    """The archive in pieces of about `size` bytes."""
    if isinstance(source, (str, Path)):
        pieces = _of_file(Path(source))
    elif isinstance(source, bytes):
        if not source.startswith(_GZIP):
            for at in range(0, len(source), size):
                yield memoryview(source)[at : at + size]
            return
        pieces = _unpacked(iter((source,)))
    else:
        pieces = _unpacked(iter(source))
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= size:
            yield memoryview(b"".join(waiting))
            waiting, length = [], 0
    yield memoryview(b"".join(waiting))


def _of_file(path: Path) -> Iterator[bytes]:
    from .stored import StoredSource

    with StoredSource(path) as stored:
        while (piece := stored.read()) is not None:
            yield piece


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        yield head
        yield from pieces
        return
    from dsmrctl.recordings.gunzip import Gunzip

    gunzip = Gunzip("the archive")
    for piece in chain((head,), pieces):
        gunzip.add(piece)
        while data := gunzip.more():
            yield data


# --- the stream -----------------------------------------------------------------------------------


class _Reader:
    """Reads chunk by chunk: telegrams of a known layout in runs, all else through the Framer."""

    def __init__(self, objects: Sequence[str], key: bytes | None) -> None:
        numpy()
        for code in objects:
            obis_code(code)
        self._objects = tuple(objects)
        self._framer = Framer(key=key)
        self._encrypted = key is not None
        self._clean = True  # the Framer waits for nothing: a run may begin
        self._fed = b""
        self._offset = 0  # in the stream, of the chunk
        self._plans: list[Plan] = []
        self._rows = _FEW  # telegrams to read together next
        self._misses: dict[int, int] = {}
        self._blocks: list[Block] = []
        self._telegrams: list[Telegram] = []
        self._rejects: list[Reject] = []

    def read(self, chunk: memoryview) -> Block:
        """What is complete with `chunk` added."""
        at = 0
        while at < len(chunk):
            read = self._run(chunk, at) if self._clean else 0
            if not read:
                end = _END.search(chunk, at)
                read = (end.end() if end is not None else len(chunk)) - at
                self._feed(bytes(chunk[at : at + read]))
            at += read
        self._offset += len(chunk)
        return self._taken()

    def close(self) -> Block:
        """What is left at the end of the input."""
        self._take(self._framer.close())
        return self._taken()

    def _taken(self) -> Block:
        self._turn()
        blocks, self._blocks = self._blocks, []
        rejects, self._rejects = self._rejects, []
        return joined(blocks, (*NAMES, *self._objects))._replace(rejects=rejects)

    def _turn(self) -> None:
        """From telegrams read one by one to a run: they come before it."""
        if self._telegrams:
            self._blocks.append(read_generally(self._telegrams, self._objects))
            self._telegrams = []

    def _feed(self, data: bytes) -> None:
        self._fed = (self._fed + data)[-2 * LIMIT :]
        last = self._take(self._framer.feed(data))
        self._clean = last is not None and self._fed.endswith(last.raw) and not self._encrypted

    def _take(self, items: Iterable[Telegram | Reject]) -> Telegram | None:
        """Keep what the Framer found; the telegram when that came last."""
        last = None
        for item in items:
            if isinstance(item, Reject):
                self._rejects.append(item)
                last = None
            else:
                self._telegrams.append(item)
                self._learn(item)
                last = item
        return last

    def _learn(self, telegram: Telegram) -> None:
        """At the second telegram of a length without a plan, then at the fourth, eighth …"""
        raw = telegram.raw
        if telegram.crc != "valid" or any(plan.fits(raw) for plan in self._plans):
            return
        if len(self._misses) > _LENGTHS:
            self._misses.clear()
        count = self._misses[len(raw)] = self._misses.get(len(raw), 0) + 1
        if count > 1 and not count & (count - 1):
            plan = _plan(raw, self._objects)
            if plan is not None:
                self._plans = [plan, *self._plans][:_PLANS]

    def _run(self, chunk: memoryview, at: int) -> int:
        """Read the telegrams of one layout from `at` on; the number of bytes that were used."""
        for plan in self._plans:
            size = plan.size
            if not all(plan.fits(chunk[at + n * size : at + n * size + size]) for n in range(4)):
                continue
            blocks, end = [], at
            while (wanted := min(self._rows, (len(chunk) - end) // size)) > 0:
                block = plan.read(chunk, end, wanted)
                blocks.append(block)
                end += block.rows * size
                if block.rows < wanted:
                    self._rows = _FEW
                    break
                self._rows = min(4 * self._rows, _ROWS)
            if end == at:
                continue
            # The last one goes the general way, so that the Framer is as if it had seen them all.
            self._turn()
            last = next(n for n in reversed(range(len(blocks))) if blocks[n].rows)
            self._blocks += [*blocks[:last], _without_last(blocks[last])]
            self._framer = Framer(offset=self._offset + end - size)
            self._feed(bytes(chunk[end - size : end]))
            return end - at
        return 0


def _without_last(block: Block) -> Block:
    columns = {
        name: Column(column.values[:-1], column.valid[:-1], column.decimals)
        for name, column in block.columns.items()
    }
    return Block(block.time[:-1], block.offset[:-1], columns, [])


def _plan(raw: bytes, objects: Sequence[str]) -> Plan | None:
    """How to read telegrams like `raw` together; None when there is no sure way."""
    try:
        matrix: Any = importlib.import_module(f"{__package__}.matrix")
    except ModuleNotFoundError:
        return None  # it, or the layouts it needs, was taken out
    return matrix.plan(raw, objects)
