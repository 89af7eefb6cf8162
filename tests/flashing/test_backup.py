"""A backup is whole or not there, and only its owner may read it."""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_flash import BareFlash
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.errors import BadData, DsmrError, NotFound, Refused, UsageError
from dsmrctl.flashing import backup, trouble

MEGABYTE = 1 << 20
MAC = "24:0a:c4:01:02:03"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's data are for these tests."""
    folder = tmp_path / "data"
    monkeypatch.setenv("DSMRCTL_DATA", str(folder))
    return folder


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever rights the user takes from new files."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def nothing(_: int) -> None:
    pass


# Saving


@pytest.mark.parametrize("size", [MEGABYTE // 2, MEGABYTE, 4 * MEGABYTE])
def test_a_backup_is_every_byte_of_the_flash(size: int, data: Path) -> None:
    chip = BareFlash(random.Random(1).randbytes(size))
    heard: list[int] = []
    path = backup.path_for(MAC, time.localtime(0))
    backup.save(chip, path, heard.append)
    assert path.read_bytes() == chip.flash
    assert heard == sorted(heard)
    assert heard[-1] == size
    assert sum(size for _, size in chip.reads) == size


def test_only_its_owner_may_read_it(umask: None, data: Path) -> None:
    path = backup.path_for(MAC, time.localtime())
    backup.save(BareFlash(bytes(MEGABYTE)), path, nothing)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_folder_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    folder.chmod(0o755)
    backup.save(BareFlash(bytes(MEGABYTE)), folder / "x.bin", nothing)
    assert mode(folder) == 0o755
    assert mode(folder / "x.bin") == 0o600


@pytest.mark.parametrize("after", [0, 300_000, 900_000])
def test_a_cable_pulled_in_the_middle_leaves_no_file(after: int, tmp_path: Path) -> None:
    chip = BareFlash(bytes(MEGABYTE))
    chip.unplug_after = after
    with pytest.raises(trouble.Lost):
        backup.save(chip, tmp_path / "folder" / "x.bin", nothing)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_cannot_be_written_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    place = tmp_path / "x.bin"
    (place / "folder").mkdir(parents=True)
    with pytest.raises(Refused) as told:
        backup.save(BareFlash(bytes(MEGABYTE)), place, nothing)
    assert str(place) in told.value.message
    assert told.value.hint
    assert list(tmp_path.iterdir()) == [place]
    with pytest.raises(Refused):
        backup.save(BareFlash(bytes(MEGABYTE)), Path("/proc/none/x.bin"), nothing)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    # A limit on the size of files stands in for it: the system says no in the middle.
    import subprocess
    import sys

    code = (
        "import resource, sys; from pathlib import Path; from dsmrctl.errors import Refused\n"
        "from dsmrctl.flashing import backup\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: backup.write(Path(sys.argv[1]), bytes(1 << 20))\n"
        "except Refused as told: sys.exit(told.message)\n"
    )
    place = tmp_path / "folder" / "x.bin"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(place)], capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 1
    assert f"cannot write {place}" in ran.stderr
    assert list(place.parent.iterdir()) == []


def test_what_an_earlier_run_left_is_no_hindrance(tmp_path: Path) -> None:
    left = tmp_path / "x.bin.part"
    left.write_bytes(b"half")
    left.chmod(0o644)
    backup.save(BareFlash(bytes(MEGABYTE)), tmp_path / "x.bin", nothing)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x.bin"]
    assert mode(tmp_path / "x.bin") == 0o600


def test_a_link_that_somebody_laid_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / "x.bin.part").symlink_to(other)
    (tmp_path / "x.bin").symlink_to(other)
    backup.save(BareFlash(bytes(MEGABYTE)), tmp_path / "x.bin", nothing)
    assert other.read_bytes() == b"untouched"
    assert not (tmp_path / "x.bin").is_symlink()


# Where


def test_where_the_data_are_can_be_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backup.folder() == data
    for unsaid in ("", None):
        if unsaid is None:
            monkeypatch.delenv("DSMRCTL_DATA")
        else:
            monkeypatch.setenv("DSMRCTL_DATA", unsaid)
        monkeypatch.setenv("XDG_DATA_HOME", str(data / "xdg"))
        assert backup.folder().name == "dsmrctl"
        assert backup.folder().is_absolute()


def test_a_backups_name_tells_the_board_and_the_time(data: Path) -> None:
    when = time.strptime("2026-11-23 17:02:39", "%Y-%m-%d %H:%M:%S")
    path = backup.path_for(MAC, when)
    assert path == data / "backups" / "240ac4010203-20261123-170239.bin"


def test_a_place_for_a_backup_is_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    backup.check_place(tmp_path / "new.bin")
    (tmp_path / "there.bin").write_bytes(b"x")
    for bad in (tmp_path, tmp_path / "none" / "x.bin", tmp_path / "there.bin" / "x.bin"):
        with pytest.raises(UsageError) as told:
            backup.check_place(bad)
        assert str(bad) in told.value.message
    with pytest.raises(UsageError) as told:
        backup.check_place(tmp_path / "there.bin")
    assert "never overwritten" in (told.value.hint or "")
    assert (tmp_path / "there.bin").read_bytes() == b"x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write_in_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DsmrError) as told:
            backup.check_place(tmp_path / "x.bin")
        assert str(tmp_path) in told.value.message
    finally:
        tmp_path.chmod(0o700)


# Loading


def test_a_backup_is_read_as_it_was_saved(tmp_path: Path) -> None:
    chip = BareFlash(b"\xe9" + random.Random(1).randbytes(MEGABYTE - 1))
    backup.save(chip, tmp_path / "x.bin", nothing)
    run = backup.load(tmp_path / "x.bin", MEGABYTE)
    assert (run.offset, run.data) == (0, chip.flash)
    assert repr(run) == "Run(offset=0)"


@given(st.integers(1, 40))
def test_a_makers_file_is_filled_up_to_whole_words(size: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(b"\xe9" * size)
        data = backup.load(path, MEGABYTE).data
    assert len(data) % 4 == 0
    assert data.rstrip(b"\xff") == b"\xe9" * size
    assert len(data) - size < 4


@pytest.mark.parametrize(("has", "flash"), [(MEGABYTE + 1, 1), (4 * MEGABYTE, 1), (17 << 20, 16)])
def test_more_than_the_flash_has_is_refused(has: int, flash: int, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    with path.open("wb") as file:
        file.write(b"\xe9")
        file.truncate(has)
    with pytest.raises(Refused) as told:
        backup.load(path, flash * MEGABYTE)
    assert f"{flash} MB" in told.value.message
    assert str(has) in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("begins", [b"", b"\x00", b"PK\x03\x04", b"\xff" * 64])
def test_a_file_that_is_no_firmware_is_bad_data(begins: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(begins)
    with pytest.raises(BadData) as told:
        backup.load(path, MEGABYTE)
    assert "E9" in told.value.message


def test_a_file_that_is_not_there_is_told_with_where_backups_lie(
    tmp_path: Path, data: Path
) -> None:
    with pytest.raises(NotFound) as told:
        backup.load(tmp_path / "none.bin", MEGABYTE)
    assert str(data / "backups") in (told.value.hint or "")


def test_a_folder_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(Refused) as told:
        backup.load(tmp_path, MEGABYTE)
    assert str(tmp_path) in told.value.message
