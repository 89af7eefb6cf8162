"""`dsmrctl flash` against the stand-in for a chip: the program itself, with the real esptool.

chip = Bootloader(); with chip: done = flash(chip, "interface", "--hardware", "esp01s")
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from ran import Ran, clean_environment

from dsmrctl import boards
from dsmrctl.flashing import build
from dsmrctl.virtual import base
from dsmrctl.virtual.bootloader import Bootloader

SSID, KEY = "HOUSEHOLD", "an invented key 1"

Flash = Callable[..., Ran]


@cache
def packed(board: str) -> bytes:
    """The bundle of the sources, as a file's bytes."""
    return build.build(boards.find(board)).pack()


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    """flash(chip, "interface", …) -> Ran, with a base image and a bundle of the sources."""
    for variant in ("FLASH_1M", ""):
        (tmp_path / f"base{variant}.bin").write_bytes(base.make(variant))

    def run(
        chip: Bootloader | str,
        *words: str,
        stdin: str | None = None,
        timeout: float = 60,
        env: dict[str, str] | None = None,
    ) -> Ran:
        port = chip if isinstance(chip, str) else chip.port
        done = subprocess.run(
            command(tmp_path, port, *words),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=environment(tmp_path) | (env or {}),
            cwd=tmp_path,
            timeout=timeout,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def environment(folder: Path) -> dict[str, str]:
    """The program's: its data in that folder, the WiFi password an invented one."""
    return clean_environment(folder) | {
        "DSMRCTL_DATA": str(folder / "data"),
        "DSMRCTL_WIFI_PASSWORD": KEY,
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
    }


def command(folder: Path, port: str, *words: str) -> list[str]:
    """The command line; the base image and the bundle are those of the tests when none is named."""
    more: list[str] = []
    if words and words[0] in boards.BOARDS:
        board = boards.find(words[0])
        named = words[words.index("--hardware") + 1] if "--hardware" in words else None
        hardware = board.kind(named) if named else board.hardware[0]
        if "--base" not in words:
            more += ["--base", str(folder / f"base{hardware.variant}.bin")]
        if "--bundle" not in words:
            bundle = folder / f"{board.name}.zip"
            if not bundle.exists():
                bundle.write_bytes(packed(board.name))
            more += ["--bundle", str(bundle)]
    return [sys.executable, "-m", "dsmrctl", "flash", *words, "--port", port, *more]
