"""What is on a flash is told from a few of its bytes, whatever they are."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from functools import cache

import pytest
from bare_flash import BareFlash
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import boards
from dsmrctl.flashing import filesystem, image, present, trouble
from dsmrctl.flashing.filesystem import BLOCK, Place

MEGABYTE = 1 << 20
MOST_READ = (128 << 10) + 2048
SECRET = "an invented key"
SETTINGS = {"language": "fr", "admin_password": SECRET, "mqtt_host": "10.0.0.9"}
FILES = {
    "boot.py": b"import choose",
    "board.json": b'{"board":"interface","hardware":"esp01s","pins":{},"port":8080}',
    "boot.json": b'{"slot":"a","version":"1.2.3"}',
    "settings.json": json.dumps(SETTINGS).encode(),
    "wifi.json": json.dumps({"ssid": "HOUSEHOLD", "password": SECRET}).encode(),
    "history.json": b"[" + b"1," * 2000 + b"1]",
    "crash.txt": b"once",
    "a/files.json": b'{"version":"1.2.3","files":{}}',
    "a/board.mpy": b"M\x06" * 2000,
}
KEPT = {path: FILES[path] for path in ("settings.json", "wifi.json", "history.json", "crash.txt")}


def placed(size: int, variant: str = "FLASH_1M") -> Place:
    return filesystem.place(variant, size)


def flash(system: bytes, size: int = MEGABYTE, variant: str = "FLASH_1M") -> BareFlash:
    before = random.Random(1).randbytes(placed(size, variant).offset)
    return BareFlash((b"\xe9" + before[1:] + system).ljust(size, b"\xff"))


def seen(files: dict[str, bytes]) -> present.Present:
    return present.look(flash(filesystem.make(98, files)))


@cache
def whole() -> bytes:
    return filesystem.make(98, FILES)


# What is plain


@pytest.mark.parametrize("size", [MEGABYTE // 2, MEGABYTE, 4 * MEGABYTE, 16 * MEGABYTE])
def test_a_flash_with_nothing_on_it_is_blank(size: int) -> None:
    chip = BareFlash(b"\xff" * size)
    assert present.look(chip) == present.Present("blank")
    assert chip.bytes_read <= 4 * 256


@pytest.mark.parametrize("size", [MEGABYTE // 2, MEGABYTE, 4 * MEGABYTE, 16 * MEGABYTE])
def test_another_firmware_is_foreign(size: int) -> None:
    noise = random.Random(size).randbytes(200_000)
    for begins in (b"\xe9\x01\x00\x20", b"\xea\x04", b"\x00"):
        chip = BareFlash((begins + noise).ljust(size, b"\xff"))
        assert present.look(chip) == present.Present("foreign")
        assert chip.bytes_read <= 4 * 256


@given(st.binary(min_size=64, max_size=64))
def test_noise_is_foreign(some: bytes) -> None:
    chip = BareFlash(random.Random(some).randbytes(MEGABYTE))
    assert present.look(chip).state == "foreign"


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": b"print(1)"},
        {"board.json": b"[]"},
        {"board.json": b"{}"},
        {"board.json": b'{"board":7}'},
        {"board.json": b'{"board":"\\u001b[2J"}'},
        {"board.json": b"\xff\xfe"},
    ],
)
def test_somebodys_micropython_is_foreign_and_has_files(files: dict[str, bytes]) -> None:
    there = seen(files)
    assert (there.state, there.files, there.kept) == ("foreign", True, {})


@pytest.mark.parametrize(
    ("size", "variant"),
    [
        (MEGABYTE, "FLASH_1M"),
        (2 * MEGABYTE, ""),
        (4 * MEGABYTE, ""),
        (16 * MEGABYTE, ""),
        # The small build on a larger flash, which it calls 1 MB.
        (4 * MEGABYTE, "FLASH_1M"),
    ],
)
def test_a_board_of_ours_is_told_with_what_it_keeps(size: int, variant: str) -> None:
    chip = flash(filesystem.make(placed(size, variant).blocks, FILES), size, variant)
    there = present.look(chip)
    assert (there.state, there.board, there.hardware) == ("ours", "interface", "esp01s")
    assert (there.version, there.port) == ("1.2.3", 8080)
    assert there.kept == KEPT
    assert there.settings == SETTINGS
    assert there.wifi == "HOUSEHOLD"
    assert there.laid is None
    assert there.sizes() == {path: len(data) for path, data in FILES.items()}
    assert not there.files


def test_a_board_that_was_updated_over_wifi_tells_the_version_of_its_slot() -> None:
    there = seen(
        {
            **FILES,
            "boot.json": b'{"slot":"b"}',
            "b/files.json": b'{"version":"2.0.0","files":{"board.mpy":[1,"00"]}}',
        }
    )
    assert there.version == "2.0.0"
    assert there.kept == KEPT


@pytest.mark.parametrize(
    "boot", [b"", b"[]", b"{}", b'{"slot":"b"}', b'{"slot":7}', b'{"slot":"../a"}', b'{"slot":"x']
)
def test_a_board_whose_version_cannot_be_told_is_still_ours(boot: bytes) -> None:
    there = seen({**FILES, "boot.json": boot})
    assert (there.state, there.version, there.kept) == ("ours", None, KEPT)


def test_what_an_update_left_behind_is_not_the_boards_own() -> None:
    there = seen({**FILES, "boot.new": b"{}", "update.json": b"{}", "laid.json": b'{"a/x":7}'})
    assert there.kept == KEPT
    assert there.laid == {"a/x": 7}


# What goes wrong while it is read


@pytest.mark.parametrize("raised", [trouble.Lost(), trouble.ChipError("no"), KeyboardInterrupt()])
def test_a_cable_pulled_while_it_is_read_is_told_and_nothing_is_guessed(
    raised: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    class Pulled(BareFlash):
        left = 0

        def read(self, offset: int, size: int, told: Callable[[int], None] | None = None) -> bytes:
            if self.left == 0:
                raise raised
            self.left -= 1
            return super().read(offset, size, told)

    chip = flash(whole())
    present.look(chip)
    assert len(chip.reads) > 10
    for left in range(len(chip.reads)):
        pulled = Pulled(bytes(chip.flash))
        pulled.left = left
        with pytest.raises(type(raised)):
            present.look(pulled)
    assert capfd.readouterr() == ("", "")


# Damage

ROOT = st.integers(0, 2 * BLOCK - 1)


@pytest.mark.slow
@given(st.dictionaries(ROOT, st.integers(1, 255), min_size=1, max_size=20))
def test_a_damaged_root_is_ours_as_it_was_or_no_board(flips: dict[int, int]) -> None:
    system = bytearray(whole())
    for at, flip in flips.items():
        system[at] ^= flip
    check(flash(bytes(system)))


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(0, 97), st.sampled_from([b"\xff", b"\x00", b"\xa5"])), max_size=6
    )
)
def test_blocks_that_are_lost_are_no_exception(lost: list[tuple[int, bytes]]) -> None:
    system = bytearray(whole())
    for block, fill in lost:
        system[block * BLOCK : (block + 1) * BLOCK] = fill * BLOCK
    check(flash(bytes(system)))


def check(chip: BareFlash) -> present.Present:
    there = present.look(chip)
    assert there.state in ("ours", "foreign")
    if there.state == "ours":
        assert there.board == "interface"
        assert there.kept.keys() <= KEPT.keys()
        sizes = there.sizes()
        assert all(0 <= size < 1 << 20 for size in sizes.values())
        like = filesystem.layout({"a/x.mpy": 9000, "boot.py": 1}, sizes)
        filesystem.make(98, {"a/x.mpy": bytes(9000), "boot.py": b"1"}, like)
    else:
        assert there.kept == {}
    assert chip.bytes_read <= MOST_READ
    return there


# Malice: a folder's block whose checksums are right, and which says what it likes


def commits(block: bytearray) -> list[tuple[int, int]]:
    """(start, place of its checksum) of each commit of a folder's block (LittleFS's SPEC.md)."""
    found, at, start, tag = [], 4, 0, 0xFFFFFFFF
    while at + 4 <= len(block):
        tag ^= int.from_bytes(block[at : at + 4], "big")
        if tag >> 31:
            break
        kind, size = tag >> 20 & 0x7FF, tag & 0x3FF
        if kind & 0x780 == 0x500 and kind != 0x5FF:
            found.append((start, at + 4))
            at += 4 + size
            start, tag = at, tag ^ (kind & 1) << 31
        else:
            at += 4 + (0 if size == 0x3FF else size)
    return found


def mended(block: bytes) -> bytes:
    """That block with its checksums as they should be."""
    data = bytearray(block)
    for start, at in commits(data):
        crc = zlib.crc32(data[start:at]) ^ 0xFFFFFFFF
        data[at : at + 4] = crc.to_bytes(4, "little")
    return bytes(data)


def root(system: bytes, old: bytes, new: bytes) -> bytes:
    """The file system whose root says `new` where it says `old`, in both of its blocks."""
    assert old in system[: 2 * BLOCK]
    return said(system[: 2 * BLOCK], old, new) + system[2 * BLOCK :]


def said(system: bytes, old: bytes, new: bytes) -> bytes:
    """The file system each of whose blocks says `new` where it says `old`."""
    assert len(old) == len(new)
    blocks = [system[at : at + BLOCK] for at in range(0, len(system), BLOCK)]
    return b"".join(mended(block.replace(old, new)) if old in block else block for block in blocks)


def test_this_file_computes_littlefs_checksums() -> None:
    assert mended(whole()[:BLOCK]) == whole()[:BLOCK]
    assert mended(whole()[BLOCK : 2 * BLOCK]) == whole()[BLOCK : 2 * BLOCK]
    there = present.look(flash(root(whole(), b"crash.txt", b"crush.txt")))
    assert there.kept == {
        **{p: d for p, d in KEPT.items() if p != "crash.txt"},
        "crush.txt": b"once",
    }


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe\xfd.txt\x00\x00", b"a/../b.tx", b"\x1b[2J\n.txt", b"/////////", b"a\xc3\xa9b.text"],
)
def test_a_name_that_no_board_gives_is_not_kept(name: bytes) -> None:
    there = check(flash(root(whole(), b"crash.txt", name)))
    assert there.state == "foreign" or there.kept.keys() == KEPT.keys() - {"crash.txt"}


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF, 1 << 20, 16_385])
def test_a_file_that_says_it_is_huge_is_not_read(size: int) -> None:
    old, new = len(FILES["history.json"]).to_bytes(4, "little"), size.to_bytes(4, "little")
    chip = flash(root(whole(), old, new))
    assert present.look(chip).state == "foreign"
    assert chip.bytes_read < 8 << 10


def test_a_file_as_large_as_a_board_may_have_is_kept_and_a_larger_one_is_no_boards() -> None:
    largest = {**FILES, "history.json": b"1" * 16_384}
    assert seen(largest).kept["history.json"] == b"1" * 16_384
    assert seen({**largest, "history.json": b"1" * 16_385}).state == "foreign"


def test_a_module_that_says_it_is_huge_does_not_decide_where_files_lie() -> None:
    module = len(FILES["a/board.mpy"]).to_bytes(4, "little")
    there = check(flash(said(whole(), module, (0x7FFFFFFF).to_bytes(4, "little"))))
    assert there.kept == KEPT
    assert there.sizes().keys() == FILES.keys() - {"a/board.mpy"}


@pytest.mark.parametrize("head", range(0, 98, 7))
def test_a_file_that_leads_anywhere_is_no_exception(head: int) -> None:
    size = len(FILES["history.json"]).to_bytes(4, "little")
    at = whole().index(size)
    old = whole()[at - 4 : at + 4]
    check(flash(root(whole(), old, head.to_bytes(4, "little") + size)))


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (2, 3), (97, 97), (98, 99), (0xFFFFFFFF, 7)])
def test_a_folder_that_leads_anywhere_is_no_exception(pair: tuple[int, int]) -> None:
    # A folder's name is followed by the tag and the two blocks of its pair.
    system = whole()
    names = [at for at in range(2 * BLOCK - 16) if system[at + 4 : at + 5] == b"a"]
    new = b"".join(block.to_bytes(4, "little") for block in pair)
    tried = 0
    for at in names:
        old = system[at + 9 : at + 17]
        blocks = {int.from_bytes(old[:4], "little"), int.from_bytes(old[4:], "little")}
        if max(blocks) < 98 and len(blocks) == 2:
            tried += 1
            check(flash(root(system, old, new)))
    assert tried


@pytest.mark.slow
def test_hundreds_of_files_are_not_all_read() -> None:
    for many, size in ((80, 300), (300, 1), (20, 12_000)):
        more = {f"f{number}.txt": b"x" * size for number in range(many)}
        chip = flash(filesystem.make(98, {**FILES, **more}))
        there = present.look(chip)
        assert chip.bytes_read <= MOST_READ
        assert (there.state, len(there.kept)) in (("ours", many + len(KEPT)), ("foreign", 0))


DEEP = b"[" * 16_000
ODD = [DEEP, b'{"a":' * 3000, b"[]", b"7", b'"x"', b"null", b"9" * 16_000, b"NaN", b"\x00", b"{}"]


@pytest.mark.parametrize(
    "path", ["board.json", "boot.json", "settings.json", "wifi.json", "laid.json"]
)
@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_json_of_another_form_is_none(path: str, content: bytes) -> None:
    there = seen({**FILES, path: content})
    assert there.state == ("foreign" if path == "board.json" else "ours")
    assert isinstance(there.settings, dict)
    assert there.wifi in (None, "HOUSEHOLD")
    if path == "laid.json":
        assert not there.laid


@pytest.mark.parametrize(
    "laid",
    [
        {"a/x": -1},
        {"a/x": True},
        {"a/x": 1.5},
        {"a/x": 1 << 40},
        {"": 5},
        {"/a": 5},
        {"a": 5},
        {"a/": 5},
        {"a/..": 5},
        {"../x": 5},
        {"a/b/c": 5},
        {"a/\x00": 5},
        {"a/\ud800": 5},
        {f"a/{number}": 5 for number in range(101)},
    ],
)
def test_a_layout_that_cannot_be_is_none(laid: dict[str, object]) -> None:
    assert seen({**FILES, "laid.json": json.dumps(laid).encode()}).laid is None


@pytest.mark.parametrize("port", [0, -1, 65536, True, "80", None, [80], 80.5])
def test_a_port_that_cannot_be_is_none(port: object) -> None:
    record = {"board": "interface", "hardware": ["x"], "port": port}
    there = seen({**FILES, "board.json": json.dumps(record).encode()})
    assert (there.board, there.hardware, there.port) == ("interface", None, None)


# Nothing of it is shown


def test_no_password_shows_where_it_is_printed() -> None:
    from dsmrctl.flashing import install
    from dsmrctl.flashing.bundle import Bundle

    there = seen(FILES)
    content = image.Content({"frame_key": SECRET}, ("HOUSEHOLD", SECRET), None, there.kept)
    wish = install.Wish(
        boards.INTERFACE,
        Bundle({}, {}),
        lambda _: b"",
        changes={"frame_key": SECRET},
        wifi=("HOUSEHOLD", SECRET),
    )
    for shown in (there, content, wish):
        assert SECRET not in repr(shown)
        assert SECRET not in str(shown)
        assert "HOUSEHOLD" not in repr(shown)
