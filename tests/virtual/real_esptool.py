"""The unmodified esptool against the stand-in for a chip: its program, and its Python API.

with Bootloader() as chip, connected(chip) as esp: esp.erase_flash()
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ran import Ran

from dsmrctl.flashing import chip as ours
from dsmrctl.virtual.bootloader import Bootloader

# It would obey an esptool.cfg or setup.cfg of whatever folder the tests run in.
CONFIG = str(Path(ours.__file__).with_name("esptool.cfg"))
STAY = ("--before", "no-reset", "--after", "no-reset-stub")


def esptool(
    chip: Bootloader, *words: object, stay: tuple[str, ...] = STAY, timeout: float = 60
) -> Ran:
    """The program, as a person starts it."""
    program = Path(sys.executable).with_name("esptool")
    done = subprocess.run(
        [program, "--port", chip.port, *stay, *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"ESPTOOL_CFGFILE": CONFIG, "COLUMNS": "200"},
        timeout=timeout,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def rom(chip: Bootloader, *, baud: int = 115200, attempts: int = 1) -> Iterator[Any]:
    """Connected to whatever answers: the ROM's loader, or a stub that runs."""
    os.environ.setdefault("ESPTOOL_CFGFILE", CONFIG)
    import serial
    from esptool.cmds import detect_chip

    with serial.serial_for_url(chip.port, baud, timeout=3, exclusive=True) as port:
        yield detect_chip(port, baud, "no-reset", connect_attempts=attempts)  # pyright: ignore[reportArgumentType]


@contextmanager
def connected(chip: Bootloader, *, baud: int = 115200) -> Iterator[Any]:
    """Its stub runs, at that rate."""
    with rom(chip) as loader:
        from esptool.cmds import run_stub

        esp: Any = loader if loader.IS_STUB else run_stub(loader)
        if baud != 115200:
            esp.change_baud(baud)
        yield esp


def write(esp: Any, offset: int, data: bytes, **more: Any) -> None:
    """Writes and verifies, as `esptool write-flash` does. Raises FatalError."""
    from esptool.cmds import write_flash

    write_flash(esp, [(offset, data)], flash_size="keep", **more)
