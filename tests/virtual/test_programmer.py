"""A board in its programmer: its bootloader with the button held, else what was written."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
import serial
from flashed import KEY, SSID, Flash

from dsmrctl import boards
from dsmrctl.flashing import build, filesystem, image
from dsmrctl.virtual import base
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.programmer import Programmer


def heard(port: str, wanted: bytes, seconds: float = 8) -> bytes:
    """What a serial program reads until that comes."""
    came = b""
    end = time.monotonic() + seconds
    with serial.Serial(port, 115200, timeout=0.2) as line:
        while wanted not in came and time.monotonic() < end:
            came += line.read(4096)
    return came


def own(flash: bytes) -> dict[str, bytes]:
    place = filesystem.place("FLASH_1M", len(flash))
    return filesystem.read(bytes(flash[place.offset : place.offset + place.size]))


@pytest.mark.slow
def test_what_was_flashed_boots_and_what_it_writes_stays(flash: Flash, tmp_path: Path) -> None:
    air = Air()
    air.on(SSID, KEY, -50)
    with Programmer(tmp_path, address="127.0.0.48", air=air) as programmer:
        done = flash(programmer.chip, "interface", "--hardware", "esp01s", "--ssid", SSID)
        assert done.code == 0, done.err
        before = bytes(programmer.chip.flash)
        programmer.unplug()
        programmer.plug(button=False)
        board = programmer.board
        assert board is not None
        assert board.flash.read_bytes()[:0x99000] == before[:0x99000]
        assert b"dsmrctl interface esp01s" in heard(programmer.port, b"stops it")
        end = time.monotonic() + 15
        while board.wifi != 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert board.wifi == 5, board.log
        time.sleep(0.5)
        programmer.unplug()
        assert not board.running
        # It noted that the chip knows its network now.
        assert b'"known"' in own(bytes(programmer.chip.flash))["wifi.json"]
        programmer.plug(button=True)
        done = flash(programmer.chip, "interface", "--dry-run")
        assert done.code == 0, done.err
        assert f"keeps its WiFi network: '{SSID}'" in done.err


@pytest.mark.slow
def test_a_blank_one_says_the_chips_first_words_only(tmp_path: Path) -> None:
    with Programmer(tmp_path) as programmer:
        programmer.unplug()
        programmer.plug(button=False)
        assert programmer.board is None
        came = heard(programmer.port, b"never", 0.6)
        assert programmer.chip.sent > 20
    assert b"dsmrctl" not in came


def children() -> set[str]:
    """The processes that this one started and that are still there."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {number for task in tasks for number in task.read_text().split()}


@pytest.mark.slow
def test_a_board_that_ran_leaves_nothing_behind(tmp_path: Path) -> None:
    kind = boards.INTERFACE
    hardware = kind.hardware[0]
    made = image.header(base.make(hardware.variant), hardware, 1 << 20)
    flash, _ = image.make(build.build(kind), kind, hardware, image.Content({}, None), made)
    air = Air()
    threads, running = threading.active_count(), children()
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with Programmer(tmp_path, flash=bytearray(flash), address="127.0.0.49", air=air) as programmer:
        programmer.unplug()
        programmer.plug(button=False)
        assert b"dsmrctl interface" in heard(programmer.port, b"stops it")
        assert children() > running
        # Byte for byte what was on it; it booted from that.
        assert (tmp_path / "flash.bin").read_bytes()[:0x99000] == flash[:0x99000]
    assert children() == running
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert air.listeners == []


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    threads = threading.active_count()
    with Programmer(tmp_path) as programmer:
        folder = Path(programmer.port).parent
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(10):
        with Programmer(tmp_path) as programmer:
            programmer.unplug()
            programmer.plug(button=False)
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert threading.active_count() == threads
    assert not folder.exists()
