"""A NOR flash chip, as a board has one beside its ESP8266, and what may be wrong with it.

Its time is counted, not waited for: an erase goes on by itself until something else is asked of
it, as on the real one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

SECTOR, BLOCK, PAGE = 0x1000, 0x10000, 256
# Of a typical one (Winbond W25Q80): seconds a sector, a block, a page; and to read a byte back.
_SECTOR_S, _BLOCK_S, _PAGE_S, _READ_S = 0.045, 0.150, 0.0007, 1e-6
# JEDEC: maker and kind (Winbond, EF 40), then the size as a power of two.
_WINBOND = 0x40EF


@dataclass
class Faults:
    """What may go wrong with a board on a cable; each may be changed while it is used.

    unplug_after, hang_after: bytes from the host since it was plugged in. flip: addresses of which
    a bit is inverted when they are programmed, `flips_left` times (None: always). fail: answers
    to a command (its number) with that status. most_baud: above it only garbage comes through.
    true_size: bytes it really has, whatever it says; addresses wrap round.
    """

    unplug_after: int | None = None
    hang_after: int | None = None
    mute: bool = False
    dead_stub: bool = False
    flip: set[int] = field(default_factory=set)
    flips_left: int | None = None
    fail: dict[int, int] = field(default_factory=dict)
    write_protected: bool = False
    most_baud: int | None = None
    true_size: int | None = None


class SpiFlash:
    """size: what it says it has, in bytes; jedec: its id, by the size when left out.

    `now_s` is the clock of whoever uses it, set on by what it has to wait for; `ready_s` when the
    erase that was begun last is done.
    """

    def __init__(
        self, data: bytearray | None, size: int, jedec: int | None, faults: Faults
    ) -> None:
        true = faults.true_size or size
        self.data = bytearray(b"\xff" * true) if data is None else data
        if len(self.data) != true or true % SECTOR:
            raise ValueError(f"{len(self.data)} bytes of a flash of {true}")
        self.size = size
        self.jedec = _WINBOND | (size.bit_length() - 1) << 16 if jedec is None else jedec
        self.erased = self.programmed = 0
        self.now_s = self.ready_s = 0.0
        self._faults = faults

    @property
    def idle(self) -> bool:
        """Whether no erase goes on."""
        return self.ready_s <= self.now_s

    def wait(self) -> None:
        """For the erase that goes on."""
        self.now_s = max(self.now_s, self.ready_s)

    def begin_erase(self, address: int, size: int) -> None:
        """Begins to erase a sector or a block."""
        self.wait()
        if self._faults.write_protected:
            return  # it does not obey, and takes no time for that
        self.ready_s = self.now_s + (_BLOCK_S if size == BLOCK else _SECTOR_S)
        self.erased += size // SECTOR
        at = address % len(self.data)
        first = min(size, len(self.data) - at)
        self.data[at : at + first] = b"\xff" * first
        self.data[: size - first] = b"\xff" * (size - first)

    def erase(self, address: int, size: int) -> None:
        """Every sector that this touches, by the block where it can, until it is done."""
        at, end = address // SECTOR * SECTOR, -(-(address + size) // SECTOR) * SECTOR
        while at < end:
            at += self.erase_next(at, end)
        self.wait()

    def erase_next(self, at: int, end: int) -> int:
        """Begins with the first block of these sectors, or the first sector; how much that is."""
        size = BLOCK if at % BLOCK == 0 and end - at >= BLOCK else SECTOR
        self.begin_erase(at, size)
        return size

    def program(self, address: int, data: bytes) -> None:
        """Clears bits, and sets none: what was not erased becomes both at once."""
        self.wait()
        if self._faults.write_protected:
            return
        self.now_s += len(data) / PAGE * _PAGE_S
        self.programmed += len(data)
        while data:
            at = address % len(self.data)
            part = data[: len(self.data) - at]
            self._program(at, part)
            address, data = address + len(part), data[len(part) :]

    def _program(self, at: int, data: bytes) -> None:
        end = at + len(data)
        new = int.from_bytes(self.data[at:end], "little") & int.from_bytes(data, "little")
        self.data[at:end] = new.to_bytes(len(data), "little")
        faults = self._faults
        for address in faults.flip:
            if at <= address < end and faults.flips_left != 0:
                self.data[address] ^= 0x10
                if faults.flips_left is not None:
                    faults.flips_left -= 1

    def read(self, address: int, size: int) -> bytes:
        """Bytes as they are now."""
        self.wait()
        found = bytearray()
        while len(found) < size:
            at = (address + len(found)) % len(self.data)
            found += self.data[at : at + size - len(found)]
        return bytes(found)

    def md5(self, address: int, size: int) -> bytes:
        """Of that much, as the chip's processor counts it."""
        digest = hashlib.md5(self.read(address, size)).digest()
        self.now_s += size * _READ_S
        return digest

    def blank(self, address: int) -> bool:
        """Whether that sector is erased."""
        return self.read(address, SECTOR) == b"\xff" * SECTOR
