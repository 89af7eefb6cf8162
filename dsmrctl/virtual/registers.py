"""The registers of an ESP8266 that esptool looks at: what it is, its MAC, its flash's id."""

from __future__ import annotations

import struct

# By this esptool knows the chip.
_KIND = 0x40001000
_MAGIC = {"esp8266": 0xFFF0C101, "esp8285": 0xFFF0C101, "esp32": 0x00F01D83}
_EFUSES = 0x3FF00050
_UART_DIVIDER, _CRYSTAL = 0x60000014, 52_000_000  # 26 MHz, doubled
# The flash hangs on it: an address, how many bits it answers, a command, the answer.
_SPI, _SPI_ADDRESS, _SPI_BITS, _SPI_COMMAND, _SPI_ANSWER = (
    0x60000200 + at for at in (0, 0x04, 0x20, 0x24, 0x40)
)
_GO = 1 << 18
_READ_ID, _READ_SFDP = 0x9F, 0x5A
# The head of its table of parameters (JEDEC JESD216): 1.5, one part of 16 words, at 80.
_SFDP = b"SFDP" + bytes.fromhex("05 01 00 ff 00 05 01 10 80 00 00 ff")
# What a line that no flash drives reads as.
_NO_FLASH = {0x000000: 0, 0xFFFFFF: 0xFFFFFFFF}


class Registers:
    """chip: esp8266, esp8285 or esp32. mac: aa:bb:… jedec: the flash's id."""

    def __init__(self, chip: str, mac: str, jedec: int) -> None:
        self._values = {_KIND: _MAGIC[chip], **_efuses(mac, chip)}
        self._jedec = jedec

    def read(self, address: int, baud: int) -> int:
        """A word; baud: of its line, whose divider by which the crystal is found."""
        return _CRYSTAL // baud if address == _UART_DIVIDER else self._values.get(address, 0)

    def write(self, data: bytes) -> None:
        """Any number of (address, value, mask, delay)."""
        for at in range(0, len(data), 16):
            address, value, mask, _ = struct.unpack_from("<IIII", data, at)
            before = self._values.get(address, 0)
            self._values[address] = (value & mask) | (before & ~mask & 0xFFFFFFFF)
            if address == _SPI and value & _GO:
                self._values[address] = 0
                self._ask_flash()

    def _ask_flash(self) -> None:
        bits = (self._values.get(_SPI_BITS, 0) >> 8 & 0x1FF) + 1
        answer = _NO_FLASH.get(self._jedec)
        if answer is None:
            answer = self._flash_answers(self._values.get(_SPI_COMMAND, 0) & 0xFF)
        self._values[_SPI_ANSWER] = answer & (1 << min(bits, 32)) - 1

    def _flash_answers(self, command: int) -> int:
        if command == _READ_ID:
            return self._jedec
        if command == _READ_SFDP:
            at = self._values.get(_SPI_ADDRESS, 0) >> 8
            return int.from_bytes(_SFDP[at : at + 4].ljust(4, b"\xff"), "little")
        return 0


def _efuses(mac: str, chip: str) -> dict[int, int]:
    """The four words in which the chip has its MAC, and what it is."""
    m = bytes.fromhex(mac.replace(":", ""))
    words = [m[5] << 24, 2 << 24 | m[3] << 8 | m[4], 0xF200A000, int.from_bytes(m[:3], "big")]
    if chip == "esp8285":
        words[0] |= 1 << 4
    return {_EFUSES + 4 * number: word for number, word in enumerate(words)}
