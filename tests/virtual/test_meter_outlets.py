"""Where telegrams go, for real: pseudo terminals, sockets, files; and when, by a clock given."""

from __future__ import annotations

import errno
import gzip
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsmrctl import errors
from dsmrctl.gateway.tcp_feed import TelegramFeed
from dsmrctl.telegram import Framer, Reject, Telegram, parse
from dsmrctl.telegram.sources import open_source
from dsmrctl.telegram.sources import telegrams as read_telegrams
from dsmrctl.virtual.household import Event, Household
from dsmrctl.virtual.meter import Meter
from dsmrctl.virtual.meter_outlets import (
    FileOutlet,
    HouseholdSource,
    MeterRun,
    Pace,
    PtyOutlet,
    telegrams,
)

START = datetime(2026, 6, 15, 10, 0, tzinfo=UTC)
pty_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")


def new_meter() -> Meter:
    return Meter(Household(START))


def seconds_of(found: list[Telegram]) -> list[int]:
    """How long after the start each telegram is, by the meter's clock."""
    times = [telegram.time for telegram in found]
    return [int((when - START).total_seconds()) for when in times if when]


class Framed:
    """Sorts what a reader got; a telegram that is cut would be a Reject."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.good: list[Telegram] = []
        self.bad: list[Reject] = []

    def feed(self, data: bytes) -> None:
        for item in self.framer.feed(data):
            if isinstance(item, Reject):
                self.bad.append(item)
            else:
                self.good.append(item)


class Collector:
    """An outlet that is a list."""

    def __init__(self, full_after: int | None = None) -> None:
        self.raw: list[bytes] = []
        self.full_after = full_after

    def send(self, raw: bytes) -> None:
        if len(self.raw) == self.full_after:
            raise OSError("No space left")
        self.raw.append(raw)

    def close(self) -> None:
        pass


class Clock:
    """A clock that only moves when somebody waits, or is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


# Time


def test_telegrams_know_no_time_but_the_households() -> None:
    found = [parse(raw) for raw in telegrams(new_meter(), 100, 50)]
    assert seconds_of(found) == list(range(100, 150))
    endless = telegrams(new_meter())
    assert seconds_of([parse(next(endless)) for _ in range(3)]) == [0, 1, 2]


def test_a_pace_has_deadlines_that_do_not_drift() -> None:
    clock = Clock()
    pace = Pace(1.0, 7, clock)
    assert pace.left_s(7) == 0
    second = 7
    for _ in range(1000):
        clock.now += 0.3  # the work of sending
        second = pace.follow(second)
        clock.now += pace.left_s(second)
    assert second == 1007
    assert clock.now == pytest.approx(2000.0)


def test_a_pace_may_be_faster_or_as_fast_as_one_can() -> None:
    clock = Clock()
    fast = Pace(60.0, 0, clock)
    assert fast.left_s(0) == 0
    assert fast.left_s(120) == pytest.approx(2.0)
    free = Pace(None, 0, clock)
    assert free.left_s(10**9) == 0
    clock.now += 10**6
    assert free.follow(5) == 6


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_after_a_sleep_the_meter_is_at_the_present_second(speed: float) -> None:
    clock = Clock()
    pace = Pace(speed, 0, clock)
    pace.left_s(0)
    clock.now += 3.0  # a hiccup is caught up with
    assert pace.follow(0) == 1
    clock.now += 3600.0
    assert pace.follow(1) == int(3603 * speed)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(errors.UsageError):
        Pace(speed)


# The household as a source


def test_the_household_is_a_source_like_any_other() -> None:
    clock = Clock()
    with HouseholdSource(new_meter(), clock=clock, wait=clock.wait) as source:
        assert source.live
        found = list(read_telegrams(source, count=5, timeout=10, clock=clock))
    assert not any(isinstance(item, Reject) for item in found)
    assert clock.waits == pytest.approx([1.0] * 4)


def test_a_source_waits_no_longer_than_it_is_told() -> None:
    clock = Clock()
    source = HouseholdSource(new_meter(), speed=0.1, count=2, clock=clock, wait=clock.wait)
    assert source.read(0)
    assert source.read(4) == b""
    assert source.read(0) == b""
    assert clock.now == 1004.0
    second = source.read(None)
    assert second
    assert parse(second).time == START.replace(second=1)
    assert clock.now == pytest.approx(1010.0)
    assert source.read(0) is None


def test_without_a_meter_it_is_a_house_of_today() -> None:
    source = HouseholdSource(count=1)
    raw = source.read()
    assert raw
    telegram = parse(raw)
    assert telegram.time is not None
    assert abs((telegram.time - datetime.now(UTC)).total_seconds()) < 10
    assert len(telegram.peaks) == 13


# A running meter


def test_a_run_sends_to_all_outlets_and_ends_by_its_count() -> None:
    one, other = Collector(), Collector()
    with MeterRun(new_meter(), [one, other], speed=None, first_s=3, count=40) as run:
        assert run.wait(30)
    assert run.sent == 40
    assert one.raw == other.raw == list(telegrams(new_meter(), 3, 40))


@pytest.mark.slow
def test_a_run_in_real_time_keeps_to_the_clock() -> None:
    out = Collector()
    began = time.monotonic()
    with MeterRun(new_meter(), [out], speed=100.0, count=61) as run:
        assert run.wait(30)
    assert time.monotonic() - began >= 0.6
    assert seconds_of([parse(raw) for raw in out.raw])[0] == 0


def test_a_run_ends_with_its_block_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with MeterRun(new_meter(), [Collector()], speed=0.001) as run:
        assert not run.wait(0.01)
    assert threading.active_count() == before
    run.close()


def test_what_stops_a_run_is_told_to_who_waits() -> None:
    run = MeterRun(new_meter(), [Collector(full_after=3)], speed=None)
    with pytest.raises(OSError, match="No space"), run:
        run.wait(30)
    assert run.sent == 3


def test_boards_switch_between_two_telegrams() -> None:
    meter = Meter(Household.scripted(START, [Event(0, "load", 100)]))
    out = Collector()

    def switch(second: int) -> None:
        if second == 5:
            meter.household.set_load("boiler", 2000, second)

    with MeterRun(meter, [out], speed=None, count=10, before_second=switch) as run:
        assert run.wait(30)
    powers = [parse(raw)["1-0:1.7.0"].measurement for raw in out.raw]
    assert [int(power.number * 1000) for power in powers if power] == [0] + [100] * 6 + [2100] * 3


# A file


def test_a_file_holds_every_telegram(tmp_path: Path) -> None:
    path = tmp_path / "telegrams.txt"
    with FileOutlet(path) as out, MeterRun(new_meter(), [out], speed=None, count=30) as run:
        assert run.wait(30)
    with FileOutlet(path, append=True) as out:
        out.send(new_meter().telegram(30))
    framed = Framed()
    framed.feed(path.read_bytes())
    assert not framed.bad
    assert seconds_of(framed.good) == list(range(31))
    packed = tmp_path / "telegrams.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with open_source(str(packed)) as source:
        assert len(list(read_telegrams(source))) == 31


# A pseudo terminal


@pytest.fixture
def port() -> Iterator[PtyOutlet]:
    with PtyOutlet() as outlet:
        yield outlet


def drain(file: int, framed: Framed) -> None:
    while select.select([file], [], [], 0.2)[0]:
        framed.feed(os.read(file, 4096))


@pytest.mark.slow
@pty_only
def test_a_pty_is_a_serial_port_with_a_meter(port: PtyOutlet) -> None:
    framed = Framed()
    with open_source(port.path) as source:
        assert source.read(0) == b""  # open now
        with MeterRun(new_meter(), [port], speed=50.0, count=30):
            # A computer that is busy may let a telegram go by; it never gets half of one.
            latest = time.monotonic() + 20
            while len(framed.good) + port.dropped < 30 and time.monotonic() < latest:
                framed.feed(source.read(0.2) or b"")
    assert len(framed.good) + port.dropped == 30
    assert not framed.bad
    assert len(framed.good) >= 4
    assert seconds_of(framed.good)[0] == 0
    assert seconds_of(framed.good) == sorted(set(seconds_of(framed.good)))


@pty_only
def test_a_pty_nobody_reads_does_not_hold_the_meter_up(port: PtyOutlet) -> None:
    began = time.monotonic()
    for raw in telegrams(new_meter(), count=500):
        port.send(raw)
    assert time.monotonic() - began < 5
    # In a burst Linux keeps up to 64 KB; a telegram a second never fills more than 4.
    assert port.dropped >= 400
    # Who comes late gets a few old ones, whole, and then what is new.
    reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        framed = Framed()
        drain(reader, framed)
        old = len(framed.good)
        assert old == 500 - port.dropped > 0
        meter = new_meter()
        for second in range(1000, 1020):
            assert port.send(meter.telegram(second))
            drain_one(reader, framed)
    finally:
        os.close(reader)
    assert not framed.bad
    assert seconds_of(framed.good)[old:] == list(range(1000, 1020))


def drain_one(file: int, framed: Framed) -> None:
    wanted = len(framed.good) + 1
    while len(framed.good) < wanted and select.select([file], [], [], 5)[0]:
        framed.feed(os.read(file, 4096))


@pty_only
def test_a_telegram_longer_than_the_pty_holds_still_arrives_whole(port: PtyOutlet) -> None:
    meter = new_meter()
    meter.message = "A" * 1024
    reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        framed = Framed()
        for second in range(20):
            port.send(meter.telegram(second))
        drain(reader, framed)
    finally:
        os.close(reader)
    assert framed.good
    assert not framed.bad


@pty_only
def test_readers_of_a_pty_come_and_go(port: PtyOutlet) -> None:
    meter = new_meter()
    for turn in range(3):
        reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        framed = Framed()
        assert port.send(meter.telegram(turn))
        drain_one(reader, framed)
        os.close(reader)
        assert seconds_of(framed.good) == [turn]


def read_at_end(file: int) -> bytes:
    try:
        return os.read(file, 1)
    except OSError as error:
        if error.errno != errno.EIO:  # so Linux says that the other side hung up
            raise
        return b""


@pty_only
def test_a_closed_pty_is_the_end_for_its_reader() -> None:
    port = PtyOutlet()
    reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        port.close()
        port.close()
        assert read_at_end(reader) == b""
    finally:
        os.close(reader)


# TCP


def test_many_readers_on_tcp_get_every_telegram() -> None:
    with TelegramFeed(port=0) as feed:
        readers = [socket.create_connection(("127.0.0.1", feed.port), 10) for _ in range(3)]
        assert feed.readers == 3
        with MeterRun(new_meter(), [feed], speed=200.0, count=40) as run:
            for reader in readers:
                framed = Framed()
                while len(framed.good) < 40:
                    framed.feed(reader.recv(4096))
                assert not framed.bad
                assert seconds_of(framed.good) == list(range(40))
            assert run.wait(30)
        for reader in readers:
            reader.close()
    assert feed.dropped == 0


@pytest.mark.slow
def test_a_slow_reader_on_tcp_loses_telegrams_and_delays_nobody() -> None:
    with TelegramFeed(port=0) as feed:
        slow = socket.create_connection(("127.0.0.1", feed.port), 10)
        assert feed.readers == 1
        out = Collector()
        with MeterRun(new_meter(), [feed, out], speed=None, count=20_000) as run:
            assert run.wait(60)
        assert len(out.raw) == 20_000
        assert feed.dropped > 1000
        feed.close()
        framed = Framed()
        while data := slow.recv(1 << 16):
            framed.feed(data)
        slow.close()
    assert len(framed.good) > 10
    assert not framed.bad
    assert seconds_of(framed.good) == sorted(set(seconds_of(framed.good)))
