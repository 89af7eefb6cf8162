"""The cable between a computer and a board: a port that pyserial opens, and its other end.

A pseudo terminal stands for an adapter without reset lines (an ESP-01 programmer); rfc2217 has
them; tcp is a bare line far away. A cable can be pulled, and put in again under the same name.
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
        self._ours = self._theirs = -1
        # Whoever pulls the cable does so between two looks at it, never within one.
        self._lock = threading.RLock()

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
            os.set_blocking(self._ours, False)
            # Raw on both ends: else the terminal changes bytes, and answers by itself.
            tty.setraw(self._ours)
            tty.setraw(self._theirs)
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
        if not self.plugged:
            return 0
        words = array.array("I", bytes(4 * _TERMIOS2_WORDS))
        try:
            fcntl.ioctl(self._theirs, _TCGETS2, words)
        except OSError:
            return 0
        return words[-1]

    def read(self, timeout_s: float) -> bytes:
        """What came from the host within that time; b"" for nothing."""
        try:
            with self._lock:
                ready, _, _ = select.select([self._ours], [], [], timeout_s)
                return os.read(self._ours, _PIECE) if ready else b""
        except (OSError, ValueError):
            return b""

    def write(self, data: bytes) -> None:
        """Bytes to the host, as far as somebody takes them."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            while data:
                _, ready, _ = select.select([], [self._ours], [], _PATIENCE_S)
                if not ready:
                    termios.tcflush(self._theirs, termios.TCIFLUSH)
                    return
                data = data[os.write(self._ours, data[:1024]) :]

    def close(self) -> None:
        """Takes it all away."""
        self.unplug()
        self._folder.cleanup()


class TcpWire:
    """A line by TCP on loopback: `socket://`, or `rfc2217://` with rate and reset lines."""

    def __init__(self, lines: Callable[[bool, bool], None] | None = None) -> None:
        """lines: told DTR and RTS as they change; with it the port is rfc2217's."""
        self._server = socket.create_server(("127.0.0.1", 0))
        kind = "socket" if lines is None else "rfc2217"
        self.path = f"{kind}://127.0.0.1:{self._server.getsockname()[1]}"
        self._serial = None if lines is None else _Modem(lines, self.write_raw)
        self._peer: socket.socket | None = None
        self.plugged = True

    def plug(self) -> None:
        """There is no cable to put in again: a server that went away stays away."""

    def unplug(self) -> None:
        """Ends the connection."""
        self.plugged = False
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def host_baud(self) -> int:
        """The rate to which the host's end is set, 0 when it is not known."""
        return self._serial.baudrate if self._serial else 0

    def read(self, timeout_s: float) -> bytes:
        """What came from the host within that time; b"" for nothing."""
        ready, _, _ = select.select([self._peer or self._server], [], [], timeout_s)
        if not ready:
            return b""
        if self._peer is None:
            if self.plugged:
                self._peer, _ = self._server.accept()
                self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._serial:
                    self._serial.opened()
            return b""
        try:
            data = self._peer.recv(_PIECE)
        except OSError:
            data = b""
        if not data:
            self._peer.close()
            self._peer = None
        return self._serial.heard(data) if self._serial else data

    def write(self, data: bytes) -> None:
        """Bytes to the host."""
        self.write_raw(self._serial.escaped(data) if self._serial else data)

    def write_raw(self, data: bytes) -> None:
        """The same without rfc2217's own."""
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.sendall(data)

    def close(self) -> None:
        """Takes it all away."""
        self.unplug()
        self._server.close()


class _Modem:
    """The serial port that pyserial's own rfc2217 server part drives."""

    def __init__(self, lines: Callable[[bool, bool], None], write: Callable[[bytes], None]) -> None:
        self._lines = lines
        self.write = write
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
        return b"".join(self._manager.escape(data))

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
