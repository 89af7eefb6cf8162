"""What no honest program writes: bounds, damage, a lost end; nothing whole before it is lost."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.recordings import ndjson
from dsmrctl.recordings.item import LONGEST, TIMES_NS, Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.pcap import CaptureReader
from dsmrctl.recordings.writing import create

START_NS = 1_795_000_000 * 10**9
ITEMS = [Item(START_NS + n * 10**9, f"10.0.0.1:{n + 1}", b"frame %d" % n) for n in range(3)]


def pcapng(path: Path, found: list[Item] = ITEMS) -> bytes:
    with create(path, "frames", started_ns=START_NS) as writer:
        for item in found:
            writer.write(item)
    whole = path.read_bytes()
    path.unlink()
    return whole


def block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def read(path: Path) -> tuple[list[Item], list[str], errors.DsmrError | None]:
    """The items, the notes, and what ended it."""
    found: list[Item] = []
    notes: list[str] = []
    try:
        with open_recording(path, on_note=notes.append) as recording:
            for item in recording:
                found.append(item)
    except errors.DsmrError as error:
        return found, notes, error
    return found, notes, None


def test_a_block_of_an_unknown_kind_may_be_as_large_as_it_likes(tmp_path: Path) -> None:
    path = tmp_path / "large.pcapng.gz"
    whole = pcapng(tmp_path / "frames.pcapng")
    huge = 64 << 20
    # Behind the head and two frames: the third's block begins where the last one ends.
    last = len(whole) - struct.unpack("<I", whole[-4:])[0]
    with gzip.open(path, "wb", 1) as file:
        file.write(whole[:last] + struct.pack("<II", 0x99, 12 + huge))
        for _ in range(huge >> 20):
            file.write(bytes(1 << 20))
        file.write(struct.pack("<I", 12 + huge) + whole[last:])
    tracemalloc.start()
    found, notes, error = read(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found, notes, error) == (ITEMS, [], None)
    assert most < 4 << 20


@pytest.mark.parametrize("kind", [1, 2, 3, 6, 0x0A0D0D0A])
def test_no_block_that_is_needed_is_larger_than_any_datagram(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "large.pcapng"
    body = struct.pack("<I", 0x1A2B3C4D) + bytes(2 << 20)
    path.write_bytes(pcapng(tmp_path / "frames.pcapng") + block(kind, body))
    found, _, error = read(path)
    assert found == ITEMS
    assert isinstance(error, errors.BadData)
    assert "is damaged at byte" in error.message


def test_zeros_at_the_end_are_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcapng"
    for zeros in (1, 11, 12, 16, 4096, 1 << 20):
        path.write_bytes(pcapng(tmp_path / "frames.pcapng") + bytes(zeros))
        assert read(path) == (ITEMS, [f"{path}: its end is torn; all before is used"], None)
    lines = tmp_path / "cut.ndjson"
    with create(lines, "frames", started_ns=START_NS) as writer:
        writer.write(ITEMS[0])
    lines.write_bytes(lines.read_bytes() + bytes(4096))
    assert read(lines) == (ITEMS[:1], [f"{lines}: the last line is torn and was skipped"], None)


def test_times_no_calendar_bears_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "mad.pcapng"
    head = pcapng(tmp_path / "frames.pcapng", [])
    seconds = struct.pack("<HHIHHBxxxI", 101, 0, 0, 9, 1, 0x80, 0)  # units of a second, 64 bits
    with create(tmp_path / "one.pcapng", "frames", started_ns=0) as writer:
        writer.write(Item(0xFFFFFFFF << 32, "10.0.0.1:1", b"x"))
    frame = (tmp_path / "one.pcapng").read_bytes()[-(12 + 20 + 32) :]
    path.write_bytes(head + block(1, seconds) + frame)
    found, notes, error = read(path)
    assert (found, error) == ([], None)
    assert "1 skipped: without a time, or with an impossible one" in notes[0]


@given(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
def test_no_line_gives_a_time_out_of_bounds(start: int, seconds: float) -> None:
    reader = ndjson.LineReader("it")
    reader.feed(b'{"dsmrctl_recording":1,"kind":"frames","started":"1970-01-01"}\n')
    reader.started_ns = start
    for item in reader.feed(json.dumps({"t": seconds, "data": ""}).encode() + b"\n"):
        assert item.time_ns in TIMES_NS


def test_what_comes_before_a_line_without_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.ndjson"
    with create(path, "frames", started_ns=START_NS) as writer:
        for item in ITEMS:
            writer.write(item)
    path.write_bytes(path.read_bytes() + b"x" * (1 << 20))
    found, _, error = read(path)
    assert found == ITEMS
    assert isinstance(error, errors.BadData)
    assert "line 5 has no end" in error.message


def test_interfaces_without_end_take_bounded_memory() -> None:
    reader = CaptureReader("it")
    one = block(1, struct.pack("<HHI", 101, 0, 0))
    head = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    list(reader.feed(head + one * 65536))
    with pytest.raises(errors.BadData):
        list(reader.feed(one))


@given(st.lists(st.sampled_from([0, 1, 2, 3, 5, 6, 0x99, 0x0A0D0D0A]), max_size=8), st.data())
def test_blocks_of_any_content_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int], data: st.DataObject
) -> None:
    whole = pcapng(tmp_path_factory.mktemp("any") / "frames.pcapng", ITEMS[:1])
    for kind in kinds:
        body = data.draw(st.binary(max_size=60))
        whole += block(kind, body + bytes(-len(body) % 4))
    for item in CaptureReaderOf(whole, data.draw(st.integers(1, len(whole)))):
        assert isinstance(item, tuple)


class CaptureReaderOf:
    """What a capture gives in slices of `size`, to its damage."""

    def __init__(self, whole: bytes, size: int) -> None:
        self._slices = [whole[at : at + size] for at in range(0, len(whole), size)]

    def __iter__(self):  # type: ignore[no-untyped-def]
        reader = CaptureReader("it")
        with suppress(errors.BadData):
            for each in self._slices:
                yield from reader.feed(each)


@given(st.data())
def test_a_capture_comes_in_any_slices(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = pcapng(tmp_path_factory.mktemp("sliced") / "frames.pcapng")
    size = data.draw(st.integers(1, len(whole)))
    at_once, sliced = list(CaptureReaderOf(whole, len(whole))), list(CaptureReaderOf(whole, size))
    assert sliced == at_once
    assert len(at_once) == len(ITEMS)


@pytest.mark.slow
def test_a_zip_bomb_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.ndjson.gz"
    with gzip.open(path, "wb") as file:
        file.write(ndjson.first_line("frames", START_NS))
        for _ in range(16):
            file.write((b" " * 1023 + b"\n") * 1024)
        file.write(ndjson.line(ITEMS[0], START_NS))
    tracemalloc.start()
    with open_recording(path) as recording:
        first = next(iter(recording))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first == ITEMS[0]
    assert most < 4 << 20


@given(st.one_of(st.binary(max_size=300), st.sampled_from([b"\0" * LONGEST, b"\xff" * LONGEST])))
def test_no_line_we_write_is_longer_than_we_read(data: bytes) -> None:
    item = Item(START_NS, "10.0.0.1:1", data)
    line = ndjson.line(item, START_NS)
    assert len(line) <= ndjson.LONGEST_LINE
    reader = ndjson.LineReader("it")
    assert reader.feed(ndjson.first_line("frames", START_NS) + line) == [item]


@given(st.text(st.characters(), max_size=40), st.integers(-(10**12), 10**12))
def test_any_name_and_time_come_back(sender: str, micros: int) -> None:
    item = Item(START_NS + micros * 1000, sender, b"/telegram")
    line = ndjson.line(item, START_NS)
    assert line.isascii()
    # Six decimals, as the contract says, whatever the sign.
    assert f'"t":{micros / 10**6:.6f},' in line.decode()
    reader = ndjson.LineReader("it")
    assert reader.feed(ndjson.first_line("telegrams", START_NS) + line) == [item]


@pytest.mark.parametrize("sender", ["", "10.0.0.1", "10.0.0.1:99999", "[::1]:5", "/dev/ttyUSB0:x"])
def test_a_sender_pcapng_cannot_hold_is_told(tmp_path: Path, sender: str) -> None:
    path = tmp_path / "frames.pcapng"
    with create(path, "frames", started_ns=START_NS) as writer:
        writer.write(ITEMS[0])
        with pytest.raises(errors.BadData, match="is no IPv4 address with a port"):
            writer.write(Item(START_NS, sender, b"x"))
        writer.write(ITEMS[1])
    assert read(path)[0] == ITEMS[:2]


def test_more_bytes_than_a_datagram_are_refused(tmp_path: Path) -> None:
    with create(tmp_path / "frames.ndjson", "frames", started_ns=START_NS) as writer:
        writer.write(Item(START_NS, "a", bytes(LONGEST)))
        with pytest.raises(errors.BadData, match="65508 bytes"):
            writer.write(Item(START_NS, "a", bytes(LONGEST + 1)))


def test_who_never_flushes_has_all_but_the_last_second_in_the_file(tmp_path: Path) -> None:
    now = [0.0]
    for suffix in (".ndjson", ".ndjson.gz", ".pcapng"):
        path = tmp_path / f"frames{suffix}"
        with create(path, "frames", started_ns=0, clock=lambda: now[0]) as writer:
            for n in range(50):
                now[0] += 0.3
                writer.write(ITEMS[n % 3])
                assert len(read(path)[0]) >= n - 3
            for _ in range(5000):  # and nothing waits in memory without end
                writer.write(ITEMS[0])
            if not suffix.endswith(".gz"):
                assert path.stat().st_size > 5000 * 60 - (1 << 17)
