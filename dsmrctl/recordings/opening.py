"""Recordings read: ours, tcpdump's and Wireshark's, plain or gzipped, of any size."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from dsmrctl import errors
from dsmrctl.recordings import links
from dsmrctl.recordings.gunzip import BLOCK, GZIP, Gunzip
from dsmrctl.recordings.item import TIMES_NS, Item, Kind
from dsmrctl.recordings.ndjson import LONGEST_LINE, LineReader, is_recording
from dsmrctl.recordings.pcap import CaptureReader, Caught, is_capture

Note = Callable[[str], None]
_MOST_PORTS = 1000
_HEAD = b'{"dsmrctl_recording":'


def open_recording(
    path: Path | None,
    *,
    port: int | None = 8266,
    group: str | None = None,
    on_note: Note = lambda text: None,
) -> Recording:
    """Open a recording; None is standard input.

    Of a capture (pcap, pcapng) the UDP datagrams to `port` (None: to any), and to `group` when one
    is named, are its frames. `on_note` is told what was skipped. Raises NotFound, Refused,
    UsageError; BadData for what is no recording.
    """
    return Recording(path, port, group, on_note)


class Recording:
    """Items in the file's order; a context manager, to be iterated once.

    `kind` and `started_ns` (ns since 1970; of a capture the first item's) are known from the start.
    `skipped` counts what is no item, by its reason; `ports` the datagrams of a capture.
    Iterating raises BadData where the file is damaged; all before was given.
    """

    def __init__(
        self, path: Path | None, port: int | None, group: str | None, on_note: Note
    ) -> None:
        self.name = "standard input" if path is None else str(path)
        self.skipped: Counter[str] = Counter()
        self.ports: Counter[int] = Counter()
        self._port, self._group = port, group
        self._note = on_note
        self._owned = path is not None
        self._file = _standard_input() if path is None else _opened(path)
        try:
            self._gunzip: Gunzip | None = None
            self._bytes = self._unpacked()
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        head = next(self._bytes, b"")
        while len(head) < 4 and (more := next(self._bytes, b"")):
            head += more
        started_ns = 0
        if is_capture(head):
            self.kind: Kind = "frames"
            items = self._of_capture(head)
        else:
            while b"\n" not in head and head.startswith(b"{") and len(head) < LONGEST_LINE:
                more = next(self._bytes, b"")
                if not more:
                    break
                head += more
            if not is_recording(head.split(b"\n", 1)[0]):
                raise self._no_recording(head)
            reader = LineReader(self.name)
            first = reader.feed(head if b"\n" in head else head + b"\n")
            assert reader.kind is not None
            self.kind, started_ns = reader.kind, reader.started_ns
            items = self._of_lines(reader, first)
        # The first is read now: with it the file has shown what it is.
        first_item = next(items, None)
        self.started_ns = started_ns or (0 if first_item is None else first_item.time_ns)
        self._items = _before(first_item, items)

    def __iter__(self) -> Iterator[Item]:
        return self._items

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; more than once does no harm."""
        if self._owned:
            self._file.close()

    def _unpacked(self) -> Iterator[bytes]:
        head = self._read(len(GZIP))
        if not head.startswith(GZIP):
            yield head
            while data := self._read(BLOCK):
                yield data
            return
        gunzip = Gunzip(self.name)
        data = head
        while data:
            gunzip.add(data)
            while more := gunzip.more():
                yield more
            data = self._read(BLOCK)
        if not gunzip.whole:
            self._note(f"{self.name}: the gzip file ends too early; all before is used")

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size) if size < 8 else _some(self._file, size)
        except OSError as error:
            raise errors.DsmrError(f"cannot read {self.name}: {error.strerror}") from None

    def _of_lines(self, reader: LineReader, first: list[Item]) -> Iterator[Item]:
        yield from first
        for data in self._bytes:
            yield from reader.feed(data)
        if reader.close():
            self._note(f"{self.name}: the last line is torn and was skipped")
        reader.tell(self._note)
        if reader.skipped:
            self.skipped["line"] = reader.skipped

    def _of_capture(self, head: bytes) -> Iterator[Item]:
        reader = CaptureReader(self.name)
        data: bytes | None = head
        try:
            while data is not None:
                for caught in reader.feed(data):
                    try:
                        item = self._frame(caught)
                    except links.Skipped as reason:
                        self.skipped[reason.args[0]] += 1
                    else:
                        yield item
                data = next(self._bytes, None)
        except errors.DsmrError:
            self._tell()
            raise
        if reader.close():
            self._note(f"{self.name}: its end is torn; all before is used")
        self._tell()

    def _frame(self, caught: Caught) -> Item:
        time_ns = caught.time_ns
        found = links.udp(caught.link, caught.data)
        if len(self.ports) < _MOST_PORTS or found.port in self.ports:
            self.ports[found.port] += 1
        if self._port is not None and found.port != self._port:
            raise links.Skipped("other-port")
        if self._group is not None and found.address != self._group:
            raise links.Skipped("other-group")
        if time_ns is None or time_ns not in TIMES_NS:
            raise links.Skipped("no-time")
        return Item(time_ns, found.sender, found.data)

    def _tell(self) -> None:
        for reason, count in self.skipped.most_common():
            self._note(f"{self.name}: {count} skipped: {links.REASONS[reason]}")
        if self.ports and self._port is not None and self._port not in self.ports:
            there = ", ".join(f"{port} ({count})" for port, count in self.ports.most_common(5))
            self._note(
                f"{self.name}: nothing in it goes to port {self._port}; "
                f"its datagrams go to {there}: --captured-port names one"
            )

    def _no_recording(self, head: bytes) -> errors.BadData:
        if not head:
            return errors.BadData(
                f"{self.name} is empty", hint="record with dsmrctl listen --record"
            )
        if _HEAD.startswith(head[: len(_HEAD)]) and b"\n" not in head:
            return errors.BadData(
                f"{self.name} ends in its first line", hint="nothing was recorded in it yet"
            )
        hint = "recordings are NDJSON (dsmrctl listen --record), pcap or pcapng"
        if head.lstrip(b"\x00\xff\r\n").startswith(b"/"):
            hint += "; this holds telegrams as they are: dsmrctl serve reads it"
        return errors.BadData(f"{self.name} is no recording", hint=hint)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise errors.UsageError("there is no standard input", hint="name a file")
    return sys.stdin.buffer


def _some(file: BinaryIO, size: int) -> bytes:
    """What there is, up to `size`: a pipe gives its data before it is full."""
    return file.read1(size) if hasattr(file, "read1") else file.read(size)  # type: ignore[attr-defined]


def _before(first: Item | None, items: Iterator[Item]) -> Iterator[Item]:
    if first is not None:
        yield first
    yield from items


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise errors.NotFound(f"there is no file {path}", hint="- is standard input") from None
    except IsADirectoryError:
        raise errors.UsageError(f"{path} is a directory", hint="name a file in it") from None
    except PermissionError:
        raise errors.Refused(f"{path} may not be read by you", hint=f"ls -l {path}") from None
    except (OSError, ValueError) as error:
        raise errors.NotFound(f"cannot open {path}: {error}") from None
