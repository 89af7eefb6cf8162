"""The Python of the docs is run as it stands, and the board of your own is made as it is told."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, clean_environment

VIRTUAL = (ROOT / "docs" / "virtual-boards.md").read_text("utf-8")
FIRMWARE = (ROOT / "docs" / "firmware.md").read_text("utf-8")
CHIP = ROOT / "dsmrctl" / "virtual" / "chip"


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.S | re.M)


def run(code: str, folder: Path, path: Path = ROOT) -> list[str]:
    """What a stranger's program prints, line by line."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean_environment(folder) | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.slow
def test_the_example_of_a_virtual_board_says_what_it_says(tmp_path: Path) -> None:
    (code,) = blocks(VIRTUAL, "python")
    told = re.findall(r"^ *print\(.*\)  # ([^:\n]*)", code, re.M)
    assert run(code, tmp_path) == told
    assert len(told) == 6


def test_the_prices_of_work_are_those_that_are_charged() -> None:
    def number(file: str, name: str) -> int:
        found = re.search(rf"\b{name} = ([\d_]+)", (CHIP / file).read_text())
        assert found, name
        return int(found[1])

    board = (CHIP.parent / "board.py").read_text()
    for row in (
        f"| a turn of the loop | {number('select.py', '_TURN_US') // 1000} ms |",
        f"| looking for networks | {number('network.py', '_SCAN_US') / 1e6:g} s |",
        f"| {number('network.py', '_CONNECT_US') / 1e6:g} s |",
        f"beyond {number('machine.py', '_FIFO')} onto the serial line "
        f"| {number('machine.py', '_BYTE_US')} µs |",
        f"{number('socket.py', '_MOST_TCP')} TCP connections",
        f"at most {number('socket.py', '_SENDS')} bytes a send",
        f"not fed for {number('chip.py', '_DOG_US') // 1_000_000} s",
    ):
        assert row in VIRTUAL, row
    assert "_ERASE_US, _PROGRAM_US = 60_000, 1000" in (CHIP / "flash.py").read_text()
    assert "| 1 ms |\n| erasing a block | 60 ms |" in VIRTUAL
    assert (CHIP / "time.py").read_text().count("chip.price(10)") == 2
    assert "| asking for the time | 10 µs |" in VIRTUAL
    assert "_BOOT_US = 300_000" in board
    assert "| starting after a reset | 0.3 s |" in VIRTUAL


def test_the_smallest_app_stands_there_whole() -> None:
    assert (ROOT / "dsmrctl" / "firmware" / "apps" / "blink.py").read_text() in blocks(
        FIRMWARE, "python"
    )


def test_what_is_told_to_be_in_the_file_that_stays_is_there() -> None:
    source = (ROOT / "dsmrctl" / "firmware" / "lib" / "board.py").read_text()
    assert set(re.findall(r"(?m)^class (\w+)", source)) == {"Loop", "Wifi", "Board"}
    for told in ("hold", "watch", "drop", "after", "cancel"):
        assert f"| `loop.{told}(" in FIRMWARE
        assert f"    def {told}(" in source


BOOTED = """
import json, socket, sys, tempfile
from pathlib import Path
from dsmrctl import boards
from dsmrctl.firmware.core import frame
from dsmrctl.flashing import build, image
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.clock import Conductor

lamp = boards.find("lamp")
group = ("239.255.77.9", 18779)
given = image.Content({"frame_group": "%s:%d" % group}, ("HOME", "an invented key"), port=8080)
data, place = image.make(build.build(lamp), lamp, lamp.hardware[0], given)
flash = Path("flash.bin")
flash.write_bytes(data)
clock, air = Conductor(), Air()
air.on("HOME", "an invented key")
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))


def send(export_w):
    sender.sendto(frame.build((1, 2, 0, export_w, 1, 11, 2, 0, 0, 0)), group)
    clock.run(1)
    print(export_w, "off" if board.pins[2] else "lit")


with VirtualBoard(flash, place, address="127.0.0.8", air=air, clock=clock) as board:
    board.power_on()
    clock.until(lambda: board.wifi == 5)
    clock.run(8)  # while a board tells its names, it may miss a frame for want of memory
    for export_w in (0, 999, 1000, 3000):
        send(export_w)
    clock.run(12)
    print("silence", "off" if board.pins[2] else "lit")
    send(3000)
    with socket.create_connection((board.address, 8080)) as client:
        client.sendall(b"GET /api/status HTTP/1.1\\r\\n\\r\\n")
        clock.run(2)
        print(sorted(json.loads(client.recv(4096).split(b"\\r\\n\\r\\n")[1])))
    print(board.faults, board.resets, board.figures()["alloc"] < 28_672)
sender.close()
"""


@pytest.mark.slow
def test_the_board_of_your_own_is_made_as_it_is_told_and_works(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "dsmrctl", tmp_path / "dsmrctl", ignore=shutil.ignore_patterns("__pycache__")
    )
    for block in [*blocks(FIRMWARE, "python"), *blocks(FIRMWARE, "html")]:
        named = re.match(r"(?:# |<!-- )(dsmrctl/\S+?\.\w+)", block)
        if named is None:
            continue
        path = tmp_path / named[1]
        added = block.split("\n", 1)[1]
        if path.name == "boards.py":
            text = path.read_text().replace("BOARDS = {", f"{added}BOARDS = {{", 1)
            text = re.sub(r"(for board in \(.*?)\)\}", r"\1, LAMP)}", text, count=1)
        elif path.name == "setting.py":
            text = path.read_text().replace("_KEYS = {\n", f"_KEYS = {{\n{added}", 1)
        else:
            assert not path.exists()
            text = block
        path.write_text(text)
    assert run(BOOTED, tmp_path, tmp_path) == [
        "0 off",
        "999 off",
        "1000 lit",
        "3000 lit",
        "silence off",
        "3000 lit",
        "['export_w', 'frames']",
        "[] [] True",
    ]


def test_the_app_of_your_own_keeps_the_boards_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "firmware")
    rules = importlib.import_module("board_rules")
    (source,) = [b for b in blocks(FIRMWARE, "python") if "apps/lamp.py" in b]
    assert rules.faults(source, "apps/lamp.py") == []
