"""What may be wrong with a board, and what the unmodified esptool says then."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import serial
from real_esptool import STAY, connected, esptool, rom, write

from dsmrctl.virtual import slip
from dsmrctl.virtual.bootloader import Bootloader, Faults

# Each starts esptool itself.
pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20
SETTLE_S = 10
# A pulled cable: pyserial's own is an OSError, the terminal's is not; esptool's is a RuntimeError.
BROKEN = (OSError, termios.error, RuntimeError)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that esptool writes, of which every block counts."""
    file = tmp_path / "image.bin"
    file.write_bytes(os.urandom(300_000))
    return file


WRITE = ("write-flash", "--flash-size", "keep", 0)


def test_a_mute_board() -> None:
    from esptool.util import FatalError

    with (
        Bootloader(faults=Faults(mute=True)) as chip,
        pytest.raises(FatalError, match="No serial data received"),
        rom(chip),
    ):
        pass
    assert chip.received > 0
    assert chip.sent == 0


@pytest.mark.slow
def test_a_stub_that_dies_is_missed_and_nothing_answers_until_it_is_plugged_in_anew() -> None:
    from esptool.util import FatalError

    with Bootloader(faults=Faults(dead_stub=True)) as chip:
        with (
            pytest.raises(
                FatalError, match=r"Failed to start stub flasher\. There was no response."
            ),
            connected(chip),
        ):
            pass
        with pytest.raises(FatalError, match="No serial data received"), rom(chip):
            pass
        chip.faults.dead_stub = False
        chip.unplug()
        chip.plug()
        with connected(chip) as esp:
            assert esp.IS_STUB


def test_a_bit_that_flips_once_is_right_the_second_time() -> None:
    from esptool.util import FatalError

    data = os.urandom(8192)
    with Bootloader(faults=Faults(flip={0x1234}, flips_left=1)) as chip, connected(chip) as esp:
        with pytest.raises(FatalError, match="MD5 of file does not match data in flash!"):
            write(esp, 0, data)
        assert chip.flash[0x1234] == data[0x1234] ^ 0x10
        assert chip.faults.flips_left == 0
        write(esp, 0, data)
        assert chip.flash[: len(data)] == data


def test_a_bit_that_always_flips() -> None:
    from esptool.util import FatalError

    data = os.urandom(8192)
    with Bootloader(faults=Faults(flip={0x1234})) as chip, connected(chip) as esp:
        for _ in range(2):
            with pytest.raises(FatalError, match="MD5 of file does not match data in flash!"):
                write(esp, 0, data)
        wrong = [at for at in range(len(data)) if chip.flash[at] != data[at]]
        assert wrong == [0x1234]
        # Elsewhere it is sound.
        write(esp, 0x10000, data)


def test_a_command_that_fails_as_long_as_it_is_told_to() -> None:
    from esptool.util import FatalError

    with Bootloader() as chip, connected(chip) as esp:
        for op, status, says in (
            (0x10, 0xC400, "Failed to enter compressed flash mode"),
            (0x11, 0xC100, "Failed to write compressed data to flash after seq 0"),
            (0x12, 0xC400, "Failed to leave compressed flash mode"),
            (0x13, 0xC400, "Failed to calculate md5sum"),
        ):
            chip.faults.fail = {op: status}
            with pytest.raises(FatalError, match=says):
                write(esp, 0, bytes(8192))
        chip.faults.fail = {}
        write(esp, 0, bytes(8192))
    assert chip.flash[:8192] == bytes(8192)


def test_a_rom_that_refuses_the_stub() -> None:
    from esptool.util import FatalError

    with (
        Bootloader(faults=Faults(fail={0x05: 0x0105})) as chip,
        pytest.raises(FatalError, match="Failed to enter RAM download mode"),
        connected(chip),
    ):
        pass


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (0xFF, "Write failed, the written flash region is empty."),
        (0x00, "MD5 of file does not match data in flash!"),
    ],
)
def test_a_flash_that_is_write_protected(before: int, says: str) -> None:
    from esptool.util import FatalError

    content = bytearray([before]) * MEGABYTE
    faults = Faults(write_protected=True)
    with Bootloader(bytearray(content), faults=faults) as chip, connected(chip) as esp:
        with pytest.raises(FatalError, match=says):
            write(esp, 0, os.urandom(8192))
        esp.erase_flash()
    assert chip.flash == content
    assert (chip.erased, chip.programmed) == (0, 0)


@pytest.mark.slow
def test_a_line_that_is_good_to_115200() -> None:
    from esptool.util import FatalError

    with Bootloader(faults=Faults(most_baud=115200)) as chip:
        with connected(chip) as esp:
            write(esp, 0, os.urandom(5000))
            esp.change_baud(460800)
            # Its answers are noise, if any come at all.
            with pytest.raises(FatalError, match="No serial data received"):
                esp.flash_md5sum(0, 64)
        chip.unplug()
        chip.plug()
        with pytest.raises(FatalError), rom(chip, baud=460800):
            pass
        with connected(chip) as esp:
            assert esp.flash_id() == 0x1440EF


def test_a_flash_that_says_it_has_more_than_it_has() -> None:
    from esptool.util import FatalError

    first, second = os.urandom(8192), os.urandom(8192)
    with (
        Bootloader(size=4 << 20, faults=Faults(true_size=MEGABYTE)) as chip,
        connected(chip) as esp,
    ):
        assert esp.flash_id() == 0x1640EF
        assert len(chip.flash) == MEGABYTE
        write(esp, 0x2000, first)
        # Each by itself reads back; the second is where the first was.
        write(esp, 0x302000, second)
        assert chip.flash[0x2000:0x4000] == second
        assert esp.read_flash(0x102000, 8192) == second
        with pytest.raises(FatalError, match="MD5 of file does not match"):
            write(esp, 0, b"\x55" * MEGABYTE + first)


SYNC = slip.framed(struct.pack("<BBHI", 0, 8, 36, 0) + b"\x07\x07\x12\x20" + b"U" * 32)


def test_it_hangs_at_that_very_byte_until_it_is_plugged_in_anew() -> None:
    with Bootloader(faults=Faults(hang_after=2 * len(SYNC) - 1)) as chip:
        for _ in range(2):
            with serial.Serial(chip.port, 115200, timeout=0.2) as port:
                port.write(SYNC + SYNC + SYNC)
                assert len(port.read(1000)) == 8 * 12
            chip.unplug()
            chip.plug()
    assert chip.commands == {8: 2}
    assert chip.received == 6 * len(SYNC)


def test_it_is_pulled_at_that_very_byte() -> None:
    for after, heard in ((2 * len(SYNC) - 1, 1), (2 * len(SYNC), 2)):
        with Bootloader(faults=Faults(unplug_after=after)) as chip:
            with serial.Serial(chip.port, 115200, timeout=1) as port:
                port.write(SYNC + SYNC + SYNC)
                until = time.monotonic() + SETTLE_S
                while Path(chip.port).exists() and time.monotonic() < until:
                    time.sleep(0.001)
            assert not Path(chip.port).exists()
            assert chip.commands == {8: heard}


def test_above_what_the_line_is_good_for_nothing_is_understood() -> None:
    with (
        Bootloader(faults=Faults(most_baud=115200)) as chip,
        serial.Serial(chip.port, 230400, timeout=0.1) as port,
    ):
        port.write(SYNC)
        assert port.read(1) == b""
        assert chip.commands == {}
        port.baudrate = 115200
        port.write(SYNC)
        assert len(port.read(96)) == 96


@pytest.mark.soak
def test_one_that_hangs_in_the_middle_is_given_up(image: Path) -> None:
    with Bootloader(faults=Faults(hang_after=150_000)) as chip:
        done = esptool(chip, *WRITE, image)
        assert done.code != 0
        assert "No more data to read from the serial port." in done.err
        assert 0 < chip.programmed < 150_000
        # It hears nothing more, until it is plugged in anew.
        assert "No serial data received" in esptool(chip, "flash-id").err
        chip.faults.hang_after = None
        chip.unplug()
        chip.plug()
        assert esptool(chip, *WRITE, image).code == 0
    assert chip.flash[:300_000] == image.read_bytes()


@pytest.mark.soak
def test_a_cable_that_is_pulled_after_so_many_bytes(image: Path) -> None:
    with Bootloader(faults=Faults(unplug_after=150_000)) as chip:
        port = Path(chip.port)
        done = esptool(chip, *WRITE, image)
        assert done.code != 0
        assert "Lost connection" in done.out
        assert "A serial exception error occurred: Could not configure port" in done.err
        assert not port.exists()
        assert 0 < chip.programmed < 150_000
        chip.faults.unplug_after = None
        chip.plug()
        assert port.exists()
        done = esptool(chip, *WRITE, image)
        assert done.code == 0, done.out
    assert chip.flash[:300_000] == image.read_bytes()


def until_pulled(after: int, data: bytes) -> tuple[dict[int, int], int, int]:
    """What came of a write whose cable is pulled: commands, bytes programmed, sectors erased."""
    with Bootloader(faults=Faults(unplug_after=after)) as chip:
        with pytest.raises(BROKEN):
            write_once(chip, data)
        assert not Path(chip.port).exists()
        return chip.commands, chip.programmed, chip.erased


def write_once(chip: Bootloader, data: bytes) -> None:
    with connected(chip) as esp:
        esp.WRITE_FLASH_ATTEMPTS = 1
        write(esp, 0, data)


@pytest.mark.slow
@pytest.mark.parametrize("after", [20_000, 20_001, 40_000])
def test_it_is_pulled_at_that_very_byte_however_the_line_cuts_what_is_sent(after: int) -> None:
    data = hashlib.shake_128(b"an invented image").digest(100_000)
    assert until_pulled(after, data) == until_pulled(after, data)


@pytest.mark.slow
def test_pulled_and_put_in_again_while_esptool_waits_it_goes_on_by_itself(image: Path) -> None:
    program = Path(sys.executable).with_name("esptool")
    words = [program, "--port", None, *STAY, *map(str, WRITE), image]
    with Bootloader() as chip:
        words[2] = chip.port
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
            until = time.monotonic() + SETTLE_S
            while chip.programmed < 50_000 and time.monotonic() < until:
                time.sleep(0.001)
            chip.unplug()
            assert chip.programmed < 300_000
            time.sleep(0.1)
            chip.plug()
            out, _ = running.communicate(timeout=60)
        assert "Lost connection, retrying..." in out
        assert running.returncode == 0, out
    assert chip.flash[:300_000] == image.read_bytes()
