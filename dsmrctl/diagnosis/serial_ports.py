"""Serial ports: which there are, who may use them, who does, and adapters that give none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dsmrctl.diagnosis.finding import Finding, note, ok, trouble
from dsmrctl.telegram import ports
from dsmrctl.telegram.ports import Port

PROC, SYS = Path("/proc"), Path("/sys")

# USB vendor:product (product None: any of that vendor) -> Linux's driver.
_DRIVERS = {
    ("1a86", "7522"): "ch341",
    ("1a86", "7523"): "ch341",
    ("1a86", "5523"): "ch341",
    ("10c4", "ea60"): "cp210x",
    ("10c4", "ea70"): "cp210x",
    ("0403", "6001"): "ftdi_sio",
    ("0403", "6010"): "ftdi_sio",
    ("0403", "6011"): "ftdi_sio",
    ("0403", "6014"): "ftdi_sio",
    ("0403", "6015"): "ftdi_sio",
    ("067b", "2303"): "pl2303",
}
# brltty's own rules take these for Braille displays.
_BRAILLE = ("1a86", "7523")


class Adapter(NamedTuple):
    """A USB adapter of a known kind; ttys: the ports that its driver made of it."""

    vendor: str
    product: str
    driver: str
    title: str
    ttys: tuple[str, ...]

    @property
    def ident(self) -> str:
        """As lsusb writes it."""
        return f"{self.vendor}:{self.product}"


def check(
    found: Sequence[Port] | None = None,
    *,
    proc: Path = PROC,
    sys: Path = SYS,
    asked: str | None = None,
) -> Iterator[Finding]:
    """All of it; None: the ports there are, and `asked` when the person named one."""
    there = list(ports.ports() if found is None else found)
    if asked is not None and all(each.path != asked for each in there) and Path(asked).exists():
        there.append(Port(asked, "", ""))
    adapters = on_usb(sys)
    yield port(there)
    yield permission(there, asked)
    yield busy(there, proc, asked)
    running = programs(proc)
    yield modem_manager(bool(there), running)
    yield braille(adapters, running)
    yield driver(adapters)


def port(there: Sequence[Port]) -> Finding:
    """Whether there is any."""
    if not there:
        return note(
            "port",
            "there is no serial port",
            "plug in the P1 cable or the programmer; lsusb shows whether this computer sees it",
        )
    listed = ", ".join(f"{p.path} ({p.description})" if p.description else p.path for p in there)
    return ok("port", listed, ports=[each.path for each in there])


def permission(there: Sequence[Port], asked: str | None = None) -> Finding:
    """Whether this user may read and write all of them; a port on the board leads nowhere mostly,
    so that one that was not asked for is only noted."""
    forbidden = [each.path for each in there if not _allowed(each.path)]
    if not forbidden:
        return ok("port-permission", "you may use all of them" if there else "none to use")
    matters = any(path == asked or ports.on_usb(path) for path in forbidden)
    return (trouble if matters else note)(
        "port-permission",
        f"you may not use {', '.join(forbidden)}",
        ports.way_in(forbidden[0]),
        ports=forbidden,
    )


def _allowed(path: str) -> bool:
    return not Path(path).exists() or os.access(path, os.R_OK | os.W_OK)


def busy(there: Sequence[Port], proc: Path = PROC, asked: str | None = None) -> Finding:
    """Whether another program has one of them; for the one that was asked for that is trouble."""
    held = {p.path: who for p in there if (who := ports.holder(p.path, proc)) is not None}
    if not held:
        return ok("port-busy", "nobody else uses them" if there else "none to use")
    what = "; ".join(f"{path} is used by {who}" for path, who in held.items())
    make = trouble if asked in held else note
    return make(
        "port-busy", what, "close that program before you read or flash there", used_by=held
    )


def programs(proc: Path = PROC) -> set[str]:
    """The names of all programs that run, as far as this user may see them."""
    found = set()
    for file in proc.glob("[0-9]*/comm"):
        try:
            found.add(file.read_text(errors="replace").strip())
        except OSError:
            continue
    return found


def modem_manager(any_port: bool, running: set[str]) -> Finding:
    """Whether ModemManager is there to try the ports; only matters where there are some."""
    if "ModemManager" not in running:
        return ok("modem-manager", "ModemManager does not run")
    if not any_port:
        return ok("modem-manager", "ModemManager runs, and there is no port")
    return note(
        "modem-manager",
        "ModemManager runs",
        "sudo systemctl disable --now ModemManager (when this computer has no modem)",
    )


def on_usb(sys: Path = SYS) -> list[Adapter]:
    """The adapters plugged in whose driver is known here, whether they gave a port or not."""
    found = []
    for place in sorted(sys.glob("bus/usb/devices/*/idVendor")):
        home = place.parent
        vendor, product = _text(place).lower(), _text(home / "idProduct").lower()
        name = _DRIVERS.get((vendor, product))
        if name is None:
            continue
        # A USB-to-serial driver makes ttyUSB0 below the interface; cdc-acm in a folder tty.
        ttys = [each.name for each in home.glob("*/ttyUSB*")]
        ttys += [each.name for each in home.glob("*/tty/tty*")]
        title = re.sub(r"[^ -~]", "", _text(home / "product"))[:60]
        found.append(Adapter(vendor, product, name, title, tuple(sorted(ttys))))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def braille(adapters: Sequence[Adapter], running: set[str]) -> Finding:
    """Whether brltty took an adapter away."""
    lost = [each for each in adapters if (each.vendor, each.product) == _BRAILLE and not each.ttys]
    if "brltty" not in running:
        return ok("braille", "brltty does not run")
    if not lost:
        return ok("braille", "brltty runs, and took no adapter")
    return trouble(
        "braille",
        f"brltty runs, and the CH340 adapter {lost[0].ident} has no port",
        "sudo apt remove brltty (unless you read Braille here), then unplug it and plug it in",
        adapters=[each.ident for each in lost],
    )


def driver(adapters: Sequence[Adapter]) -> Finding:
    """Whether each adapter gave a port."""
    lost = [each for each in adapters if not each.ttys]
    if not lost:
        return ok("driver", f"{len(adapters)} known adapters on USB, each with its port")
    one = lost[0]
    called = f" ({one.title})" if one.title else ""
    return trouble(
        "driver",
        f"the adapter {one.ident}{called} is plugged in and has no port: its driver, "
        f"{one.driver}, is not loaded",
        f"sudo modprobe {one.driver}; if there is none: sudo apt install "
        "linux-modules-extra-$(uname -r), then sudo dmesg | tail says why not",
        adapters=[each.ident for each in lost],
    )
