"""The loop of `serve`: pace, silence, and networks that come and go; time is simulated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from test_frame_maker import NOON, telegram

from dsmrctl import errors
from dsmrctl.gateway.frame_maker import FrameMaker
from dsmrctl.gateway.service import HOUR_S, Gateway, Journal, paced, parse_speed
from dsmrctl.network.multicast import NetworkDown
from dsmrctl.telegram import Reject
from dsmrctl.telegram.sources import Source, telegrams


class SimulatedTime:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


class Line(Source):
    """A meter's line at the edge: what comes after how many seconds."""

    name = "the line"

    def __init__(
        self, clock: SimulatedTime, script: list[tuple[float, bytes]], live: bool = True
    ) -> None:
        self._clock = clock
        self._script = [(clock.now + at, data) for at, data in script]
        self.live = live

    def read(self, timeout: float | None = None) -> bytes | None:
        if not self._script:
            return None
        at, data = self._script[0]
        deadline = self._clock.now + timeout if timeout is not None else at
        if at > deadline:
            self._clock.now = deadline
            return b""
        self._clock.now = max(self._clock.now, at)
        del self._script[0]
        return data


class Network:
    """The edge where datagrams leave; it can be down."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.down = False

    def send(self, data: bytes) -> None:
        if self.down:
            raise NetworkDown("cannot send: network is unreachable")
        self.sent.append(data)


def at(second: int) -> bytes:
    return telegram(NOON + timedelta(seconds=second)).raw


def gateway(network: Any, notes: list[str]) -> Gateway:
    return Gateway(FrameMaker(), network, on_note=notes.append)


def test_a_file_is_played_at_the_pace_of_the_meters_clock() -> None:
    clock = SimulatedTime()
    source = Line(clock, [(0, at(0) + at(1) + at(3) + at(4000))], live=False)
    came = [clock.now - 1000 for _ in paced(telegrams(source), source, clock=clock)]
    # A hole of an hour is not waited for.
    assert came == [0, 1, 3, 4]


def test_speed_and_max_shorten_the_pace() -> None:
    clock = SimulatedTime()
    for speed in (2, None):
        source = Line(clock, [(0, at(0) + at(1) + at(2))], live=False)
        assert len(list(paced(telegrams(source), source, speed, clock))) == 3
        assert clock.now == 1001


def test_a_timeout_does_not_end_a_file_that_is_played_slowly() -> None:
    clock = SimulatedTime()
    source = Line(clock, [(0, b"".join(at(3 * n) for n in range(50)))], live=False)
    items = telegrams(source, timeout=1, clock=clock.monotonic)
    assert len(list(paced(items, source, clock=clock))) == 50


def test_a_silent_meter_is_told_once_and_so_is_its_return() -> None:
    clock, notes = SimulatedTime(), []
    source = Line(clock, [(0, at(0)), (60, at(60)), (61, at(61))])
    journal = Journal(notes.append, clock.monotonic)
    items = list(telegrams(source, on_silence=journal.silence, clock=clock.monotonic))
    assert len(items) == 3
    assert notes == [
        "no telegram for 10 s: boards switch their loads off now",
        "telegrams again, after 60 s",
    ]


def test_noise_does_not_count_as_a_telegram() -> None:
    clock = SimulatedTime()
    source = Line(clock, [(second, b"~" * 20_000) for second in range(100)])
    items = telegrams(source, timeout=5, clock=clock.monotonic)
    assert isinstance(next(items), Reject)
    with pytest.raises(errors.NoAnswer, match="no telegram from the line in 5 s"):
        list(items)
    assert clock.now - 1000 <= 6


def test_every_telegram_gives_one_frame_and_a_bad_one_none() -> None:
    network, notes = Network(), []
    serving = gateway(network, notes)
    for second in range(3):
        assert serving.take(telegram(NOON + timedelta(seconds=second)))
    for _ in range(2):
        assert serving.take(telegram(NOON, **{"import": ""})) is None
    assert (serving.passed, serving.sent, len(network.sent)) == (5, 3, 3)
    assert notes == ["no frame for a telegram: it does not say import_w"]
    assert serving.without_frame.total() == 2


def test_a_network_that_is_away_is_told_once_and_ends_nothing() -> None:
    network, notes = Network(), []
    serving = gateway(network, notes)
    network.down = True
    for second in range(3):
        serving.take(telegram(NOON + timedelta(seconds=second)))
    network.down = False
    serving.take(telegram(NOON + timedelta(seconds=3)))
    assert serving.sent == 1
    assert notes == [
        "frames are not sent: cannot send: network is unreachable",
        "frames are sent again",
    ]


def test_a_reject_is_told_at_once_and_then_once_an_hour_with_its_count() -> None:
    clock, notes = SimulatedTime(), []
    journal = Journal(notes.append, clock.monotonic)
    for _ in range(3):
        journal.rejected("crc", "wrong CRC")
    journal.rejected("garbage", "noise")
    assert notes == ["rejected: wrong CRC", "rejected: noise"]
    clock.now += HOUR_S
    journal.rejected("crc", "wrong CRC")
    assert notes[2:] == ["3 rejected: wrong CRC"]


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "1e9"])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError):
        parse_speed(text)
    assert parse_speed("max") is None
    assert parse_speed("60") == 60
