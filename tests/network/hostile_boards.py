"""What answers at a board's address and means no good: plain sockets on loopback.

with Stand(says({"board": "miniswitch"})) as board:
    BoardClient(board.address, board.port).info()
    assert board.asked
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

# Ends all that an act still waits for when its stand-in is closed.
Ended = threading.Event
Act = Callable[[socket.socket, bytes, Ended], None]

ESCAPES = "\x1b[2J\x1b]0;owned\x07 \x9b31m\x00\r\n\x08\u202egood\u2066 \x7f\ud800"
"""What drives a terminal, or misleads who reads it: none of it may come through."""
_ASKED_S = 10.0


class Stand:
    """Answers each connection as `act` does, each in a thread; `asked` are the requests' bytes.

    takes: the bodies of requests too; without, a connection ends on unread bytes: torn.
    """

    def __init__(
        self, act: Act, address: str = "127.0.0.91", port: int = 0, *, takes: bool = True
    ) -> None:
        self.act = act
        self._takes = takes
        self.asked: list[bytes] = []
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(300)
        self.address, self.port = self._listener.getsockname()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        # Only this wakes who waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_ASKED_S)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, what: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._threads = [one for one in self._threads if one.is_alive()]
            self._start(self._serve, line)

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            line.settimeout(_ASKED_S)
            request = _request(line, self._takes)
            self.asked.append(request)
            self.act(line, request, self._ended)
            # Closed with bytes of the other side unread it would be a reset.
            line.shutdown(socket.SHUT_WR)


def _request(line: socket.socket, whole: bool) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65536 if whole else 64)
        if not more:
            return data
        data += more
    if not whole:
        return data
    head, _, body = data.partition(b"\r\n\r\n")
    for header in head.lower().split(b"\r\n"):
        if header.startswith(b"content-length:"):
            length = int(header.partition(b":")[2])
            while len(body) < length:
                more = line.recv(65536)
                if not more:
                    break
                body += more
    return head + b"\r\n\r\n" + body


def raw(data: bytes) -> Act:
    """Exactly these bytes, then the end."""
    return lambda line, request, ended: line.sendall(data)


def whole(body: bytes, status: int = 200, *headers: str) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status} As it is", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(what: Any, status: int = 200, *headers: str) -> Act:
    """JSON, every character beyond ASCII as its escape, so that any can be said."""
    return raw(whole(json.dumps(what).encode(), status, *headers))


def text(body: str | bytes, status: int = 200, *headers: str) -> Act:
    """A body that is JSON or not."""
    return raw(whole(body.encode() if isinstance(body, str) else body, status, *headers))


def by_call(**calls: Any) -> Act:
    """Another JSON for each call: by_call(info=…, status=…); 404 for the rest."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        path = request.split(b" ", 2)[1].decode().removeprefix("/api/")
        if path in calls:
            line.sendall(whole(json.dumps(calls[path]).encode()))
        else:
            line.sendall(whole(b'{"error": "no such call"}', 404))

    return act


def in_pieces(data: bytes, *sizes: int) -> Act:
    """The bytes in pieces of these sizes, the rest in one."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        left = data
        for size in sizes:
            line.sendall(left[:size])
            left = left[size:]
            time.sleep(0.001)
        line.sendall(left)

    return act


def drips(data: bytes, every: float = 0.3) -> Act:
    """A byte now and then."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        for byte in data:
            line.sendall(bytes([byte]))
            if ended.wait(every):
                return

    return act


def endless(head: bytes, again: bytes, every: float = 0.0) -> Act:
    """The same bytes for ever."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        line.sendall(head)
        while not ended.is_set():
            line.sendall(again)
            if every and ended.wait(every):
                return

    return act


def silent(line: socket.socket, request: bytes, ended: Ended) -> None:
    """Takes the request and never answers."""
    ended.wait(60)


def begins(data: bytes) -> Act:
    """These bytes, and then nothing more, nor an end."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        line.sendall(data)
        ended.wait(60)

    return act


def resets(data: bytes = b"") -> Act:
    """These bytes, and then the connection is torn."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        line.sendall(data)
        time.sleep(0.05)  # else what was sent would be torn with it
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    return act


def in_turn(*acts: Act) -> Act:
    """A new one at each connection; the last for all that come after."""
    left = list(acts)

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(line, request, ended)

    return act


def echoes(status: int) -> Act:
    """An error in which the password is told back, as it came and as it is."""

    def act(line: socket.socket, request: bytes, ended: Ended) -> None:
        pair = request.partition(b"Basic ")[2].partition(b"\r\n")[0]
        told = f"{pair.decode()} {base64.b64decode(pair).decode()}"
        line.sendall(whole(json.dumps({"error": told, "field": told}).encode(), status))

    return act
