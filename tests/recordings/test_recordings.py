"""Recordings written and read: the same items, whatever they hold, and whatever cuts the file."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.ndjson import LineReader
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import SUFFIXES, create

START_NS = 1_795_000_000_123_456_789
FRAME = b'{"dsmr":[83125000,27689000,0,0,1,11,2]}'

senders = st.builds(
    lambda host, port: f"10.0.{host >> 8}.{host & 255}:{port}",
    st.integers(0, 65535),
    st.integers(1, 65535),
)
# To the microsecond, which NDJSON keeps; the clock may go back.
times = st.integers(-(10**9), 10**12).map(lambda micros: START_NS // 1000 * 1000 + micros * 1000)
items = st.builds(Item, times, senders, st.one_of(st.binary(max_size=300), st.just(FRAME)))


def written(path: Path, found: list[Item], nic: str = "eth0") -> bytes:
    with create(path, "frames", started_ns=START_NS) as writer:
        for item in found:
            writer.write(item, nic)
    return path.read_bytes()


def read(path: Path, **more: object) -> list[Item]:
    with open_recording(path, **more) as recording:  # type: ignore[arg-type]
        return list(recording)


@given(found=st.lists(items, max_size=12), suffix=st.sampled_from(SUFFIXES))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, found: list[Item], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("written") / f"frames{suffix}"
    written(path, found)
    with open_recording(path) as recording:
        assert recording.kind == "frames"
        assert list(recording) == found
        assert not recording.skipped


@given(st.lists(items, min_size=1, max_size=6), st.sampled_from(SUFFIXES), st.data())
def test_a_recording_cut_anywhere_is_read_to_the_last_whole_item(
    tmp_path_factory: pytest.TempPathFactory, found: list[Item], suffix: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / f"frames{suffix}"
    whole = written(path, found)
    if suffix.endswith(".gz"):
        plain = gzip.decompress(whole)
        cut = data.draw(st.integers(0, len(plain)))
        # As a writer that was killed leaves it: flushed so far, and no end.
        packed = gzip.compress(plain[:cut])[:-8]
        path.write_bytes(packed)
    else:
        cut = data.draw(st.integers(0, len(whole)))
        plain = whole
        path.write_bytes(whole[:cut])
    lines = suffix.startswith(".ndjson")
    ends = line_ends(plain) if lines else item_ends(plain)
    notes: list[str] = []
    try:
        got = read(path, on_note=notes.append)
    except errors.BadData:
        # Not even what it is stands in it.
        assert cut < (plain.index(b"\n") if lines else 4)
        return
    assert got == found[: sum(end <= cut for end in ends)]
    if lines:
        torn = not plain[:cut].endswith(b"\n") and cut > plain.index(b"\n")
        assert torn == any("torn" in note for note in notes)


def line_ends(plain: bytes) -> list[int]:
    """Where each item's line ends, with its line end."""
    return [at + 1 for at, sign in enumerate(plain) if sign == ord("\n")][1:]


def item_ends(plain: bytes) -> list[int]:
    """Where each item's block of a pcapng file ends."""
    ends, at = [], 0
    while at < len(plain):
        kind, length = struct.unpack_from("<II", plain, at)
        at += length
        if kind == 6:
            ends.append(at)
    return ends


@given(st.lists(items, min_size=1, max_size=6), st.data())
def test_a_packed_recording_cut_anywhere_gives_what_came_first(
    tmp_path_factory: pytest.TempPathFactory, found: list[Item], data: st.DataObject
) -> None:
    """Cut in its packed bytes, as a full disk does; each second of it was made readable."""
    path = tmp_path_factory.mktemp("packed") / "frames.ndjson.gz"
    seconds = iter(range(1000))
    ends = []
    with create(path, "frames", started_ns=START_NS, clock=lambda: next(seconds)) as writer:
        head = path.stat().st_size
        for item in found:
            writer.write(item)
            writer.flush()
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    cut = data.draw(st.integers(head, len(whole)))
    path.write_bytes(whole[:cut])
    got = read(path)
    assert got == found[: len(got)]
    assert len(got) >= sum(end <= cut for end in ends)


@given(st.binary(max_size=400), st.sampled_from([b"", *map(bytes, ([0xD4, 0xC3, 0xB2, 0xA1],))]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("noise") / "noise"
    path.write_bytes(head + noise)
    with suppress(errors.DsmrError):
        read(path)


@given(st.lists(items, min_size=1, max_size=4), st.data())
def test_one_wrong_byte_in_a_capture_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, found: list[Item], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("wrong") / "frames.pcapng"
    whole = bytearray(written(path, found))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    with suppress(errors.DsmrError):
        read(path)


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
def test_lines_come_in_any_slices(lines: list[bytes], data: st.DataObject) -> None:
    head = b'{"dsmrctl_recording":1,"kind":"telegrams","started":"2026-11-24T00:00:00+00:00"}\n'
    good = b'{"t":1.5,"from":"a","data":"/x"}\n'
    text = head + b"".join(good + line.replace(b"\n", b"") + b"\n" for line in lines)
    at_once = LineReader("one")
    expected = at_once.feed(text)
    assert len(expected) >= len(lines)
    sliced = LineReader("two")
    got = []
    while text:
        size = data.draw(st.integers(1, len(text)))
        got += sliced.feed(text[:size])
        text = text[size:]
    assert (got, sliced.skipped) == (expected, at_once.skipped)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"{}",
        b'{"t":1}',
        b'{"t":"1","data":"x"}',
        b'{"t":1e400,"data":"x"}',
        b'{"t":NaN,"data":"x"}',
        b'{"t":1,"data":7}',
        b'{"t":1,"data_b64":"*"}',
        b'{"t":1,"from":7,"data":"x"}',
        b'{"t":1' + b"0" * 5000 + b',"data":"x"}',
        b"[" * 50_000,
        b'{"t":1,"data":"\xff"}',
    ],
)
def test_a_bad_line_is_skipped_and_told(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "bad.ndjson"
    found = [Item(START_NS // 1000 * 1000, "10.0.0.1:1", FRAME)]
    head, good = written(path, found).splitlines(keepends=True)
    path.write_bytes(head + line + b"\n\n" + good)
    notes: list[str] = []
    assert read(path, on_note=notes.append) == found
    assert notes == [f"{path}: 1 lines could not be read and were skipped"]


@pytest.mark.slow
def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "endless.ndjson.gz"
    head = b'{"dsmrctl_recording":1,"kind":"frames","started":"2026-11-24T00:00:00+00:00"}\n'
    with gzip.open(path, "wb") as file:
        file.write(head)
        for _ in range(200):
            file.write(b" " * (1 << 20))
    with pytest.raises(errors.BadData, match="line 2 has no end"):
        read(path)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (b"", errors.BadData, "is empty"),
        (b"/KFM5KAIFA-METER\r\n", errors.BadData, "is no recording"),
        (b'{"dsmrctl_recording":2,"kind":"frames"}\n', errors.BadData, "newer kind"),
        (b'{"dsmrctl_recording":1,"kind":"cats"}\n', errors.BadData, "neither"),
    ],
)
def test_what_is_no_recording_is_refused_with_what_to_do(
    tmp_path: Path, text: bytes, error: type[errors.DsmrError], match: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(text)
    with pytest.raises(error, match=match) as raised:
        read(path)
    assert raised.value.hint


def test_a_recording_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"growing{suffix}"
        seconds = iter(range(100))
        with create(
            path, "frames", started_ns=START_NS, clock=lambda ticks=seconds: next(ticks)
        ) as writer:
            for number in range(3):
                writer.write(Item(START_NS, "10.0.0.1:1", b"%d" % number))
                writer.flush()
                assert [item.data for item in read(path)] == [b"%d" % n for n in range(number + 1)]


def test_nothing_is_written_over_and_a_suffix_is_needed(tmp_path: Path) -> None:
    (tmp_path / "there.ndjson").write_text("mine")
    with pytest.raises(errors.Refused, match="there already"):
        create(tmp_path / "there.ndjson", "frames", started_ns=0)
    assert (tmp_path / "there.ndjson").read_text() == "mine"
    for name, kind in (("frames.txt", "frames"), ("telegrams.pcapng", "telegrams")):
        with pytest.raises(errors.UsageError, match="how to record") as raised:
            create(tmp_path / name, kind, started_ns=0)  # type: ignore[arg-type]
        assert ".ndjson.gz" in (raised.value.hint or "")
    with pytest.raises(errors.NotFound, match="no folder"):
        create(tmp_path / "none" / "x.ndjson", "frames", started_ns=0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_ends_the_recording_with_what_is_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"full{suffix}"
    limit = 20_000

    def small() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    program = f"""
import os, pathlib
from dsmrctl import errors
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.writing import create
now = 0.0
try:
    with create(pathlib.Path({str(path)!r}), "frames", started_ns=0, clock=lambda: now) as writer:
        for number in range(2000):
            now += 1
            writer.write(Item(number * 10**9, "10.0.0.1:1", os.urandom(20).hex().encode()))
            writer.flush()
except errors.DsmrError as error:
    print(error.message, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, preexec_fn=small, capture_output=True, text=True
    )
    said = re.search(
        r"file too large: \S+ ends here, with (?:at least )?the first (\d+)", done.stdout
    )
    assert said, done
    found = read(path)
    assert len(found) > 50
    # A whole file is no worse for it; of a packed one more may be had than was counted.
    assert len(found) == int(said[1]) or (suffix.endswith(".gz") and len(found) > int(said[1]))
    assert [item.time_ns for item in found] == [n * 10**9 for n in range(len(found))]
    assert path.stat().st_size <= limit


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b'{"dsmrctl_recording":1,"kind":"frames","started":"2026-11-24T00:00:00+00:00"}\n'
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", 0) as pipe:
        stdin = io.TextIOWrapper(file)
        monkeypatch.setattr(sys, "stdin", stdin)
        pipe.write(head + b'{"t":1,"from":"1.2.3.4:5","data":"a"}\n')
        with open_recording(None) as recording:
            assert next(iter(recording)).data == b"a"  # though no end has come
            pipe.write(json.dumps({"t": 2, "from": "", "data": "b"}).encode() + b"\n")
            assert next(iter(recording)).data == b"b"
        stdin.detach()
