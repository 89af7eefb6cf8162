"""The file system that the desk makes is one that MicroPython mounts, with nothing lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.errors import BadData, Refused, UsageError
from dsmrctl.flashing import filesystem
from dsmrctl.virtual import runtime

MEGABYTE = 1 << 20
MOUNT = """
import os, sys, vfs
class Blocks:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.blocks = os.stat(path)[6] // 4096
    def readblocks(self, n, buf, off=0):
        self.file.seek(n * 4096 + off)
        self.file.readinto(buf)
    def writeblocks(self, n, buf, off=0):
        raise OSError(30)
    def ioctl(self, op, arg):
        return {4: self.blocks, 5: 4096}.get(op, 0)
vfs.mount(Blocks(sys.argv[1]), "/flash")
for name in sys.argv[2:]:
    with open("/flash/" + name, "rb") as file:
        print(name, len(file.read()))
"""


@pytest.mark.parametrize(
    ("variant", "size", "offset", "blocks"),
    [
        ("FLASH_1M", 1, 0x99000, 98),
        ("", 2, 0x100000, 251),
        ("", 4, 0x100000, 763),
        ("", 16, 0x100000, 763),
    ],
)
def test_each_build_looks_for_its_files_in_its_own_place(
    variant: str, size: int, offset: int, blocks: int
) -> None:
    assert filesystem.place(variant, size * MEGABYTE) == filesystem.Place(offset, blocks)


@pytest.mark.parametrize(("variant", "size"), [("FLASH_1M", MEGABYTE // 2), ("", MEGABYTE)])
def test_too_small_a_flash_is_told_with_what_is_needed(variant: str, size: int) -> None:
    with pytest.raises(UsageError) as told:
        filesystem.place(variant, size)
    assert f"{size // 1024} KB" in told.value.message
    assert "needed" in (told.value.hint or "")


NAMES = st.from_regex(r"[a-z0-9_]{1,12}(\.[a-z]{1,4})?", fullmatch=True)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.binary(max_size=9000),
    max_size=8,
).filter(lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files))


@pytest.mark.slow
@given(FILES)
def test_what_is_written_is_read_again_and_the_bytes_are_the_same_each_time(
    files: dict[str, bytes],
) -> None:
    image = filesystem.make(98, files)
    assert len(image) == 98 * 4096
    assert filesystem.read(image) == files
    assert filesystem.make(98, dict(reversed(files.items()))) == image


def test_micropython_mounts_it(tmp_path: Path) -> None:
    files = {"boot.py": b"x" * 100, "a/lib/loop.mpy": bytes(5000), "settings.json": b"{}"}
    image = tmp_path / "image"
    image.write_bytes(filesystem.make(98, files))
    script = tmp_path / "mount.py"
    script.write_text(MOUNT)
    ran = subprocess.run(
        [runtime.find(), str(script), str(image), *files],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout.split() == [
        word for name, data in files.items() for word in (name, str(len(data)))
    ], ran.stderr


def test_more_than_fits_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused) as told:
        filesystem.make(98, {"large": bytes(400_000)})
    assert "98" in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("image", [b"\xff" * 98 * 4096, bytes(98 * 4096)])
def test_bytes_that_are_no_file_system_are_bad_data(image: bytes) -> None:
    with pytest.raises(BadData):
        filesystem.read(image)


def test_blocks_are_counted_with_the_folders() -> None:
    one = filesystem.used_blocks(98, {"a": b"1" * 5000})
    assert filesystem.used_blocks(98, {"folder/a": b"1" * 5000}) == one + 2
