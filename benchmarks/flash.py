"""flash: bytes on the wire, both ways, and the time they take, against plain esptool.

Both talk to the stand-in for the chip, which counts: bytes, and the time that a line of that rate
and a flash of that kind would take. esptool writes everything that a board has on its flash
(MicroPython, and the whole file system). What connecting takes, the stub's upload for the most
part, is the same for both: it is measured in the same run, and subtracted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.runner import Result
from dsmrctl import boards
from dsmrctl.flashing import build, filesystem, image
from dsmrctl.flashing.bundle import Bundle, manifest
from dsmrctl.virtual import base
from dsmrctl.virtual.bootloader import Bootloader

BOARD = boards.INTERFACE
HARDWARE = BOARD.hardware[0]
WIFI = ("HOME", "an invented key")
RATES = (115200, 460800)


class Cost(NamedTuple):
    """What a flash cost: bytes both ways, seconds."""

    bytes: int
    seconds: float

    def less(self, other: Cost) -> Cost:
        """Without what another cost."""
        return Cost(self.bytes - other.bytes, self.seconds - other.seconds)


def measure(quick: bool) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as name:
        bench = _Bench(Path(name))
        for baud in RATES[-1:] if quick else RATES:
            yield from _at(bench, baud, "" if baud == RATES[-1] else f"_{baud}")


def _at(bench: _Bench, baud: int, suffix: str) -> Iterator[Result]:
    """The figures at one rate. Those of the faster, which is the default, have the plain names."""
    nothing = bench.esptool(Bootloader(), baud, "flash-id")
    peer = bench.esptool(Bootloader(), baud, *bench.everything()).less(nothing)
    yield Result(f"flash.esptool_bytes{suffix}", peer.bytes, "bytes")
    yield Result(f"flash.esptool_s{suffix}", peer.seconds, "s")
    flash = bytearray(b"\xff" * filesystem.MEGABYTE)
    steps = [
        ("full", bench.bundle, ["--ssid", WIFI[0]], 1.05),
        ("identical", bench.bundle, [], 0.01),
        ("one_setting", bench.bundle, ["name=cellar"], 0.02),
        ("one_module", bench.other, [], 0.05),
    ]
    for name, bundle, options, bound in steps:
        # A board is plugged in anew each time: the stub goes over the line again.
        cost = bench.ours(Bootloader(flash), baud, bundle, options).less(nothing)
        ratio = cost.bytes / peer.bytes
        yield Result(f"flash.{name}_bytes_vs_esptool{suffix}", ratio, "x", bound, "lower")
        limit = bound if name == "full" else None
        ratio = cost.seconds / peer.seconds
        yield Result(f"flash.{name}_time_vs_esptool{suffix}", ratio, "x", limit, "lower")


class _Bench:
    """The files that both write, and how each is started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bundle, self.other = folder / "bundle.zip", folder / "other.zip"
        made = build.build(BOARD)
        self.bundle.write_bytes(made.pack())
        self.other.write_bytes(_one_module(made).pack())
        self._base = folder / "base.bin"
        self._base.write_bytes(base.make(HARDWARE.variant))
        place = filesystem.place(HARDWARE.variant, filesystem.MEGABYTE)
        files = image.files(made, BOARD, HARDWARE, image.Content(wifi=WIFI))
        self._offset, self._system = place.offset, folder / "system.bin"
        self._system.write_bytes(filesystem.make(place.blocks, files))

    def everything(self) -> list[str]:
        """What esptool is asked to write."""
        system = [hex(self._offset), str(self._system)]
        return ["write-flash", "--flash-size", "1MB", "0", str(self._base), *system]

    def esptool(self, chip: Bootloader, baud: int, *words: str) -> Cost:
        """esptool itself, as a person starts it."""
        stay = ["--before", "no-reset", "--after", "no-reset"]
        program = [sys.executable, "-m", "esptool", "--baud", str(baud), *stay]
        return self._run(chip, lambda port: [*program, "--port", port, *words])

    def ours(self, chip: Bootloader, baud: int, bundle: Path, options: list[str]) -> Cost:
        """`dsmrctl flash`, as a person starts it."""
        program = [sys.executable, "-m", "dsmrctl", "flash", BOARD.name, *options]
        program += ["--hardware", HARDWARE.name, "--bundle", str(bundle), "--baud", str(baud)]
        program += ["--base", str(self._base), "--yes"]
        return self._run(chip, lambda port: [*program, "--port", port])

    def _run(self, chip: Bootloader, command) -> Cost:
        data = {"DSMRCTL_DATA": str(self._folder), "DSMRCTL_WIFI_PASSWORD": WIFI[1]}
        with chip:
            subprocess.run(
                command(chip.port),
                env={**os.environ, **data},
                check=True,
                capture_output=True,
                timeout=120,
            )
            return Cost(chip.received + chip.sent, chip.time_s)


def _one_module(bundle: Bundle) -> Bundle:
    """The same firmware with one module that is another: it has another constant, and is longer."""
    name = "mqtt.mpy"
    data = bundle.files[name]
    files = {**bundle.files, name: data[:-40] + bytes(range(40)) + data[-40:]}
    made = bundle.manifest
    return replace(
        bundle,
        manifest=manifest(
            BOARD.name, made["hardware"], [HARDWARE.variant], "99.0.0", made["needs"], files
        ),
        files=files,
    )
