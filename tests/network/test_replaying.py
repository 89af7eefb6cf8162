"""The engine of replay, by a clock that is not waited for; frames made current and signed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core.signature import Gate
from dsmrctl.network.multicast import NetworkDown, Receiver, Sender
from dsmrctl.network.reframing import Reframer
from dsmrctl.network.replaying import HELD_UP_S, Replay
from dsmrctl.recordings.item import Item

START_NS = 1_795_000_000 * 10**9
KEY = b"an invented key!"
NOW = 1_795_000_000.0


class Clock:
    """Each look takes a microsecond; a sleep as long as it was told, and a little longer."""

    def __init__(self, oversleeps: float = 0.0) -> None:
        self.now = 1000.0
        self.oversleeps = oversleeps

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + self.oversleeps


def items(*seconds: float) -> list[Item]:
    return [
        Item(START_NS + round(at * 1e9), "10.0.0.1:1", b"%d" % n) for n, at in enumerate(seconds)
    ]


def played(found: list[Item], clock: Clock, **more: object) -> tuple[list[float], Replay]:
    sent: list[float] = []
    replay = Replay(
        lambda data: sent.append(clock.now),
        clock=clock,
        wait=clock.wait,
        **more,  # type: ignore[arg-type]
    )
    replay.run(found)
    return [at - sent[0] for at in sent], replay


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=30).map(sorted),
    st.sampled_from([1.0, 60.0, 0.5]),
)
def test_every_item_goes_at_its_time_whatever_sleep_oversleeps(
    times: list[float], speed: float
) -> None:
    sent, replay = played(items(*times), Clock(oversleeps=0.001), speed=speed)
    for at, wanted in zip(sent, times, strict=True):
        # No lateness adds up: the last is as near as the first.
        assert abs(at - (wanted - times[0]) / speed) < 30e-6
    assert replay.report.sent == len(times)
    assert (replay.report.late_ms(0.99) or 0) < 0.03


def test_late_ones_are_told_and_the_next_are_on_time_again() -> None:
    sent, replay = played(items(*range(100)), Clock(oversleeps=0.0115))
    assert sent[99] == pytest.approx(99.01, abs=1e-4)
    assert replay.report.late_ms(0.5) == pytest.approx(10, abs=0.1)


def test_as_fast_as_can_be_waits_for_nothing() -> None:
    clock = Clock()
    _, replay = played(items(0, 50, 3000), clock, speed=None)
    assert clock.now == 1000.0
    assert replay.report.sent == 3
    assert replay.report.late_ms(0.5) is None


def test_a_clock_that_was_set_back_costs_no_time_and_no_item() -> None:
    sent, replay = played(items(0, 1, -3599, -3598, -3597), Clock())
    assert sent == pytest.approx([0, 1, 1, 2, 3], abs=1e-3)
    assert replay.report.set_back == 1


def test_a_computer_that_slept_does_not_send_the_past_at_once() -> None:
    clock = Clock()
    sent: list[float] = []

    def send(data: bytes) -> None:
        sent.append(clock.now)
        if len(sent) == 3:
            clock.now += 3600

    replay = Replay(send, clock=clock, wait=clock.wait)
    replay.run(items(*range(6)))
    assert [round(b - a) for a, b in itertools.pairwise(sent)] == [1, 1, 3600, 1, 1]
    assert replay.report.held_up == 1
    assert HELD_UP_S < 10


def test_pauses_are_told_before_they_are_waited_for_and_can_be_cut() -> None:
    told: list[float] = []
    sent, _ = played(items(0, 1, 3601, 3602), Clock(), speed=60.0, on_pause=told.append)
    assert told == [60.0]
    assert sent[-1] == pytest.approx(3602 / 60, abs=1e-3)
    told.clear()
    sent, _ = played(items(0, 1, 3601, 3602), Clock(), longest_s=2.0, on_pause=told.append)
    assert told == []
    assert sent == pytest.approx([0, 1, 3, 4], abs=1e-3)


def test_a_loop_keeps_the_pace_from_the_last_to_the_first() -> None:
    clock = Clock()
    sent: list[float] = []
    replay = Replay(lambda data: sent.append(clock.now), clock=clock, wait=clock.wait)
    for _ in range(3):
        replay.run(items(0, 1, 2))
    gaps = [b - a for a, b in itertools.pairwise(sent)]
    assert gaps == pytest.approx([1.0] * 8, abs=1e-3)


def test_what_cannot_be_sent_is_counted_by_its_reason_and_the_rest_goes() -> None:
    def send(data: bytes) -> None:
        if data in (b"1", b"2"):
            raise NetworkDown("the network is away")

    clock = Clock()
    replay = Replay(send, clock=clock, wait=clock.wait)
    replay.run(items(0, 1, 2, 3))
    assert replay.report.sent == 2
    assert replay.report.not_sent == {"the network is away": 2}


@given(st.lists(st.binary(min_size=1, max_size=500), min_size=1, max_size=20))
def test_bytes_come_as_they_were_recorded(data: list[bytes]) -> None:
    group, port = "239.255.84.2", 18412
    with (
        Receiver(group, port, ["127.0.0.1"]) as receiver,
        Sender(group, port, ttl=0) as sender,
    ):
        replay = Replay(lambda each: sender.send(Reframer()(each)), speed=None)
        replay.run(Item(START_NS, "", each) for each in data)
        heard: list[bytes] = []
        while len(heard) < len(data):
            batch = receiver.receive(2.0)
            assert batch
            heard += [datagram.data for datagram in batch]
    assert heard == data


# --- frames made fit ------------------------------------------------------------------------------


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
    assert change.kept == {"no-frame": 4, "version-1": 1}
