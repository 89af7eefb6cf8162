"""Serial ports: the one there is, opening one with errors that help, and reading telegrams."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl import errors
from dsmrctl.telegram.sources import SeveralPorts, Source

if TYPE_CHECKING:
    import serial

_SLICE = 0.5  # seconds; a longer wait in one call could not be interrupted by Ctrl-C on Windows
_BLOCK = 65536


def _pulled() -> tuple[type[Exception], ...]:
    try:
        import termios
    except ImportError:  # Windows
        return (OSError,)
    return (OSError, termios.error)


PULLED = _pulled()
"""What a pulled cable raises: pyserial's own is an OSError, the terminal's is not."""


class Port(NamedTuple):
    """A serial port of this computer, as its driver describes it."""

    path: str
    description: str
    serial_number: str


class PortBusy(errors.Refused):
    """Another program has the port."""


class PortForbidden(errors.Refused):
    """This user may not open the port."""


class PortAbsent(errors.NotFound):
    """There is no such port."""


class PortLost(errors.DsmrError):
    """The port went away while it was used: usually the cable."""


def ports() -> list[Port]:
    """The serial ports there are, sorted; only those on USB when there are any.

    Most computers also list a port on the board that leads nowhere.
    """
    from serial.tools import list_ports

    there = list_ports.comports()
    found = [info for info in there if info.vid is not None] or there
    return sorted(
        Port(info.device, info.description or "", info.serial_number or "") for info in found
    )


def on_usb(path: str) -> bool:
    """Whether that port hangs on USB, as an adapter or a programmer does."""
    from serial.tools import list_ports

    return any(info.device == path and info.vid is not None for info in list_ports.comports())


def find_port(found: Iterable[Port] | None = None) -> str:
    """The only serial port. Raises NotFound when there is none, SeveralPorts with a table."""
    rows = list(ports() if found is None else found)
    if not rows:
        raise PortAbsent(
            "there is no serial port",
            hint="plug in the P1 cable, or name a source: a port, tcp://host:port, a file, or -",
        )
    if len(rows) > 1:
        raise SeveralPorts(rows)
    return rows[0].path


def open_port(spec: str, baud: int, *, seven_even: bool = False) -> serial.Serial:
    """Open a port or pyserial URL for this program alone.

    `seven_even`: 7 bits, even parity. Raises PortBusy, PortForbidden, PortAbsent, UsageError.
    """
    import serial

    try:
        return serial.serial_for_url(
            spec,
            baudrate=baud,
            bytesize=serial.SEVENBITS if seven_even else serial.EIGHTBITS,
            parity=serial.PARITY_EVEN if seven_even else serial.PARITY_NONE,
            stopbits=serial.STOPBITS_ONE,
            timeout=_SLICE,
            exclusive=True,
        )
    except ValueError as error:
        raise errors.UsageError(
            f"cannot open {spec}: {error}", hint="a port, or a URL that pyserial knows"
        ) from None
    except OSError as error:
        raise _cannot_open(spec, error) from None


class SerialSource(Source):
    """The meter's P1 port on a serial line: 115200 8N1, or with `dsmr2` 9600 7E1."""

    live = True

    def __init__(self, spec: str, *, dsmr2: bool = False, baud: int | None = None) -> None:
        self.name = spec
        self._port = open_port(spec, baud or (9600 if dsmr2 else 115200), seven_even=dsmr2)

    def read(self, timeout: float | None = None) -> bytes | None:
        """See Source. Raises PortLost when the cable is pulled; there is no end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                if waiting := self._port.in_waiting:
                    return self._port.read(min(waiting, _BLOCK))
                left = _SLICE if deadline is None else deadline - time.monotonic()
                wait = max(0.0, min(left, _SLICE))
                if self._port.timeout != wait:
                    self._port.timeout = wait
                data = self._port.read(1)
                if data:
                    # The rest of what is there comes along, so that few calls do.
                    return data + self._port.read(min(self._port.in_waiting, _BLOCK))
                if deadline is not None and time.monotonic() >= deadline:
                    return b""
        except (*PULLED, TypeError) as error:
            # pyserial raises TypeError when another thread closed the port while it was read.
            raise PortLost(
                f"the connection to {self.name} was lost",
                hint="is the cable still in? plug it in and run again",
            ) from error

    def close(self) -> None:
        try:
            self._port.close()
        except OSError:
            pass  # the cable was pulled: there is nothing left to close


def _cannot_open(spec: str, error: OSError) -> errors.DsmrError:
    """The error for a person. Windows' pyserial gives no number: what is there decides."""
    there = ports()
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        return PortBusy(
            f"{spec} is used by {holder(spec) or 'another program'}",
            hint="close it (a serial monitor, another dsmrctl; ModemManager tries new ports too)",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return PortForbidden(f"you may not use {spec}", hint=way_in(spec))
    known = any(port.path == spec for port in there)
    if "://" not in spec and not known and not Path(spec).exists():
        names = ", ".join(f"{port.path} ({port.description})" for port in there)
        return PortAbsent(
            f"there is no port {spec}",
            hint=f"there are: {names}" if names else "no serial port is there; is the cable in?",
        )
    if error.errno is None and known:
        return PortBusy(f"{spec} cannot be opened", hint="another program may use it: close that")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return errors.NotFound(f"cannot open {spec}: {reason}", hint="is it a serial port?")


def way_in(spec: str) -> str:
    """How this user may be let in to a port that is there; its group is asked of the file."""
    try:
        there = os.stat(spec)  # noqa: PTH116 - on Windows a Path would rewrite the name
        return _way_in(spec, there.st_gid, there.st_mode)
    except (ImportError, KeyError, OSError):
        return "ask whoever keeps this computer for access to it"


def _way_in(spec: str, gid: int, mode: int) -> str:
    """How to be let in: by the group, when it may read and write and is not root's."""
    import grp

    if gid == 0 or mode & 0o060 != 0o060:
        return f"only its owner may: sudo chmod a+rw {spec}, or a udev rule, which lasts"
    group = grp.getgrgid(gid).gr_name
    return f"it belongs to group {group}: sudo usermod -aG {group} $USER, then log in again"


def holder(spec: str, proc: Path = Path("/proc")) -> str | None:
    """The program that has `spec` open, as far as Linux lets this user see it."""
    path = os.path.realpath(spec)
    for link in proc.glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == path and link.parts[2] != str(os.getpid()):  # noqa: PTH115
                name = (link.parent.parent / "comm").read_text().strip()
                return f"{name} (process {link.parts[2]})"
        except OSError:
            continue
    return None
