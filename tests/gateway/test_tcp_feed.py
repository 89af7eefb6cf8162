"""Telegrams to many readers: whole or not at all, and nobody waits for a slow one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import serial
from dsmr_parser import telegram_specifications
from dsmr_parser.clients.telegram_buffer import TelegramBuffer
from dsmr_parser.parsers import TelegramParser
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.gateway.tcp_feed import TelegramFeed, _refused, parse_address
from dsmrctl.telegram.crc import crc16


def telegram(number: int, padding: int = 0) -> bytes:
    """A Belgian telegram that says which it is, `padding` bytes longer than need be."""
    filler = b"".join(b"0-0:96.13.0(%s)\r\n" % (b"41" * 30) for _ in range(padding // 77))
    body = (
        b"/FLU5\\253769484_A\r\n\r\n0-0:96.1.4(50217)\r\n0-0:1.0.0(261123100000W)\r\n"
        b"1-0:1.8.1(%010.3f*kWh)\r\n1-0:1.7.0(00.411*kW)\r\n%s!" % (number / 1000, filler)
    )
    return body + b"%04X\r\n" % crc16(body)


def until(condition: Callable[[], object], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)


def connect(feed: TelegramFeed) -> socket.socket:
    return socket.create_connection(("127.0.0.1", feed.port), timeout=10)


def fill(feed: TelegramFeed) -> list[int]:
    """Send until the only reader, who does not read, has no room left. Which ones it was given."""
    given: list[int] = []
    missed_in_a_row = number = 0
    while missed_in_a_row < 20:
        number += 1
        assert number < 900
        before = feed.dropped
        feed.send(telegram(number, padding=6000))
        missed_in_a_row = missed_in_a_row + 1 if feed.dropped > before else 0
        given += [number] if feed.dropped == before else []
    return given


def whole_telegrams(received: bytes) -> list[int]:
    """The numbers of the telegrams in it. Fails on a byte that belongs to no whole telegram."""
    numbers = []
    for piece in received.split(b"/FLU5")[1:]:
        body, crc = b"/FLU5" + piece[: piece.index(b"!") + 1], piece[piece.index(b"!") + 1 :]
        assert crc == b"%04X\r\n" % crc16(body)
        numbers.append(round(float(body.partition(b"1.8.1(")[2].partition(b"*")[0]) * 1000))
    assert received.startswith(b"/FLU5") or not received
    return numbers


@pytest.fixture
def feed() -> Iterator[TelegramFeed]:
    with TelegramFeed(port=0) as opened:
        yield opened


def test_ten_readers_all_get_every_telegram(feed: TelegramFeed) -> None:
    readers = [connect(feed) for _ in range(10)]
    assert feed.readers == 10
    sent = [telegram(number) for number in range(1, 51)]
    for raw in sent:
        feed.send(raw)
    expected = b"".join(sent)
    for reader in readers:
        with reader, reader.makefile("rb") as stream:
            assert stream.read(len(expected)) == expected
    assert feed.dropped == 0


def test_a_reader_that_comes_later_begins_with_a_whole_telegram(feed: TelegramFeed) -> None:
    feed.send(telegram(1))
    with connect(feed) as reader:
        feed.send(telegram(2))
        feed.close()
        assert whole_telegrams(reader.makefile("rb").read()) == [2]


@pytest.mark.slow
def test_home_assistants_reader_parses_what_pyserial_reads_from_the_socket(
    feed: TelegramFeed,
) -> None:
    parser = TelegramParser(telegram_specifications.BELGIUM_FLUVIUS)
    buffer = TelegramBuffer()
    found: list[float] = []
    with serial.serial_for_url(f"socket://127.0.0.1:{feed.port}", timeout=0.05) as port:
        for number in range(1, 6):
            feed.send(telegram(number))
            deadline = time.monotonic() + 10
            while len(found) < number and time.monotonic() < deadline:
                buffer.append(port.read(4096).decode("ascii"))
                found += [
                    float(vars(parser.parse(text))["ELECTRICITY_USED_TARIFF_1"].value)
                    for text in buffer.get_all()
                ]
    assert found == [0.001, 0.002, 0.003, 0.004, 0.005]


@pytest.mark.slow
def test_a_stuck_reader_neither_stalls_the_others_nor_gets_a_torn_telegram(
    feed: TelegramFeed,
) -> None:
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", feed.port))
    stuck.settimeout(10)
    received = bytearray()

    def read(reader: socket.socket) -> None:
        while data := reader.recv(65536):
            received.extend(data)

    slowest = 0.0
    total = 600
    with stuck, connect(feed) as lively:
        reading = threading.Thread(target=read, args=(lively,))
        reading.start()
        for number in range(1, total + 1):
            raw = telegram(number, padding=1500)
            before = time.perf_counter()
            feed.send(raw)
            slowest = max(slowest, time.perf_counter() - before)
            goal = number * len(telegram(1, padding=1500))
            until(lambda goal=goal: len(received) >= goal)
        assert feed.readers == 2
        assert feed.dropped > 100
        dropped = feed.dropped
        feed.close()
        reading.join(10)
        late = whole_telegrams(stuck.makefile("rb").read())
    assert whole_telegrams(bytes(received)) == list(range(1, total + 1))
    # What it was given is complete and in order; the rest it missed.
    assert late == sorted(set(late))
    assert late[0] == 1
    assert len(late) + dropped == total
    assert slowest < 2  # a call that waited would wait for good


def test_a_reader_that_wakes_up_goes_on_with_whole_telegrams(feed: TelegramFeed) -> None:
    sleeper = socket.socket()
    sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sleeper.connect(("127.0.0.1", feed.port))
    sleeper.settimeout(0.05)
    with sleeper:
        given = fill(feed)
        missed, number = 1000, 1001
        feed.send(telegram(missed))
        received = bytearray()

        def drain() -> None:
            while True:
                try:
                    received.extend(sleeper.recv(65536))
                except TimeoutError:
                    return

        def awake() -> bool:
            drain()
            feed.send(telegram(number))
            return received.endswith(telegram(number))

        until(awake)
    numbers = whole_telegrams(bytes(received))
    assert numbers[: len(given)] == given
    assert numbers[-1] == number
    assert missed not in numbers


def test_a_telegram_longer_than_the_buffer_goes_on_where_it_stopped(feed: TelegramFeed) -> None:
    longest = telegram(1, padding=4_000_000)
    with connect(feed) as reader:
        feed.send(longest)
        received = bytearray()
        reader.settimeout(0.01)
        deadline = time.monotonic() + 20
        while len(received) < len(longest) + len(telegram(2)):
            assert time.monotonic() < deadline
            try:
                received.extend(reader.recv(1 << 20))
            except TimeoutError:
                feed.send(telegram(2))
        assert whole_telegrams(bytes(received))[:2] == [1, 2]
        assert feed.dropped > 0


def test_a_reader_that_takes_nothing_for_too_long_is_let_go() -> None:
    now = [0.0]
    with TelegramFeed(port=0, patience_s=60, clock=lambda: now[0]) as feed, connect(feed) as stuck:
        stuck.settimeout(10)
        given = fill(feed)
        now[0] = 59.9
        feed.send(telegram(1))
        assert feed.readers == 1
        now[0] = 60.0
        feed.send(telegram(1))
        assert feed.readers == 0
        # It finds the end of the connection after what it was given, and nothing torn.
        assert whole_telegrams(stuck.makefile("rb").read()) == given


def test_a_silent_meter_does_not_make_readers_slow() -> None:
    now = [0.0]
    with TelegramFeed(port=0, patience_s=60, clock=lambda: now[0]) as feed, connect(feed):
        feed.send(telegram(1))
        now[0] = 86400.0
        feed.send(telegram(2))
        assert feed.readers == 1
        assert feed.dropped == 0


def test_readers_beyond_the_limit_are_sent_away_and_others_stay() -> None:
    with TelegramFeed(port=0, limit=2) as feed:
        with connect(feed) as first, connect(feed) as second, connect(feed) as third:
            until(lambda: feed.readers == 2)
            assert third.recv(1) == b""
            feed.send(telegram(1))
            assert whole_telegrams(first.recv(4096)) == whole_telegrams(second.recv(4096)) == [1]

        def gone() -> bool:
            feed.send(telegram(2))
            return feed.readers == 0

        until(gone)
        with connect(feed) as fourth:
            feed.send(telegram(3))
            assert whole_telegrams(fourth.recv(4096)) == [3]


def test_a_reader_that_talks_or_hangs_up_harms_nobody(feed: TelegramFeed) -> None:
    with connect(feed) as talker, connect(feed) as listener:
        talker.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)
        rude = connect(feed)
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        assert feed.readers == 3
        rude.close()
        talker.shutdown(socket.SHUT_WR)

        def two_left() -> bool:
            feed.send(telegram(1))
            return feed.readers == 2

        until(two_left)
        feed.close()
        assert set(whole_telegrams(talker.makefile("rb").read())) == {1}
        assert set(whole_telegrams(listener.makefile("rb").read())) == {1}


def test_a_port_in_use_is_refused_with_what_to_do(feed: TelegramFeed) -> None:
    with pytest.raises(errors.Refused, match=f"127.0.0.1:{feed.port} is in use") as refused:
        TelegramFeed(port=feed.port)
    assert refused.value.hint is not None
    assert "--tcp" in refused.value.hint


def test_windows_answer_for_a_port_in_use_gets_the_same_advice() -> None:
    told = _refused(OSError(10013, "forbidden by its access permissions"), "127.0.0.1:8088")
    assert "is in use" in told.message
    assert "--tcp" in (told.hint or "")


def test_a_port_is_free_again_at_once_after_the_end() -> None:
    with TelegramFeed(port=0) as first, connect(first) as reader:
        first.send(telegram(1))
        first.close()
        with TelegramFeed(port=first.port) as second:
            assert second.port == first.port
        assert whole_telegrams(reader.makefile("rb").read()) == [1]


@pytest.mark.parametrize("host", ["192.0.2.1", "not an address", "a" * 64 + ".x"])
def test_an_address_of_another_computer_is_refused(host: str) -> None:
    with pytest.raises(errors.Refused, match="no address of this computer"):
        TelegramFeed(host, port=0)


def test_it_listens_on_this_computer_only_unless_told_otherwise(feed: TelegramFeed) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", feed.port), timeout=10)


@pytest.mark.parametrize(
    "text, address",
    [
        ("8088", ("127.0.0.1", 8088)),
        (":8088", ("127.0.0.1", 8088)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:65535", ("::1", 65535)),
        ("meter.local:8088", ("meter.local", 8088)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "0", "65536", "host", "host:", "::1:8088", "1:٣", "9" * 5000])
def test_what_is_no_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(errors.UsageError):
        parse_address(text)


@given(st.text())
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        host, port = parse_address(text)
    except errors.UsageError:
        return
    assert host
    assert 0 < port < 65536
