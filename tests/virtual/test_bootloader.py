"""The stand-in for a chip, by the unmodified esptool: found, read, written, erased, restarted."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st
from real_esptool import connected, esptool, rom, write

from dsmrctl.virtual import base, slip
from dsmrctl.virtual.bootloader import Bootloader, Faults
from dsmrctl.virtual.flash_work import Reading, Writing
from dsmrctl.virtual.spi_flash import BLOCK, SECTOR, SpiFlash

# Each starts esptool itself.
pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20
FULL = bytes(range(256)) * 64  # what compresses, to be put where bits must be cleared
SETTLE_S = 5


@pytest.fixture(scope="module")
def image() -> bytes:
    """1 MB as a board has it: code, and what does not compress behind it."""
    code = base.make("FLASH_1M")
    noise = hashlib.shake_128(b"an invented file system").digest(MEGABYTE - len(code))
    return code + noise


def direct(esp: Any, op: int, data: bytes = b"", check: int = 0) -> tuple[int, bytes]:
    """A command as it is, and its answer's value and data."""
    return esp.command(op, data, check)


# What it is


def test_esptool_says_what_it_is_and_what_flash_it_has() -> None:
    with Bootloader(mac="5c:cf:7f:12:34:56") as chip:
        done = esptool(chip, "flash-id")
    assert done.code == 0, done.out
    for line in (
        "Detecting chip type... ESP8266",
        "ESP8266EX",
        "5c:cf:7f:12:34:56",
        "26MHz",
        "Manufacturer: ef",
        "Device: 4014",
        "Detected flash size: 1MB",
        "Stub flasher running.",
    ):
        assert line in done.out
    assert "arning" not in done.out.replace(STAYED, "")
    assert chip.programmed == chip.erased == 0


STAYED = "Warning: Pre-connection option"


def test_chip_id_and_read_mac() -> None:
    with Bootloader(mac="18:fe:34:0a:0b:0c") as chip:
        assert "Chip ID: 0x000a0b0c" in esptool(chip, "chip-id").out
        assert "18:fe:34:0a:0b:0c" in esptool(chip, "read-mac").out


@pytest.mark.parametrize(
    ("size", "says"), [(512 << 10, "512KB"), (4 << 20, "4MB"), (16 << 20, "16MB")]
)
def test_the_flash_s_size_is_in_its_id(size: int, says: str) -> None:
    from esptool.cmds import detect_flash_size

    with Bootloader(size=size) as chip, rom(chip) as loader:
        loader.flash_spi_attach(0)
        assert detect_flash_size(loader) == says
        assert len(chip.flash) == size


@pytest.mark.parametrize("jedec", [0x1440C8, 0xFFFFFF, 0x000000])
def test_another_id_is_told_as_it_is_and_a_silent_flash_has_no_table_either(jedec: int) -> None:
    with Bootloader(jedec=jedec) as chip, connected(chip) as esp:
        assert esp.flash_id() == jedec
        table = esp.read_spiflash_sfdp(0, 32).to_bytes(4, "little")
    assert table == {0xFFFFFF: b"\xff" * 4, 0: bytes(4)}.get(jedec, b"SFDP")


def test_an_esp8285_has_its_flash_inside() -> None:
    with Bootloader(chip="esp8285") as chip, connected(chip) as esp:
        assert esp.get_chip_description() == "ESP8285N08"
        assert "Embedded Flash" in esp.get_chip_features()
        assert esp.CHIP_NAME == "ESP8266"


def test_an_esp32_is_seen_for_one() -> None:
    with Bootloader(size=4 << 20, chip="esp32") as chip, rom(chip) as loader:
        assert loader.CHIP_NAME == "ESP32"


def test_what_the_rom_does_not_know_it_refuses_eight_times_and_not_by_its_number() -> None:
    from esptool.util import UnsupportedCommandError

    with Bootloader() as chip, rom(chip) as loader:
        before = chip.sent
        with pytest.raises(UnsupportedCommandError):
            direct(loader, 0x13, bytes(16))
        assert chip.sent - before == 8 * len(slip.framed(bytes(10)))
        assert loader.read_reg(0x40001000) == 0xFFF0C101


def test_a_stub_that_still_runs_is_recognized_by_the_next_one() -> None:
    with Bootloader() as chip:
        with connected(chip) as esp:
            assert esp.IS_STUB
        loaded = chip.commands[0x07]
        with connected(chip) as esp:
            assert esp.IS_STUB
            assert esp.flash_id() == 0x1440EF
        assert chip.commands[0x07] == loaded


# Reading and writing


@pytest.mark.slow
def test_a_megabyte_written_verified_and_read_back_is_the_same(
    tmp_path: Path, image: bytes, record_property: Any
) -> None:
    file, back = tmp_path / "image.bin", tmp_path / "back.bin"
    file.write_bytes(image)
    with Bootloader(bytearray(os.urandom(MEGABYTE))) as chip:
        start = time.monotonic()
        done = esptool(chip, "--baud", 460800, "write-flash", "--flash-size", "keep", 0, file)
        took_s = time.monotonic() - start
        counted_s = chip.time_s
        assert done.code == 0, done.out
        assert "Hash of data verified." in done.out
        assert chip.flash == image
        assert chip.erased == MEGABYTE // SECTOR
        assert chip.programmed == MEGABYTE
        # It is at that rate still: a board without reset lines stays so.
        assert esptool(chip, "--connect-attempts", 1, "verify-flash", 0, file).code != 0
        chip.unplug()
        chip.plug()
        done = esptool(chip, "--baud", 460800, "verify-flash", 0, file)
        assert done.code == 0, done.out
        chip.unplug()
        chip.plug()
        done = esptool(chip, "--baud", 921600, "read-flash", 0, MEGABYTE, back)
        assert done.code == 0, done.out
    assert back.read_bytes() == image
    record_property("told", f"esptool wrote 1 MB in {took_s:.1f} s, {counted_s:.1f} s counted")
    assert took_s < 10  # 1.5 s by itself


@pytest.mark.parametrize("compress", [True, False])
def test_written_anywhere_the_rest_stays(compress: bool) -> None:
    before = bytearray(os.urandom(MEGABYTE))
    data = os.urandom(5000) + FULL[:5000]
    with Bootloader(bytearray(before)) as chip, connected(chip) as esp:
        write(esp, 0x41000, data, no_compress=not compress)
        assert (0x10 in chip.commands, 0x02 in chip.commands) == (compress, not compress)
    assert chip.flash[0x41000 : 0x41000 + len(data)] == data
    assert chip.flash[:0x41000] == before[:0x41000]
    # The whole of the last sector was erased.
    assert chip.flash[0x41000 + len(data) : 0x44000] == b"\xff" * (0x3000 - len(data))
    assert chip.flash[0x44000:] == before[0x44000:]
    assert chip.erased == 3


def test_the_last_sector_of_four_megabytes() -> None:
    with Bootloader(size=4 << 20) as chip, connected(chip, baud=460800) as esp:
        write(esp, 0x3FF000, FULL[:SECTOR])
        assert esp.read_flash(0x3FE000, 0x2000) == b"\xff" * SECTOR + FULL[:SECTOR]
    assert chip.flash[-SECTOR:] == FULL[:SECTOR]


def test_what_is_blank_is_not_erased() -> None:
    with Bootloader() as chip, connected(chip) as esp:
        write(esp, 0x10000, FULL)
    assert (chip.erased, chip.programmed) == (0, len(FULL))


def test_it_erases_ahead_of_what_it_programs() -> None:
    # A whole block at the beginning already: what was there is gone when nothing more comes.
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip, connected(chip) as esp:
        esp.flash_defl_begin(4 * BLOCK, 1000, BLOCK)
        assert chip.flash[BLOCK : 2 * BLOCK] == b"\xff" * BLOCK
    assert chip.erased == 16
    assert chip.flash[2 * BLOCK :] == bytes(MEGABYTE - 2 * BLOCK)


def test_reads_any_piece() -> None:
    before = bytearray(os.urandom(MEGABYTE))
    with Bootloader(before) as chip, connected(chip, baud=921600) as esp:
        for offset, size in ((0, 1), (5, 10_000), (0x7FF0, SECTOR), (0, 0)):
            part = before[offset : offset + size]
            assert esp.read_flash(offset, size) == part
            assert esp.flash_md5sum(offset, size) == hashlib.md5(part).hexdigest()


def test_a_reading_that_is_given_up_ends_by_the_next_frame() -> None:
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip, connected(chip) as esp:
        esp.check_command("read", 0xD2, struct.pack("<IIII", 0, 0x4000, SECTOR, 64))
        assert esp.read() == bytes(SECTOR)
        esp.write(struct.pack("<BBHI", 0, 0x0A, 4, 0) + bytes(4))
        assert esp.read() == hashlib.md5(bytes(SECTOR)).digest()
        assert esp.flash_id(cache=False) == 0x1440EF
        # More at a time than it has room for is refused, on the next command.
        assert direct(esp, 0xD2, struct.pack("<IIII", 0, 0x4000, SECTOR + 1, 64))[1] == b"\0\0"
        assert direct(esp, 0x0D, bytes(4))[1] == b"\xc0\0"


def test_erase_flash_and_erase_region() -> None:
    from esptool.util import FatalError

    with Bootloader(bytearray(bytes(MEGABYTE))) as chip, connected(chip) as esp:
        esp.erase_region(0x1F000, 0x12000)
        assert chip.flash[0x1F000:0x31000] == b"\xff" * 0x12000
        assert chip.flash.count(0) == MEGABYTE - 0x12000
        assert chip.erased == 18
        with pytest.raises(FatalError, match="Failed to erase region"):
            esp.erase_region(0x800, SECTOR)
        assert chip.erased == 18
        esp.erase_flash()
        assert chip.flash == b"\xff" * MEGABYTE


@pytest.mark.slow
def test_esptool_s_own_erase_commands() -> None:
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip:
        assert esptool(chip, "erase-region", "0x1000", "0x2000").code == 0
        assert chip.flash.count(0xFF) == 0x2000
        assert esptool(chip, "erase-flash").code == 0
        assert chip.flash.count(0xFF) == MEGABYTE


@pytest.mark.slow
def test_without_a_stub_the_rom_writes_too(tmp_path: Path) -> None:
    file = tmp_path / "image.bin"
    data = os.urandom(40_000)
    file.write_bytes(data)
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip:
        done = esptool(chip, "--no-stub", "write-flash", "--flash-size", "keep", "0x20000", file)
        assert done.code == 0, done.out
    assert 0x07 not in chip.commands
    assert chip.flash[0x20000 : 0x20000 + len(data)] == data
    # It erases at least what it writes, and nothing before it.
    assert chip.erased >= 10
    assert chip.flash[:0x20000] == bytes(0x20000)


def test_the_rom_erases_more_than_asked_which_esptool_allows_for() -> None:
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip, rom(chip) as loader:
        for offset, sectors in ((0, 3), (0, 40), (0xF000, 5)):
            chip.flash[:] = bytes(MEGABYTE)
            before = chip.erased
            loader.flash_begin(sectors * SECTOR, offset)
            assert chip.flash[offset : offset + sectors * SECTOR] == b"\xff" * (sectors * SECTOR)
            assert 0 <= chip.erased - before - sectors <= 1
        before = chip.erased
        direct(loader, 0x02, struct.pack("<IIII", 4 * SECTOR, 0, 0x400, 0))
        assert chip.erased - before == 8


def test_an_error_of_the_stub_shows_on_the_next_command() -> None:
    with Bootloader() as chip, connected(chip) as esp:
        esp.flash_defl_begin(4096, 100, 0)
        body = b"not compressed"
        block = struct.pack("<IIII", len(body), 0, 0, 0) + body
        assert direct(esp, 0x11, block, slip.checksum(body))[1] == b"\0\0"
        assert direct(esp, 0x0A, struct.pack("<I", 0x40001000))[1] == b"\xc7\0"
        assert direct(esp, 0x0A, struct.pack("<I", 0x40001000)) == (0xFFF0C101, b"\0\0")


def test_the_stub_says_no_as_the_real_one_does() -> None:
    begin = struct.pack("<IIIII", 4, 1, 0x400, 0, 0)
    block = struct.pack("<IIII", 4, 0, 0, 0) + b"data"
    with Bootloader() as chip, connected(chip) as esp:
        for op, data, check, status in (
            (0x03, block, 0, 0xC600),  # nothing was begun
            (0x04, bytes(4), 0, 0xC600),
            (0x02, begin, 0, 0),
            (0x03, block, slip.checksum(b"data") ^ 1, 0xC100),
            (0x03, block + b"!", slip.checksum(b"data!"), 0xC900),
            (0x04, bytes(4), 0, 0xC000),  # something is to come yet
            (0x03, block, slip.checksum(b"data"), 0),
            (0x04, bytes(4), 0, 0),
            (0x02, begin[:7], 0, 0xC000),
            (0x13, bytes(3), 0, 0xC000),
            (0xD9, b"", 0, 0xC300),
            (0x14, b"", 0, 0xFF00),
        ):
            assert direct(esp, op, data, check)[1] == struct.pack(">H", status), (hex(op), status)
    assert chip.flash[:4] == b"data"


SYNC = slip.framed(struct.pack("<BBHI", 0, 8, 36, 0) + b"\x07\x07\x12\x20" + b"U" * 32)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=40), max_size=20), st.booleans(), st.booleans())
def test_noise_on_the_line_does_not_end_it(noise: list[bytes], framed: bool, begun: bool) -> None:
    with Bootloader() as chip, serial.Serial(chip.port, 115200, timeout=SETTLE_S) as port:
        port.write(SYNC if begun else b"")
        for some in noise:
            port.write(slip.framed(some) if framed else some)
        # As esptool does: the first may end what was cut off before it.
        port.write(SYNC + SYNC + slip.framed(struct.pack("<BBHII", 0, 0x0A, 4, 0, 0x40001000)))
        assert port.read_until(struct.pack("<I", 0xFFF0C101)).endswith(b"\x01\xc1\xf0\xff")


# The flash


def test_programming_only_clears_bits_and_only_erasing_sets_them() -> None:
    spi = SpiFlash(None, 8 * SECTOR, None, Faults())
    spi.program(10, b"\xf0\x0f")
    spi.program(10, b"\x3c\x3c")
    assert spi.data[9:13] == b"\xff\x30\x0c\xff"
    spi.erase(10, 1)
    assert spi.data == b"\xff" * (8 * SECTOR)


def test_an_erase_takes_whole_sectors_and_a_block_at_a_time_where_it_can() -> None:
    spi = SpiFlash(bytearray(MEGABYTE), MEGABYTE, None, Faults())
    spi.erase(BLOCK - 1, BLOCK + 2)
    assert spi.data.count(0xFF) == BLOCK + 2 * SECTOR
    assert spi.erased == 18
    assert spi.now_s == pytest.approx(0.150 + 2 * 0.045)


def test_it_takes_a_page_s_time_to_program_it() -> None:
    spi = SpiFlash(None, BLOCK, None, Faults())
    spi.program(0, bytes(SECTOR))
    assert (spi.now_s, spi.programmed) == (pytest.approx(16 * 0.0007), SECTOR)


def test_a_block_that_fills_no_buffer_is_time_to_erase_ahead_unless_an_erase_goes_on() -> None:
    spi = SpiFlash(bytearray(4 * BLOCK), 4 * BLOCK, None, Faults())
    writing = Writing(spi, 0, 4 * BLOCK, inflate=True)
    writing.erase_next()
    body = zlib.compress(os.urandom(1000))
    writing.take(body[:100])
    assert spi.erased == 16
    spi.now_s = spi.ready_s
    writing.take(body[100:200])
    assert (spi.erased, spi.programmed) == (32, 0)


def test_an_acknowledgement_too_many_is_answered_by_nothing() -> None:
    spi = SpiFlash(bytearray(BLOCK), BLOCK, None, Faults())
    reading = Reading(spi, 0, 10, 8)
    assert [reading.next() for _ in range(3)] == [bytes(8), bytes(2), b""]
    assert reading.digest() == hashlib.md5(bytes(10)).digest()


def test_a_flash_of_half_the_size_that_it_says_wraps_round() -> None:
    spi = SpiFlash(None, 8 * SECTOR, None, Faults(true_size=4 * SECTOR))
    assert spi.jedec >> 16 == 15  # what it says
    spi.program(4 * SECTOR - 2, b"abcd")
    assert (spi.data[-2:], spi.data[:2]) == (b"ab", b"cd")
    assert spi.read(8 * SECTOR - 2, 4) == b"abcd"
    spi.erase(7 * SECTOR, 2 * SECTOR)
    assert spi.data == b"\xff" * (4 * SECTOR)


def test_flash_that_is_not_of_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="5 bytes of a flash of 1048576"):
        Bootloader(bytearray(5))


# The line and its time


def test_at_a_rate_that_is_not_its_own_it_hears_and_says_only_noise() -> None:
    with Bootloader() as chip:
        with connected(chip, baud=460800):
            pass
        with serial.Serial(chip.port, 115200, timeout=0.2) as port:
            port.write(SYNC)
            assert port.read(1) == b""
            # Nearly the same is near enough.
            port.baudrate = 452_000
            port.write(SYNC)
            answer = slip.framed(struct.pack("<BBHIH", 1, 8, 2, 0, 0))
            assert port.read(8 * len(answer)) == 8 * answer


@pytest.mark.parametrize("baud", [57_600, 230_400])
def test_the_rom_finds_the_rate_by_itself(baud: int) -> None:
    with Bootloader() as chip, rom(chip, baud=baud) as loader:
        assert loader.get_crystal_freq() == 26


def test_time_is_that_of_the_line_and_longer_on_a_slower_one() -> None:
    data = os.urandom(120_000)
    took = {}
    with Bootloader() as chip, connected(chip) as esp:
        for baud, offset in ((115200, 0), (460800, 0x80000)):
            esp.change_baud(baud)
            before, bytes_before = chip.time_s, chip.received + chip.sent
            write(esp, offset, data)
            took[baud] = chip.time_s - before
            on_the_line = (chip.received + chip.sent - bytes_before) * 10 / baud
            # Blank: programming and MD5 are all that the flash has to do.
            assert on_the_line < took[baud] < on_the_line * 1.05 + 0.7
    assert took[115200] > took[460800] * 2.5


def test_erasing_takes_its_time_but_not_twice_while_bytes_come() -> None:
    noise, same = os.urandom(2 * BLOCK), bytes(2 * BLOCK)
    took = []
    with Bootloader() as chip, connected(chip, baud=460800) as esp:
        esp.flash_id()
        for offset, data in ((0, noise), (0, noise), (0x80000, same), (0x80000, same)):
            start = chip.time_s
            write(esp, offset, data)
            took.append(chip.time_s - start)
        assert chip.erased == 2 * 2 * BLOCK // SECTOR
        start = chip.time_s
        esp.erase_flash()
        assert chip.time_s - start == pytest.approx(16 * 0.150, abs=0.1)
    # The line takes 1.4 s a block for noise, and nearly nothing for what compresses.
    assert took[1] == pytest.approx(took[0], abs=0.1)
    assert took[3] - took[2] == pytest.approx(2 * 0.150, abs=0.1)


def test_no_time_is_slept() -> None:
    start = time.monotonic()
    with Bootloader(bytearray(bytes(4 << 20)), size=4 << 20) as chip, connected(chip) as esp:
        esp.erase_flash()
    assert chip.time_s > 64 * 0.150
    assert time.monotonic() - start < 5


# Its power


def wait_for(what: Any) -> None:
    until = time.monotonic() + SETTLE_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_without_its_button_its_firmware_runs_and_answers_nothing_of_the_bootloader() -> None:
    from esptool.util import FatalError

    heard = bytearray()

    def app(data: bytes) -> bytes:
        heard.extend(data)
        return b"a line of text\r\n"

    with Bootloader(download=False, app=app) as chip:
        with pytest.raises(FatalError, match="Invalid head of packet"), rom(chip):
            pass
        assert b"\x07\x07\x12\x20" in heard
        assert chip.commands == {}
        chip.unplug()
        chip.button = True
        chip.plug()
        with rom(chip) as loader:
            assert loader.CHIP_NAME == "ESP8266"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:set:DeprecationWarning")  # pyserial's
def test_its_first_words_come_at_another_rate_and_then_its_text() -> None:
    with (
        Bootloader(wire="rfc2217", app=lambda data: data or b"hello\r\n") as chip,
        serial.serial_for_url(chip.port, 74880, timeout=0.5) as port,
    ):
        port.dtr = False
        for baud, reads, not_in_it in (
            (74880, b"boot mode:(3,6)", b"hello"),
            (115200, b"hello", b"boot"),
        ):
            port.baudrate = baud
            port.rts = True
            port.rts = False
            found = port.read(200)
            assert reads in found
            assert not_in_it not in found
        port.write(b"what is said to it")
        assert port.read(18) == b"what is said to it"


def test_the_rom_runs_the_firmware_when_it_is_told_to() -> None:
    started = threading.Event()

    def app(data: bytes) -> bytes:
        started.set()
        return b""

    with Bootloader(app=app) as chip, rom(chip) as loader:
        assert not started.is_set()
        loader.run()
        assert started.wait(SETTLE_S)


def test_the_stub_does_not_restart_whatever_it_is_told() -> None:
    with Bootloader(app=lambda _: b"it started") as chip, connected(chip) as esp:
        esp.soft_reset(False)
        esp.soft_reset(True)
        assert esp.flash_id(cache=False) == 0x1440EF


def test_what_is_on_its_flash_stays_when_it_is_unplugged_and_its_stub_does_not() -> None:
    with Bootloader() as chip:
        with connected(chip) as esp:
            write(esp, 0, FULL)
        chip.unplug()
        assert not Path(chip.port).exists()
        chip.plug()
        with rom(chip) as loader:
            assert not loader.IS_STUB
        assert chip.flash[: len(FULL)] == FULL


def test_twenty_boards_leave_no_open_file_and_no_thread() -> None:
    def left() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with Bootloader() as chip, rom(chip):
        pass  # what is opened once, is by now
    before = left()
    for number in range(20):
        wire = ("pty", "pty", "tcp", "rfc2217")[number % 4]
        with Bootloader(wire=wire) as chip:
            if wire == "pty":
                with serial.Serial(chip.port, 115200) as port:
                    port.write(b"\xc0\x00")
            if number % 3 == 0:
                chip.unplug()
    assert left() == before


def test_one_that_nobody_reads_ends_all_the_same() -> None:
    start = time.monotonic()
    with Bootloader(download=False) as chip, serial.Serial(chip.port, 115200):
        talker = threading.Thread(target=chip.say, args=(bytes(1 << 20),))
        talker.start()
    talker.join(SETTLE_S)
    assert not talker.is_alive()
    assert time.monotonic() - start < SETTLE_S


# Other wires


def test_by_tcp_as_by_a_cable() -> None:
    with Bootloader(wire="tcp") as chip, connected(chip) as esp:
        assert chip.port.startswith("socket://127.0.0.1:")
        write(esp, 0, FULL)
    assert chip.flash[: len(FULL)] == FULL


@pytest.mark.soak
def test_by_rfc2217_it_is_restarted_by_its_lines_into_the_bootloader_and_out_of_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "image.bin"
    file.write_bytes(FULL)
    started = []

    def app(data: bytes) -> bytes:
        started.append(data)
        return b"its firmware\r\n"

    auto = ("--before", "default-reset", "--after", "hard-reset")
    with Bootloader(wire="rfc2217", download=False, app=app) as chip:
        assert started == [b""]
        done = esptool(chip, "write-flash", "--flash-size", "keep", 0, file, stay=auto, timeout=120)
        assert done.code == 0, done.out
        assert "Hash of data verified." in done.out
        assert "not supported" not in done.out
        assert chip.flash[: len(FULL)] == FULL
        wait_for(lambda: started.count(b"") == 2)


def test_the_stub_inflates_in_pieces_of_its_buffer_whatever_the_blocks_are() -> None:
    # A megabyte of nothing is a thousand bytes on the line, in one block.
    with Bootloader(bytearray(bytes(MEGABYTE))) as chip, connected(chip) as esp:
        write(esp, 0, b"\x55" * MEGABYTE)
    assert chip.commands[0x11] == 1
    assert chip.flash == b"\x55" * MEGABYTE
    assert len(zlib.compress(b"\x55" * MEGABYTE, 9)) < 2000
