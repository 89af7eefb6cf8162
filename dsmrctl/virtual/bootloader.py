"""A board with an ESP8266 on a serial port, for the unmodified esptool: power, line, time, faults.

Time is counted, never slept: what a line of that rate and a flash of that kind would take.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from dsmrctl.virtual import slip
from dsmrctl.virtual.loader import ROM_BAUD, Loader
from dsmrctl.virtual.registers import Registers
from dsmrctl.virtual.spi_flash import Faults, SpiFlash
from dsmrctl.virtual.wire import PtyWire, TcpWire, Wire

__all__ = ["Bootloader", "Faults"]

LOG_BAUD = 74880  # its first words come at the crystal's rate
# One trip over USB, which every answer takes.
_TRIP_S = 0.001
# How long its thread looks for bytes, or for a cable, at a time.
_LOOK_S = 0.02
# A UART hears one that is so much faster or slower.
_OFF_RATE = 0.04


class Bootloader:
    """A chip on a cable; a context manager. `port` is what esptool is given.

    flash: its bytes, blank when left out; size: what it says it has. chip: esp8266, esp8285, or
    esp32 as far as esptool needs to know it for one. wire: pty, tcp or rfc2217, of which the last
    has reset lines. app: its firmware, given what comes on the line, gives what it answers;
    called with b"" at its start. download: is its button held as it is plugged in first (GPIO0
    low)? `button` is that for the next time.
    """

    def __init__(
        self,
        flash: bytearray | None = None,
        *,
        size: int = 1 << 20,
        chip: str = "esp8266",
        mac: str = "5c:cf:7f:12:34:56",
        jedec: int | None = None,
        wire: str = "pty",
        app: Callable[[bytes], bytes] | None = None,
        download: bool = True,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.spi = SpiFlash(flash, size, jedec, self.faults)
        self.button = download
        self.received = self.sent = 0
        self.commands: dict[int, int] = {}
        self._app = app
        self._status_bytes = 4 if chip == "esp32" else 2
        self._registers = Registers(chip, mac, self.spi.jedec)
        self._line_s = 0.0
        self._loader: Loader | None = None  # None: its firmware runs
        self._ear = slip.Ear()
        self._since_plugged = 0
        self._held_in_reset = False
        self._ending = threading.Event()
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        lines = self._lines if wire == "rfc2217" else None
        self.wire: Wire = PtyWire() if wire == "pty" else TcpWire(lines)
        self.port = self.wire.path

    # Its life

    def __enter__(self) -> Self:
        self.plug()
        self._thread = threading.Thread(target=self._run, name="bootloader", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.wire.close()

    def plug(self) -> None:
        """Power and cable: the chip starts, in its bootloader when the button is held."""
        with self._lock:
            self._since_plugged = 0
            self.wire.plug()
            self._reset(self.button)

    def unplug(self) -> None:
        """Pulls it out; what is on its flash stays."""
        with self._lock:
            self.wire.unplug()

    def say(self, data: bytes) -> None:
        """What its firmware prints of itself."""
        self._out(data)

    @property
    def flash(self) -> bytearray:
        """Every byte that it really has."""
        return self.spi.data

    @property
    def erased(self) -> int:
        """Sectors erased so far."""
        return self.spi.erased

    @property
    def programmed(self) -> int:
        """Bytes programmed so far."""
        return self.spi.programmed

    @property
    def time_s(self) -> float:
        """Seconds that all of it would have taken: the line both ways, trips, the flash's work.

        What the stub does while it hears the next block, and an erase that goes on meanwhile,
        count once.
        """
        return max(self._line_s, self.spi.now_s, self.spi.ready_s)

    def _reset(self, download: bool) -> None:
        mode = 1 if download else 3
        self._out(b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(%d,6)\r\n\r\n" % mode, LOG_BAUD)
        self._ear = slip.Ear()
        self._loader = None
        if download:
            self._loader = Loader(
                self.spi,
                self._registers,
                self.faults,
                send=lambda frame: self._out(slip.framed(frame)),
                boot=self._leave,
                status_bytes=self._status_bytes,
            )
        else:
            self._start()

    def _leave(self, by_reset: bool) -> None:
        """The ROM's loader has done."""
        if by_reset:
            self._reset(self.button)
        else:
            self._loader = None
            self._start()

    def _start(self) -> None:
        if self._app is not None:
            self._out(self._app(b""))

    def _lines(self, dtr: bool, rts: bool) -> None:
        """The two transistors of a NodeMCU: RTS alone holds it in reset, DTR alone GPIO0 low."""
        with self._lock:
            was, self._held_in_reset = self._held_in_reset, rts and not dtr
            if was and not self._held_in_reset:
                self._reset(download=dtr)

    # The line

    def _run(self) -> None:
        while not self._ending.is_set():
            if data := self.wire.read(_LOOK_S):
                with self._lock:
                    self._hear(data)
            elif not self.wire.plugged:
                self._ending.wait(_LOOK_S)

    def _hear(self, data: bytes) -> None:
        """Takes what came, to the byte at which a fault is to show."""
        faults, before = self.faults, self._since_plugged
        self.received += len(data)
        self._since_plugged += len(data)
        host = self.wire.host_baud()
        self._line_s += len(data) * 10 / (host or self._baud)
        pulled = faults.unplug_after is not None and self._since_plugged >= faults.unplug_after
        for end in (faults.unplug_after, faults.hang_after):
            if end is not None:
                data = data[: max(0, end - before)]
        self._take(data, host)
        if pulled:
            self.wire.unplug()

    def _take(self, data: bytes, host: int) -> None:
        loader = self._loader
        if loader is not None and host and not loader.rate_found:
            loader.baud = host
        if self._garbled(host, self._baud):
            return
        if loader is None:
            if data and self._app is not None:
                self._out(self._app(data))
            return
        for frame in self._ear.hear(data):
            # It hears a frame when that has come and the one before is done with.
            self.spi.now_s = max(self.spi.now_s, self._line_s)
            if (op := loader.hear(frame)) is not None:
                self.commands[op] = self.commands.get(op, 0) + 1
            if self._loader is not loader:
                return

    @property
    def _baud(self) -> int:
        """The chip's own rate."""
        return ROM_BAUD if self._loader is None else self._loader.baud

    def _garbled(self, host: int, chip: int) -> bool:
        """Whether only noise comes through, each end at its rate. 0: the host's is not known."""
        most = self.faults.most_baud
        if most is not None and max(host, chip) > most:
            return True
        return bool(host) and abs(host - chip) > chip * _OFF_RATE

    def _out(self, data: bytes, baud: int | None = None) -> None:
        if not data or self.faults.mute:
            return
        baud = baud or self._baud
        with self._sending:
            self.sent += len(data)
            self._line_s = max(self._line_s, self.spi.now_s) + len(data) * 10 / baud + _TRIP_S
            if self._garbled(self.wire.host_baud(), baud):
                data = bytes((byte * 7 + 0x5D) & 0xFF for byte in data)
            self.wire.write(data)
