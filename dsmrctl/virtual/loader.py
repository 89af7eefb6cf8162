"""What an ESP8266's ROM loader answers, and esptool's stub once it was loaded.

Source: Espressif's esptool documentation, "Serial Protocol", and what esp-flasher-stub does.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from dsmrctl.virtual import slip
from dsmrctl.virtual.flash_work import Reading, Writing
from dsmrctl.virtual.registers import Registers
from dsmrctl.virtual.spi_flash import SECTOR, Faults, SpiFlash

ROM_BAUD = 115200
SYNC = 0x08
# Statuses: the ROM's, then the stub's.
_ROM_INVALID, _ROM_CHECKSUM = 0x0105, 0x0107
_BAD_LENGTH, _BAD_CHECKSUM, _NO_COMMAND, _NOT_BEGUN, _NO_INFLATE, _TOO_MUCH, _NEVER = (
    *(0xC000, 0xC100, 0xC300, 0xC600, 0xC700, 0xC900, 0xFF00),
)
_ROM_VERSION = 0x20120707
# A READ_FLASH of more than this at a time the stub refuses.
_LONGEST_READ = 4096
_BLOCK_HEAD = 16

Command = Callable[[int, bytes, int], None]


class Loader:
    """From a reset to the next one.

    send: takes a frame for the line. boot: leaves for the firmware, with a reset or without.
    status_bytes: how many the ROM ends its answers with.
    """

    def __init__(
        self,
        spi: SpiFlash,
        registers: Registers,
        faults: Faults,
        *,
        send: Callable[[bytes], None],
        boot: Callable[[bool], None],
        status_bytes: int = 2,
    ) -> None:
        self.baud = ROM_BAUD
        self.synced = False
        self._spi, self._registers, self._faults = spi, registers, faults
        self._send, self._boot = send, boot
        self._status_bytes = status_bytes
        self._stub = self._dead = False
        self._late = 0  # a status that shows on the next command
        self._loading = False
        self._writing: Writing | None = None
        self._reading: Reading | None = None
        self._rom: dict[int, Command] = {
            0x02: self._begin,
            0x03: self._data,
            0x04: self._end,
            0x05: self._mem_begin,
            0x06: self._mem_end,
            0x07: self._mem_data,
            SYNC: self._sync,
            0x09: self._write_register,
            0x0A: self._read_register,
        }
        self._of_stub: dict[int, Command] = self._rom | {
            0x0B: self._yes,  # the flash's parameters
            0x0D: self._yes,  # its pins
            0x0F: self._change_baud,
            0x10: self._begin,
            0x11: self._data,
            0x12: self._end,
            0x13: self._md5,
            0x14: self._never,  # security: a later chip's
            0xD0: self._erase_all,
            0xD1: self._erase,
            0xD2: self._read_flash,
            0xD3: self._nothing,  # "run user code": empty in the stub, never answered
        }

    @property
    def rate_found(self) -> bool:
        """Whether it knows the line's rate: the ROM finds it by the first command."""
        return self._stub or self.synced

    def hear(self, frame: bytes) -> int | None:
        """A frame from the host; the number of the command that it is, if it is one."""
        if self._dead:
            return None
        if self._reading is not None:
            self._acknowledged(frame)
            return None
        if len(frame) < 8 or frame[0] != 0:
            return None
        op, size, check = struct.unpack_from("<xBHI", frame)
        data = frame[8:]
        if op != SYNC and not self.synced:
            return op
        if len(data) != size:
            self._answer(op, status=_BAD_LENGTH if self._stub else _ROM_INVALID)
        elif op in self._faults.fail:
            self._answer(op, status=self._faults.fail[op])
        elif self._late:
            status, self._late = self._late, 0
            self._answer(op, status=status)
        else:
            self._obey(op, data, check)
        return op

    def _obey(self, op: int, data: bytes, check: int) -> None:
        command = (self._of_stub if self._stub else self._rom).get(op)
        if command is not None:
            try:
                command(op, data, check)
            except struct.error:
                self._answer(op, status=_BAD_LENGTH if self._stub else _ROM_INVALID)
        elif self._stub:
            self._answer(op, status=_NO_COMMAND)
        else:
            # The ROM's "no such command": eight answers, and none with the command's number.
            for _ in range(8):
                self._answer(0, status=_ROM_INVALID)

    def _answer(self, op: int, value: int = 0, data: bytes = b"", status: int = 0) -> None:
        end = struct.pack(">H", status)
        if not self._stub:
            end = end.ljust(self._status_bytes, b"\0")
        self._send(struct.pack("<BBHI", 1, op, len(data) + len(end), value) + data + end)

    # What both know

    def _sync(self, op: int, data: bytes, check: int) -> None:
        self.synced = True
        for _ in range(8):
            self._answer(op, 0 if self._stub else _ROM_VERSION)

    def _read_register(self, op: int, data: bytes, check: int) -> None:
        self._answer(op, self._registers.read(struct.unpack("<I", data)[0], self.baud))

    def _write_register(self, op: int, data: bytes, check: int) -> None:
        self._registers.write(data)
        self._answer(op)

    def _mem_begin(self, op: int, data: bytes, check: int) -> None:
        struct.unpack("<IIII", data)
        self._loading = True
        self._answer(op)

    def _mem_data(self, op: int, data: bytes, check: int) -> None:
        wrong = not self._loading or slip.checksum(data[_BLOCK_HEAD:]) != check & 0xFF
        self._answer(op, status=_ROM_CHECKSUM if wrong else 0)

    def _mem_end(self, op: int, data: bytes, check: int) -> None:
        stay, entry = struct.unpack("<II", data)
        self._loading = False
        self._answer(op)
        if stay or not entry:
            return
        # What was loaded runs, whatever it is: esptool loads nothing but its stub.
        self._dead = self._faults.dead_stub
        self._stub = True
        if not self._dead:
            self._send(b"OHAI")

    # What writes

    def _begin(self, op: int, data: bytes, check: int) -> None:
        if len(data) not in (16, 20):
            raise struct.error
        size, _, _, offset = struct.unpack_from("<IIII", data)
        self._writing = Writing(self._spi, offset, size, inflate=op == 0x10)
        if self._stub:
            self._writing.erase_next()
        elif size:
            # The ROM erases up front, and more than asked within the first block (a known fault).
            sectors, head = size // SECTOR, 16 - offset // SECTOR % 16
            more = 2 * sectors if sectors <= head else sectors + head
            self._spi.erase(offset, min(more * SECTOR, self._spi.size - offset))
        self._answer(op)

    def _data(self, op: int, data: bytes, check: int) -> None:
        (size,) = struct.unpack_from("<I", data)
        body, writing = data[_BLOCK_HEAD:], self._writing
        if writing is None:
            self._answer(op, status=_NOT_BEGUN if self._stub else _ROM_INVALID)
        elif size != len(body):
            self._answer(op, status=_TOO_MUCH if self._stub else _ROM_INVALID)
        elif slip.checksum(body) != check & 0xFF:
            self._answer(op, status=_BAD_CHECKSUM if self._stub else _ROM_CHECKSUM)
        elif self._stub:
            # It says yes first: it hears the next block while it programs this one.
            self._answer(op)
            try:
                writing.take(body)
            except zlib.error:
                self._late = _NO_INFLATE
        else:
            writing.program(body)
            self._answer(op)

    def _end(self, op: int, data: bytes, check: int) -> None:
        (stay,) = struct.unpack("<I", data)
        if not self._stub:
            self._writing = None
            self._answer(op)
            # 0: a reset; 1: on to the firmware.
            self._boot(not stay)
        elif self._writing is None:
            self._answer(op, status=_NOT_BEGUN)
        elif self._writing.left:
            self._answer(op, status=_BAD_LENGTH)
        else:
            # The stub does not reset, whatever is asked.
            self._writing = None
            self._answer(op)

    # What the stub knows besides

    def _yes(self, op: int, data: bytes, check: int) -> None:
        self._answer(op)

    def _never(self, op: int, data: bytes, check: int) -> None:
        self._answer(op, status=_NEVER)

    def _nothing(self, op: int, data: bytes, check: int) -> None:
        pass

    def _change_baud(self, op: int, data: bytes, check: int) -> None:
        baud, _ = struct.unpack("<II", data)
        self._answer(op)
        self.baud = baud

    def _md5(self, op: int, data: bytes, check: int) -> None:
        address, size, _, _ = struct.unpack("<IIII", data)
        self._answer(op, data=self._spi.md5(address, size))

    def _erase_all(self, op: int, data: bytes, check: int) -> None:
        self._spi.erase(0, self._spi.size)
        self._answer(op)

    def _erase(self, op: int, data: bytes, check: int) -> None:
        address, size = struct.unpack("<II", data)
        if address % SECTOR or size % SECTOR:
            raise struct.error
        self._spi.erase(address, size)
        self._answer(op)

    def _read_flash(self, op: int, data: bytes, check: int) -> None:
        offset, size, piece, _ = struct.unpack("<IIII", data)
        self._answer(op)
        if piece > _LONGEST_READ:
            self._late = _BAD_LENGTH
            return
        self._reading = Reading(self._spi, offset, size, piece)
        self._send_more(self._reading, 0)

    def _acknowledged(self, frame: bytes) -> None:
        reading = self._reading
        assert reading is not None
        if len(frame) == 4:
            self._send_more(reading, struct.unpack("<I", frame)[0])
        else:
            # Another frame ends it, and is lost: the MD5 is of what was sent so far.
            self._send_more(reading, reading.size)

    def _send_more(self, reading: Reading, acknowledged: int) -> None:
        if acknowledged >= reading.size:
            self._reading = None
            self._send(reading.digest())
        elif piece := reading.next():
            self._send(piece)
