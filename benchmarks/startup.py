"""startup: how long the whole process takes, beside an empty Python, mpremote and esptool."""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dsmrctl
from benchmarks.runner import Result
from benchmarks.telegram import belgian
from benchmarks.timing import Turn, best


def measure(quick: bool) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "telegram.txt"
        file.write_bytes(belgian(0))
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": [_script("dsmrctl"), "--help"],
            "parse_one": [_script("dsmrctl"), "telegram", "parse", "--json", str(file)],
            "mpremote": [_script("mpremote"), "--help"],
            "esptool": [_script("esptool"), "--help"],
        }
        # As pip leaves it: compiled, also where the environment forbids Python to write that.
        compileall.compile_dir(str(Path(dsmrctl.__file__).parent), quiet=1)
        for command in commands.values():  # once before: in the disk's cache
            _start(command)

        def turns(number: int) -> dict[str, Turn]:
            return {
                name: Turn(lambda command=command: _start(command))
                for name, command in commands.items()
            }

        found = best(turns, rounds=1000, seconds=25 if quick else 90)
    for name, peer, bound in (
        ("help", "python", 4),
        ("parse_one", "python", 8),
        ("help", "mpremote", 1),
        ("help", "esptool", 1),
    ):
        ratio = found[name] / found[peer]
        yield Result(f"startup.{name}_vs_{peer}", ratio, "x", bound, "lower")
    for name, seconds in found.items():
        yield Result(f"startup.{name}_ms", seconds * 1e3, "ms", better="lower")


def _script(name: str) -> str:
    """The console script of this very environment."""
    return str(Path(sys.executable).with_name(name))


def _start(command: list[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
