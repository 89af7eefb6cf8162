"""What goes wrong at eleven at night, each with the sentence that gets one to bed, and its code."""

from __future__ import annotations

import grp
import os
import subprocess
from pathlib import Path

import pytest
from flashed import Flash, command, environment

from dsmrctl.virtual.bootloader import Bootloader, Faults

GUIDE = """\
  put the board into its bootloader:
  1. unplug the programmer
  2. hold its button, or set its switch to PROG (that is GPIO0 to GND)
  3. plug it in while you hold the button
"""
INTERFACE = ("interface", "--hardware", "esp01s")


def said(err: str) -> str:
    """The error and its hint, without what was told before."""
    return err[err.index("dsmrctl: ") :]


@pytest.mark.slow
def test_an_esp32(flash: Flash) -> None:
    with Bootloader(size=4 << 20, chip="esp32") as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 5
    assert said(done.err) == (
        "dsmrctl: This is an ESP32; the firmware is for ESP8266. Nothing was written.\n"
        "  is it the right board, and the right port?\n"
    )
    assert chip.programmed == chip.erased == 0


@pytest.mark.slow
def test_512_kilobytes(flash: Flash) -> None:
    with Bootloader(size=512 << 10) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 5
    assert said(done.err) == (
        "dsmrctl: This board has 512 KB flash (often the blue ESP-01); 1 MB is needed.\n"
        "  Nothing was written. Take another board: an ESP-01S (black) has 1 MB, a NodeMCU 4 MB\n"
    )
    assert chip.programmed == chip.erased == 0


@pytest.mark.slow
def test_a_monitor_wants_two_megabytes(flash: Flash) -> None:
    with Bootloader(size=1 << 20) as chip:
        done = flash(chip, "monitor")
    assert (done.code, chip.programmed) == (5, 0)
    assert said(done.err).startswith("dsmrctl: This board has 1 MB flash; 2 MB is needed.\n")


@pytest.mark.slow
@pytest.mark.parametrize("jedec", [0xFFFFFF, 0x000000])
def test_a_flash_that_does_not_answer(flash: Flash, jedec: int) -> None:
    with Bootloader(jedec=jedec) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 1
    assert said(done.err).startswith(
        f"dsmrctl: The board's flash does not answer: its id reads {jedec:06x}. "
        "Nothing was written.\n"
    )
    assert chip.programmed == chip.erased == 0


@pytest.mark.slow
def test_a_flash_that_is_smaller_than_it_says_is_seen_before_a_byte_is_written(
    flash: Flash,
) -> None:
    flash_bytes = bytearray(os.urandom(1 << 20))
    with Bootloader(flash_bytes, size=4 << 20, faults=Faults(true_size=1 << 20)) as chip:
        done = flash(chip, "monitor", "--no-backup", "--yes")
    assert done.code == 6
    assert "This flash says it has 4 MB and has 1 MB. Nothing was written.\n" in done.err
    assert chip.programmed == chip.erased == 0


@pytest.mark.slow
def test_one_that_was_blank_shows_it_when_what_was_written_reads_back_differently(
    flash: Flash,
) -> None:
    with Bootloader(size=4 << 20, faults=Faults(true_size=1 << 20)) as chip:
        done = flash(chip, "monitor")
    assert done.code == 6
    assert said(done.err).startswith("dsmrctl: This flash says it has 4 MB and has 1 MB.\n")


@pytest.mark.slow
def test_a_port_that_another_program_has(flash: Flash) -> None:
    import serial

    with Bootloader() as chip, serial.Serial(chip.port, exclusive=True):
        done = flash(chip, *INTERFACE)
    assert done.code == 5
    assert f"{chip.port} is used by " in done.err
    assert "close it (a serial monitor, another dsmrctl" in done.err


@pytest.mark.slow
def test_a_port_that_is_not_there(flash: Flash) -> None:
    done = flash("/dev/ttyNOWHERE7", *INTERFACE)
    assert done.code == 3
    assert said(done.err).startswith("dsmrctl: there is no port /dev/ttyNOWHERE7\n")


@pytest.mark.slow
def test_a_port_without_permission_names_the_group_and_the_command(
    flash: Flash, tmp_path: Path
) -> None:
    # What the system says of such a port: in a namespace of its own nobody is without rights.
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "real_open, real_stat = os.open, os.stat\n"
        "def refused(path, *more, **named):\n"
        "    if path == '/dev/ttyUSB0':\n"
        "        raise PermissionError(13, 'Permission denied', path)\n"
        "    return real_open(path, *more, **named)\n"
        "def asked(path, *more, **named):\n"
        "    if str(path) == '/dev/ttyUSB0':\n"
        "        return os.stat_result((0o20660, 1, 1, 1, 0, 20, 0, 0, 0, 0))\n"
        "    return real_stat(path, *more, **named)\n"
        "os.open, os.stat = refused, asked\n"
    )
    done = flash("/dev/ttyUSB0", *INTERFACE, env={"PYTHONPATH": str(tmp_path)})
    assert done.code == 5, done.err
    group = grp.getgrgid(20).gr_name
    assert said(done.err) == (
        "dsmrctl: you may not use /dev/ttyUSB0\n"
        f"  it belongs to group {group}: sudo usermod -aG {group} $USER, then log in again\n"
    )


@pytest.mark.slow
def test_a_silent_board_is_shown_the_way_into_its_bootloader(flash: Flash) -> None:
    with Bootloader(faults=Faults(mute=True)) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 4
    assert said(done.err) == (
        f"dsmrctl: No answer from a bootloader on {chip.port}. Nothing was written.\n{GUIDE}"
    )


@pytest.mark.slow
def test_a_board_that_runs_its_firmware_says_so(flash: Flash) -> None:
    with Bootloader(download=False, app=lambda data: b"a line of text\r\n") as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 4
    assert said(done.err) == (
        f"dsmrctl: The board on {chip.port} runs its firmware, not the bootloader. "
        f"Nothing was written.\n{GUIDE.replace('the board', 'it')}"
    )


@pytest.mark.slow
def test_a_pulled_cable_says_how_far_it_was_and_the_next_run_goes_on_from_there(
    flash: Flash,
) -> None:
    with Bootloader(faults=Faults(unplug_after=250_000)) as chip:
        done = flash(chip, *INTERFACE)
        assert done.code == 1
        error = said(done.err)
        percent = int(error.split(" %")[0].split()[-1])
        assert 40 < percent < 60
        lost = f"Connection lost at {percent} %. Plug in and run again: it goes on from there."
        assert error.startswith(f"dsmrctl: {lost}\n")
        before, chip.faults.unplug_after = chip.received, None
        chip.plug()
        done = flash(chip, *INTERFACE)
        assert done.code == 0, done.err
        # Not what was there already; a connection and its questions take a few per cent.
        assert chip.received - before < 300_000


@pytest.mark.slow
@pytest.mark.parametrize("status", [0x0105, 0xC300])
def test_a_chip_that_refuses_the_fast_line_is_flashed_at_115200(flash: Flash, status: int) -> None:
    with Bootloader(faults=Faults(fail={0x0F: status})) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 0, done.err
    assert chip.flash[0] == 0xE9


@pytest.mark.soak
def test_a_line_that_does_not_carry_the_fast_rate_and_has_no_way_to_restart_the_chip(
    flash: Flash,
) -> None:
    with Bootloader(faults=Faults(most_baud=230400)) as chip:
        done = flash(chip, *INTERFACE)
        assert done.code == 4
        assert said(done.err) == (
            f"dsmrctl: The line on {chip.port} does not carry 460800 baud. Nothing was written.\n"
            "  put the board into its bootloader anew, and run again with --baud 115200:\n"
            + GUIDE.split("\n", 1)[1]
        )
        chip.unplug()
        chip.plug()
        done = flash(chip, *INTERFACE, "--baud", "115200")
    assert done.code == 0, done.err


@pytest.mark.soak
def test_where_the_port_can_restart_the_chip_it_falls_back_by_itself(flash: Flash) -> None:
    faults = Faults(most_baud=230400)
    with Bootloader(size=4 << 20, wire="rfc2217", faults=faults) as chip:
        # pyserial's own rfc2217 warns of an old way to name a thread.
        done = flash(chip, "monitor", timeout=120, env={"PYTHONWARNINGS": "default"})
    assert done.code == 0, done.err
    assert chip.flash[0] == 0xE9


@pytest.mark.slow
def test_another_firmware_is_told_of_before_it_goes(flash: Flash) -> None:
    with Bootloader(bytearray(b"\xe9" + os.urandom((1 << 20) - 1))) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 0, done.err
    assert "on it now: another firmware, copied to " in done.err
    assert "note them from its page before" in done.err


@pytest.mark.slow
def test_a_bit_that_flips_once_is_written_again(flash: Flash) -> None:
    with Bootloader(faults=Faults(flip={0x1234}, flips_left=1)) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_a_bit_that_always_flips_is_a_faulty_flash(flash: Flash) -> None:
    with Bootloader(faults=Faults(flip={0x1234})) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 6
    assert said(done.err).startswith(
        "dsmrctl: What was written at 0x0 reads back differently, twice: the flash may be faulty.\n"
    )


@pytest.mark.slow
def test_a_flash_that_takes_nothing(flash: Flash) -> None:
    with Bootloader(faults=Faults(write_protected=True)) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 5
    assert "does not take what is written" in done.err


@pytest.mark.slow
def test_several_ports_and_nobody_to_ask(flash: Flash, tmp_path: Path) -> None:
    # Two that pyserial lists: the program's own Python is told of them by a file it imports first.
    (tmp_path / "sitecustomize.py").write_text(
        "import serial.tools.list_ports as p\n"
        "from serial.tools.list_ports_common import ListPortInfo as I\n"
        "p.comports = lambda *a, **k: [I('/dev/ttyUSB0'), I('/dev/ttyUSB1')]\n"
    )
    words = [word for word in command(tmp_path, "", *INTERFACE) if word not in ("--port", "")]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(tmp_path) | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "/dev/ttyUSB0\t" in done.stderr
    assert said(done.stderr) == (
        "dsmrctl: there are 2 serial ports: /dev/ttyUSB0, /dev/ttyUSB1\n"
        "  which one has the board? --port /dev/ttyUSB0\n"
    )


@pytest.mark.slow
def test_a_port_that_is_soldered_in_is_not_taken_in_silence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import serial.tools.list_ports as p\n"
        "from serial.tools.list_ports_common import ListPortInfo as I\n"
        "p.comports = lambda *a, **k: [I('/dev/ttyS0')]\n"
    )
    words = [word for word in command(tmp_path, "", *INTERFACE) if word not in ("--port", "")]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(tmp_path) | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert "there is no serial port on USB" in done.stderr
    assert "--port /dev/ttyS0" in done.stderr
