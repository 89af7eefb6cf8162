"""From a bare board to a working one: the program, the real esptool, MicroPython, zeroconf, curl.

With --board-port it is a real board on a real port: see docs/flashing.md.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flashed import KEY, SSID, Flash, packed

from dsmrctl import boards
from dsmrctl.flashing import filesystem
from dsmrctl.network import discovery
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.bootloader import Bootloader

VERSION = json.loads(packed("blink")[packed("blink").index(b"{") :].split(b"\n}")[0] + b"\n}")[
    "version"
]
MAC = "5c:cf:7f:0b:0a:0d"


@contextmanager
def running(folder: Path, chip: Bootloader, air: Air, address: str) -> Iterator[VirtualBoard]:
    """The board unplugged, its button let go: it boots what is on its flash, byte for byte."""
    path = folder / "flash.bin"
    path.write_bytes(chip.flash)
    place = filesystem.place("FLASH_1M", len(chip.flash))
    mac = bytes.fromhex(MAC.replace(":", ""))
    with VirtualBoard(path, place, address=address, air=air, mac=mac) as board:
        board.power_on()
        yield board
        board.power_off()
    # It lives on its flash: what it wrote is there when it is plugged in again.
    chip.flash[:] = path.read_bytes()


@pytest.mark.slow
def test_flash_boot_find_ask_and_flash_again(
    flash: Flash, tmp_path: Path, need: Callable[[str], str], record_property: Callable[..., None]
) -> None:
    air = Air()
    air.on(SSID, KEY, -50)
    first = Bootloader(mac=MAC)
    with first as chip:
        done = flash(chip, "interface", "name=cellar", "--hardware", "esp01s", "--ssid", SSID)
        assert done.code == 0, done.err
        assert "interface" in done.out
        assert "verified" in done.out
        whole = chip.programmed
    with running(tmp_path, first, air, "127.0.0.41") as board:
        found = discovery.wait_for("0b0a0d", 20, "127.0.0.1")
        assert found is not None, board.log
        assert (found.name, found.board, found.hardware) == ("cellar", "interface", "esp01s")
        assert found.version == VERSION
        assert found.address == "127.0.0.41"
        asked = [need("curl"), "--silent", "--max-time", "5", f"{found.url}api/info"]
        info = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
        assert (info["fw"], info["hw"], info["name"]) == (VERSION, "esp01s", "cellar")
        assert info["wifi"]["ssid"] == SSID
        time.sleep(0.5)
    second = Bootloader(first.flash, mac=MAC)
    with second as chip:
        done = flash(chip, "interface", "--json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    (plan,) = [event for event in events if event["event"] == "plan"]
    assert plan["before_version"] == VERSION
    assert plan["hardware"] == "esp01s"
    assert "keeps its settings: name" in plan["kept"]
    ratio = second.programmed / whole
    record_property("told", f"flashed again: {second.programmed} of {whole} bytes ({ratio:.2%})")
    assert ratio < 0.02
    # And it still is what it was.
    with running(tmp_path, second, air, "127.0.0.41"):
        found = discovery.wait_for("0b0a0d", 20, "127.0.0.1")
    assert found is not None
    assert found.name == "cellar"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "hardware", "size"),
    [
        ("miniswitch", "esp01-relay", 1 << 20),
        ("miniswitch", "sonoff-basic", 1 << 20),
        ("monitor", "nodemcu-v3", 4 << 20),
        ("switcher", "dimmer-v2", 4 << 20),
        ("switcher", "dimmer-v1", 16 << 20),
        ("interface", "esp01", 4 << 20),
    ],
)
def test_every_kind_boots_what_was_flashed(
    flash: Flash, tmp_path: Path, board: str, hardware: str, size: int
) -> None:
    kind = boards.find(board).kind(hardware)
    chip_kind = "esp8285" if hardware.startswith("sonoff") else "esp8266"
    with Bootloader(size=size, chip=chip_kind) as chip:
        done = flash(chip, board, "--hardware", hardware, "--ssid", SSID)
    assert done.code == 0, done.err
    # The header says where MicroPython ends its files: more than 4 MB does not boot.
    header = {1: 0x20, 4: 0x40}[1 if kind.variant else min(size >> 20, 4)]
    assert chip.flash[3] & 0xF0 == header
    if kind.flash_mode == "dout":
        assert chip.flash[2] == 3
    path = tmp_path / "flash.bin"
    path.write_bytes(chip.flash)
    air = Air()
    air.on(SSID, KEY, -50)
    place = filesystem.place(kind.variant, size)
    with VirtualBoard(path, place, address="127.0.0.42", air=air) as booted:
        booted.power_on()
        end = time.monotonic() + 20
        while booted.wifi != 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert booted.wifi == 5, booted.log
        assert not booted.faults
