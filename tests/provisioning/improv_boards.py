"""A board's end of Improv in real time: the core's answers, on a pty or a TCP socket."""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dsmrctl.firmware.core import improv

URL = "http://127.0.0.2/"
JOINING_S = 0.3


class Endpoint(NamedTuple):
    """A serial line with a board at its other end, and the one network that takes it."""

    port: str
    ssid: str
    password: str
    url: str = URL


class Board:
    """Answers as lib/serial.py does on a board, a log line between every two datagrams."""

    def __init__(self, ssid: str, password: str) -> None:
        self.good = (ssid, password)
        self.at = ""
        self.tried: tuple[str, str] | None = None
        self.due = 0.0

    def url(self) -> str:
        return self.at

    def joining(self) -> bool:
        return self.tried is not None

    def info(self) -> tuple[str, ...]:
        return ("dsmrctl blink", "0.4.0", "ESP8266", "blink-a1b2c3")

    def scan(self) -> list[tuple[str, int, bool]]:
        return [(self.good[0], -50, True), ("café", -80, False)]

    def join(self, ssid: str, password: str) -> bool:
        self.tried, self.due = (ssid, password), time.monotonic() + JOINING_S
        return True

    def run(self, stop: threading.Event, read: int, write: Callable[[bytes], object]) -> None:
        reader = improv.Reader()
        while not stop.is_set():
            if self.tried and time.monotonic() >= self.due:
                self.at = URL if self.tried == self.good else ""
                self.tried = None
                write(improv.joined(self.at))
            if not select.select([read], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(read, 64)
            except OSError:
                return
            if not data:
                return
            for kind, body in reader.feed(data):
                for out in improv.answer(kind, body, self):
                    write(b"scan: IMPROV? [D]" + out)


@contextmanager
def running(board: Board, read: int, write: Callable[[bytes], object]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=board.run, args=(stop, read, write))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def on_pty(ssid: str, password: str) -> Iterator[Endpoint]:
    """The endpoint's port is a path: a real serial device, as far as pyserial can tell."""
    board_end, line = os.openpty()
    tty.setraw(board_end)
    tty.setraw(line)
    try:
        with running(Board(ssid, password), board_end, lambda data: os.write(board_end, data)):
            yield Endpoint(os.ttyname(line), ssid, password)
    finally:
        os.close(board_end)
        os.close(line)


@contextmanager
def on_socket(ssid: str, password: str) -> Iterator[Endpoint]:
    """The endpoint's port is socket://127.0.0.1:..., for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not stop.is_set():
                if select.select([server], [], [], 0.05)[0]:
                    break
            else:
                return
            connection, _ = server.accept()
            with connection:
                Board(ssid, password).run(stop, connection.fileno(), connection.sendall)

        stop = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Endpoint(f"socket://127.0.0.1:{server.getsockname()[1]}", ssid, password)
        finally:
            stop.set()
            thread.join()


@contextmanager
def on_virtual_board(ssid: str, password: str) -> Iterator[Endpoint]:
    """The very firmware, booted by the real MicroPython, without a network as yet."""
    from world import address, flash

    from dsmrctl.virtual.air import Air
    from dsmrctl.virtual.board import VirtualBoard
    from dsmrctl.virtual.serial_line import SerialLine

    air = Air()
    air.on(ssid, password, -50)
    air.on("café", "", -80)
    with tempfile.TemporaryDirectory() as folder:
        path, place = flash(Path(folder), wifi=None)
        where = address(201)
        with VirtualBoard(path, place, address=where, air=air) as board, SerialLine(board) as line:
            board.power_on()
            yield Endpoint(line.port, ssid, password, f"http://{where}/")
            assert board.faults == []
            assert password not in board.log
