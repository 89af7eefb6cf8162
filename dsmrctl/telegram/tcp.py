"""Telegrams over TCP: ser2net, WiFi dongles on the meter, our interface, `dsmrctl serve --tcp`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from dsmrctl import errors
from dsmrctl.telegram.sources import Source

LONGEST_PAUSE = 30.0
SILENCE = 60.0
"""Seconds: a meter speaks every 1 or 10 s; a dongle that lost its power never says goodbye."""
_CONNECT = 5.0
_SLICE = 1.0  # a longer wait in one call could not be interrupted by Ctrl-C on Windows


class TcpSource(Source):
    """`tcp://host:port`, connected again when lost: after 1, 2, 4 … 30 s, told to `on_note`.

    The first connection must come about. Raises UsageError, NotFound (no such host), Refused
    (nothing listens there), NoAnswer. Afterwards `read` raises nothing; without `reconnect` it
    returns None when the connection is lost.
    """

    live = True

    def __init__(
        self,
        spec: str,
        *,
        reconnect: bool = True,
        on_note: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = spec
        self._address = _address(spec)
        self._reconnect = reconnect
        self._note = on_note
        self._clock = clock
        self._wait = wait
        self._pause = 1.0
        self._next = 0.0
        self._told = ("", 0.0)
        self._silent = 0.0  # seconds without a byte
        self._socket: socket.socket | None = None
        self._closed = False
        try:
            self._socket = self._connected(_CONNECT)
        except OSError as error:
            raise _no_connection(spec, error) from None

    def read(self, timeout: float | None = None) -> bytes | None:
        """See Source. A connection that is lost or silent is a note, never an error."""
        deadline = None if timeout is None else self._clock() + timeout
        while not self._closed:
            if self._socket is None:
                if not self._reconnect:
                    return None
                if not self._connect_again(deadline):
                    return b""
            left = SILENCE if deadline is None else max(0.0, deadline - self._clock())
            data = self._receive(left)
            if data:
                self._pause, self._silent, self._told = 1.0, 0.0, ("", 0.0)
                return data
            if data is None:
                continue
            if self._silent >= SILENCE:
                self._lost(f"silent for {SILENCE:g} s")
            elif deadline is not None:
                return b""
        return None

    def close(self) -> None:
        self._closed = True
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self, timeout: float) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    def _connect_again(self, deadline: float | None) -> bool:
        """Wait for the next attempt and make it; False when `deadline` comes first."""
        while True:
            now = self._clock()
            pause = max(0.0, self._next - now)
            if deadline is not None and pause > 0 and now + pause > deadline:
                self._wait(max(0.0, deadline - now))
                return False
            if pause > 0:
                self._wait(pause)
            try:
                self._socket = self._connected(_CONNECT)
            except OSError as error:
                self._again_later(_reason(error))
                continue
            self._silent = 0.0
            self._note(f"{self.name}: connected again")
            return True

    def _receive(self, timeout: float) -> bytes | None:
        """Bytes; b"" when none came in time; None when the connection was lost."""
        assert self._socket is not None
        while True:
            step = min(timeout, _SLICE, max(0.001, SILENCE - self._silent))
            # 0 would make the socket non-blocking, which is another thing.
            self._socket.settimeout(max(step, 0.001))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                self._silent += step
                timeout -= step
                if timeout <= 0 or self._silent >= SILENCE:
                    return b""
                continue
            except OSError as error:
                self._lost(_reason(error))
                return None
            if not data:
                self._lost("the other side closed the connection")
                return None
            return data

    def _lost(self, why: str) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        if self._reconnect:
            self._again_later(why)
        else:
            self._note(f"{self.name}: {why}")

    def _again_later(self, why: str) -> None:
        self._next = self._clock() + self._pause
        # Told while the pauses grow; the same every 30 s of a long outage would only fill a log.
        if (why, self._pause) != self._told:
            self._note(f"{self.name}: {why}; connecting again in {self._pause:g} s")
        self._told = (why, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


def _address(spec: str) -> tuple[str, int]:
    try:
        parts = urlsplit(spec)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:  # a port beyond 65535, half an IPv6 address, a name no resolver takes
        host = port = None
    if not host or not port:
        raise errors.UsageError(
            f"'{spec}' names no host and port", hint="for example tcp://dsmr.local:8088"
        )
    return host, port


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror or str(error)).lower()


def _no_connection(spec: str, error: OSError) -> errors.DsmrError:
    if isinstance(error, socket.gaierror):
        return errors.NotFound(
            f"{spec}: there is no host of that name",
            hint="try its IP address; dsmrctl discover lists the boards on the network",
        )
    if isinstance(error, ConnectionRefusedError):
        return errors.Refused(
            f"{spec}: nothing listens there",
            hint="is the port right (our interface: 8088), and does it serve only one client?",
        )
    return errors.NoAnswer(
        f"{spec}: {_reason(error)}", hint="is it switched on and on the same network?"
    )
