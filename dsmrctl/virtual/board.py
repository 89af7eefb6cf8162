"""A board without hardware: boots the very flash image under a real MicroPython.

`chip/` stands in for what the ESP8266's modules do; this file is its desk: it starts the
program, gives it the bytes on its serial line, its pins and its networks, notes what it does,
restarts it when it resets, and takes its power away at any flash write.

With a `Conductor` (clock.py) the board lives in simulated time; without one in real time, served
by a thread of its own.
"""

from __future__ import annotations

import heapq
import itertools
import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl.errors import DsmrError
from dsmrctl.flashing import filesystem
from dsmrctl.virtual import line
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.oled import WIRED, Display

if TYPE_CHECKING:
    from dsmrctl.virtual.clock import Conductor

# What MicroPython leaves to Python on this chip (ports/esp8266/main.c).
HEAP = 38 * 1024
# What boot.py and an empty main.py that runs hold of it here, as a test measures: the app's bytes
# are those above. On the chip they hold less, and what its own start-up takes is in the 38 KB.
EMPTY_IMAGE = 2304
_BOOT_US = 300_000
_DOG_S = 5.0
_LOG_MOST = 200_000


class VirtualBoard:
    """One board, off until `power_on`.

    flash: a file with every byte of its flash. address: its own on the loopback network.
    pins: the level of each GPIO; changes: (time_us, gpio, level); resets: (time_us, cause).
    joins: (time_us, group) of each multicast group it asked the network for. faults: what a chip
    would not forgive. Times in microseconds of the board's clock.
    """

    def __init__(
        self,
        flash: Path,
        place: filesystem.Place,
        *,
        address: str = "127.0.0.2",
        mac: bytes = b"\x5c\xcf\x7f\xa1\xb2\xc3",
        air: Air | None = None,
        clock: Conductor | None = None,
        heap: int = HEAP,
        patience_s: float = 20.0,
        oled: Display | None = None,
    ) -> None:
        self.flash, self.place, self.address, self.mac = flash, place, address, mac
        self.air = air or Air()
        self.clock = clock
        self.oled = oled
        self.pins: dict[int, int] = {}
        self.changes: list[tuple[int, int, int]] = []
        self.resets: list[tuple[int, str]] = []
        self.faults: list[str] = []
        self.joins: list[tuple[int, str]] = []
        self.wifi = 0
        self.access_point: str | None = None
        self.rtc = b""
        # Half cycles that its triac let through in a second, of either polarity; and all so far.
        self.conducted = (0, 0)
        self.halves = 0
        self.log = ""
        self.on_serial: Callable[[bytes], None] | None = None
        self.cut = False
        self.restarts = True
        # In simulated time: the board's own clock, what it waits for, and whether it worked.
        self.now_us = self.deadline_us = 0
        self.worked = False
        self._heap = heap
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None
        self._line: line.Line | None = None
        self._events: list[tuple[int, int, bytes, int, bytes]] = []
        self._numbers = itertools.count()
        self._mains: dict[str, int] | None = None
        self._next_cause: str | None = None
        self._figures: dict[str, int] | None = None
        self._lock = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._fed_s = 0.0
        self.air.listeners.append(self._air_changed)
        if clock is not None:
            clock.boards.append(self)

    # Power

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._process is not None or self._next_cause is not None

    def power_on(self, cause: str = "PWRON") -> None:
        """Boots it; in simulated time once the clock is run."""
        if self.clock is not None:
            self.now_us = self.deadline_us = self.clock.now_us
            self._next_cause = cause
            return
        self._start(cause)
        self._thread = threading.Thread(target=self._serve, name=f"board {self.address}")
        self._thread.daemon = True
        self._thread.start()

    def power_off(self) -> None:
        """Takes its power: no goodbye, and the memory of its clock is gone."""
        self._next_cause = None
        self._stop()
        self.rtc = b""
        if self.oled is not None:
            self.oled.reset()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()
        if self._air_changed in self.air.listeners:
            self.air.listeners.remove(self._air_changed)
        if self.clock is not None and self in self.clock.boards:
            self.clock.boards.remove(self)

    def _start(self, cause: str) -> None:
        self._process, self._line = line.boot(self._heap, EMPTY_IMAGE)
        self.pins.clear()
        self._events.clear()
        self._fed_s = 0.0
        self._console = True
        config = {
            "simulated": self.clock is not None,
            "now_us": self.now_us,
            "image": str(self.flash.resolve()),
            "flash_size": self.flash.stat().st_size,
            "offset": self.place.offset,
            "blocks": self.place.blocks,
            "address": self.address,
            "mac": list(self.mac),
            "cause": cause,
            "rtc": list(self.rtc),
            "air": self.air.told(),
            "i2c": WIRED if self.oled else [],
            "mains": self._mains,
        }
        self._send(b"z", 0, json.dumps(config).encode())

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            chip, self._line = self._line, None
        self.conducted, self.halves = (0, 0), 0
        if process is None or chip is None:
            return
        process.kill()
        process.wait()
        # The thread that serves it still reads these; it ends when it sees that the board is gone.
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
            self._thread = None
        self._note(chip.printed())
        chip.close()

    # What the board is given

    def serial(self, data: bytes) -> None:
        """Bytes onto its serial line; in simulated time as fast as 115200 baud brings them."""
        if self.clock is None:
            for at in range(0, len(data), 1024):
                self._send(b"u", 0, data[at : at + 1024])
            return
        at_us = max(self.clock.now_us, max((e[0] for e in self._events), default=0))
        for at in range(0, len(data), 96):
            part = data[at : at + 96]
            at_us += len(part) * 87
            self._later(at_us, b"u", 0, part)

    def drive(self, gpio: int, level: int) -> None:
        """Drives an input pin."""
        self._give(b"i", gpio << 1 | level)

    def mains(self, zero_cross: int, gate: int, *, late_us: int = 0, loud: bool = False) -> None:
        """The mains at a triac: 100 zero crossings a second, seen `late_us` late.

        `conducted` tells what the triac let through; loud: each pulse is in `changes` too.
        """
        wired = {"zero_cross": zero_cross, "gate": gate, "late_us": late_us, "loud": int(loud)}
        self._mains = wired
        self._give(b"m", 0, json.dumps(wired).encode())

    def mains_off(self) -> None:
        """No mains: no zero crossings, and nothing conducts."""
        self._mains = None
        self._give(b"m", 0, b"null")

    def cut_at(self, number: int) -> None:
        """Power fails in the midst of the so-many-th flash write from now; `cut` tells it did."""
        self.cut = False
        self._give(b"c", number)

    def plug(self, oled: Display | None) -> None:
        """Puts a display into its socket, or pulls out the one that is there."""
        self.oled = oled
        self._give(b"z", 0, json.dumps({"i2c": WIRED if oled else []}).encode())

    def _air_changed(self) -> None:
        self._give(b"a", 0, json.dumps(self.air.told()).encode())

    def _give(self, kind: bytes, number: int, content: bytes = b"") -> None:
        if self.clock is not None:
            self._later(self.clock.now_us, kind, number, content)
        else:
            self._send(kind, number, content)

    def _later(self, at_us: int, kind: bytes, number: int, content: bytes) -> None:
        if self._process is not None:
            heapq.heappush(self._events, (at_us, next(self._numbers), kind, number, content))

    def _send(self, kind: bytes, number: int, content: bytes = b"") -> None:
        with self._lock:
            if self._line is not None:
                self._line.send(kind, number, content)

    # What it does

    def catch_up(self) -> None:
        """In simulated time: it comes to this moment."""
        if self.clock is not None and self._process is not None:
            self._send(b"G", self.clock.now_us)
            self._until_it_waits()

    def files(self) -> dict[str, bytes]:
        """The files on its flash now, by their path."""
        with self.flash.open("rb") as file:
            file.seek(self.place.offset)
            return filesystem.read(file.read(self.place.size))

    def figures(self) -> dict[str, int]:
        """alloc and free: bytes of its heap, collected, without what the stand-ins hold; programs
        and erases of its flash so far; uart_lost bytes."""
        with self._lock:
            self._figures = None
        self._send(b"h", 0)
        if self.clock is not None:
            self.catch_up()
        else:
            with self._lock:
                self._lock.wait_for(lambda: self._figures is not None, self._patience_s)
        if self._figures is None:
            raise DsmrError(f"the virtual board says nothing of its memory\n{self.log[-2000:]}")
        return self._figures

    def _handle(self, kind: bytes, number: int, content: bytes) -> None:
        if kind == b"W":
            self.deadline_us, self.worked = number >> 1, bool(number & 1)
            (self.now_us,) = struct.unpack("<q", content)
        elif kind == b"P":
            at_us, gpio, level = number >> 6, number >> 1 & 31, number & 1
            self.pins[gpio] = level
            self.changes.append((at_us, gpio, level))
        elif kind == b"U":
            self._note(content.decode("utf-8", "replace"))
            if self.on_serial is not None:
                self.on_serial(content)
        elif kind == b"T":
            self._console = bool(number)
        elif kind == b"R":
            self.now_us = number
            self._again(content.decode())
        elif kind == b"M":
            self.rtc = content
        elif kind == b"S":
            self.wifi = number >> 1
            if not number & 1:
                self.access_point = None
        elif kind == b"J":
            self.joins.append((number, socket.inet_ntoa(content)))
        elif kind == b"A":
            self.access_point = content.decode()
        elif kind == b"E":
            *conducted, positive, negative = struct.unpack("<HHII", content)
            self.conducted, self.halves = tuple(conducted), positive + negative
        elif kind == b"X":
            self.faults.append(content.decode())
        elif kind == b"H":
            self._figures = json.loads(content)
        elif kind == b"D":
            self._fed_s = time.monotonic()
        elif kind == b"I" and self.oled is not None:
            self.oled.write(content)
        elif kind == b"C":
            self.cut = True
            self._stop()
            self.rtc = b""

    def _again(self, cause: str) -> None:
        """The chip reset itself: its process ends, and another boots from the same flash."""
        self.resets.append((self.now_us, cause))
        self._note(f"\n--- reset: {cause} ---\n")
        self._stop()
        if not self.restarts:
            return
        if self.clock is None:
            self._start(cause)
        else:
            self._next_cause = cause
            self.now_us = self.deadline_us = self.now_us + _BOOT_US

    def _printed(self, chip: line.Line) -> None:
        self._note(text := chip.printed())
        if text and self._console and self.on_serial is not None:
            self.on_serial(text.encode())  # until its firmware takes its UART over

    def _note(self, text: str) -> None:
        if text:
            self.log = (self.log + text)[-_LOG_MOST:]

    def _take(self, timeout_s: float) -> bool:
        """One thing it tells, waiting at most so long. False: nothing, or it ended."""
        process, chip = self._process, self._line
        if process is None or chip is None:
            return False
        told = chip.take(timeout_s)
        if told is None or (told.kind in b"WDRT" and told[:2] != (b"T", 1)):
            self._printed(chip)
        if told is None:
            if chip.over and process is self._process:
                self._note(chip.printed())
                # The program itself died, which no chip does.
                self.faults.append(f"the MicroPython program ended by itself ({process.wait()})")
                self.restarts = False
                self._again("CRASH")
            return False
        with self._lock:
            self._handle(*told)
            self._lock.notify_all()
        return True

    # Real time

    def _serve(self) -> None:
        while self._process is not None:
            self._take(0.2)
            if self._fed_s and time.monotonic() - self._fed_s > _DOG_S:
                self._again("WDT")

    # Simulated time, for the conductor

    @property
    def wakes_us(self) -> int | None:
        """When it next has something to do; None without power."""
        if not self.running:
            return None
        first = self._events[0][0] if self._events else self.deadline_us
        return max(self.now_us, min(self.deadline_us, first))

    def grant(self, now_us: int) -> bool:
        """Lets it work at this moment, with everything that came for it. True when it did."""
        if self._process is None:
            if self._next_cause is None:
                return False
            cause, self._next_cause = self._next_cause, None
            self.now_us = now_us
            self._start(cause)
            self._until_it_waits()
            return True
        while self._events and self._events[0][0] <= now_us:
            _, _, kind, number, content = heapq.heappop(self._events)
            self._send(kind, number, content)
        self._send(b"G", now_us)
        self._until_it_waits()
        return self.worked

    def _until_it_waits(self) -> None:
        process = self._process
        self.deadline_us = -1
        self.worked = False
        give_up = time.monotonic() + self._patience_s
        while self._process is process and process is not None and self.deadline_us < 0:
            self._take(0.5)
            if time.monotonic() > give_up and self._process is process:
                # A loop without end: its watchdog.
                self.now_us += int(_DOG_S * 1e6)
                self._again("WDT")
