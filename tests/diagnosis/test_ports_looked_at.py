"""Serial ports: absent, forbidden, held, and adapters without a port, each for real.

Only the adapters are in a /sys made here: no kernel plugs one in for a test.
"""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patient import WITHOUT_POWERS, cleared, elsewhere, provoked

from dsmrctl.diagnosis import serial_ports
from dsmrctl.telegram import ports
from dsmrctl.telegram.ports import Port


@pytest.fixture
def pty() -> Iterator[str]:
    """A port that is there."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    yield path
    os.close(master)


def test_no_port_is_told() -> None:
    provoked("port", serial_ports.port([]), "note")


def test_a_port_is_well(pty: str) -> None:
    found = list(serial_ports.check([], asked=pty))
    assert cleared("port", found).data["ports"] == [pty]


def _may(path: str) -> str:
    return f"""
from dsmrctl.diagnosis import serial_ports
tell(serial_ports.check([], asked={path!r}))
"""


def test_a_port_without_permission_names_its_group(pty: str) -> None:
    Path(pty).chmod(0o060)
    try:
        os.chown(pty, -1, 20)  # dialout, on Debian
    except OSError:
        # A user namespace has one group, root's: no port in it can have another.
        step = ports._way_in("/dev/ttyUSB0", 20, 0o020660)
    else:
        one = provoked("port-permission", elsewhere(_may(pty), before=WITHOUT_POWERS))
        assert pty in one.what
        step = one.next
    group = grp.getgrgid(20).gr_name
    assert f"sudo usermod -aG {group} $USER" in step
    assert "log in again" in step


def test_a_port_that_no_group_may_use_says_so(pty: str) -> None:
    Path(pty).chmod(0o000)
    one = provoked("port-permission", elsewhere(_may(pty), before=WITHOUT_POWERS))
    assert "udev rule" in one.next


def test_a_port_on_the_board_that_nobody_asked_for_is_only_noted(pty: str) -> None:
    Path(pty).chmod(0o060)
    code = f"""
from dsmrctl.diagnosis import serial_ports
tell(serial_ports.permission([serial_ports.Port({pty!r}, "n/a", "")]))
"""
    provoked("port-permission", elsewhere(code, before=WITHOUT_POWERS), "note")


def test_a_port_with_permission_is_well(pty: str) -> None:
    Path(pty).chmod(0o600)
    cleared("port-permission", elsewhere(_may(pty), before=WITHOUT_POWERS))


_HOLD = (
    "import sys, time; held = open(sys.argv[1], 'rb'); print('held', flush=True); time.sleep(60)"
)


@contextmanager
def running(*command: str) -> Iterator[int]:
    """Another program, until its line is read; its number."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            yield other.pid
        finally:
            other.kill()


def test_a_port_that_another_program_holds_names_that_program(pty: str) -> None:
    with running(sys.executable, "-c", _HOLD, pty) as number:
        one = provoked("port-busy", serial_ports.check([], asked=pty))
        assert f"(process {number})" in one.what
        # One that nobody asked for may well be used by what runs here all day.
        provoked("port-busy", serial_ports.busy([Port(pty, "", "")]), "note")


def test_a_port_that_nobody_holds_is_well(pty: str) -> None:
    cleared("port-busy", serial_ports.check([], asked=pty))


@contextmanager
def called(name: str, folder: Path) -> Iterator[None]:
    """A program of that name runs."""
    program = folder / name
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as other:
        try:
            end = time.monotonic() + 10
            comm = Path(f"/proc/{other.pid}/comm")
            while comm.read_text().strip() != name[:15]:
                assert time.monotonic() < end
            yield
        finally:
            other.kill()


def test_modem_manager_is_told_where_there_is_a_port(pty: str, tmp_path: Path) -> None:
    with called("ModemManager", tmp_path):
        one = provoked("modem-manager", serial_ports.check([], asked=pty), "note")
        assert "systemctl disable --now ModemManager" in one.next
        cleared("modem-manager", serial_ports.modem_manager(False, serial_ports.programs()))


def test_without_modem_manager_all_is_well(pty: str) -> None:
    cleared("modem-manager", serial_ports.check([], asked=pty))


def plugged_in(sys_: Path, vendor: str, product: str, tty: str | None) -> None:
    """An adapter as the kernel shows it under /sys."""
    place = sys_ / "bus/usb/devices/1-1"
    (place / "1-1:1.0").mkdir(parents=True)
    (place / "idVendor").write_text(f"{vendor}\n")
    (place / "idProduct").write_text(f"{product}\n")
    (place / "product").write_text("USB2.0-Ser!\x1b[2J\n")
    if tty is not None:
        (place / "1-1:1.0" / tty).mkdir()


@pytest.mark.parametrize(
    ("vendor", "product", "module"),
    [
        ("1a86", "7523", "ch341"),
        ("10c4", "ea60", "cp210x"),
        ("0403", "6001", "ftdi_sio"),
        ("067b", "2303", "pl2303"),
    ],
)
def test_an_adapter_without_a_port_names_its_driver(
    tmp_path: Path, vendor: str, product: str, module: str
) -> None:
    plugged_in(tmp_path, vendor, product, None)
    one = provoked("driver", serial_ports.check([], sys=tmp_path))
    assert f"sudo modprobe {module}" in one.next
    assert f"{vendor}:{product}" in one.what
    assert "\x1b" not in one.what


def test_an_adapter_with_its_port_is_well(tmp_path: Path) -> None:
    plugged_in(tmp_path, "1a86", "7523", "ttyUSB0")
    cleared("driver", serial_ports.check([], sys=tmp_path))


def test_brltty_that_takes_an_adapter_away_is_told(tmp_path: Path) -> None:
    plugged_in(tmp_path / "sys", "1a86", "7523", None)
    with called("brltty", tmp_path):
        one = provoked("braille", serial_ports.check([], sys=tmp_path / "sys"))
    assert "sudo apt remove brltty" in one.next


def test_brltty_that_takes_nothing_is_well(tmp_path: Path) -> None:
    plugged_in(tmp_path / "sys", "1a86", "7523", "ttyUSB0")
    with called("brltty", tmp_path):
        cleared("braille", serial_ports.check([], sys=tmp_path / "sys"))
