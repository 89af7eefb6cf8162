"""From a bare board to a working one: the program, the real esptool, MicroPython, zeroconf, curl.

With --board-port it is a real board on a real port: see docs/flashing.md.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import Bench
from flashed import KEY, SSID, Flash

from dsmrctl import boards
from dsmrctl.flashing import filesystem
from dsmrctl.network import discovery
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.bootloader import Bootloader


@pytest.mark.slow
def test_flash_boot_find_ask_and_flash_again(
    bench: Bench, need: Callable[[str], str], record_property: Callable[..., None]
) -> None:
    bench.bootloader()
    done = bench.flash("name=cellar", "--hardware", bench.hardware, "--ssid", bench.ssid)
    assert done.code == 0, done.err
    version = done.events["plan"]["version"]
    ident = done.events["chip"]["mac"].replace(":", "")[6:]

    bench.start()
    found = discovery.wait_for(ident, 60, bench.nic)
    assert found is not None
    assert (found.name, found.board, found.hardware) == ("cellar", bench.board, bench.hardware)
    assert found.version == version
    asked = [need("curl"), "--silent", "--max-time", "5", f"{found.url}api/info"]
    info = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    assert (info["fw"], info["hw"], info["name"]) == (version, bench.hardware, "cellar")
    assert info["wifi"]["ssid"] == bench.ssid

    bench.bootloader()
    again = bench.flash()
    assert again.code == 0, again.err
    plan = again.events["plan"]
    assert (plan["before"], plan["before_version"]) == (bench.board, version)
    assert plan["hardware"] == bench.hardware
    assert "keeps its settings: name" in plan["kept"]
    written, whole = again.events["done"]["written"], plan["of_bytes"]
    record_property("told", f"flashed again: {written} of {whole} bytes ({written / whole:.2%})")
    assert written < whole * 0.02

    # And it still is what it was.
    bench.start()
    found = discovery.wait_for(ident, 60, bench.nic)
    assert found is not None
    assert found.name == "cellar"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "hardware", "size"),
    [
        ("miniswitch", "esp01-relay", 1 << 20),
        ("miniswitch", "sonoff-basic", 1 << 20),
        pytest.param(*("monitor", "nodemcu-v3", 4 << 20), marks=pytest.mark.soak),
        pytest.param(*("switcher", "dimmer-v2", 4 << 20), marks=pytest.mark.soak),
        ("switcher", "dimmer-v1", 16 << 20),
        pytest.param(*("interface", "esp01", 4 << 20), marks=pytest.mark.soak),
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
