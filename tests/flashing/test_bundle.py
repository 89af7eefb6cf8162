"""A bundle is whole or it is refused; made twice, it is the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import boards
from dsmrctl.errors import NotFound
from dsmrctl.flashing import build, bundle


@pytest.fixture(scope="module")
def made() -> bundle.Bundle:
    return build.build(boards.BLINK, "1.2.3")


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes(made: bundle.Bundle) -> None:
    assert build.build(boards.BLINK, "1.2.3").pack() == made.pack()


def test_what_was_packed_is_read_again(made: bundle.Bundle, tmp_path: Path) -> None:
    file = tmp_path / "blink-1.2.3.zip"
    file.write_bytes(made.pack())
    assert bundle.read(file) == made
    assert made.hardware == ["esp01s", "nodemcu-v3"]
    pages = {"index.html.gz", "settings.html.gz", "portal.html"}
    # In one folder, since each takes two blocks of the flash.
    assert pages | {"board.mpy", "setting.mpy", "blink.mpy"} <= set(made.files)
    assert not [path for path in made.files if "/" in path]


def test_its_code_is_bytecode_that_the_base_image_loads(made: bundle.Bundle) -> None:
    major = int(made.manifest["base"]["mpy"].split(".")[0])
    code = {path: data for path, data in made.files.items() if path.endswith(".mpy")}
    assert len(code) > 10
    for path, data in code.items():
        # Header: M, version, and 0: no machine code of any chip, so every 6.x loads it.
        assert data[:3] == bytes([ord("M"), major, 0]), path


def test_a_slot_holds_the_files_and_their_list(made: bundle.Bundle) -> None:
    slot = made.slot("b")
    assert set(slot) == {f"b/{path}" for path in made.files} | {"b/files.json"}
    listing = json.loads(slot["b/files.json"])
    assert list(listing) == ["version", "files"]  # a board reads the version from its start
    assert set(listing["files"]) == set(made.files)


@given(data=st.data())
def test_any_other_byte_is_refused(data: st.DataObject, made: bundle.Bundle) -> None:
    packed = bytearray(made.pack())
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((bundle.BadBundle, NotFound)):
        _read(bytes(packed))


@given(cut=st.integers(0, 20_000))
def test_a_bundle_that_was_cut_is_refused(cut: int, made: bundle.Bundle) -> None:
    packed = made.pack()
    with pytest.raises(bundle.BadBundle):
        _read(packed[: len(packed) - 1 - cut])


def _read(packed: bytes) -> bundle.Bundle:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.zip"
        file.write_bytes(packed)
        return bundle.read(file)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"../boot.py": b"x"}, "manifest"),
        ({"/boot.py": b"x"}, "manifest"),
        ({"a//b": b"x"}, "manifest"),
        ({"Caps": b"x"}, "manifest"),
    ],
)
def test_a_path_that_leads_out_of_the_slot_is_refused(
    made: bundle.Bundle, change: dict[str, bytes], why: str
) -> None:
    files = {**made.files, **change}
    bad = bundle.manifest("blink", ["esp01s"], ["FLASH_1M"], "1.2.3", {}, files)
    with pytest.raises(bundle.BadBundle) as told:
        _read(bundle.Bundle(bad, files).pack())
    assert why in told.value.message


def test_a_missing_and_a_foreign_file_are_named(made: bundle.Bundle) -> None:
    fewer = dict(list(made.files.items())[1:])
    with pytest.raises(bundle.BadBundle, match=r"blink\.mpy is missing"):
        _read(bundle.Bundle(made.manifest, fewer).pack())
    with pytest.raises(bundle.BadBundle, match="other is not in its manifest"):
        _read(bundle.Bundle(made.manifest, {**made.files, "other": b""}).pack())


def test_a_compressed_zip_is_refused(made: bundle.Bundle) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(made.manifest))
        for path, data in made.files.items():
            archive.writestr(path, data)
    with pytest.raises(bundle.BadBundle, match="compressed"):
        _read(out.getvalue())


def test_versions_compare_and_a_development_version_comes_before_its_release() -> None:
    texts = ["0.9.0", "0.10.0.dev0", "0.10.0.dev3", "0.10.0", "1.0.0"]
    assert sorted(texts, key=bundle.parse_version) == texts


def test_a_board_without_bundle_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as told:
        bundle.newest("blink", tmp_path)
    assert told.value.hint == "make one: dsmrctl firmware build blink"


def test_a_bundle_under_another_boards_name_is_not_taken_for_it(
    made: bundle.Bundle, tmp_path: Path
) -> None:
    (tmp_path / "interface-9.0.0.zip").write_bytes(made.pack())
    with pytest.raises(bundle.BadBundle, match=r"in it is blink 1\.2\.3"):
        bundle.newest("interface", tmp_path)
