"""Where a virtual meter's telegrams go: a pseudo terminal, a file, TCP, or straight into a program.

What is sent and when are kept apart: `telegrams` knows no time but the household's, a `Pace` ties
its seconds to a clock, and a `MeterRun` sends in a thread. `gateway.tcp_feed.TelegramFeed` is an
outlet too: many readers over TCP. An outlet drops telegrams rather than hold the meter up.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from dsmrctl import errors
from dsmrctl.telegram.sources import Source
from dsmrctl.virtual.meter import Meter

Clock = Callable[[], float]
Wait = Callable[[float], object]

# So long after its time a telegram is no use to anybody: this computer slept.
_LATE_S = 5.0
# Linux keeps this much for a reader of a pseudo terminal that does not read.
_PTY_ROOM = 4095


class Outlet(Protocol):
    """Takes telegrams, each whole or not at all, and never waits for a reader."""

    def send(self, raw: bytes) -> object:
        """Pass one telegram on."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


def telegrams(meter: Meter, first_s: int = 0, count: int | None = None) -> Iterator[bytes]:
    """One telegram a second from second `first_s` on, as fast as they are asked for."""
    second = first_s
    while count is None or second < first_s + count:
        yield meter.telegram(second)
        second += 1


class Pace:
    """Ties seconds of a household to a clock: deadlines are absolute, so nothing drifts.

    The first second is due at once. speed: times as fast as the clock; None: always due. Raises
    UsageError for a speed that is not above 0.
    """

    def __init__(
        self, speed: float | None = 1.0, first_s: int = 0, clock: Clock = time.monotonic
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise errors.UsageError("a speed is above 0", hint="for example 1, 60 or max")
        self._speed = speed
        self._first_s = first_s
        self._clock = clock
        self._began: float | None = None

    def left_s(self, second: int) -> float:
        """By the clock, how long until this second is due; 0 when it is, below when it was."""
        now = self._clock()
        if self._began is None:
            self._began = now
        if self._speed is None:
            return 0.0
        return self._began + (second - self._first_s) / self._speed - now

    def follow(self, second: int) -> int:
        """The second to send after this one: the next, or today's after a long absence."""
        late = -self.left_s(second + 1)
        if self._speed is None or late < _LATE_S:
            return second + 1
        return second + 1 + int(late * self._speed)


class MeterRun:
    """A meter that sends in a thread of its own, from when the block begins until it ends.

    Closes no outlet: who opened them does. `sent` counts telegrams; `before_second` is called with
    each second before its telegram is made, so that simulated boards can switch their loads.
    """

    def __init__(
        self,
        meter: Meter,
        outlets: Sequence[Outlet],
        *,
        speed: float | None = 1.0,
        first_s: int = 0,
        count: int | None = None,
        before_second: Callable[[int], object] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._meter = meter
        self._outlets = tuple(outlets)
        self._second = first_s
        self._count = count
        self._before_second = before_second
        self._pace = Pace(speed, first_s, clock)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="virtual meter", daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Until all `count` telegrams are sent; False when it takes longer than `timeout` s.

        Raises what stopped the meter.
        """
        self._thread.join(timeout)
        self._raise()
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop after the telegram that is being sent. Raises what stopped the meter before."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and (self._count is None or self.sent < self._count):
                left = self._pace.left_s(self._second)
                if left > 0:
                    self._stop.wait(left)
                    continue
                if self._before_second is not None:
                    self._before_second(self._second)
                raw = self._meter.telegram(self._second)
                for outlet in self._outlets:
                    outlet.send(raw)
                self.sent += 1
                self._second = self._pace.follow(self._second)
        except BaseException as error:
            self._error = error


class FileOutlet:
    """Telegrams into a file, one after the other; a context manager."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._file: BinaryIO = path.open("ab" if append else "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, raw: bytes) -> None:
        """Write one telegram. Raises OSError when the disk is full."""
        self._file.write(raw)

    def close(self) -> None:
        """Write what is left and close."""
        self._file.close()


class PtyOutlet:
    """A serial port that is none: programs open `path` as they would a cable's; a context manager.

    Who does not read loses telegrams, whole ones: `dropped` counts them, and a few old ones wait
    for a reader. Raises Refused where there are no pseudo terminals (Windows).
    """

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise errors.Refused("this system has no pseudo terminals", hint="use TCP instead")
        import pty
        import tty

        self._master, self._slave = pty.openpty()
        # Held open here, so that readers may come and go.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.dropped = 0
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, raw: bytes) -> bool:
        """Whether there was room for the telegram."""
        unread = self._unread()
        if self._rest:
            self._rest = self._rest[self._write(self._rest) :]
        if self._rest or (unread and unread + len(raw) > _PTY_ROOM):
            self.dropped += 1
            return False
        self._rest = raw[self._write(raw) :]
        return True

    def finish(
        self, timeout: float, clock: Clock = time.monotonic, wait: Wait = time.sleep
    ) -> bool:
        """Whether all was read within so many seconds: what is not when it is closed is lost."""
        deadline = clock() + timeout
        while True:
            if self._rest:
                self._rest = self._rest[self._write(self._rest) :]
            if not self._rest and not self._unread():
                return True
            if clock() >= deadline:
                return False
            wait(0.01)

    def close(self) -> None:
        """Hang up; readers see the end."""
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1

    def _unread(self) -> int:
        import fcntl
        import termios

        answer = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    def _write(self, raw: bytes) -> int:
        try:
            return os.write(self._master, raw)
        except BlockingIOError:
            return 0


class SerialOutlet:
    """Telegrams out of a serial port, 8N1; a context manager.

    An ESP-01 programmer in UART mode plays the meter so to an interface board on the bench
    (UNPROVEN on a real one). A line that is still busy loses whole telegrams: `dropped` counts
    them. Raises PortAbsent, PortBusy, PortForbidden; what sends raises PortLost.
    """

    def __init__(self, path: str, baud: int = 115200) -> None:
        from dsmrctl.telegram.ports import open_port

        self._port = open_port(path, baud)
        self._port.write_timeout = 2.0
        # Written to as it is, without waiting: pyserial's own `write` waits, or spins.
        self._fd: int | None = None
        if os.name == "posix":
            with contextlib.suppress(OSError, AttributeError):
                self._fd = self._port.fileno()
        self._path = path
        self._rest = b""
        self.dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, raw: bytes) -> bool:
        """Whether the line had room for the telegram."""
        if not self._empty():
            self.dropped += 1
            return False
        self._rest = raw[self._write(raw) :]
        return True

    def finish(
        self, timeout: float, clock: Clock = time.monotonic, wait: Wait = time.sleep
    ) -> bool:
        """Whether all went out within so many seconds."""
        deadline = clock() + timeout
        while not self._empty():
            if clock() >= deadline:
                return False
            wait(0.01)
        return True

    def close(self) -> None:
        """Give the port back."""
        from dsmrctl.telegram.ports import PULLED

        with contextlib.suppress(*PULLED):
            self._port.close()

    def _empty(self) -> bool:
        """Whether all is out; the rest is passed on as far as there is room."""
        from dsmrctl.telegram.ports import PULLED

        if self._rest:
            self._rest = self._rest[self._write(self._rest) :]
        try:
            return not self._rest and not getattr(self._port, "out_waiting", 0)
        except PULLED as error:
            raise self._lost(error) from None

    def _write(self, raw: bytes) -> int:
        from dsmrctl.telegram.ports import PULLED

        try:
            if self._fd is None:
                return self._port.write(raw) or 0
            return os.write(self._fd, raw)
        except BlockingIOError:
            return 0
        except PULLED as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> errors.DsmrError:
        from dsmrctl.telegram.ports import PortLost

        return PortLost(f"{self._path} is gone: {error}", hint="was the cable pulled?")


class HouseholdSource(Source):
    """The virtual meter as a SOURCE: what `serve household` reads, without a port in between.

    Without a meter: that of household 1, whose clock is this computer's. Ends after `count`.
    """

    name = "household"
    live = True

    def __init__(
        self,
        meter: Meter | None = None,
        *,
        speed: float | None = 1.0,
        count: int | None = None,
        clock: Clock = time.monotonic,
        wait: Wait = time.sleep,
    ) -> None:
        if meter is None:
            from dsmrctl.virtual.meter_past import new_household_meter

            meter = new_household_meter(datetime.now(UTC))
        self.meter = meter
        self._second = meter.second
        self._left = count
        self._wait = wait
        self._pace = Pace(speed, self._second, clock)

    def read(self, timeout: float | None = None) -> bytes | None:
        """The next telegram when it is due; b"" when that is later than in `timeout` seconds."""
        if self._left == 0:
            return None
        left = self._pace.left_s(self._second)
        if timeout is not None and left > timeout:
            self._wait(max(0.0, timeout))
            return b""
        if left > 0:
            self._wait(left)
        raw = self.meter.telegram(self._second)
        self._second = self._pace.follow(self._second)
        if self._left is not None:
            self._left -= 1
        return raw
