"""The cable: every byte both ways, the host's rate, pulled and put in again, and nobody there."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.virtual import slip
from dsmrctl.virtual.wire import PtyWire, TcpWire

EVERY_BYTE = bytes(range(256))


def read_all(wire: PtyWire | TcpWire, count: int) -> bytes:
    found = b""
    until = time.monotonic() + 5
    while len(found) < count and time.monotonic() < until:
        found += wire.read(0.1)
    return found


@pytest.fixture
def wire():
    one = PtyWire()
    one.plug()
    yield one
    one.close()


def test_every_byte_goes_both_ways_unchanged(wire: PtyWire) -> None:
    with serial.Serial(wire.path, 115200, timeout=5) as host:
        host.write(EVERY_BYTE * 8)
        assert read_all(wire, 2048) == EVERY_BYTE * 8
        wire.write(EVERY_BYTE * 8)
        assert host.read(2048) == EVERY_BYTE * 8
        # Neither end hears its own.
        assert (host.in_waiting, wire.read(0)) == (0, b"")


@pytest.mark.parametrize("baud", [1200, 74880, 115200, 460800, 921600, 1_500_000])
def test_the_host_s_rate_is_known_also_one_that_no_table_has(wire: PtyWire, baud: int) -> None:
    with serial.Serial(wire.path, baud):
        assert wire.host_baud() == baud


def test_it_has_no_lines_as_a_terminal_has_none(wire: PtyWire) -> None:
    with serial.Serial(wire.path) as host, pytest.raises(OSError, match="Inappropriate ioctl"):
        host.dtr = True


def test_pulled_it_is_gone_and_the_host_told_and_put_in_it_has_the_same_name(
    wire: PtyWire,
) -> None:
    path = wire.path
    host = serial.Serial(path, 115200, timeout=1)
    wire.unplug()
    assert not wire.plugged
    assert not list(Path(path).parent.iterdir())
    with pytest.raises(OSError):  # noqa: PT011 - pyserial's own words for it differ
        host.read(1)
    host.close()
    assert (wire.read(0), wire.host_baud()) == (b"", 0)
    wire.write(b"into the air")
    wire.unplug()
    wire.plug()
    wire.plug()
    assert wire.path == path
    with serial.Serial(path, 115200, timeout=5) as again:
        wire.write(b"hello")
        assert again.read(5) == b"hello"


@pytest.mark.slow
def test_what_nobody_reads_is_lost_and_holds_nobody_up(wire: PtyWire) -> None:
    with serial.Serial(wire.path, 115200, timeout=5) as host:
        start = time.monotonic()
        wire.write(bytes(1 << 20))
        assert time.monotonic() - start < 3
        wire.write(b"later")
        assert host.read(5) == b"later"


def test_a_slow_reader_gets_all_of_it(wire: PtyWire) -> None:
    sent = EVERY_BYTE * 400
    writer = threading.Thread(target=wire.write, args=(sent,))
    with serial.Serial(wire.path, 115200, timeout=5) as host:
        writer.start()
        found = b""
        while len(found) < len(sent):
            time.sleep(0.001)
            part = host.read(min(1000, len(sent) - len(found)))
            assert part
            found += part
    writer.join()
    assert found == sent


def test_closed_nothing_of_it_is_left() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    for _ in range(20):
        wire = PtyWire()
        wire.plug()
        folder = Path(wire.path).parent
        wire.unplug()
        wire.plug()
        wire.close()
        wire.close()
        assert not folder.exists()
    assert open_files() == before


def test_pulled_while_it_is_used_it_takes_nothing_of_another_file() -> None:
    # A number that was closed may be the next file's: it is neither read nor written.
    wire = PtyWire()
    ending = threading.Event()

    def use() -> None:
        while not ending.is_set():
            wire.read(0.001)
            wire.write(b"noise")

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    try:
        for _ in range(50):
            wire.plug()
            wire.unplug()
            pipes = [os.pipe() for _ in range(3)]
            for _, end in pipes:
                os.write(end, b"mine")
            time.sleep(0.0005)
            for begin, end in pipes:
                assert os.read(begin, 100) == b"mine"
                os.close(begin)
                os.close(end)
    finally:
        ending.set()
        for user in users:
            user.join()
        wire.close()


# TCP


def host_of(wire: TcpWire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(wire.path.rpartition(":")[2])), timeout=5)


def test_a_bare_line_by_tcp_one_host_after_another() -> None:
    wire = TcpWire()
    try:
        for _ in range(2):
            with host_of(wire) as host:
                host.sendall(EVERY_BYTE)
                assert read_all(wire, 256) == EVERY_BYTE
                wire.write(EVERY_BYTE)
                assert host.recv(256) == EVERY_BYTE
            assert wire.read(1) == b""  # it went away
            assert wire.host_baud() == 0
    finally:
        wire.close()


def test_pulled_tcp_refuses_and_listens_at_the_same_port_when_it_is_put_in() -> None:
    wire = TcpWire()
    try:
        with host_of(wire) as host:
            host.sendall(b"a")
            assert read_all(wire, 1) == b"a"
            wire.unplug()
            assert host.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            host_of(wire)
        assert (wire.plugged, wire.read(0)) == (False, b"")
        wire.plug()
        with host_of(wire) as host:
            host.sendall(b"b")
            assert read_all(wire, 1) == b"b"
    finally:
        wire.close()


@pytest.mark.slow
def test_a_host_by_tcp_that_reads_nothing_holds_nobody_up_for_ever() -> None:
    wire = TcpWire()
    try:
        with host_of(wire) as host:
            host.sendall(b"a")
            assert read_all(wire, 1) == b"a"
            start = time.monotonic()
            wire.write(bytes(32 << 20))
            assert time.monotonic() - start < 5
    finally:
        wire.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:set:DeprecationWarning")  # pyserial's
def test_rfc2217_carries_every_byte_the_rate_and_both_lines() -> None:
    told: list[tuple[bool, bool]] = []
    wire = TcpWire(lambda dtr, rts: told.append((dtr, rts)))
    ending = threading.Event()
    heard = bytearray()

    def listen() -> None:
        while not ending.is_set():
            heard.extend(wire.read(0.02))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        with serial.serial_for_url(wire.path, 460800, timeout=5) as host:
            assert wire.host_baud() == 460800
            host.dtr, host.rts = False, True
            host.dtr, host.rts = True, False
            assert told[-4:] == [(False, True), (False, True), (True, True), (True, False)]
            host.write(EVERY_BYTE)
            wire.write(EVERY_BYTE)
            assert host.read(256) == EVERY_BYTE
        until = time.monotonic() + 5
        while len(heard) < 256 and time.monotonic() < until:
            time.sleep(0.01)
        assert bytes(heard) == EVERY_BYTE
    finally:
        ending.set()
        listener.join()
        wire.close()


# Frames


@given(st.lists(st.binary(min_size=1, max_size=60)), st.data())
def test_frames_come_whole_however_the_line_cuts_them(
    frames: list[bytes], data: st.DataObject
) -> None:
    noise = st.binary(max_size=5).map(lambda some: some.replace(slip.framed(b"")[:1], b""))
    line = b"".join(slip.framed(frame) + data.draw(noise) for frame in frames)
    ear = slip.Ear()
    found: list[bytes] = []
    while line:
        size = data.draw(st.integers(1, len(line)))
        found += ear.hear(line[:size])
        line = line[size:]
    assert found == frames


def test_a_frame_is_as_rfc_1055_says() -> None:
    assert slip.framed(b"\xc0a\xdb") == b"\xc0\xdb\xdca\xdb\xdd\xc0"
    assert slip.framed(b"\xdb\xdc") == b"\xc0\xdb\xdd\xdc\xc0"


def test_one_that_was_cut_off_does_not_take_the_next_with_it() -> None:
    # The first end after it closes what is left of it; from the second on all is heard.
    ear = slip.Ear()
    line = slip.framed(b"cut off")[:-1] + slip.framed(b"lost") + slip.framed(b"heard")
    assert ear.hear(line)[-1] == b"heard"
