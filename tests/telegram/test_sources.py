"""Every kind of SOURCE, with real ptys, sockets, FIFOs and files."""

from __future__ import annotations

import base64
import errno
import grp
import gzip
import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streams import (
    KEY,
    SEALED,
    SERIAL_CAPTURES,
    line_fed_stream,
    numbered,
    sealed,
    whole_telegrams,
)

from dsmrctl import errors
from dsmrctl.telegram import luxembourg, ports, sources, tcp
from dsmrctl.telegram.framing import Reject
from dsmrctl.telegram.telegram import Telegram

THREE = b"".join(numbered(n) for n in range(3))


def read_all(source: sources.Source) -> bytes:
    with source:
        data = b""
        while (more := source.read()) is not None:
            data += more
        return data


def raws(items: Iterator[Telegram | Reject]) -> list[bytes]:
    return [item.raw for item in items if isinstance(item, Telegram)]


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """A serial line: the meter's end, and the port's name."""
    meter, port = pty.openpty()
    tty.setraw(meter)
    tty.setraw(port)
    yield meter, os.ttyname(port)
    for fd in (meter, port):
        try:
            os.close(fd)
        except OSError:
            pass  # the test pulled the cable


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Run something beside the test; it has ended, without an error, when the test has."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


# --- what a SOURCE is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (None, "serial"),
        ("-", "stdin"),
        ("frames", "frames"),
        ("household", "household"),
        ("tcp://dsmr.local:8088", "tcp"),
        ("/dev/ttyUSB7", "serial"),
        ("/dev/cu.usbserial-1", "serial"),
        ("/dev/serial/by-id/usb-absent", "serial"),
        ("COM3", "serial"),
        ("\\\\.\\COM12", "serial"),
        ("loop://", "serial"),
        ("socket://127.0.0.1:1", "serial"),
        ("rfc2217://127.0.0.1:1", "serial"),
        ("telegrams.txt", "file"),
        ("./frames", "file"),
        ("/dev/null", "file"),
        ("/dev/stdin", "file"),
        ("a\0b", "file"),
    ],
)
def test_a_source_is_known_by_its_form(spec: str | None, kind: str) -> None:
    assert sources.kind(spec) == kind


def test_a_pty_and_a_link_to_one_are_serial_ports(line: tuple[int, str], tmp_path: Path) -> None:
    assert sources.kind(line[1]) == "serial"
    (tmp_path / "meter").symlink_to(line[1])
    assert sources.kind(str(tmp_path / "meter")) == "serial"


@pytest.mark.parametrize("spec", ["frames", "household"])
def test_what_is_no_source_of_telegrams_here_is_refused(spec: str) -> None:
    with pytest.raises(errors.UsageError):
        sources.open_source(spec)


# --- files ---------------------------------------------------------------------------------------


def test_a_file_gives_its_telegrams_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "telegrams.txt"
    file.write_bytes(THREE)
    source = sources.open_source(str(file))
    assert not source.live
    assert source.name == str(file)
    with source:
        assert raws(sources.telegrams(source, timeout=0.01)) == [numbered(n) for n in range(3)]
        assert source.read() is None


def test_count_ends_the_telegrams(tmp_path: Path) -> None:
    file = tmp_path / "telegrams.txt"
    file.write_bytes(b"noise\r\n" + THREE)
    with sources.open_source(str(file)) as source:
        found = list(sources.telegrams(source, count=2))
    assert [type(item).__name__ for item in found] == ["Reject", "Telegram", "Telegram"]


def test_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    with sources.open_source(str(file)) as source:
        assert list(sources.telegrams(source)) == []


@pytest.mark.parametrize("name", ["telegrams.gz", "telegrams.raw"])
def test_gzip_is_known_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(THREE))
    assert read_all(sources.open_source(str(file))) == THREE


def test_gzip_files_appended_to_each_other_are_one(tmp_path: Path) -> None:
    file = tmp_path / "months.gz"
    file.write_bytes(gzip.compress(THREE) + gzip.compress(numbered(7)) + b"\0" * 512)
    assert read_all(sources.open_source(str(file))) == THREE + numbered(7)


def test_a_cut_gzip_file_gives_what_is_there_and_a_note(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(line_fed_stream(), 1)[:-600])
    notes: list[str] = []
    data = read_all(sources.open_source(str(file), on_note=notes.append))
    assert 1000 < len(data) < len(line_fed_stream())
    assert line_fed_stream().startswith(data)
    assert len(notes) == 1
    assert "ends too early" in notes[0]


def test_a_damaged_gzip_file_is_bad_data(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(line_fed_stream()))
    packed[len(packed) // 2] ^= 0xFF
    file = tmp_path / "damaged.gz"
    file.write_bytes(packed)
    with pytest.raises(errors.BadData, match="damaged"):
        read_all(sources.open_source(str(file)))


@pytest.mark.slow
def test_a_gzip_bomb_comes_in_bounded_pieces(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(bytes(50_000_000)))
    with sources.open_source(str(file)) as source:
        assert max(len(data) for data in iter(source.read, None)) <= 1 << 20


@pytest.mark.parametrize("data", [b"\x1f", b"\x1f/no gzip", b"{", b'{"a":1}\n/', b"{" * 5000])
def test_what_only_begins_like_gzip_or_a_recording_is_given_as_it_is(
    data: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "odd"
    file.write_bytes(data)
    assert read_all(sources.open_source(str(file))) == data


def test_follow_waits_for_more_at_the_end_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "growing"
    file.write_bytes(numbered(1) + numbered(2)[:30])
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        with file.open("ab") as more:
            more.write(numbered(2)[30:])

    with sources.open_source(str(file), follow=True, wait=wait) as source:
        assert source.live
        assert raws(sources.telegrams(source, count=2)) == [numbered(1), numbered(2)]
    assert len(waited) == 1


def test_an_absent_file_is_not_found_and_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound) as caught:
        sources.open_source(str(tmp_path / "absent"))
    assert "tcp://" in (caught.value.hint or "")
    with pytest.raises(errors.UsageError, match="directory"):
        sources.open_source(str(tmp_path))


# --- recordings ----------------------------------------------------------------------------------

HEAD = {"dsmrctl_recording": 1, "kind": "telegrams", "started": "2026-01-14T12:00:00Z"}


def recording(*lines: object, head: object = HEAD) -> bytes:
    return b"".join(
        (item if isinstance(item, bytes) else json.dumps(item).encode()) + b"\n"
        for item in (head, *lines)
    )


RECORDED = recording(
    {"t": 0.0, "from": "127.0.0.1:9", "data": numbered(1).decode()},
    {"t": 1.0, "from": "127.0.0.1:9", "data_b64": base64.b64encode(numbered(2)).decode()},
)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_recording_gives_its_telegrams(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_bytes(pack(RECORDED))
    assert read_all(sources.open_source(str(file))) == numbered(1) + numbered(2)


def test_a_torn_last_line_and_bad_lines_are_skipped_with_notes(tmp_path: Path) -> None:
    file = tmp_path / "recording.ndjson"
    bad = [b"{]", b"[1]", b'{"t":1}', b'{"data_b64":"?"}', b'{"data":7}', b""]
    good = json.dumps({"t": 2, "data": numbered(3).decode()}).encode()
    file.write_bytes(recording(*bad, good, good)[:-20])
    notes: list[str] = []
    assert read_all(sources.open_source(str(file), on_note=notes.append)) == numbered(3)
    assert ["5 lines" in note for note in notes] == [True, False]
    assert "torn" in notes[1]


def test_a_recording_of_frames_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "frames.ndjson"
    file.write_bytes(recording(head=HEAD | {"kind": "frames"}))
    with pytest.raises(errors.UsageError, match="recording of frames"):
        read_all(sources.open_source(str(file)))


@pytest.mark.parametrize(
    "head", [HEAD | {"dsmrctl_recording": 2}, HEAD | {"kind": 5}, HEAD | {"dsmrctl_recording": "x"}]
)
def test_a_recording_of_another_kind_is_bad_data(head: object, tmp_path: Path) -> None:
    file = tmp_path / "other.ndjson"
    file.write_bytes(recording(head=head))
    with pytest.raises(errors.BadData):
        read_all(sources.open_source(str(file)))


def test_a_recording_line_without_end_takes_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "endless.ndjson"
    file.write_bytes(recording(b'{"data":"' + b"x" * 1_000_000))
    with pytest.raises(errors.BadData):
        list(iter(sources.open_source(str(file)).read, None))


# --- standard input and FIFOs --------------------------------------------------------------------

READ_STDIN = """
import sys
from dsmrctl.telegram import sources
with sources.open_source("-") as source:
    sys.stdout.write(f"{source.live} {source.name}\\n")
    for item in sources.telegrams(source, timeout=20):
        sys.stdout.write(f"{type(item).__name__} {len(item.raw)}\\n")
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read_from_a_pipe(pack: Callable[[bytes], bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_STDIN], input=pack(THREE), capture_output=True, check=True
    )
    size = len(numbered(0))
    assert done.stdout.decode().splitlines() == ["True standard input"] + [f"Telegram {size}"] * 3


def test_standard_input_from_a_file_is_not_live(tmp_path: Path) -> None:
    file = tmp_path / "telegrams"
    file.write_bytes(THREE)
    with file.open("rb") as opened:
        done = subprocess.run(
            [sys.executable, "-c", READ_STDIN], stdin=opened, capture_output=True, check=True
        )
    assert done.stdout.startswith(b"False standard input")
    assert done.stdout.count(b"Telegram") == 3


def test_without_standard_input_it_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(errors.UsageError):
        sources.open_source("-")


def test_a_fifo_waits_for_its_writer_and_ends_with_it(
    tmp_path: Path, in_background: Callable[[Callable[[], object]], None]
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with sources.open_source(str(fifo)) as source:
        assert source.live
        assert source.read(0.01) == b"", "nobody writes yet"
        in_background(lambda: fifo.write_bytes(THREE))
        assert raws(sources.telegrams(source, timeout=20)) == [numbered(n) for n in range(3)]
        assert source.read() is None


def test_bytes_one_by_one_through_a_fifo_are_known_as_gzip(
    tmp_path: Path, in_background: Callable[[Callable[[], object]], None]
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write() -> None:
        with fifo.open("wb", buffering=0) as opened:
            for byte in gzip.compress(RECORDED):
                opened.write(bytes([byte]))

    with sources.open_source(str(fifo)) as source:
        in_background(write)
        assert raws(sources.telegrams(source, timeout=20)) == [numbered(1), numbered(2)]


# --- serial ports --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SERIAL_CAPTURES, ids=lambda path: path.stem)
@pytest.mark.slow
def test_a_stream_through_a_pty_at_full_speed_gives_every_whole_telegram_once(
    path: Path, line: tuple[int, str], in_background: Callable[[Callable[[], object]], None]
) -> None:
    stream = path.read_bytes()
    with sources.open_source(line[1]) as source:
        assert source.live
        in_background(lambda: write_all(line[0], stream))
        found: list[Telegram | Reject] = []
        with pytest.raises(errors.NoAnswer, match="no telegram"):
            found.extend(sources.telegrams(source, timeout=1.0))
    assert [raw.strip() for raw in raws(iter(found))] == whole_telegrams(stream)


def test_a_telegram_is_there_as_soon_as_it_has_come(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]) as source:
        for n in range(5):
            write_all(line[0], numbered(n))
            started = time.monotonic()
            assert raws(sources.telegrams(source, count=1)) == [numbered(n)]
            assert time.monotonic() - started < 0.4, "it must not wait for a full buffer"


def test_a_silent_port_is_no_answer_with_a_hint(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]) as source:
        assert source.read(0.01) == b""
        with pytest.raises(errors.NoAnswer, match="nothing came") as caught:
            list(sources.telegrams(source, timeout=0.05))
    for remedy in ("activated", "6 wires", "--dsmr2"):
        assert remedy in (caught.value.hint or "")


def test_a_port_that_only_idles_is_bad_data(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]) as source:
        write_all(line[0], b"\xff\x00" * 40)
        with pytest.raises(errors.BadData, match="idle"):
            list(sources.telegrams(source, timeout=0.05))


def test_noise_before_the_timeout_is_given_as_rejects(line: tuple[int, str]) -> None:
    found: list[Telegram | Reject] = []
    with sources.open_source(line[1]) as source:
        write_all(line[0], b"\x81\x82\x83")
        with pytest.raises(errors.NoAnswer, match="no telegram"):
            found.extend(sources.telegrams(source, timeout=0.05))
    assert found == [Reject("garbage", 0, b"\x81\x82\x83")]


def speed_of(path: str) -> tuple[int, int]:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        attributes = termios.tcgetattr(fd)
        return attributes[4], attributes[2]
    finally:
        os.close(fd)


def test_the_line_is_set_to_115200_and_an_old_meters_to_9600(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]):
        speed, flags = speed_of(line[1])
        assert speed == termios.B115200
        assert flags & termios.CSIZE == termios.CS8
        assert not flags & termios.CSTOPB
    with sources.open_source(line[1], dsmr2=True) as source:
        assert speed_of(line[1])[0] == termios.B9600
        # A pty has no parity bit to show: what pyserial was told has to do.
        port = source._port  # type: ignore[attr-defined]
        assert (port.bytesize, port.parity, port.stopbits) == (7, "E", 1)
    with sources.open_source(line[1], baud=38400):
        assert speed_of(line[1])[0] == termios.B38400


def test_a_port_in_use_is_named_with_the_program_that_has_it(line: tuple[int, str]) -> None:
    program = (
        "import fcntl, os, sys\n"
        f"fd = os.open({line[1]!r}, os.O_RDWR | os.O_NOCTTY)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(ports.PortBusy) as caught:
            sources.open_source(line[1])
        assert str(other.pid) in caught.value.message
        assert caught.value.exit_code == errors.REFUSED
        other.communicate()


def test_two_readers_do_not_share_a_port(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]), pytest.raises(ports.PortBusy):
        sources.open_source(line[1])


def test_a_forbidden_port_names_its_group(line: tuple[int, str]) -> None:
    error = ports._cannot_open(line[1], PermissionError(errno.EACCES, "denied"))
    assert isinstance(error, ports.PortForbidden)
    assert error.hint
    group = next(each for each in grp.getgrall() if each.gr_gid != 0)
    way = ports._way_in("/dev/ttyUSB0", group.gr_gid, 0o020660)
    assert f"sudo usermod -aG {group.gr_name} $USER" in way
    # Membership of these would not help, or help far too much.
    assert "usermod" not in ports._way_in("/dev/ttyUSB0", 0, 0o020660)
    assert "usermod" not in ports._way_in("/dev/ttyUSB0", group.gr_gid, 0o020600)


def test_an_absent_port_is_not_found_and_the_others_are_named() -> None:
    with pytest.raises(ports.PortAbsent) as caught:
        sources.open_source("/dev/ttyDSMRCTL0")
    assert caught.value.exit_code == errors.NOT_FOUND
    there = ports.ports()
    assert all(port.path in (caught.value.hint or "") for port in there)
    assert there or "cable" in (caught.value.hint or "")


def test_a_pulled_cable_is_a_clear_error(line: tuple[int, str]) -> None:
    found: list[bytes] = []
    with sources.open_source(line[1]) as source:
        write_all(line[0], numbered(1))
        items = sources.telegrams(source, timeout=20)
        found += [next(items).raw]
        os.close(line[0])
        with pytest.raises(ports.PortLost, match="lost") as caught:
            found += [next(items).raw]
    assert found == [numbered(1)]
    assert "cable" in (caught.value.hint or "")


def test_a_pyserial_url_is_a_serial_port() -> None:
    with sources.open_source("loop://") as source:
        source._port.write(numbered(1))  # type: ignore[attr-defined]
        assert raws(sources.telegrams(source, count=1, timeout=20)) == [numbered(1)]
    with pytest.raises(errors.UsageError, match="nonsense"):
        sources.open_source("nonsense://x")
    with pytest.raises(errors.DsmrError, match="cannot open"):
        sources.open_source("socket://127.0.0.1:1")


ONE = ports.Port("/dev/ttyUSB0", "FT232R USB UART", "A50285BI")


def test_the_only_port_is_taken() -> None:
    assert ports.find_port([ONE]) == "/dev/ttyUSB0"


def test_without_any_port_a_hint_says_what_else_there_is() -> None:
    with pytest.raises(errors.NotFound) as caught:
        ports.find_port([])
    assert caught.value.exit_code == errors.NOT_FOUND
    assert "tcp://" in (caught.value.hint or "")


def test_several_ports_are_a_usage_error_with_a_table() -> None:
    with pytest.raises(sources.SeveralPorts) as caught:
        ports.find_port([ONE, ONE._replace(path="/dev/ttyACM0", serial_number="")])
    assert caught.value.exit_code == errors.USAGE
    assert caught.value.rows == [
        ("/dev/ttyUSB0", "FT232R USB UART", "A50285BI"),
        ("/dev/ttyACM0", "FT232R USB UART", ""),
    ]
    assert len(caught.value.COLUMNS) == 3


def test_ctrl_c_ends_a_wait_for_bytes(line: tuple[int, str]) -> None:
    program = (
        "import sys\n"
        "from dsmrctl.telegram import sources\n"
        f"source = sources.open_source({line[1]!r})\n"
        "try: sys.stdout.write('ready\\n'); sys.stdout.flush(); source.read()\n"
        "except KeyboardInterrupt: source.close(); sys.exit(130)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        reader.send_signal(signal.SIGINT)
        assert reader.wait(10) == 130


# --- TCP -----------------------------------------------------------------------------------------


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


def address(server: socket.socket) -> str:
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


def serve(server: socket.socket, *sessions: bytes) -> None:
    """Each connection gets its bytes and is closed."""
    for data in sessions:
        connection, _ = server.accept()
        with connection:
            connection.sendall(data)


def test_telegrams_come_over_tcp_and_again_after_it_was_lost(
    server: socket.socket, in_background: Callable[[Callable[[], object]], None]
) -> None:
    sessions = (
        numbered(0) + numbered(1) + numbered(2)[:40],
        numbered(3)[60:] + numbered(4),
        b"",
        numbered(5),
    )
    in_background(lambda: serve(server, *sessions))
    clock, notes = Clock(), []
    source = sources.open_source(
        address(server), on_note=notes.append, clock=clock, wait=clock.wait
    )
    with source:
        found = list(sources.telegrams(source, count=4))
    assert raws(iter(found)) == [numbered(n) for n in (0, 1, 4, 5)]
    assert clock.waits == [1, 1, 2]
    assert sum("connected again" in note for note in notes) == 3
    assert sum("connecting again in" in note for note in notes) == 3


def test_a_reset_connection_is_no_error(
    server: socket.socket, in_background: Callable[[Callable[[], object]], None]
) -> None:
    opened = threading.Event()

    def reset_then_serve() -> None:
        connection, _ = server.accept()
        assert opened.wait(20)  # a first connection that fails is an error: it is another test's
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        connection.close()
        serve(server, numbered(1))

    in_background(reset_then_serve)
    clock = Clock()
    with sources.open_source(address(server), clock=clock, wait=clock.wait) as source:
        opened.set()
        assert raws(sources.telegrams(source, count=1)) == [numbered(1)]


def test_the_pauses_before_connecting_again_grow_to_30_s(server: socket.socket) -> None:
    clock, notes = Clock(), []
    source = sources.open_source(
        address(server), on_note=notes.append, clock=clock, wait=clock.wait
    )
    server.accept()[0].close()
    server.close()
    with source:
        assert source.read(200) == b""
    assert clock.waits[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert sum(clock.waits) == pytest.approx(200)
    assert ["in 30 s" in note for note in notes] == [False] * 5 + [True], (
        "told once, not for months"
    )
    assert "connection refused" in notes[1]


def test_short_reads_do_not_put_off_connecting_again(
    server: socket.socket, in_background: Callable[[Callable[[], object]], None]
) -> None:
    in_background(lambda: serve(server, b"", numbered(1)))
    clock = Clock()
    with sources.open_source(address(server), clock=clock, wait=clock.wait) as source:
        data = b""
        for _ in range(2000):
            data += source.read(0.01) or b""
            if data:
                break
    assert data == numbered(1)


def test_a_connection_silent_for_a_minute_is_made_anew(
    server: socket.socket,
    in_background: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp, "SILENCE", 0.05)
    clock, notes = Clock(), []
    source = sources.open_source(
        address(server), on_note=notes.append, clock=clock, wait=clock.wait
    )
    dead, _ = server.accept()
    in_background(lambda: serve(server, numbered(1)))
    with dead, source:
        assert raws(sources.telegrams(source, count=1)) == [numbered(1)]
    assert "silent" in notes[0]


def test_without_reconnect_a_lost_connection_is_the_end(
    server: socket.socket, in_background: Callable[[Callable[[], object]], None]
) -> None:
    in_background(lambda: serve(server, THREE))
    with sources.open_source(address(server), reconnect=False) as source:
        assert raws(sources.telegrams(source)) == [numbered(n) for n in range(3)]
        assert source.read() is None


def test_a_silent_host_is_no_answer(server: socket.socket) -> None:
    with sources.open_source(address(server)) as source, pytest.raises(errors.NoAnswer):
        list(sources.telegrams(source, timeout=0.05))


def test_the_first_connection_has_to_come_about(server: socket.socket) -> None:
    spec = address(server)
    server.close()
    with pytest.raises(errors.Refused, match="nothing listens"):
        sources.open_source(spec)
    with pytest.raises(errors.NotFound, match="no host"):
        # Too long for a name: the resolver says no without asking anyone.
        sources.open_source(f"tcp://{'a.' * 140}a:8088")


@pytest.mark.parametrize(
    "spec", ["tcp://", "tcp://host", "tcp://:80", "tcp://host:x", "tcp://[::1"]
)
def test_tcp_without_host_and_port_is_a_usage_error(spec: str) -> None:
    with pytest.raises(errors.UsageError):
        sources.open_source(spec)


# --- encrypted -----------------------------------------------------------------------------------


def test_encrypted_telegrams_are_read_with_the_key(tmp_path: Path) -> None:
    file = tmp_path / "lu.bin"
    file.write_bytes(SEALED)
    with sources.open_source(str(file), key=KEY) as source:
        assert raws(sources.telegrams(source)) == [numbered(n) for n in range(5)]


def test_encrypted_telegrams_without_a_key_say_so_at_once(line: tuple[int, str]) -> None:
    with sources.open_source(line[1]) as source:
        write_all(line[0], sealed(numbered(1)))
        with pytest.raises(errors.UsageError, match="encrypted"):
            list(sources.telegrams(source, timeout=20))


def test_a_wrong_key_is_bad_data(tmp_path: Path) -> None:
    file = tmp_path / "lu.bin"
    file.write_bytes(SEALED)
    with (
        sources.open_source(str(file), key=bytes(16)) as source,
        pytest.raises(luxembourg.WrongKey),
    ):
        list(sources.telegrams(source))


def test_importing_sources_imports_no_serial_port_code() -> None:
    program = (
        "import sys\n"
        "from dsmrctl.telegram import sources\n"
        "heavy = {'serial', 'crcmod', 'cryptography', 'socket', 'asyncio'} & set(sys.modules)\n"
        "sys.stdout.write(str(sorted(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]"
