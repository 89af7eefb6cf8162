"""An ESP8266's ROM loader and esptool's stub on a serial port, for the unmodified esptool.

The serial protocol is Espressif's (esptool's documentation, "Serial Protocol"); of the stub what
esptool 5 uses. Time is counted, never slept: what a line of that rate and a flash of that kind
would take.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable
from typing import Self

from dsmrctl.virtual import slip
from dsmrctl.virtual.registers import Registers
from dsmrctl.virtual.spi_flash import SECTOR, Faults, Reading, SpiFlash, Writing
from dsmrctl.virtual.wire import PtyWire, TcpWire, Wire

__all__ = ["Bootloader", "Faults"]

ROM_BAUD, LOG_BAUD = 115200, 74880  # its first words come at the crystal's rate
# One trip over USB, which every answer takes.
_TRIP_S = 0.001
_SYNC, _READ_REG, _WRITE_REG, _CHANGE_BAUD = 0x08, 0x0A, 0x09, 0x0F
_MEM_BEGIN, _MEM_END, _MEM_DATA = 0x05, 0x06, 0x07
# Statuses: the ROM's, then the stub's.
_ROM_INVALID, _ROM_CHECKSUM = 0x0105, 0x0107
_BAD_LENGTH, _BAD_CHECKSUM, _NOT_BEGUN, _NO_COMMAND, _NO_INFLATE = (
    *(0xC000, 0xC100, 0xC600, 0xC300, 0xC700),
)


class Bootloader:
    """A chip on a cable; a context manager. `port` is what esptool is given.

    flash: its bytes, blank when left out; size: what it says it has. app: its firmware, given what
    comes on the line, gives what it answers; called with b"" at its start. download: is its button
    held as it is plugged in first (GPIO0 low)?
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
        self._clock_s = self._flash_free_s = 0.0
        self.wire: Wire = (
            PtyWire() if wire == "pty" else TcpWire(self._lines if wire == "rfc2217" else None)
        )
        self.port = self.wire.path
        self._running = True
        self._ending = threading.Event()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

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
        with self._lock:
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
        """Seconds that all of it would have taken: the line both ways, trips, and the flash's
        work, of which what the stub does while it hears the next block counts once."""
        return max(self._clock_s, self._flash_free_s)

    def _reset(self, download: bool) -> None:
        self.mode = "rom" if download else "app"
        self.baud = ROM_BAUD
        self._ear = slip.Ear()
        self._synced = False
        self._late = 0  # a status that shows on the next command
        self._writing: Writing | None = None
        self._reading: Reading | None = None
        self._in_memory = False
        self.baud = LOG_BAUD
        self._out(
            b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(%d,6)\r\n\r\n" % (1 if download else 3)
        )
        self.baud = ROM_BAUD
        if not download and self._app is not None:
            self._out(self._app(b""))

    def _lines(self, dtr: bool, rts: bool) -> None:
        """The two transistors of a NodeMCU: RTS alone holds it in reset, DTR alone GPIO0 low."""
        running = not (rts and not dtr)
        if running and not self._running:
            self._reset(download=dtr)
        self._running = running

    # The line

    def _run(self) -> None:
        while not self._ending.is_set():
            data = self.wire.read(0.02) if self.wire.plugged else b""
            if not data:
                if not self.wire.plugged:
                    self._ending.wait(0.01)
                continue
            with self._lock:
                self._hear(data)

    def _hear(self, data: bytes) -> None:
        faults, before = self.faults, self._since_plugged
        self.received += len(data)
        self._since_plugged += len(data)
        host = self.wire.host_baud()
        self._clock_s += len(data) * 10 / (host or self.baud)
        if faults.unplug_after is not None and self._since_plugged >= faults.unplug_after:
            # To the byte: what came after it never arrived.
            data = data[: max(0, faults.unplug_after - before)]
            self._take(data, host)
            self.wire.unplug()
            return
        if faults.hang_after is not None and self._since_plugged >= faults.hang_after:
            return
        self._take(data, host)

    def _take(self, data: bytes, host: int) -> None:
        if self.mode == "app":
            if self._app is not None and not self._garbled(host):
                self._out(self._app(data))
            return
        if self.mode == "rom" and not self._synced and host:
            self.baud = host  # it finds the rate by the first bytes
        if not self._garbled(host):
            for byte in data:
                if frame := self._ear.hear(byte):
                    self._command(frame)

    def _garbled(self, host: int) -> bool:
        most = self.faults.most_baud
        if most is not None and max(host, self.baud) > most:
            return True
        return bool(host) and abs(host - self.baud) > self.baud * 0.04

    def _out(self, data: bytes) -> None:
        if not data or self.faults.mute:
            return
        self.sent += len(data)
        self._clock_s += len(data) * 10 / self.baud + _TRIP_S
        if self._garbled(self.wire.host_baud()):
            data = bytes((byte * 7 + 0x5D) & 0xFF for byte in data)
        self.wire.write(data)

    def _slip(self, data: bytes) -> None:
        self._out(slip.framed(data))

    # Commands

    def _answer(self, op: int, value: int = 0, data: bytes = b"", status: int = 0) -> None:
        end = struct.pack(">H", status)
        if self.mode == "rom":
            end = end.ljust(self._status_bytes, b"\0")
        self._slip(struct.pack("<BBHI", 1, op, len(data) + len(end), value) + data + end)

    def _command(self, frame: bytes) -> None:
        # Whatever it was doing with its flash is done before it looks at the line again.
        self._clock_s = max(self._clock_s, self._flash_free_s)
        if self._reading is not None:
            self._acknowledged(frame)
            return
        if len(frame) < 8 or frame[0] != 0:
            return
        op, size, check = struct.unpack_from("<xBHI", frame)
        data, stub = frame[8:], self.mode == "stub"
        self.commands[op] = self.commands.get(op, 0) + 1
        if op != _SYNC and not self._synced:
            return
        if len(data) != size:
            self._answer(op, status=_BAD_LENGTH if stub else _ROM_INVALID)
        elif op in self.faults.fail:
            self._answer(op, status=self.faults.fail[op])
        elif stub and self._late:
            status, self._late = self._late, 0
            self._answer(op, status=status)
        else:
            self._obey(op, data, check, stub)

    def _obey(self, op: int, data: bytes, check: int, stub: bool) -> None:
        simple: dict[int, Callable[[int, bytes], None]] = {
            _SYNC: self._sync,
            _READ_REG: self._read_register,
            _WRITE_REG: self._write_register,
            _MEM_BEGIN: self._mem_begin,
            _MEM_END: self._mem_end,
        }
        of_stub: dict[int, Callable[[int, bytes], None]] = {
            0x0B: lambda op, data: self._answer(op),
            0x0D: lambda op, data: self._answer(op),
            _CHANGE_BAUD: self._change_baud,
            0x13: self._md5,
            0xD0: self._erase_all,
            0xD1: self._erase,
            0xD2: self._read_flash,
            0xD3: lambda op, data: None,  # "run user code": empty in the stub, never answered
        }
        if op in simple:
            simple[op](op, data)
        elif op == _MEM_DATA:
            body = data[16:]
            wrong = not self._in_memory or slip.checksum(body) != check & 0xFF
            self._answer(op, status=_ROM_CHECKSUM if wrong else 0)
        elif op in (0x02, 0x10) and (stub or op == 0x02):
            self._begin(op, data, stub)
        elif op in (0x03, 0x11) and (stub or op == 0x03):
            self._data(op, data, check, stub)
        elif op in (0x04, 0x12) and (stub or op == 0x04):
            self._end(op, data, stub)
        elif stub and op in of_stub:
            of_stub[op](op, data)
        elif stub:
            self._answer(op, status=_NO_COMMAND)
        else:
            # The ROM's "no such command": eight answers, and none with the command's number.
            for _ in range(8):
                self._answer(0, status=_ROM_INVALID)

    def _sync(self, op: int, data: bytes) -> None:
        self._synced = True
        for _ in range(8):
            self._answer(op, 0 if self.mode == "stub" else 0x20120707)

    def _read_register(self, op: int, data: bytes) -> None:
        self._answer(op, self._registers.read(struct.unpack("<I", data)[0], self.baud))

    def _write_register(self, op: int, data: bytes) -> None:
        self._registers.write(data)
        self._answer(op)

    def _mem_begin(self, op: int, data: bytes) -> None:
        self._in_memory = True
        self._answer(op)

    def _mem_end(self, op: int, data: bytes) -> None:
        stay, entry = struct.unpack("<II", data)
        self._answer(op)
        if entry and not stay and not self.faults.dead_stub:
            self.mode = "stub"
            self._slip(b"OHAI")

    def _change_baud(self, op: int, data: bytes) -> None:
        self._answer(op)
        self.baud = struct.unpack_from("<I", data)[0]

    # The flash

    def _work(self, done: Callable[[], object]) -> None:
        """Something its flash takes time for."""
        before = self.spi.busy_s
        done()
        self._flash_free_s = max(self._clock_s, self._flash_free_s) + self.spi.busy_s - before

    def _wait(self) -> None:
        self._clock_s = max(self._clock_s, self._flash_free_s)

    def _begin(self, op: int, data: bytes, stub: bool) -> None:
        size, _, _, offset = struct.unpack_from("<IIII", data)
        self._writing = Writing(self.spi, offset, size, inflate=op == 0x10)
        if not stub and size:
            # The ROM erases up front, and more than asked within the first block (a known fault).
            sectors, head = size // SECTOR, 16 - offset // SECTOR % 16
            more = 2 * sectors if sectors <= head else sectors + head
            self._work(lambda: self.spi.erase(offset, min(more * SECTOR, self.spi.size - offset)))
            self._wait()
        self._answer(op)

    def _data(self, op: int, data: bytes, check: int, stub: bool) -> None:
        body, writing = data[16:], self._writing
        if writing is None:
            self._answer(op, status=_NOT_BEGUN if stub else _ROM_INVALID)
        elif slip.checksum(body) != check & 0xFF:
            self._answer(op, status=_BAD_CHECKSUM if stub else _ROM_CHECKSUM)
        elif stub:
            # It says yes first: it hears the next block while it programs this one.
            self._answer(op)
            try:
                self._work(lambda: writing.take(body))
            except zlib.error:
                self._late = _NO_INFLATE
        else:
            self._work(lambda: writing.program(body))
            self._wait()
            self._answer(op)

    def _end(self, op: int, data: bytes, stub: bool) -> None:
        writing, self._writing = self._writing, None
        if not stub:
            self._answer(op)
            (stay,) = struct.unpack("<I", data)
            if not stay:
                self._reset(self.button)
        elif writing is None:
            self._answer(op, status=_NOT_BEGUN)
        else:
            self._answer(op, status=_BAD_LENGTH if writing.left > 0 else 0)

    def _md5(self, op: int, data: bytes) -> None:
        address, size = struct.unpack_from("<II", data)
        found = [b""]
        self._work(lambda: found.append(self.spi.md5(address, size)))
        self._wait()
        self._answer(op, data=found[-1])

    def _erase_all(self, op: int, data: bytes) -> None:
        self._work(lambda: self.spi.erase(0, self.spi.size))
        self._wait()
        self._answer(op)

    def _erase(self, op: int, data: bytes) -> None:
        address, size = struct.unpack("<II", data)
        if address % SECTOR or size % SECTOR:
            self._answer(op, status=_BAD_LENGTH)
            return
        self._work(lambda: self.spi.erase(address, size))
        self._wait()
        self._answer(op)

    def _read_flash(self, op: int, data: bytes) -> None:
        offset, size, piece, _ = struct.unpack("<IIII", data)
        self._answer(op)
        self._reading = Reading(self.spi.read(offset, size), piece)
        self._slip(self._reading.next())

    def _acknowledged(self, frame: bytes) -> None:
        reading = self._reading
        assert reading is not None
        if len(frame) != 4:
            self._reading = None
        elif struct.unpack("<I", frame)[0] >= len(reading.data):
            self._reading = None
            self._slip(reading.digest())
        else:
            self._slip(reading.next())
