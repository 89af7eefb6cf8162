"""The cable between a computer and a board: a port that pyserial opens, and its other end.

A pseudo terminal stands for an adapter without reset lines (an ESP-01 programmer); rfc2217 has
them; tcp is a bare line far away. A cable can be pulled, and put in again under the same name.
Neither reading nor writing waits for ever, and all of it may be used from several threads.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import socket
import tempfile
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Linux' own call for any rate: struct termios2, whose c_ospeed is its last word.
_TCGETS2, _TERMIOS2_WORDS = 0x802C542A, 11
_PIECE = 65536
# What nobody reads for so long is lost, as on a line.
_PATIENCE_S = 0.5


class PtyWire:
    """A pseudo terminal behind a path that stays the same; unplugged until `plug`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dsmrctl-")
        self.path = str(Path(self._folder.name) / "port")
        # Held for each call of the system's: a number that was closed may be another file's.
        self._lock = threading.Lock()
        self._ours = self._theirs = -1

    @property
    def plugged(self) -> bool:
        """The cable is in."""
        return self._ours >= 0

    def plug(self) -> None:
        """Puts the cable in: the port is there."""
        with self._lock:
            if self.plugged:
                return
            self._ours, self._theirs = os.openpty()
            # Raw on both ends: else the terminal changes bytes, and answers by itself.
            tty.setraw(self._ours)
            tty.setraw(self._theirs)
            os.set_blocking(self._ours, False)
            Path(self.path).symlink_to(os.ttyname(self._theirs))

    def unplug(self) -> None:
        """Pulls the cable: the port is gone, and whoever has it open gets an error."""
        with self._lock:
            if not self.plugged:
                return
            Path(self.path).unlink(missing_ok=True)
            ours, theirs, self._ours, self._theirs = self._ours, self._theirs, -1, -1
            os.close(theirs)
            os.close(ours)

    def host_baud(self) -> int:
        """The rate to which the host's end is set, 0 when it is not known."""
        words = array.array("I", bytes(4 * _TERMIOS2_WORDS))
        with self._lock:
            if not self.plugged:
                return 0
            fcntl.ioctl(self._theirs, _TCGETS2, words)
        return words[-1]

    def read(self, timeout_s: float) -> bytes:
        """What came from the host within that time; b"" for nothing."""
        ours = self._ours
        if not _ready(ours, timeout_s):
            return b""
        with self._lock, contextlib.suppress(OSError):
            if self._ours == ours:
                return os.read(ours, _PIECE)
        return b""

    def write(self, data: bytes) -> None:
        """Bytes to the host, as far as somebody takes them."""
        until = time.monotonic() + _PATIENCE_S
        while data:
            ours = self._ours
            waited = _ready(ours, until - time.monotonic(), write=True)
            with self._lock:
                if self._ours != ours or ours < 0:
                    return
                if not waited:
                    termios.tcflush(self._theirs, termios.TCIFLUSH)
                    return
                with contextlib.suppress(BlockingIOError):
                    if taken := os.write(ours, data):
                        data = data[taken:]
                        until = time.monotonic() + _PATIENCE_S

    def close(self) -> None:
        """Takes it all away."""
        self.unplug()
        self._folder.cleanup()


def _ready(number: int, timeout_s: float, *, write: bool = False) -> bool:
    """Whether a descriptor has bytes, or room for some, within that time. -1: never."""
    if number < 0:
        return False
    poll = select.poll()
    poll.register(number, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


class TcpWire:
    """A line by TCP on loopback: `socket://`, or `rfc2217://` with rate and reset lines."""

    def __init__(self, lines: Callable[[bool, bool], None] | None = None) -> None:
        """lines: told DTR and RTS as they change; with it the port is rfc2217's."""
        self._address = ("127.0.0.1", 0)
        self._server: socket.socket | None = None
        self._peer: socket.socket | None = None
        self._serial = None if lines is None else _Modem(lines, self._send)
        self._lock = threading.Lock()
        self.plug()
        self.path = f"{'socket' if lines is None else 'rfc2217'}://127.0.0.1:{self._address[1]}"

    @property
    def plugged(self) -> bool:
        """Somebody listens there."""
        return self._server is not None

    def plug(self) -> None:
        """Listens, at the same port every time."""
        with self._lock:
            if self._server is None:
                self._server = socket.create_server(self._address)
                self._address = self._server.getsockname()

    def unplug(self) -> None:
        """Ends the connection, and listens no more."""
        with self._lock:
            for one in (self._peer, self._server):
                if one is not None:
                    one.close()
            self._peer = self._server = None

    def host_baud(self) -> int:
        """The rate to which the host's end is set, 0 when it is not known."""
        return self._serial.baudrate if self._serial else 0

    def read(self, timeout_s: float) -> bytes:
        """What came from the host within that time; b"" for nothing."""
        with self._lock:
            one = self._peer or self._server
            number = -1 if one is None else one.fileno()
        if not _ready(number, timeout_s):
            return b""
        with self._lock:
            if one is None or one is not (self._peer or self._server):
                return b""
            if one is self._server:
                self._accept(one)
                return b""
            try:
                data = one.recv(_PIECE)
            except OSError:
                data = b""
            if not data:
                one.close()
                self._peer = None
        # Not under the lock: what the host does to the lines is answered.
        return self._serial.heard(data) if self._serial else data

    def _accept(self, server: socket.socket) -> None:
        self._peer, _ = server.accept()
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer.settimeout(_PATIENCE_S)
        if self._serial:
            self._serial.opened()

    def write(self, data: bytes) -> None:
        """Bytes to the host, as far as somebody takes them."""
        self._send(self._serial.escaped(data) if self._serial else data)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if (peer := self._peer) is not None:
                peer.sendall(data)

    def close(self) -> None:
        """Takes it all away."""
        self.unplug()


class _Modem:
    """The serial port that pyserial's own rfc2217 server part drives."""

    def __init__(self, lines: Callable[[bool, bool], None], write: Callable[[bytes], None]) -> None:
        self._lines = lines
        self.write = write
        self._manager: Any = None
        self.baudrate, self._dtr, self._rts = 115200, False, False
        # What that part reads or sets, and nothing here needs.
        self.timeout = self.in_waiting = 0
        self.bytesize, self.parity, self.stopbits = 8, "N", 1
        self.rtscts = self.dsrdtr = self.xonxoff = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = False

    def opened(self) -> None:
        """A host is there."""
        from serial.rfc2217 import PortManager

        self._manager = PortManager(self, self)  # pyright: ignore[reportArgumentType]

    def heard(self, data: bytes) -> bytes:
        """Without the telnet commands, which it obeys."""
        return b"".join(self._manager.filter(data))

    def escaped(self, data: bytes) -> bytes:
        """As telnet sends it."""
        return data.replace(b"\xff", b"\xff\xff")

    def get_settings(self) -> dict[str, Any]:
        return {"baudrate": self.baudrate}

    def apply_settings(self, settings: dict[str, Any]) -> None:
        self.baudrate = settings.get("baudrate", self.baudrate)

    def reset_input_buffer(self) -> None:
        pass

    reset_output_buffer = reset_input_buffer

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._dtr = bool(on)
        self._lines(self._dtr, self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, on: bool) -> None:
        self._rts = bool(on)
        self._lines(self._dtr, self._rts)


Wire = PtyWire | TcpWire
