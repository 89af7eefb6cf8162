"""Bundles that somebody made to do harm: refused at once, in little memory, before any board."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from world import bundle

from dsmrctl.flashing import bundle as bundles
from dsmrctl.flashing.bundle import BadBundle, Bundle

FILES = {"a.mpy": b"M\x06 a", "b.mpy": b"M\x06 b"}
GOOD = Bundle(bundles.manifest("blink", ["esp01s"], ["FLASH_1M"], "1.2.3", {}, FILES), FILES)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = 0) -> bytes:
    """A zip file of these entries as Python writes one, the manifest of GOOD first."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in (("manifest.json", _text(GOOD.manifest)), *entries):
            archive.writestr(name, data)
    return out.getvalue()


def _text(manifest: Any) -> bytes:
    return json.dumps(manifest, indent=1).encode() + b"\n"


def told(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """GOOD packed with a manifest that was changed."""
    manifest = json.loads(json.dumps(GOOD.manifest))
    change(manifest)
    return Bundle(manifest, FILES).pack()


def raw_manifest(text: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("manifest.json", text)
        for name, data in FILES.items():
            archive.writestr(name, data)
    return out.getvalue()


def encrypted() -> bytes:
    """GOOD with the flag of encryption at its last file, in both places where it stands."""
    data = bytearray(GOOD.pack())
    local, central = data.index(b"PK\x03\x04", 4), data.rindex(b"PK\x01\x02")
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def declaring(size: int) -> bytes:
    """GOOD with its last file declared as large as that, in both places."""
    data = bytearray(GOOD.pack())
    local, central = data.rindex(b"PK\x03\x04"), data.rindex(b"PK\x01\x02")
    data[local + 18 : local + 26] = struct.pack("<II", size, size)
    data[central + 20 : central + 28] = struct.pack("<II", size, size)
    return bytes(data)


def symlink() -> bytes:
    entry = zipfile.ZipInfo("a.mpy")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return zipped((entry, b"/etc/passwd"), ("b.mpy", FILES["b.mpy"]))


def bomb() -> bytes:
    return zipped(("a.mpy", bytes(50_000_000)), method=zipfile.ZIP_DEFLATED)


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped(("a.mpy", FILES["a.mpy"]), ("b.mpy", b""), ("b.mpy", FILES["b.mpy"]))


def not_unicode() -> bytes:
    """A name that says it is UTF-8 and is not."""
    data = bytearray(zipped(("a.mpy", b""), ("\u00e9.mpy", b"")))
    return bytes(data.replace("\u00e9".encode(), b"\xff\xff"))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a zip bomb": bomb,
    "out of its folder": lambda: zipped(("../../boot.py", b"x")),
    "absolute": lambda: zipped(("/boot.py", b"x")),
    "of Windows": lambda: zipped(("C:\\boot.py", b"x")),
    "a huge manifest": lambda: raw_manifest(b" " * 150_000 + _text(GOOD.manifest)),
    "a gigantic manifest": lambda: raw_manifest(b" " * 9_000_000),
    "a file twice": twice,
    "bytes at its end": lambda: GOOD.pack() + b"\0",
    "bytes before it": lambda: b"#!/bin/sh\n" + GOOD.pack(),
    "a comment": lambda: GOOD.pack()[:-2] + b"\x05\x00hello",
    "encrypted": encrypted,
    "declared as 4 GB": lambda: declaring(0xFFFFFFFE),
    "declared as zip64": lambda: declaring(0xFFFFFFFF),
    "declared a byte more": lambda: declaring(5),
    "deep JSON": lambda: raw_manifest(b"[" * 100_000),
    "deep JSON objects": lambda: raw_manifest(b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "a long number": lambda: raw_manifest(b'{"format":' + b"9" * 100_000 + b"}"),
    "no JSON": lambda: raw_manifest(b"\xff\xfe"),
    "a symbolic link": symlink,
    "a name that is no text": not_unicode,
    "many files": lambda: zipped(*((f"f{n}", b"") for n in range(70))),
    "a folder": lambda: zipped(("a.mpy/", b"")),
    "empty": lambda: b"",
    "an empty zip": lambda: b"PK\x05\x06" + bytes(18),
    "compressed by LZMA": lambda: zipped(("a.mpy", b"x"), method=zipfile.ZIP_LZMA),
}
WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "format true": lambda it: it.update(format=True),
    "format 2": lambda it: it.update(format=2),
    "format text": lambda it: it.update(format="1"),
    "board a list": lambda it: it.update(board=["blink"]),
    "board with a slash": lambda it: it.update(board="../blink"),
    "hardware text": lambda it: it.update(hardware="esp01s"),
    "hardware an object": lambda it: it.update(hardware={"esp01s": 1}),
    "hardware of numbers": lambda it: it.update(hardware=[1]),
    "version a number": lambda it: it.update(version=1.2),
    "version without end": lambda it: it.update(version="1.2." + "9" * 5000),
    "version in other digits": lambda it: it.update(version="1.2.٣"),
    "version with a line": lambda it: it.update(version="1.2.3\n"),
    "frames text": lambda it: it.update(frames="12"),
    "frames true": lambda it: it.update(frames=[True]),
    "frames of fractions": lambda it: it.update(frames=[1.5]),
    "needs a list": lambda it: it.update(needs=["monitor"]),
    "needs a number": lambda it: it.update(needs={"monitor": 1}),
    "needs no version": lambda it: it.update(needs={"monitor": "newest"}),
    "base text": lambda it: it.update(base="1.29.0"),
    "base an escape": lambda it: it["base"].update(version="\x1b[2J"),
    "base elsewhere": lambda it: it["base"].update(url="file:///etc/passwd"),
    "base of a number": lambda it: it["base"].update(mpy=6.3),
    "no base": lambda it: it.pop("base"),
    "files a list": lambda it: it.update(files=[]),
    "a size below none": lambda it: it["files"]["a.mpy"].update(size=-1),
    "a size of text": lambda it: it["files"]["a.mpy"].update(size="4"),
    "a size of true": lambda it: it["files"]["a.mpy"].update(size=True),
    "a hash of a list": lambda it: it["files"]["a.mpy"].update(sha256=[0] * 64),
    "a long path": lambda it: it["files"].update({"a" * 49: it["files"]["a.mpy"]}),
    "a path that goes up": lambda it: it["files"].update({"..": it["files"]["a.mpy"]}),
}


def test_what_these_are_made_from_is_itself_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "good.zip"
    path.write_bytes(GOOD.pack())
    assert bundles.read(path) == GOOD


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_at_once_and_in_little_memory(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "hostile.zip"
    path.write_bytes(HOSTILE[name]())
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(BadBundle) as refused:
            bundles.read(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.exit_code == 6
    assert refused.value.message.startswith(f"{path}: ")
    assert most < 4_000_000
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("name", WRONG)
def test_a_manifest_of_other_types_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "wrong.zip"
    path.write_bytes(told(WRONG[name]))
    with pytest.raises(BadBundle, match="its manifest is not one that this version reads"):
        bundles.read(path)


def test_what_a_later_version_adds_to_a_manifest_is_let_be(tmp_path: Path) -> None:
    path = tmp_path / "later.zip"
    path.write_bytes(told(lambda it: it.update(later={"x": 1})))
    assert bundles.read(path).manifest["later"] == {"x": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")
@pytest.mark.parametrize("what", ["fifo", "device", "folder", "sparse"])
def test_what_never_ends_or_is_no_file_is_no_bundle(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.zip"
    match what:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "sparse":
            with path.open("wb") as file:
                file.write(GOOD.pack())
                file.truncate(3 << 30)
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(BadBundle):
            bundles.read(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
@pytest.mark.parametrize("name", ["a zip bomb", "declared as 4 GB", "deep JSON"])
def test_the_program_itself_says_so_and_exits_6(dsmrctl: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.zip"
    path.write_bytes(HOSTILE[name]())
    ran = dsmrctl("firmware", "verify", path)
    assert ran.code == 6
    assert ran.err.startswith(f"dsmrctl: {path}: ")
    assert "Traceback" not in ran.err


# A zip of a released board, damaged at random


@pytest.mark.slow
@settings(max_examples=400)
@given(seed=st.integers(0, 2**32))
def test_any_damage_leaves_the_same_content_or_is_refused(seed: int) -> None:
    """Bytes flipped, put in, taken out, moved: nothing but BadBundle may come of it."""
    chance = random.Random(seed)
    good = bundle("blink")
    data = bytearray(good.pack())
    # Half of it where a zip file says what is in it: at the end.
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        if chance.random() < 0.5:
            at = len(data) - 1 - chance.randrange(3000)
        count = chance.choice((1, 1, 1, 4, 300))
        match chance.randrange(4):
            case 0:
                data[at] ^= chance.randint(1, 255)
            case 1:
                data[at:at] = chance.randbytes(count)
            case 2:
                del data[at : at + count]
            case 3:
                data[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 1 << 31, (1 << 32) - 1)))
    try:
        assert bundles.unpack(bytes(data), "damaged") == good
    except BadBundle:
        assert data != good.pack()
