"""A chip in its bootloader, on a serial port: the real esptool, in this process.

esptool prints and asks nothing here: what it says goes to `heard`, how far it is to whoever asked.
It is imported only when a chip is really talked to (0.2 s).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dsmrctl import errors
from dsmrctl.flashing import trouble
from dsmrctl.telegram import ports

if TYPE_CHECKING:
    import serial

SLOW, FAST = 115200, 460800
SECTOR = 0x1000
# A dead stub would block a read without one for ever.
_PATIENCE_S = 3.0
_PAUSE_S = 0.05
# One a reset sequence that esptool knows.
_ATTEMPTS = 4
_SILENT_IDS = (0xFFFFFF, 0x000000, 0xFFFF3F)

Told = Callable[[int], None]


@dataclass(frozen=True)
class Identity:
    """What a chip says of itself; mac as aa:bb:…, flash_size in bytes."""

    chip: str
    mac: str
    flash_id: int
    flash_size: int


class Chip:
    """A chip whose bootloader answers. The port is this program's until `close`.

    Every call raises Lost when the cable is pulled, ChipError when the chip says no.
    """

    def __init__(self, esp: Any, port: serial.Serial, heard: _Heard) -> None:
        self._esp, self._port, self._heard = esp, port, heard
        self.baud = self.fast = SLOW
        with self._talk():
            mac = ":".join(f"{byte:02x}" for byte in esp.read_mac("BASE_MAC"))
            name = esp.get_chip_description()
            flash_id = esp.flash_id()
        self.identity = Identity(name, mac, flash_id, self._flash_size(flash_id))

    def _flash_size(self, flash_id: int) -> int:
        from esptool.cmds import detect_flash_size
        from esptool.util import flash_size_bytes

        if flash_id in _SILENT_IDS:
            raise trouble.FlashSilent(flash_id)
        with self._talk():
            found = detect_flash_size(self._esp)
        if found is None:
            raise trouble.FlashUnknown(flash_id)
        size = flash_size_bytes(found)
        assert size is not None
        return size

    # Reading

    def md5(self, offset: int, size: int) -> str:
        """The MD5 of that much flash, which the chip counts itself."""
        with self._talk():
            return self._esp.flash_md5sum(offset, size)

    def holds(self, offset: int, data: bytes) -> bool:
        """Whether the flash has these bytes there."""
        return self.md5(offset, len(data)) == hashlib.md5(data).hexdigest()

    def read(self, offset: int, size: int, told: Told | None = None) -> bytes:
        """That much flash; `told` hears how many bytes came so far."""

        def progress(done: int, _total: int, _offset: int) -> None:
            if told:
                told(done)

        with self._talk():
            return self._esp.read_flash(offset, size, progress)

    # Writing

    def write(self, offset: int, data: bytes, told: Told) -> None:
        """Writes and verifies by MD5, once more when that fails; offset is a sector's.

        `told` hears how many bytes went over the line so far, compressed. Raises FlashFaulty,
        FlashProtected.
        """
        before = None if self.baud == SLOW else self.baud
        try:
            self._write(offset, data, told)
        except trouble.ChipError:
            if before is None:
                raise
            # A line too fast for its adapter loses bytes now and then.
            self.slow_down()
            self._write(offset, data, told)

    def _write(self, offset: int, data: bytes, told: Told) -> None:
        from esptool.cmds import write_flash

        try:
            for again in (True, False):
                self._heard.told = told
                try:
                    with self._talk():
                        write_flash(self._esp, [(offset, data)], flash_size="keep")
                    return
                except _Differs as differs:
                    if not again:
                        if differs.empty and offset % SECTOR == 0:
                            raise trouble.FlashProtected from None
                        raise trouble.FlashFaulty(offset) from None
        finally:
            self._heard.told = None

    def erase(self) -> None:
        """Erases all of it."""
        with self._talk():
            self._esp.erase_flash()

    # The line

    def speed_up(self, baud: int) -> None:
        """A faster line; stays at 115200 when the chip, the port or the cable cannot follow.

        Raises Lost when the chip is not heard any more at either rate.
        """
        if baud == SLOW:
            return
        from esptool.util import FatalError

        try:
            with self._talk():
                self._esp.change_baud(baud)
                self.baud = self.fast = baud
                # Whether both sides hear each other now, both ways.
                for _ in range(3):
                    self._esp.flash_md5sum(0, 64)
        except (errors.DsmrError, FatalError):
            self.fast = SLOW
            self.slow_down()

    def slow_down(self) -> None:
        """Back to 115200, whatever the chip's rate is now. Raises Lost."""
        from esptool.util import FatalError

        for at in (self.baud, SLOW):
            with contextlib.suppress(FatalError, *ports.PULLED):
                self._esp._set_port_baudrate(at)
                self._esp.flush_input()
                self._esp.sync()
                if at != SLOW:
                    self._esp.change_baud(SLOW)
                self.baud = SLOW
                return
        raise trouble.Lost

    @contextmanager
    def _talk(self) -> Iterator[None]:
        from esptool.util import FatalError

        try:
            yield
        except FatalError as error:
            said = str(error)
            if "MD5 of file does not match" in said or "region is empty" in said:
                raise _Differs("empty" in said) from None
            if "No serial data" in said or "Serial data stream stopped" in said:
                raise trouble.Lost from None
            raise trouble.ChipError(said.splitlines()[0]) from None
        except ports.PULLED:
            raise trouble.Lost from None

    def close(self, restart: bool = False) -> None:
        """Leaves the chip at 115200, or restarts it where the port has a line for that."""
        with contextlib.suppress(Exception):
            if self.baud != SLOW:
                # In the middle of something (Ctrl-C) this ends it: a block that is being sent, or
                # a reading, by a frame that acknowledges nothing.
                self._port.write(b"\xc0\x00\xc0")
                time.sleep(_PAUSE_S)
                self.slow_down()
            if restart:
                self._esp.hard_reset()
        with contextlib.suppress(*ports.PULLED):
            self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Differs(Exception):
    """What was written reads back differently; empty: as erased."""

    def __init__(self, empty: bool) -> None:
        super().__init__()
        self.empty = empty


def connect(port: str, guide: str, baud: int = FAST) -> Chip:
    """The chip in its bootloader on a port or pyserial URL, its line as fast as `baud` or 115200.

    guide: how to put that board into its bootloader, for the errors. Raises PortBusy,
    PortForbidden, PortAbsent, Silent, Running, WrongChip, FlashSilent, Lost, ChipError.
    """
    heard = _load()
    from esptool.cmds import detect_chip, run_stub
    from esptool.util import FatalError

    from dsmrctl.telegram.ports import open_port

    opened = open_port(port, SLOW)
    try:
        opened.timeout = _PATIENCE_S
        try:
            rom: Any = detect_chip(opened, SLOW, "default-reset", connect_attempts=_ATTEMPTS)  # pyright: ignore[reportArgumentType]
        except FatalError as error:
            # An earlier run that was killed may have left the chip at the fast rate.
            opened.close()
            opened = open_port(port, SLOW)
            opened.timeout = _PATIENCE_S
            try:
                rom = detect_chip(opened, FAST, "no-reset", connect_attempts=1)  # pyright: ignore[reportArgumentType]
            except FatalError:
                raise _unheard(port, guide, str(error)) from None
        if rom.CHIP_NAME != "ESP8266":
            raise trouble.WrongChip(rom.CHIP_NAME)
        left_at = opened.baudrate
        esp: Any = rom if rom.IS_STUB else run_stub(rom)
        # Another try of esptool's own after the cable was pulled only takes time.
        esp.WRITE_FLASH_ATTEMPTS = 1
        esp.FLASH_WRITE_SIZE = SECTOR  # progress by small steps, for 0.5 % more bytes
        chip = Chip(esp, opened, heard)
        chip.baud = left_at
        if left_at != baud:
            try:
                chip.speed_up(baud) if baud != SLOW else chip.slow_down()
            except trouble.Lost:
                if baud == SLOW or not ("://" in port or Path(port).exists()):
                    raise
                opened.close()
                return _slower(port, guide, baud)
        return chip
    except FatalError as error:
        opened.close()
        raise trouble.ChipError(str(error).splitlines()[0]) from None
    except ports.PULLED:
        opened.close()
        raise trouble.Lost from None
    except BaseException:
        opened.close()
        raise


def _slower(port: str, guide: str, baud: int) -> Chip:
    """The same once more at 115200, where the port's lines can restart the chip."""
    try:
        return connect(port, guide, SLOW)
    except (trouble.Silent, trouble.Running):
        raise trouble.TooFast(port, baud, guide) from None


def _unheard(port: str, guide: str, said: str) -> errors.DsmrError:
    if "No serial data received" in said:
        return trouble.Silent(port, guide)
    return trouble.Running(port, guide)


def _load() -> _Heard:
    """Imports esptool with its words coming to us, and none from the working directory."""
    # It would obey an esptool.cfg or setup.cfg of whatever folder this is started in.
    os.environ.setdefault("ESPTOOL_CFGFILE", str(Path(__file__).with_name("esptool.cfg")))
    from esp_pylib.logger import EspLog, EspLogBase

    class Logger(_Heard, EspLogBase):
        pass

    logger = Logger()
    EspLog.set_logger(logger)
    return logger


class _Heard:
    """What esptool says (its logger): kept for the errors, shown with DSMRCTL_DEBUG only."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.told: Told | None = None

    def print(self, *words: Any, **_: Any) -> None:
        self.said.append(" ".join(map(str, words)))
        if os.environ.get("DSMRCTL_DEBUG"):
            sys.stderr.write(f"esptool: {self.said[-1]}\n")

    err = warn = note = hint = debug = warning = error = print

    def set_verbosity(self, mode: int | str) -> None:
        pass

    def progress_bar(
        self,
        cur_iter: int,
        total_iters: int,
        prefix: str = "",
        suffix: str = "",
        bar_length: int = 30,
    ) -> None:
        if self.told:
            self.told(cur_iter)
