"""Pyright reads what runs on a board by the chip's stubs, and sees what is planted there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT

CONFIG = "tests/firmware/pyright.json"
FAULTS = {
    "pin": "import machine\nmachine.Pin(0).nonsense()\n",
    "sleep": "import time\ntime.sleep_msx(1)\n",
    "inside": "import machine\ndef blink():\n    machine.Pin(2, machine.Pin.OUT).of()\n",
    "member": "import network\nclass Wifi:\n    def __init__(self):\n"
    "        self.station = network.WLAN(network.STA_IF)\n    def up(self):\n"
    "        return self.station.isconected()\n",
    "module": "import asyncio_of_cpython\n",
    "host": "import time\ntime.perf_counter()\n",
    "constant": "import machine\nmachine.Pin(0, machine.Pin.OUTPUT)\n",
    "relative": "from . import absent\n",
    "name": "def turn():\n    return undefined_name\n",
    "unbound": "def turn(a):\n    if a:\n        b = 1\n    return b\n",
    "call": "from . import sound\nsound.late(1, 2, 3)\n",
    "attribute": "from . import sound\nsound.latest(1)\n",
    "poll": "import select\nselect.poll().ipol(5)\n",
}
SOUND = """
import os
import select
import socket
import time

import flashbdev
import machine
import network
import vfs


class Wifi:
    def __init__(self):
        self.file = None
        self.station = network.WLAN(network.STA_IF)
        self.view = memoryview(bytearray(64))

    def begin(self):
        self.file = open("/settings.json", "rb")
        os.dupterm(None, 1)
        uart = machine.UART(0, 115200, rxbuf=2048, timeout=0)
        uart.readinto(self.view[3:])
        self.station.config(pm=self.station.PM_NONE)
        stream = socket.socket()
        stream.setsockopt(0, socket.IP_ADD_MEMBERSHIP, bytes(8))
        stream.bind(socket.getaddrinfo("0.0.0.0", 80)[0][-1])
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        for ready, event in poll.ipoll(1000):
            ready.send(b"%d" % event)

    def end(self):
        self.file.close()
        vfs.umount("/")
        vfs.mount(vfs.VfsLfs2(flashbdev.bdev), "/")


def late(since):
    return time.ticks_diff(time.ticks_ms(), time.ticks_add(since, 5))
"""


def pyright(directory: Path) -> dict[str, int]:
    """How many errors pyright finds in each file, as `make check` asks it."""
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("pyright"),
            *("-p", CONFIG, "--typeshedpath", sysconfig.get_path("purelib"), "--outputjson"),
        ],
        cwd=directory,
        env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = json.loads(ran.stdout)
    assert told["summary"]["filesAnalyzed"], "it read nothing"
    return Counter(
        Path(found["file"]).stem
        for found in told["generalDiagnostics"]
        if found["severity"] == "error"
    )


@pytest.mark.slow
def test_pyright_sees_what_is_planted_on_a_board(tmp_path: Path):
    config = (ROOT / CONFIG).read_text("utf-8")
    assert '"venvPath": "../.."' in config
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    there = config.replace('"venvPath": "../.."', f'"venvPath": "{ROOT}"')
    (tmp_path / CONFIG).write_text(there, "utf-8")
    lib = tmp_path / "dsmrctl" / "firmware" / "lib"
    lib.mkdir(parents=True)
    for name, source in FAULTS.items():
        (lib / f"{name}.py").write_text(source)
    (lib / "sound.py").write_text(SOUND)
    assert pyright(tmp_path) == dict.fromkeys(FAULTS, 1)


def test_make_reads_the_boards_files_too():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"BOARD_TYPES := $(BIN)/pyright -p {CONFIG}" in makefile
    for target in ("check", "test"):
        recipe = makefile.split(f"\n{target}:")[1].split("\n\n")[0]
        assert "$(BOARD_TYPES)" in recipe
