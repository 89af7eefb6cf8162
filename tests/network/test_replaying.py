"""The engine of replay, by a clock that is not waited for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.network.multicast import NetworkDown, Receiver, Sender
from dsmrctl.network.reframing import Reframer
from dsmrctl.network.replaying import HELD_UP_S, Replay
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import create

START_NS = 1_795_000_000 * 10**9


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


def test_a_meter_that_sends_every_ten_seconds_makes_no_pauses() -> None:
    told: list[float] = []
    played(items(0, 10, 20, 30, 61), Clock(), on_pause=told.append)
    assert told == [31.0]


def test_what_overtook_another_on_the_way_to_the_file_moves_no_deadline() -> None:
    # As two processors write into one capture: each pair a millisecond in the wrong order.
    swapped = [at for n in range(50) for at in (n + 0.001, n)]
    sent, replay = played(items(*swapped), Clock())
    assert replay.report.set_back == 0
    assert sent[-2:] == pytest.approx([49, 49], abs=1e-3)


def test_a_damaged_time_asks_no_system_to_sleep_for_centuries() -> None:
    slept: list[float] = []
    clock = Clock()
    replay = Replay(
        lambda data: None,
        speed=0.001,
        clock=clock,
        wait=lambda seconds: (slept.append(seconds), clock.wait(seconds)),  # type: ignore[arg-type,func-returns-value]
    )
    replay.run(items(0, 3600))
    assert max(slept) <= 3600
    assert sum(slept) == pytest.approx(3_600_000, abs=1)


def test_a_computer_that_slept_while_it_waited_makes_no_record_of_lateness() -> None:
    clock = Clock()
    sent: list[float] = []
    waits = itertools.count(1)

    def wait(seconds: float) -> None:
        clock.wait(seconds + (7200 if next(waits) == 3 else 0))

    replay = Replay(lambda data: sent.append(clock.now), clock=clock, wait=wait)
    replay.run(items(*range(8)))
    gaps = [round(b - a) for a, b in itertools.pairwise(sent)]
    assert gaps == [1, 1, 7201, 1, 1, 1, 1]
    assert replay.report.held_up == 1
    assert (replay.report.late_ms(1.0) or 0) < 1


def test_a_line_that_takes_nothing_says_why() -> None:
    clock = Clock()
    replay = Replay(
        lambda data: "nobody read them in time" if data == b"1" else None,
        clock=clock,
        wait=clock.wait,
    )
    replay.run(items(0, 1, 2))
    assert replay.report.sent == 2
    assert replay.report.not_sent == {"nobody read them in time": 1}


@given(
    st.lists(
        st.one_of(st.binary(max_size=900), st.integers(0, 99).map(lambda n: b'{"dsmr":[%d]}' % n)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([".ndjson", ".ndjson.gz", ".pcapng"]),
    st.sampled_from([".ndjson", ".ndjson.gz", ".pcapng"]),
)
def test_recorded_replayed_and_recorded_again_is_the_same_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[bytes], first: str, second: str
) -> None:
    folder = tmp_path_factory.mktemp("again")
    group, port = "239.255.84.2", 18413
    with create(folder / f"a{first}", "frames", started_ns=START_NS) as writer:
        for n, data in enumerate(wanted):
            writer.write(Item(START_NS + n * 10**6, "10.0.0.1:1", data))
    with (
        Receiver(group, port, ["127.0.0.1"]) as receiver,
        Sender(group, port, ttl=0) as sender,
        open_recording(folder / f"a{first}") as recording,
        create(folder / f"b{second}", "frames", started_ns=START_NS, group=(group, port)) as writer,
    ):
        reframe = Reframer()
        Replay(lambda data: sender.send(reframe(data)), speed=1000.0).run(recording)
        heard = 0
        while heard < len(wanted):
            batch = receiver.receive(2.0)
            assert batch
            heard += len(batch)
            for each in batch:
                writer.write(Item(each.time_ns, f"127.0.0.1:{each.sender[1]}", each.data))
    with open_recording(folder / f"b{second}", port=port) as again:
        assert [item.data for item in again] == wanted
