"""The MicroPython program that boots the boards' flash images on this computer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from dsmrctl.errors import DsmrError

VARIABLE = "DSMRCTL_MICROPYTHON"
_ASK = """
import sys, vfs
vfs.VfsLfs2
i = sys.implementation
print("%d.%d.%d" % i.version[:3], i._mpy & 255, i._mpy >> 8 & 3)
"""
_LEAST, _MPY = (1, 28), "6.3"


class NoMicroPython(DsmrError):
    """No program of that kind that could boot a board."""

    code = "no_micropython"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"no MicroPython that can boot a board: {why}",
            hint="pip install 'dsmrctl[virtual]' (x86-64 Linux), or build "
            f"MicroPython's unix port and name the program in {VARIABLE}",
        )


@cache
def find() -> str:
    """The program's path; it was run and asked what it can. Raises NoMicroPython.

    From DSMRCTL_MICROPYTHON, else the `virtual` extra's, else the one on the PATH. An installed
    package proves nothing: on some machines it holds no program.
    """
    named = os.environ.get(VARIABLE)
    beside = Path(sysconfig.get_path("scripts")) / "micropython"
    candidates = [named] if named else [str(beside), shutil.which("micropython")]
    why = "none is installed"
    for candidate in candidates:
        if candidate and (named or Path(candidate).exists()):
            why = fault(candidate)
            if not why:
                return candidate
    raise NoMicroPython(why)


def fault(program: str) -> str:
    """Why this program cannot boot a board; empty when it can."""
    try:
        asked = subprocess.run(
            [program, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} does not run ({error})"
    told = asked.stdout.split()
    if len(told) != 3:
        last = asked.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return f"{program}: {last[0]}"
    version, major, minor = told
    if tuple(map(int, version.split(".")[:2])) < _LEAST:
        return f"{program} is {version}; {'.'.join(map(str, _LEAST))} or later is needed"
    if f"{major}.{minor}" != _MPY:
        return f"{program} loads .mpy {major}.{minor}; the bundles are {_MPY}"
    return ""
