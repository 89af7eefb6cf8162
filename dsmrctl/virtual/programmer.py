"""A board in its programmer: one serial port, behind which is its bootloader or its firmware.

Plugged in with the button held it is the chip's bootloader, on which esptool works; without, the
very bytes that were written boot under MicroPython, and the port is their serial line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from dsmrctl.errors import BadData, UsageError
from dsmrctl.flashing import base_image, filesystem
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.bootloader import Bootloader, Faults


class Programmer:
    """A context manager; `port` is what a serial program is given. In real time.

    folder: where the board's flash lies as a file while it runs. size: of its flash, in bytes.
    address: its own on the loopback network. heard: told what it sends on its line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        size: int = 1 << 20,
        mac: str = "5c:cf:7f:a1:b2:c3",
        address: str = "127.0.0.2",
        air: Air | None = None,
        flash: bytearray | None = None,
        faults: Faults | None = None,
        heard: Callable[[bytes], None] | None = None,
    ) -> None:
        try:
            self.chip = Bootloader(
                flash, size=size, mac=mac, app=self._hear, download=True, faults=faults
            )
        except OSError as error:
            raise UsageError(
                f"a virtual serial port needs a pty: {error}", hint="on Windows use WSL"
            ) from None
        self.port = self.chip.port
        self.board: VirtualBoard | None = None
        self._path = folder / "flash.bin"
        self._mac, self._address, self._air = mac, address, air or Air()
        self._told = heard

    def __enter__(self) -> Self:
        self.chip.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._off()
        self.chip.__exit__()

    def unplug(self) -> None:
        """Takes its power, and the port."""
        self.chip.unplug()
        self._off()

    def plug(self, button: bool) -> None:
        """Plugs it in, with its button held or not."""
        self.chip.button = button
        self.chip.plug()
        if not button:
            self._on()

    def _on(self) -> None:
        place = self._place()
        if place is None:
            return  # nothing that boots: it stays silent
        self._path.write_bytes(self.chip.flash)
        mac = bytes.fromhex(self._mac.replace(":", ""))
        board = VirtualBoard(self._path, place, address=self._address, mac=mac, air=self._air)
        board.on_serial = self._say
        self.board = board
        board.power_on()

    def _off(self) -> None:
        board, self.board = self.board, None
        if board is not None:
            board.on_serial = None
            board.__exit__()
            # What it wrote while it ran is on its flash.
            self.chip.flash[:] = self._path.read_bytes()

    def _place(self) -> filesystem.Place | None:
        """Where the MicroPython on its flash looks for its files; None for no such thing."""
        flash = bytes(self.chip.flash)
        variant = base_image.variant_of(flash)
        if variant not in ("", "FLASH_1M"):
            return None
        with contextlib.suppress(BadData, UsageError):
            place = filesystem.place(variant, len(flash))
            filesystem.read(flash[place.offset : place.offset + place.size])
            return place
        return None

    def _hear(self, data: bytes) -> bytes:
        """What the computer sends to the board that runs."""
        if data and self.board is not None:
            self.board.serial(data)
        return b""

    def _say(self, data: bytes) -> None:
        self.chip.say(data)
        if self._told:
            self._told(data)
