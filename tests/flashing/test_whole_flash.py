"""The whole flash as a file, and back: of a firmware that is not ours, and of one that is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import lived_in
import pytest
from flashed import SSID, Flash, environment
from lived_in import READ

from dsmrctl.virtual.bootloader import Bootloader

INTERFACE = ("interface", "--hardware", "esp01s", "--ssid", SSID)
MEGABYTE = 1 << 20
# The SDK keeps WiFi and calibration in the last 20 KB.
SDK = MEGABYTE - 20 * 1024


def foreign(size: int = MEGABYTE) -> bytearray:
    """Somebody's firmware: it begins as each does, and nothing else of it is known."""
    return bytearray(b"\xe9" + os.urandom(size - 1))


def only_mine(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.slow
@pytest.mark.parametrize("size", [MEGABYTE, pytest.param(4 * MEGABYTE, marks=pytest.mark.soak)])
def test_a_backup_is_the_flash_and_a_restore_brings_it_back(
    flash: Flash, tmp_path: Path, size: int
) -> None:
    before = foreign(size)
    copy = tmp_path / "before.bin"
    with Bootloader(bytearray(before), size=size) as chip:
        done = flash(chip, "--backup", str(copy))
        assert done.code == 0, done.err
        assert done.out == (
            f"{copy}: {size} bytes. It holds WiFi passwords: keep it to yourself.\n"
        )
        assert chip.programmed == chip.erased == 0
    assert copy.read_bytes() == before
    assert only_mine(copy)
    assert list(tmp_path.glob("*.part")) == []
    other = bytearray(before)
    other[0x5000:0x7000] = bytes(0x2000)
    other[size - 0x1000 :] = b"\xff" * 0x1000
    with Bootloader(other, size=size) as chip:
        done = flash(chip, "--restore", str(copy), "--yes")
        assert done.code == 0, done.err
        assert chip.flash == before
        # What is the same is not written again.
        assert chip.erased <= 4
        done = flash(chip, "--restore", str(copy), "--yes")
        assert (done.code, chip.erased <= 4) == (0, True)
    assert done.out == f"{copy} is on the board (0 bytes written, verified).\n"


@pytest.mark.slow
def test_a_backup_never_overwrites(flash: Flash, tmp_path: Path) -> None:
    copy = tmp_path / "before.bin"
    copy.write_bytes(b"precious")
    for words in (["--backup", str(copy)], [*INTERFACE, "--backup", str(copy)]):
        done = flash("/dev/ttyNOWHERE7", *words)
        assert done.code == 2
        assert f"dsmrctl: {copy} is there already\n" in done.err
    assert copy.read_bytes() == b"precious"
    done = flash("/dev/ttyNOWHERE7", "--backup", str(tmp_path / "nowhere" / "x.bin"))
    assert done.code == 2
    assert "no file can be made at" in done.err


@pytest.mark.slow
def test_a_backup_that_lost_its_cable_leaves_no_file(flash: Flash, tmp_path: Path) -> None:
    copy = tmp_path / "before.bin"
    with Bootloader(foreign()) as chip:
        lived_in.Cable(chip, READ, 3, 20)
        done = flash(chip, "--backup", str(copy))
        assert done.code == 1
        assert "Connection lost" in done.err
        assert list(tmp_path.glob("before*")) == []
        lived_in.plug_again(chip)
        assert flash(chip, "--backup", str(copy)).code == 0
    assert copy.read_bytes() == chip.flash


@pytest.mark.slow
def test_a_first_flash_over_another_firmware_keeps_it_and_says_how_to_get_it_back(
    flash: Flash, tmp_path: Path
) -> None:
    before = foreign()
    # A folder whose name a shell would take apart.
    data = tmp_path / "my data"
    own = {"DSMRCTL_DATA": str(data)}
    with Bootloader(bytearray(before), mac="5c:cf:7f:01:02:03") as chip:
        done = flash(chip, *INTERFACE, env=own)
        assert done.code == 0, done.err
        assert chip.flash != before
        (copy,) = (data / "backups").iterdir()
        assert copy.name.startswith("5ccf7f010203-")
        assert copy.read_bytes() == before
        assert only_mine(copy)
        assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        lines = done.err.splitlines()
        (command,) = [
            line.strip() for line in lines if line.startswith("  dsmrctl flash --restore")
        ]
        # The one command, as a person pastes it, and their answer to its one question.
        done = pasted(tmp_path, chip.port, command, own)
        assert done.returncode == 0, done.stderr
        assert chip.flash == before


def pasted(
    folder: Path, port: str, line: str, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """A line of a shell where dsmrctl is installed, and this is the only serial port."""
    (folder / "dsmrctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m dsmrctl "$@" --yes\n')
    (folder / "dsmrctl").chmod(0o755)
    (folder / "sitecustomize.py").write_text(
        "import serial.tools.list_ports as p\n"
        "from serial.tools.list_ports_common import ListPortInfo as I\n"
        f"there = I({port!r})\n"
        "there.vid = 0x1A86\n"
        "p.comports = lambda *a, **k: [there]\n"
    )
    path = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    return subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(folder) | env | path,
        cwd=folder,
        timeout=60,
    )


@pytest.mark.slow
def test_plain_micropython_with_somebodys_files_is_another_firmware(
    flash: Flash, tmp_path: Path
) -> None:
    from dsmrctl.flashing import filesystem

    content = lived_in.flashed(lived_in.made("interface"))
    system = filesystem.make(
        lived_in.place().blocks, {"main.py": b"print('mine')\n", "notes.txt": b"years of them"}
    )
    where = lived_in.place()
    content[where.offset : where.offset + where.size] = system
    before = bytes(content)
    with Bootloader(content) as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 0, done.err
    (copy,) = (tmp_path / "data" / "backups").iterdir()
    assert copy.read_bytes() == before
    assert "main.py" in lived_in.files(chip.flash)
    assert "notes.txt" not in lived_in.files(chip.flash)


@pytest.mark.slow
def test_a_blank_chip_makes_no_backup_and_asks_nothing(flash: Flash, tmp_path: Path) -> None:
    with Bootloader() as chip:
        done = flash(chip, *INTERFACE)
    assert done.code == 0, done.err
    assert not (tmp_path / "data" / "backups").exists()
    assert "on it now: nothing\n" in done.err
    assert chip.commands[READ] < 5


@pytest.mark.slow
def test_without_a_backup_another_firmware_goes_only_when_that_is_meant(
    flash: Flash, tmp_path: Path
) -> None:
    with Bootloader(foreign()) as chip:
        done = flash(chip, *INTERFACE, "--no-backup")
        assert done.code == 2
        assert done.err.endswith(
            "dsmrctl: another firmware is on it, and no backup of that is kept\n"
            "  --yes says that this is meant\n"
        )
        assert chip.programmed == chip.erased == 0
        done = flash(chip, *INTERFACE, "--no-backup", "--yes")
    assert done.code == 0, done.err
    assert not (tmp_path / "data" / "backups").exists()


@pytest.mark.slow
def test_a_plain_bin_goes_to_the_beginning_and_what_follows_stays(
    flash: Flash, tmp_path: Path
) -> None:
    manual = tmp_path / "DSMR interface.bin"
    manual.write_bytes(b"\xe9" + os.urandom(300_001))
    before = lived_in.lived(lived_in.made("interface"))
    with Bootloader(bytearray(before)) as chip:
        done = flash(chip, "--restore", str(manual))
        assert done.code == 2
        assert "--yes says that this is meant" in done.err
        assert chip.programmed == chip.erased == 0
        done = flash(chip, "--restore", str(manual), "--yes")
    assert done.code == 0, done.err
    length = manual.stat().st_size
    assert chip.flash[:length] == manual.read_bytes()
    end = -(-length // 4096) * 4096
    assert chip.flash[end:] == before[end:]


@pytest.mark.slow
def test_what_is_no_firmware_for_this_board_is_not_written(flash: Flash, tmp_path: Path) -> None:
    large, text = tmp_path / "large.bin", tmp_path / "text.bin"
    large.write_bytes(b"\xe9" + bytes(MEGABYTE))
    text.write_bytes(b"PK\x03\x04 a bundle, perhaps")
    missing = tmp_path / "missing.bin"
    empty = tmp_path / "empty.bin"
    empty.touch()
    cases = {
        large: (5, f"{large} has 1048577 bytes; this board's flash has 1 MB."),
        text: (6, f"{text} is no firmware for an ESP8266: it does not begin with E9"),
        empty: (6, f"{empty} is no firmware for an ESP8266: it does not begin with E9"),
        missing: (3, f"there is no {missing}"),
    }
    with Bootloader() as chip:
        for path, (code, message) in cases.items():
            done = flash(chip, "--restore", str(path), "--yes")
            assert done.code == code, done.err
            assert f"dsmrctl: {message}\n" in done.err
        assert chip.programmed == chip.erased == 0
    # With a kind of board it is not clear what is meant.
    done = flash("/dev/ttyNOWHERE7", *INTERFACE, "--restore", str(text))
    assert done.code == 2


@pytest.mark.slow
def test_erase_takes_all_of_the_chip_what_the_sdk_keeps_too(flash: Flash, tmp_path: Path) -> None:
    before = lived_in.lived(lived_in.made("interface"))
    before[SDK:] = b"the SDK's copy of a WiFi password".ljust(MEGABYTE - SDK, b".")
    with Bootloader(bytearray(before)) as chip:
        done = flash(chip, *INTERFACE[:3], "--erase")
        assert done.code == 2
        assert done.err.endswith(
            "dsmrctl: everything on the board is erased, its settings and its WiFi too\n"
            "  --yes says that this is meant\n"
        )
        assert chip.flash == before
        # Without it, those sectors stay: they are the board's.
        assert flash(chip, *INTERFACE[:3], "name=attic").code == 0
        assert chip.flash[SDK:] == before[SDK:]
        done = flash(chip, *INTERFACE[:3], "--erase", "--yes")
    assert done.code == 0, done.err
    assert chip.flash[SDK:] == b"\xff" * (MEGABYTE - SDK)
    assert {"settings.json", "wifi.json", "history.json"}.isdisjoint(lived_in.files(chip.flash))
    for secret in (b"an invented", b"HOUSEHOLD", b"the SDK's copy"):
        assert secret not in chip.flash
    assert chip.erased >= MEGABYTE // 4096
    assert not (tmp_path / "data" / "backups").exists()
    # Somebody else gets it: nothing of it stays on this computer either.
    assert list((tmp_path / "data").rglob("*")) in ([], [tmp_path / "data" / "unfinished"])


@pytest.mark.slow
def test_a_restore_with_erase_leaves_nothing_else(flash: Flash, tmp_path: Path) -> None:
    manual = tmp_path / "plain.bin"
    manual.write_bytes(b"\xe9" + os.urandom(9_999))
    with Bootloader(foreign()) as chip:
        done = flash(chip, "--restore", str(manual), "--erase", "--yes")
    assert done.code == 0, done.err
    assert chip.flash == manual.read_bytes().ljust(MEGABYTE, b"\xff")


@pytest.mark.slow
def test_a_restore_that_lost_its_cable_goes_on(flash: Flash, tmp_path: Path) -> None:
    before = lived_in.lived(lived_in.made("interface"))
    copy = tmp_path / "before.bin"
    copy.write_bytes(before)
    with Bootloader() as chip:
        lived_in.Cable(chip, lived_in.DATA, 100, 500)
        done = flash(chip, "--restore", str(copy), "--yes")
        assert done.code == 1
        assert "Connection lost at " in done.err
        lived_in.plug_again(chip)
        erased = chip.erased
        done = flash(chip, "--restore", str(copy), "--yes")
        assert done.code == 0, done.err
        assert chip.flash == before
        assert chip.erased - erased < 200
