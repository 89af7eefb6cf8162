"""What a person reads on the switcher's display, by the driver and a display of the data sheet."""

from __future__ import annotations

import base64
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World, address, flash

from dsmrctl.flashing import build
from dsmrctl.virtual import runtime
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.oled import HEIGHT, WIDTH, Display

Rows = list[list[bool]]
PINS = {"oled_scl": 14, "oled_sda": 2, "zero_cross": 5}
DARK: Rows = [[False] * WIDTH] * HEIGHT
SHOW = ("proportional", 41, 0, 1234, "192.168.1.23", False, "nl")
# Draws each picture a second after the one before, and says what came of it.
MAIN = """
import gc, time
import oled
class Board:
    pins = {pins}
for show in {shows}:
    began = time.ticks_us()
    print("answer", oled.answer(Board, show), time.ticks_diff(time.ticks_us(), began))
    time.sleep_ms(1000)
"""
# The heap in holes of 288 bytes, then a picture.
HOLES = """
import gc
import oled
class Board:
    pins = {pins}
held = free = None
# It gives back nothing: not even that would find room.
def fill(size):
    global held, free
    try:
        while True:
            held = (held, bytearray(size))
            if size > 32:
                free = (free, bytearray(size))
    except MemoryError:
        pass
def largest():
    for size in range(2048, 0, -16):
        try:
            bytearray(size)
            return size
        except MemoryError:
            pass
show = {shows}[0]
before = kept = 0
for _ in range(3):
    oled.answer(Board, show)
    gc.collect()
    kept = gc.mem_alloc() - before
    before = gc.mem_alloc()
print("kept", kept)
fill(224)
fill(32)
free = None
gc.collect()
print("largest", largest())
print("answer", oled.answer(Board, show))
"""
# MicroPython's own font, bit by bit in rows: another format than the display's.
FONT = """
import framebuf
for code in range(32, 127):
    glyph = bytearray(8)
    framebuf.FrameBuffer(glyph, 8, 8, framebuf.MONO_HLSB).text(chr(code), 0, 0)
    print(code, bytes(glyph).hex())
"""


@cache
def font() -> dict[tuple[int, ...], str]:
    """The character of each glyph's eight rows."""
    ran = subprocess.run([runtime.find(), "-c", FONT], capture_output=True, text=True, check=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    return {tuple(bytes.fromhex(rows)): chr(int(code)) for code, rows in lines}


def read(rows: Rows) -> str:
    """Eight rows of dots as text; a cell that holds no glyph of the font is a ?."""
    assert len(rows) == 8
    cells = range(0, len(rows[0]), 8)
    bits = [[sum(row[x + i] << 7 - i for i in range(8)) for row in rows] for x in cells]
    return "".join(font().get(tuple(cell), "?") for cell in bits)


def shrunk(rows: Rows, by: int = 4) -> Rows:
    """One dot for each square; all the dots of a square are alike."""
    for y, row in enumerate(rows):
        for x, dot in enumerate(row):
            assert dot == rows[y - y % by][x - x % by], f"the square at {x}, {y} is not whole"
    return [row[::by] for row in rows[::by]]


def read_all(rows: Rows) -> list[str]:
    """The five lines of the display: the mode, the large output, two powers, the connection."""
    large = shrunk(rows[8:40])
    # It stands in the middle: an odd number of characters is half a cell off.
    texts = [read(large).strip(), read([row[4:-4] for row in large]).strip()]
    small = [read(rows[y : y + 8]).rstrip() for y in (0, 40, 48, 56)]
    return [small[0], next((text for text in texts if "?" not in text), "?"), *small[1:]]


def files(shows: Iterable[object], main: str) -> dict[str, bytes]:
    return {
        "main.py": main.format(pins=PINS, shows=list(shows)).encode(),
        "oled.mpy": build.compiled("lib/oled.py", "switcher"),
    }


def booted(
    world: World, display: Display | None, shows: Iterable[object], main: str = MAIN
) -> VirtualBoard:
    """A board that is about to draw these, its first picture two seconds from now."""
    board = world.board(more=files(shows, main), on=False)
    board.oled = display
    board.power_on()
    return board


def answers(board: VirtualBoard) -> list[str]:
    return [line.split()[1] for line in board.log.splitlines() if line.startswith("answer")]


LINES = {
    SHOW: ["Proportioneel", "41%", "Afname       0 W", "Injectie  1234 W", "192.168.1.23"],
    ("tariff", 0, None, None, "wifi", False, "nl"): [
        *("Dag/Nacht", "0%", "Afname       - W", "Injectie     - W", "Geen wifi"),
    ],
    ("injection", 100, 30000, 0, "silent", True, "en"): [
        *("Injection", "100%", "Import   30000 W", "Export       0 W", "No meter data"),
    ],
    ("proportional", 8, 7, 99999, "mains", False, "fr"): [
        *("Proportionnel", "8%", "Prelev.      7 W", "Injection99999 W", "Pas de secteur"),
    ],
    ("hand", 66, 1, 1, "AutoConnectAP", False, "en"): [
        *("By hand", "66%", "Import       1 W", "Export       1 W", "AutoConnectAP"),
    ],
}


def test_a_person_reads_what_the_switcher_shows(world: World) -> None:
    display = Display()
    board = booted(world, display, [None, *LINES])
    assert display.pixels() == DARK
    world.clock.until(lambda: display.lit, 5)
    assert display.pixels() == DARK
    world.clock.run(0.2)
    for show, lines in LINES.items():
        world.clock.run(1.027)
        rows = display.pixels()
        if show[5]:
            rows = [[not dot for dot in row] for row in rows]
        assert read_all(rows) == lines
    assert display.unknown == []
    assert answers(board) == ["True"] * (len(LINES) + 1)
    assert board.faults == []
    board.power_off()
    assert display.pixels() == DARK


def test_a_board_without_a_display_says_so_and_goes_on(world: World) -> None:
    board = booted(world, None, [None, None, SHOW])
    world.clock.run(6)
    assert answers(board) == ["False"] * 3
    assert "Traceback" not in board.log


def test_on_wires_that_are_exchanged_nothing_answers(world: World) -> None:
    exchanged = MAIN.replace("    pins = {pins}", "    pins = dict(oled_scl=2, oled_sda=14)")
    display = Display()
    board = booted(world, display, [None], exchanged)
    world.clock.run(4)
    assert answers(board) == ["False"]
    assert display.writes == 0


def test_a_display_pulled_in_the_midst_is_passed_over_and_one_put_back_shows(
    world: World,
) -> None:
    display = Display()
    board = booted(world, display, [None, *[SHOW] * 6])
    world.clock.until(lambda: display.lit, 5)
    whole = display.writes
    for count in (1, 10, 20):
        pulled = display
        world.clock.until(lambda one=pulled, n=count: one.writes % whole >= n, 2)
        assert pulled.writes % whole < whole - 1, "it came too late"
        board.plug(None)
        world.clock.run(0.5)
        display = Display()
        board.plug(display)
        world.clock.run(1.1)
        assert read_all(display.pixels()) == LINES[SHOW]
    world.clock.run(2)
    assert answers(board) == ["True", *["False", "True"] * 3]
    assert "Traceback" not in board.log


# What a restart may have cut off, or left behind.
@pytest.mark.parametrize(
    "left",
    [
        *(bytes([0, command]) for command in (0x20, 0x21, 0x22, 0x81, 0x8D, 0xA8, 0xD3, 0xDA)),
        *(b"\0\x21\5", b"\0\x20\1\x21\7\x09\x22\3\4\x40\1\2\3", b"\xc0", b"\x80", b""),
        *(b"\0\xa5\xa7\xa8\x1f\xd3\7\x63\xda\x02\xa0\xc0\x2f\xae", b"\0\x20\0\xa1\xc8\xaf\x40" * 9),
    ],
    ids=bytes.hex,
)
def test_whatever_a_restart_left_in_it_the_picture_is_right(left: bytes) -> None:
    display = Display()
    display.write(left)
    for data in drawn():
        display.write(data)
    assert read_all(display.pixels()) == LINES[SHOW]


@cache
def drawn() -> list[bytes]:
    """The writes of one picture, on a board of its own."""
    display = Noted()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        booted(world, display, [SHOW])
        world.clock.run(4)
        world.close()
    return display.came


class Noted(Display):
    """A display that keeps what came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.came.append(data)
        super().write(data)


def test_no_zero_crossing_waits_for_the_bus_longer_than_a_millisecond() -> None:
    assert max((len(data) + 1) * 9 / 400 for data in drawn()) < 1
    assert 20 < sum((len(data) + 1) * 9 / 400 for data in drawn()) < 30


def test_the_bus_takes_its_time(world: World) -> None:
    board = booted(world, Display(), [SHOW])
    world.clock.run(4)
    (line,) = [line for line in board.log.splitlines() if line.startswith("answer")]
    assert 20_000 < int(line.split()[2]) < 35_000


def test_a_picture_needs_no_piece_of_memory_above_300_bytes_and_keeps_none(world: World) -> None:
    display = Display()
    board = booted(world, display, [SHOW], HOLES)
    world.clock.run(6)
    told = dict(line.split()[:2] for line in board.log.splitlines() if len(line.split()) > 1)
    assert "Traceback" not in board.log
    assert int(told["kept"]) == 0
    assert 128 <= int(told["largest"]) <= 300
    assert told["answer"] == "True"
    assert read_all(display.pixels()) == LINES[SHOW]


@pytest.mark.slow
def test_in_real_time_it_shows_too_and_can_be_pulled(tmp_path: Path) -> None:
    path, place = flash(tmp_path, more=files([SHOW] * 4, MAIN))
    with VirtualBoard(path, place, address=address(201), oled=Display()) as board:
        board.power_on()
        display = board.oled
        assert display is not None
        wait_for(lambda: display.lit and answers(board) == ["True"])
        assert read_all(display.pixels()) == LINES[SHOW]
        board.plug(None)
        wait_for(lambda: answers(board)[-1] == "False")
        board.plug(display)
        wait_for(lambda: answers(board)[-1] == "True")


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_driver_is_small() -> None:
    assert len(build.compiled("lib/oled.py", "switcher")) < 2048


# The display by its data sheet.

READY = b"\0\x20\0\xa1\xc8\x8d\x14\xaf"


def display(*writes: bytes) -> Display:
    """One that is on, holds nothing and is upright, with these written to it."""
    new = Display()
    for data in (READY, b"\0\x21\0\x7f\x22\0\7", b"\x40" + bytes(1024), *writes):
        new.write(data)
    assert new.unknown == []
    return new


def dots(one: Display) -> set[tuple[int, int]]:
    return {(x, y) for y, row in enumerate(one.pixels()) for x, dot in enumerate(row) if dot}


@pytest.mark.parametrize(
    ("writes", "seen"),
    [
        ([b"\x40\x01"], {(0, 0)}),
        ([b"\x40\x80\x01"], {(0, 7), (1, 0)}),
        # Through a window from left to right, then from the top down; then anew.
        ([b"\0\x21\x0a\x0b\x22\2\3", b"\x40\1\2\4\x08"], {(10, 16), (11, 17), (10, 26), (11, 27)}),
        ([b"\0\x20\1\x21\x0a\x0b\x22\2\3\x20\1", b"\x40\1\2\4\x08"],
         {(10, 16), (10, 25), (11, 18), (11, 27)}),
        ([b"\0\x21\x0a\x0b\x22\2\2", b"\x40\1\2\4"], {(10, 18), (11, 17)}),
        # Page addressing stays on its page.
        ([b"\0\x20\2\xb3\x0f\x17", b"\x40\1\2"], {(127, 24), (0, 25)}),
        # Commands and what follows them in writes of their own; one byte after each control byte.
        ([b"\0\x21", b"\0\x05", b"\0\x06", b"\x40\1"], {(5, 0)}),
        ([b"\x80\x21\x80\x05\x80\x06\xc0\1\x40\2"], {(5, 0), (6, 1)}),
        # The other way round: columns as they are written from now on, lines at once.
        ([b"\x40\1", b"\0\xa0", b"\x40\1"], {(0, 0), (126, 0)}),
        ([b"\x40\1", b"\0\xc0"], {(0, 63)}),
        ([b"\x40\1", b"\0\x45"], {(0, 59)}),
        ([b"\x40\1", b"\0\xd3\x08"], {(0, 56)}),
        ([b"\x40\1", b"\0\xa8\x2f"], {(0, 16)}),
        ([b"\x40\1", b"\0\xda\x32"], {(0, 1)}),
        ([b"\x40\1", b"\0\xae"], set()),
        ([b"\x40\1", b"\0\x8d\x10"], set()),
        ([b"\x40\1", b"\0\xe3\xa6\xa4\x81\0\x2e\xd5\x80\xd9\xf1\xdb\x20\xa3\0\x40"], {(0, 0)}),
    ],
)  # fmt: skip
def test_each_command_does_what_the_data_sheet_says(
    writes: list[bytes], seen: set[tuple[int, int]]
) -> None:
    assert dots(display(*writes)) == seen


def test_everything_shines_or_the_contrary_does() -> None:
    assert len(dots(display(b"\0\xa5"))) == WIDTH * HEIGHT
    assert len(dots(display(b"\0\xa7"))) == WIDTH * HEIGHT
    assert len(dots(display(b"\x40\3", b"\0\xa7"))) == WIDTH * HEIGHT - 2
    assert len(dots(display(b"\0\xa5\xa8\x1f"))) == WIDTH * 32


def test_lines_that_are_not_driven_by_turns_are_torn_apart() -> None:
    right = display(b"\x40" + bytes(range(256)) * 4).pixels()
    torn = display(b"\x40" + bytes(range(256)) * 4, b"\0\xda\x02").pixels()
    assert torn != right
    assert sorted(torn) == sorted(right)


def test_a_display_that_was_told_nothing_is_dark_and_holds_anything() -> None:
    one = Display()
    assert one.pixels() == DARK
    one.write(b"\0\x8d\x14\xaf")
    assert 2000 < len(dots(one)) < 6000


@pytest.mark.parametrize(
    "command",
    [
        *(b"\xff", b"\x8d\x04", b"\x20\3", b"\xa8\5", b"\xd3\x40", b"\xda\0", b"\x21\5\4"),
        *(b"\x22\0\x08", b"\xd9\0", b"\xdb\1", b"\xb0", b"\x05", b"\x12", b"\xae\xc1"),
    ],
)
def test_what_the_data_sheet_does_not_know_is_noted(command: bytes) -> None:
    one = Display()
    one.write(b"\0\x20\0" + command)
    assert one.unknown == [command.removeprefix(b"\xae")]


@given(st.lists(st.binary(max_size=64)), st.booleans())
def test_no_bytes_upset_a_display(writes: list[bytes], lit: bool) -> None:
    one = Display()
    for data in writes:
        one.write(data)
    if lit:
        one.write(READY)
    assert [len(row) for row in one.pixels()] == [WIDTH] * HEIGHT
    assert len(one.ram) == 1024


def test_the_picture_for_a_terminal_has_each_dot() -> None:
    rows = display(b"\x40" + bytes(range(256)) * 4)
    lines = rows.text().split("\n")
    assert [len(line) for line in lines] == [WIDTH] * (HEIGHT // 2)
    above = [[mark in "▀█" for mark in line] for line in lines]
    below = [[mark in "▄█" for mark in line] for line in lines]
    assert [row for pair in zip(above, below, strict=True) for row in pair] == rows.pixels()


def test_the_png_has_each_dot() -> None:
    one = display(b"\x40" + bytes(range(256)) * 4)
    data = one.png(3)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        content = data[at + 4 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(content),)
        parts[content[:4]] = content[4:]
        at += 12 + size
    wide, high, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert (wide, high, kind) == (3 * WIDTH, 3 * HEIGHT, [8, 0, 0, 0, 0])
    raw = zlib.decompress(parts[b"IDAT"])
    lines = [raw[y * (wide + 1) : (y + 1) * (wide + 1)] for y in range(high)]
    assert {line[0] for line in lines} == {0}
    assert shrunk([[dot == 255 for dot in line[1:]] for line in lines], 3) == one.pixels()


@pytest.mark.slow
def test_a_browser_opens_the_png(need: Callable[[str], str]) -> None:
    from playwright.sync_api import sync_playwright

    one = display(b"\x40" + bytes(range(256)) * 4)
    look = """async (address) => {
        const image = new Image(); image.src = address; await image.decode()
        const canvas = document.createElement("canvas")
        canvas.width = image.width; canvas.height = image.height
        const context = canvas.getContext("2d"); context.drawImage(image, 0, 0)
        const bytes = context.getImageData(0, 0, image.width, image.height).data
        return [image.width, Array.from(bytes.filter((_, at) => at % 4 == 0))]
    }"""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=need("chromium"), args=["--no-sandbox"])
        address = "data:image/png;base64," + base64.b64encode(one.png(2)).decode()
        wide, reds = browser.new_page().evaluate(look, address)
        browser.close()
    assert wide == 2 * WIDTH
    rows = [[red == 255 for red in reds[at : at + wide]] for at in range(0, len(reds), wide)]
    assert shrunk(rows, 2) == one.pixels()
