"""Where files lie on the flash: what did not change stays there, so it need not be written."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bare_flash import BareFlash
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import boards
from dsmrctl.errors import Refused
from dsmrctl.flashing import build, filesystem, image, present
from dsmrctl.flashing.filesystem import BLOCK
from dsmrctl.virtual import runtime

BLOCKS = 98
Tell = Callable[[str, object], None]
LISTS = """
import os, sys, vfs, binascii, hashlib
class Blocks:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.blocks = os.stat(path)[6] // 4096
    def readblocks(self, n, buf, off=0):
        self.file.seek(n * 4096 + off)
        self.file.readinto(buf)
    def writeblocks(self, n, buf, off=0):
        raise OSError(30)
    def ioctl(self, op, arg):
        return {4: self.blocks, 5: 4096}.get(op, 0)
vfs.mount(Blocks(sys.argv[1]), "/flash")
def walk(folder):
    for name, kind, *_ in os.ilistdir("/flash/" + folder):
        if kind == 0x4000:
            walk(folder + name + "/")
        else:
            with open("/flash/" + folder + name, "rb") as file:
                found = hashlib.sha256(file.read()).digest()
            print(folder + name, binascii.hexlify(found).decode())
walk("")
"""


def noise(size: int, seed: object = 1) -> bytes:
    return random.Random(repr(seed)).randbytes(size)


def differ(before: bytes, after: bytes) -> int:
    """How many blocks would be written: of those that matter, those that differ."""
    return sum(
        before[at : at + BLOCK] != after[at : at + BLOCK]
        for start, end in filesystem.used(after)
        for at in range(start, end, BLOCK)
    )


def laid(files: dict[str, bytes], like: dict[str, int] | None) -> bytes:
    """As install makes it: with the sizes it is laid out for, where there are any."""
    if like:
        text = json.dumps(like, separators=(",", ":"), sort_keys=True)
        files = {**files, present.LAID: text.encode()}
    return filesystem.make(BLOCKS, files, like)


def sizes(files: dict[str, bytes]) -> dict[str, int]:
    return {path: len(data) for path, data in files.items()}


@pytest.fixture(scope="module")
def interface() -> dict[str, bytes]:
    """Every file of an interface board, as it is flashed."""
    made = build.build(boards.INTERFACE, "1.2.3")
    content = image.Content({"language": "fr"}, ("HOUSEHOLD", "an invented key"))
    hardware = boards.INTERFACE.hardware[0]
    return image.files(made, boards.INTERFACE, hardware, content)


# What is there is what was asked for

NAMES = st.sampled_from(["a.mpy", "b.mpy", "c.html", "d", "settings.json", "boot.py", "k" * 40])
PATHS = st.builds(lambda folder, name: folder + name, st.sampled_from(["", "a/", "b/"]), NAMES)
# About each edge: what lies in its folder, one block, two with a pointer, three.
EDGES = [0, 1, 127, 128, 129, 4095, 4096, 4097, 8187, 8188, 8189, 12271, 12276, 12277, 16384]
SETS = st.dictionaries(PATHS, st.one_of(st.sampled_from(EDGES), st.integers(0, 30_000)), max_size=9)


@pytest.mark.slow
@given(SETS, SETS)
def test_files_are_whole_wherever_they_lie(now: dict[str, int], before: dict[str, int]) -> None:
    files = {path: noise(size, path) for path, size in now.items()}
    made = filesystem.make(BLOCKS, files, before)
    assert len(made) == BLOCKS * BLOCK
    assert filesystem.read(made) == files
    assert filesystem.make(BLOCKS, dict(reversed(files.items())), before) == made
    used = {at for start, end in filesystem.used(made) for at in range(start, end, BLOCK)}
    for at in range(0, len(made), BLOCK):
        if at not in used:
            assert made[at : at + BLOCK] == b"\xff" * BLOCK


@pytest.mark.slow
@given(SETS, SETS)
def test_a_layout_leaves_alone_what_is_the_boards_own(
    now: dict[str, int], before: dict[str, int]
) -> None:
    found = filesystem.layout(now, before)
    own = {path for path in {*now, *before} if "/" not in path and not path.endswith(".py")}
    code = {path: size for path, size in now.items() if path not in own}
    then = {path: size for path, size in before.items() if path not in own}
    if found is None:
        # Then nothing lies elsewhere without it: each takes its place in the same order.
        assert code.keys() == then.keys()
        first = filesystem.make(BLOCKS, {path: noise(size, 1) for path, size in code.items()})
        second = filesystem.make(BLOCKS, {path: noise(size, 1) for path, size in then.items()})
        assert filesystem.used(first) == filesystem.used(second)
    else:
        assert found == then
        assert code.keys() != then.keys() or any(
            filesystem.moves(then[path], code[path]) for path in code
        )


@pytest.mark.slow
@given(SETS, st.integers(9, 20))
def test_what_does_not_fit_beside_the_former_is_laid_out_anew(
    now: dict[str, int], blocks: int
) -> None:
    files = {path: noise(size, path) for path, size in now.items()}
    before = {"a/large.mpy": 8 * BLOCK, "a/other.mpy": 5 * BLOCK}
    try:
        alone = filesystem.make(blocks, files)
    except Refused:
        with pytest.raises(Refused) as told:
            filesystem.make(blocks, files, before)
        assert f"of {blocks}" in told.value.message
        assert told.value.hint
        return
    made = filesystem.make(blocks, files, before)
    assert filesystem.read(made) == files
    if blocks < 14:
        assert made == alone


def test_micropython_reads_what_was_laid_out_like_an_earlier_one(tmp_path: Path) -> None:
    before = {f"a/m{number}.mpy": noise(3000, number) for number in range(20)}
    files = {**before, "a/m3.mpy": noise(9000), "a/new.mpy": noise(5000, 2), "boot.py": b"x"}
    del files["a/m7.mpy"]
    stored = tmp_path / "image"
    stored.write_bytes(laid(files, filesystem.layout(sizes(files), sizes(before))))
    script = tmp_path / "list.py"
    script.write_text(LISTS)
    ran = subprocess.run(
        [runtime.find(), str(script), str(stored)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    found = dict(line.split() for line in ran.stdout.splitlines())
    assert found.pop(present.LAID, None), ran.stderr
    assert found == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


# Blocks

ABOUT = sorted(
    {edge + more for edge in (128, 4096, 8188, 12276, 16364) for more in range(-3, 4)}
    | {0, 1, 2000, 6000, 10_000}
)


@pytest.mark.parametrize("size", ABOUT)
def test_a_files_blocks_are_counted_as_littlefs_does(size: int) -> None:
    none = filesystem.used_blocks(BLOCKS, {"x": b""})
    assert filesystem._blocks(size) == filesystem.used_blocks(BLOCKS, {"x": bytes(size)}) - none


# Of a board's real files


def apart(files: dict[str, bytes], after: dict[str, bytes]) -> tuple[int, int]:
    """(blocks that differ when laid out like the former, and when not)."""
    before = laid(files, None)
    like = filesystem.layout(sizes(after), sizes(files))
    return differ(before, laid(after, like)), differ(before, laid(after, None))


def test_the_same_files_are_the_same_blocks(interface: dict[str, bytes]) -> None:
    assert filesystem.layout(sizes(interface), sizes(interface)) is None
    assert apart(interface, interface) == (0, 0)


def test_another_setting_is_the_block_of_its_folder(interface: dict[str, bytes]) -> None:
    after = {**interface, "settings.json": b'{"language":"en","mqtt_host":"10.0.0.9"}'}
    like, without = apart(interface, after)
    assert filesystem.layout(sizes(after), sizes(interface)) is None
    assert like == without <= 2


def test_a_module_of_other_bytes_is_its_own_blocks(interface: dict[str, bytes]) -> None:
    after = {**interface, "a/http.mpy": noise(len(interface["a/http.mpy"]))}
    like, without = apart(interface, after)
    assert like == without <= 1


# What changed, and the blocks of it: of the module, its folder's two, the root's two, laid.json.
METADATA = 5


@pytest.mark.parametrize(("path", "blocks"), [("a/board.mpy", 2), ("a/clock.mpy", 3)])
def test_a_module_that_grows_moves_no_other(
    interface: dict[str, bytes], path: str, blocks: int, record_property: Tell
) -> None:
    after = {**interface, path: noise(blocks * 4000)}
    like, without = apart(interface, after)
    record_property("told", f"{path} of {blocks} blocks now: {like} written, else {without}")
    assert like <= blocks + METADATA
    assert without > 2 * like


def test_a_new_module_moves_no_other(interface: dict[str, bytes], record_property: Tell) -> None:
    like, without = apart(interface, {**interface, "a/another.mpy": noise(3000)})
    record_property("told", f"a new module: {like} written, else {without}")
    assert like <= 1 + METADATA
    assert without > 2 * like


def test_a_module_that_goes_moves_no_other(
    interface: dict[str, bytes], record_property: Tell
) -> None:
    after = {path: data for path, data in interface.items() if path != "a/broker.mpy"}
    like, without = apart(interface, after)
    record_property("told", f"a module less: {like} written, else {without}")
    assert like <= METADATA
    assert without > 2 * like


def test_a_module_of_another_name_moves_no_other(
    interface: dict[str, bytes], record_property: Tell
) -> None:
    after = {path.replace("a/board", "a/whiteboard"): data for path, data in interface.items()}
    like, without = apart(interface, after)
    record_property("told", f"a module renamed: {like} written, else {without}")
    assert like <= 1 + METADATA
    assert without > 2 * like


def test_a_layout_lasts_over_the_flashes_after_it(interface: dict[str, bytes]) -> None:
    first = laid(interface, None)
    grown = {**interface, "a/board.mpy": noise(9000)}
    like = filesystem.layout(sizes(grown), sizes(interface))
    second = laid(grown, like)
    assert differ(first, second) <= 3 + METADATA
    # The next finds those sizes on the flash, and uses them as they are.
    kept = json.loads(filesystem.read(second)[present.LAID])
    assert laid(grown, kept) == second
    third = laid({**grown, "a/http.mpy": noise(len(grown["a/http.mpy"]))}, kept)
    assert differ(second, third) <= 1
    again = laid({**grown, "a/http.mpy": noise(7000)}, kept)
    assert differ(second, again) <= 2 + METADATA
    assert filesystem.read(again)["a/http.mpy"] == noise(7000)


def test_whoever_looks_at_a_real_board_reads_little(
    interface: dict[str, bytes], record_property: Tell
) -> None:
    place = filesystem.place("FLASH_1M", 1 << 20)
    flash = noise(place.offset) + laid(interface, None)
    chip = BareFlash(flash.ljust(1 << 20, b"\xff"))
    there = present.look(chip)
    record_property("told", f"read for a look: {chip.bytes_read} in {len(chip.reads)} questions")
    assert (there.board, there.version, there.hardware) == ("interface", "1.2.3", "esp01s")
    assert all(size == 256 for _, size in chip.reads)
    assert chip.bytes_read < 3 << 10
    assert there.sizes() == sizes(interface)
