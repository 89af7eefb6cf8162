"""An SSD1306 display of 128x64 dots by its data sheet (Solomon Systech, revision 1.5).

It takes the bytes of each I2C write and tells what a person sees. The glass is the one of the
0.96 inch modules: upright, with the pins above, when columns and lines are both reversed (A1, C8).
"""

from __future__ import annotations

import random
import struct
import zlib

WIDTH, HEIGHT = 128, 64
# As on the switcher: the GPIOs of its scl (D5) and sda (D4), and its address.
WIRED = [14, 2, 0x3C]
_HORIZONTAL, _VERTICAL, _PAGE = 0, 1, 2
# How many bytes follow a command; those not named here have none (chapter 9).
_ARGUMENTS = {
    **dict.fromkeys((0x20, 0x81, 0x8D, 0xA8, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB), 1),
    **dict.fromkeys((0x21, 0x22, 0xA3), 2),
    **dict.fromkeys((0x29, 0x2A), 5),
    **dict.fromkeys((0x26, 0x27), 6),
}
_MOST_UNKNOWN = 100


class Display:
    """One display, from the moment that it has power.

    unknown: the commands, each with the bytes that came with it, that the data sheet does not
    know, or not with these values or in this addressing mode; at most the first hundred. writes:
    how many I2C writes came. ram: its 8 pages of 128 segments; random when it gets its power.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Its power went and came back (chapter 8.5, and the reset values of chapter 9)."""
        self.ram = bytearray(random.Random(0x1306).randbytes(WIDTH * HEIGHT // 8))
        self.unknown: list[bytes] = []
        self.writes = 0
        self.on = self.pump = self.inverted = self.all_on = self.scrolling = False
        self.contrast = 0x7F
        self.mode = _PAGE
        self.columns, self.pages = (0, WIDTH - 1), (0, 7)
        self.column = self.page = 0
        self.start_line = self.offset = 0
        self.lines = HEIGHT
        self.remapped = self.reversed = False
        self.com_pins = 0x12
        self._begun = bytearray()

    def write(self, data: bytes) -> None:
        """One I2C write without its address: control bytes, and what each announces (8.1.5.2)."""
        self.writes += 1
        at = 0
        while at < len(data):
            control = data[at]
            if control & 0x3F:
                self._note(data[at : at + 1])
            # Co: one byte, then another control byte. Else all that is left.
            end = at + 2 if control & 0x80 else len(data)
            for byte in data[at + 1 : end]:
                if control & 0x40:
                    self._store(byte)
                else:
                    self._hear(byte)
            at = end

    def _note(self, command: bytes) -> None:
        if len(self.unknown) < _MOST_UNKNOWN:
            self.unknown.append(bytes(command))

    def _store(self, byte: int) -> None:
        # The mapping of columns to segments is that of the moment of writing (10.1.8).
        segment = WIDTH - 1 - self.column if self.remapped else self.column
        self.ram[self.page * WIDTH + segment] = byte
        if self.mode == _VERTICAL:
            self.page, over = _next(self.page, self.pages, 8)
            if over:
                self.column, _ = _next(self.column, self.columns, WIDTH)
        elif self.mode == _HORIZONTAL:
            self.column, over = _next(self.column, self.columns, WIDTH)
            if over:
                self.page, _ = _next(self.page, self.pages, 8)
        else:
            self.column = (self.column + 1) % WIDTH

    def _hear(self, byte: int) -> None:
        # What follows a command may come in another write: drivers do so.
        self._begun.append(byte)
        if len(self._begun) > _ARGUMENTS.get(self._begun[0], 0):
            command, self._begun = bytes(self._begun), bytearray()
            if not (self._picture(*command) or self._place(*command) or self._panel(*command)):
                self._note(command)

    def _picture(self, command: int, *given: int) -> bool:
        """What is shown of the memory; False: it is no such command."""
        match (command, *given):
            case [0x81, value]:
                self.contrast = value
            case [0xA4 | 0xA5]:
                self.all_on = command == 0xA5
            case [0xA6 | 0xA7]:
                self.inverted = command == 0xA7
            case [0xAE | 0xAF]:
                self.on = command == 0xAF
            case [0x8D, (0x10 | 0x14) as value]:
                self.pump = value == 0x14
            case [0x2E | 0x2F]:
                self.scrolling = command == 0x2F  # it is told, not shown
            case [0x26 | 0x27, 0, first, _, last, 0, 0xFF]:
                return first <= last <= 7
            case [0x29 | 0x2A, 0, first, _, last, _]:
                return first <= last <= 7
            case [0xA3, fixed, moving]:
                return fixed + moving <= self.lines
            case [0xE3]:
                pass
            case _:
                return False
        return True

    def _place(self, command: int, *given: int) -> bool:
        """Where the next byte goes; some of these are for one addressing mode only."""
        paged = self.mode == _PAGE
        match (command, *given):
            case [0x20, (0 | 1 | 2) as value]:
                self.mode = value
            case [0x21, first, last] if not paged and first <= last < WIDTH:
                self.columns, self.column = (first, last), first
            case [0x22, first, last] if not paged and first <= last < 8:
                self.pages, self.page = (first, last), first
            case [low] if paged and low < 0x10:
                self.column = self.column & 0x70 | low
            case [high] if paged and high < 0x20:
                self.column = (high & 7) << 4 | self.column & 15
            case [page] if paged and 0xB0 <= page < 0xB8:
                self.page = page & 7
            case _:
                return False
        return True

    def _panel(self, command: int, *given: int) -> bool:
        """How its outputs are driven and counted."""
        match (command, *given):
            case [line] if 0x40 <= line < 0x80:
                self.start_line = line & 63
            case [0xA0 | 0xA1]:
                self.remapped = command == 0xA1
            case [0xC0 | 0xC8]:
                self.reversed = command == 0xC8
            case [0xA8, value] if 15 <= value < 64:
                self.lines = value + 1
            case [0xD3, value] if value < 64:
                self.offset = value
            case [0xDA, (0x02 | 0x12 | 0x22 | 0x32) as value]:
                self.com_pins = value
            case [0xD5 | 0xD9, value]:
                # No phase of the pre-charge may be 0.
                return command == 0xD5 or (value & 15 > 0 and value >> 4 > 0)
            case [0xDB, value]:
                return value in (0, 0x20, 0x30)
            case _:
                return False
        return True

    @property
    def lit(self) -> bool:
        """Whether it shines at all: it is on, and makes its own high voltage."""
        return self.on and self.pump

    def pixels(self) -> list[list[bool]]:
        """64 rows of 128 dots, True where one shines, as a person sees them."""
        com_at = {_pin(com, self.com_pins): com for com in range(HEIGHT)}
        return [self._row(com_at[_pin(HEIGHT - 1 - y, 0x12)]) for y in range(HEIGHT)]

    def _row(self, com: int) -> list[bool]:
        # Tables 10-1 and 10-2: what the offset shifts beyond the lines that are driven is dark.
        number = self.lines - 1 - com if self.reversed else com
        number = (number + self.offset) % HEIGHT
        if not self.lit or number >= self.lines:
            return [False] * WIDTH
        if self.all_on:
            return [True] * WIDTH
        page, bit = divmod((number + self.start_line) % HEIGHT, 8)
        segments = self.ram[page * WIDTH : (page + 1) * WIDTH]
        return [(segment >> bit & 1 == 1) != self.inverted for segment in reversed(segments)]

    def text(self) -> str:
        """The picture for a terminal: 32 lines of 128 half blocks, light where a dot shines."""
        rows = self.pixels()
        return "\n".join(
            "".join(" ▀▄█"[above + 2 * below] for above, below in zip(*pair, strict=True))
            for pair in zip(rows[::2], rows[1::2], strict=True)
        )

    def png(self, scale: int = 4) -> bytes:
        """The picture as a PNG, each dot a square of so many pixels; white on black."""
        lines = b""
        for row in self.pixels():
            line = b"".join((b"\xff" if dot else b"\0") * scale for dot in row)
            lines += (b"\0" + line) * scale
        head = struct.pack(">IIBBBBB", WIDTH * scale, HEIGHT * scale, 8, 0, 0, 0, 0)
        parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in parts
        )  # fmt: skip


def _next(at: int, within: tuple[int, int], size: int) -> tuple[int, bool]:
    """The place after this one, and whether it began anew."""
    first, last = within
    return (first, True) if at == last else ((at + 1) % size, False)


def _pin(com: int, config: int) -> int:
    """The pin of the chip that drives a line (table 10-3): one after the other, or by turns."""
    pin = com // 2 + com % 2 * 32 if config & 0x10 else com
    return pin ^ 32 if config & 0x20 else pin
