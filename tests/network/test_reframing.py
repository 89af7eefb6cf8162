"""Frames of a recording made current and signed anew; what cannot be goes as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core.signature import Gate
from dsmrctl.network.reframing import Reframer

KEY = b"an invented key!"
NOW = 1_795_000_000.0


def frames(version: int = 2, count: int = 5, first: int = 59 * 60 + 58) -> Iterator[bytes]:
    for n in range(count):
        minute, second = divmod((first + n) % 3600, 60)
        yield core.build((n, 0, 351, 0, 1, minute, second, 0, 0, 0), version)


def reframer(**more: object) -> Reframer:
    return Reframer(now=lambda: NOW, offset_s=lambda at: 3600, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [1, 2])
def test_the_first_becomes_now_and_the_others_move_along(version: int) -> None:
    change = reframer(current=True)
    found = [core.read(change(data)) for data in frames(version)]
    # 1 795 000 000 s is 11:06:40 UTC.
    assert [(f.minute, f.second) for f in found] == [(6, 40 + n) for n in range(5)]
    assert [f.import_t1_wh for f in found] == list(range(5))
    change.again()
    assert core.read(change(next(frames(version)))).second == 40


@given(
    st.lists(st.integers(0, 999999999), min_size=2, max_size=2),
    st.integers(0, 3599),
    st.lists(st.integers(0, 9999), max_size=6),
    st.sampled_from(["", " ", "\t", "\n  "]),
    st.text(max_size=10),
)
def test_only_minute_and_second_become_others(
    registers: list[int], clock: int, tail: list[int], blank: str, other: str
) -> None:
    minute, second = divmod(clock, 60)
    numbers = [*registers, 1, 2, 1, minute, second, *tail]
    array = f"[{blank}" + f"{blank},{blank}".join(map(str, numbers)) + f"{blank}]"
    text = json.dumps({"x": other})[:-1] + f',{blank}"dsmr"{blank}:{blank}{array}}}'
    data = text.encode("utf-8", "surrogatepass")
    change = reframer(current=True)
    made = change(data)
    if change.kept:
        assert made == data
        return
    before, after = json.loads(data), json.loads(made)
    assert after["dsmr"][5:7] == [6, 40]
    assert after["dsmr"][:5] + after["dsmr"][7:] == before["dsmr"][:5] + before["dsmr"][7:]
    assert after["x"] == before["x"]
    assert len(data) - len(made) in range(-2, 3)


@pytest.mark.parametrize("step", [0, 1, 7])
def test_signed_frames_are_each_newer_than_the_last(step: int) -> None:
    now = NOW
    change = Reframer(key=KEY, now=lambda: now, offset_s=lambda at: 0)
    gate = Gate(KEY)
    for data in frames(count=20):
        made = change(data)
        assert gate.take(made).values == core.read(data).values
        now += step
    assert change.ahead_s == (19 if step == 0 else 0)


def test_a_signed_frame_is_signed_anew_or_left_alone() -> None:
    signed = [Reframer(key=b"somebody else's key", now=lambda: NOW - 9e6)(d) for d in frames()]
    change = reframer(current=True, key=KEY)
    gate = Gate(KEY)
    assert [gate.take(change(data)).second for data in signed] == [40, 41, 42, 43, 44]
    assert not change.kept
    change = reframer(current=True)
    assert [change(data) for data in signed] == signed
    assert change.kept == {"signed": 5}


def test_what_is_no_frame_goes_as_it_was() -> None:
    change = reframer(current=True, key=KEY)
    for data in (b"", b"hello", b'{"dsmr":[1]}', b"\xff" * 600):
        assert change(data) == data
    old = next(frames(version=1))
    assert core.read(change(old)).second == 40
    assert change.kept == {"no-frame": 4, "unsignable": 1}


def test_at_the_clocks_own_speed_frames_are_held_to_it() -> None:
    now = NOW

    def made(change: Reframer, n: int) -> int:
        (data,) = frames(count=1, first=n)
        frame = core.read(change(data))
        return (frame.minute or 0) * 60 + (frame.second or 0)

    live = Reframer(current=True, live=True, now=lambda: now, offset_s=lambda at: 0)
    fast = Reframer(current=True, now=lambda: now, offset_s=lambda at: 0)
    began = int(NOW) % 3600
    assert made(live, 100) == made(fast, 100) == began
    # A frame that comes a little early or late keeps its own second: none comes twice.
    now += 2
    assert made(live, 101) == made(fast, 101) == (began + 1) % 3600
    # This computer slept: the next frame of the recording is one of now.
    now += 1000
    assert made(live, 102) == (began + 1002) % 3600
    assert made(fast, 102) == (began + 2) % 3600
    assert made(live, 103) == (began + 1003) % 3600


@pytest.mark.parametrize(
    "text",
    [
        '{"dsmr":[1,2,3,4,1,5,6],"dsmr":[1,2,3,4,1,7,8]}',
        '{"x":{"dsmr":[1,2,3,4,1,5,6]},"dsmr":[1,2,3,4,1,7,8]}',
        '{"\\u0064smr":[1,2,3,4,1,5,6],"dsmr":[1,2,3,4,1,7,8]}',
    ],
)
def test_json_that_names_it_twice_is_right_or_left_alone(text: str) -> None:
    change = reframer(current=True)
    made = change(text.encode())
    if change.kept:
        assert made == text.encode()
    else:
        assert (core.read(made).minute, core.read(made).second) == (6, 40)


def test_a_signed_recording_without_a_key_is_said_to_be_refused() -> None:
    (signed,) = [Reframer(key=KEY, now=lambda: NOW)(data) for data in frames(count=1)]
    change = reframer()
    assert change(signed) == signed
    assert change(next(frames())) == next(frames())
    assert change.kept == {"old-counter": 1}


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9]} \r\n', True),
        (b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9],"x":"y"}', True),
        (b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9],"x":"%s"}' % (b"y" * 440), False),
        (b'{"dsmr":[1,2,3,4,1,5,6],"v":2}', False),
        (b'{"dsmr":[1,2,3,4,1,5,6,7,8,9]}', False),
    ],
)
def test_what_is_signed_is_taken_by_a_board_and_the_rest_is_told(data: bytes, signed: bool) -> None:
    change = reframer(key=KEY)
    made = change(data)
    if signed:
        assert Gate(KEY).take(made).values[:7] == (1, 2, 3, 4, 1, 5, 6)
        assert not change.kept
    else:
        assert made == data
        assert sum(change.kept.values()) == 1


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=30),
    st.integers(0, 2),
)
def test_counters_grow_whatever_the_clock_does(steps: list[float], loops: int) -> None:
    now = NOW
    change = Reframer(key=KEY, current=True, live=True, now=lambda: now, offset_s=lambda at: 0)
    gate = Gate(KEY)
    for _ in range(loops + 1):
        for data, step in zip(frames(count=len(steps)), steps, strict=True):
            now += step
            gate.take(change(data))
        change.again()
    assert gate.refused == 0
