"""Raw telegrams to many readers over TCP, as they come: what Home Assistant's DSMR integration
(`socket://host:8088`), evcc, dsmr-reader and `dsmrctl telegram read tcp://…` read.

There is no thread: `send` lets in who waits and gives every reader the telegram whole or not at
all, without waiting for anybody. Telegrams are what readers are there for, so nothing is late.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import sys
import time
from collections.abc import Callable
from types import TracebackType

from dsmrctl import errors

HOST = "127.0.0.1"
PORT = 8088
READERS = 32
PATIENCE_S = 60.0
"""A reader that takes nothing for so long is let go."""
# A socket is called ready when a third of this is free: room for the longest telegram, 16 KB, so
# that on Linux none is ever cut. Little, so that who was stuck is not fed minutes of old ones.
_BUFFER = 64 * 1024
_EXAMPLE = "for example 8088, or 0.0.0.0:8088 for every network of this computer"


def parse_address(text: str) -> tuple[str, int]:
    """`PORT` or `ADDR:PORT` (IPv6 in brackets); without an address this computer only.

    Raises UsageError.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise errors.UsageError("--tcp needs a port from 1 to 65535", hint=_EXAMPLE)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise errors.UsageError("an IPv6 address stands in brackets", hint="[::1]:8088")
    return host.strip("[]") or HOST, int(port)


class Reader:
    """One connection: what of a telegram still has to go, and since when it takes nothing."""

    __slots__ = ("rest", "since", "socket")

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.socket = connection
        self.rest = b""
        self.since = now


class TelegramFeed:
    """Listens at once; a context manager. Port 0 takes a free one, `port` tells which.

    `limit` readers at most, others are sent away. `dropped` counts telegrams a slow reader missed.
    Raises Refused when the port is in use or the address not ours.
    """

    def __init__(
        self,
        host: str = HOST,
        port: int = PORT,
        limit: int = READERS,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._patience_s = patience_s
        self._clock = clock
        self._readers: list[Reader] = []
        self.dropped = 0
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> TelegramFeed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and let all readers go; what they were given still arrives."""
        self._listener.close()
        for reader in self._readers:
            reader.socket.close()
        self._readers.clear()

    @property
    def readers(self) -> int:
        """Connections now. One that has gone shows at the next telegrams."""
        self._let_in()
        return len(self._readers)

    def send(self, raw: bytes) -> None:
        """Give one telegram to every reader that has room for all of it; never waits.

        A slow reader misses whole telegrams, and is let go when it takes nothing for too long.
        """
        self._let_in()
        if not self._readers:
            return
        ready = self._with_room()
        now = self._clock()
        self._readers = [
            reader for reader in self._readers if self._serve(reader, raw, reader in ready, now)
        ]

    def _with_room(self) -> set[Reader]:
        by_socket = {reader.socket: reader for reader in self._readers}
        _, ready, _ = select.select([], list(by_socket), [], 0)
        return {by_socket[connection] for connection in ready}

    def _serve(self, reader: Reader, raw: bytes, ready: bool, now: float) -> bool:
        """Whether the reader stays."""
        try:
            if ready:
                _discard_input(reader.socket)
                if reader.rest:
                    reader.rest = reader.rest[reader.socket.send(reader.rest) :]
                    reader.since = now
                if not reader.rest:
                    reader.rest = raw[reader.socket.send(raw) :]
                    reader.since = now
                    return True
        except BlockingIOError:
            pass
        except OSError:
            reader.socket.close()
            return False
        self.dropped += 1
        if now - reader.since < self._patience_s:
            return True
        reader.socket.close()
        return False

    def _let_in(self) -> None:
        # Never more in one go, so that a flood of callers cannot hold up a frame.
        for _ in range(READERS):
            try:
                connection, _address = self._listener.accept()
            except OSError:  # nobody waits, or no file descriptor is left: the next time
                return
            if len(self._readers) >= self._limit:
                connection.close()
                continue
            with contextlib.suppress(OSError):
                connection.setblocking(False)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                # A reader whose power went says no goodbye.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._readers.append(Reader(connection, self._clock()))


def _discard_input(connection: socket.socket) -> None:
    """Readers have nothing to say; unread, it would make the connection's end an abort."""
    for _ in range(4):
        try:
            if len(connection.recv(4096)) < 4096:
                return
        except BlockingIOError:
            return


def _listen(host: str, port: int) -> socket.socket:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # localhost is often ::1 first, but readers are told 127.0.0.1.
        family, kind, protocol, _, address = min(found, key=lambda row: row[0] != socket.AF_INET)
    except (OSError, UnicodeError):
        raise errors.Refused(f"{host} is no address of this computer", hint=_EXAMPLE) from None
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            # There it would let two programs share the port; here it only forgets old readers.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(READERS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _refused(error, place) from None
    return listener


def _refused(error: OSError, place: str) -> errors.Refused:
    # Windows says 10013 (WSAEACCES) of a port another program keeps to itself.
    if error.errno in (errno.EADDRINUSE, 10013):
        return errors.Refused(
            f"{place} is in use: is another dsmrctl serve running?",
            hint="stop it, or give --tcp another port",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return errors.Refused(f"{place} is no address of this computer", hint=_EXAMPLE)
    if error.errno == errno.EACCES:
        return errors.Refused(f"{place} is not for ordinary users", hint="ports from 1024 on are")
    return errors.Refused(f"cannot listen on {place}: {error.strerror}", hint=_EXAMPLE)
