"""`dsmrctl firmware`: bundles made, listed, shown and checked, as one would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run
from world import bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the command runs, with two versions of a bundle in bundles/."""
    (tmp_path / "bundles").mkdir()
    for version in ("1.10.0", "1.9.0"):
        path = tmp_path / "bundles" / f"blink-{version}.zip"
        path.write_bytes(bundle("blink", version).pack())
    return tmp_path


def test_bundles_are_listed_the_oldest_version_first(dsmrctl: Run, folder: Path) -> None:
    ran = dsmrctl("firmware", "list", "--folder", "bundles", "--json")
    assert ran.code == 0
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["version"] for row in rows] == ["1.9.0", "1.10.0"]
    assert rows[0]["hardware"] == ["esp01s", "nodemcu-v3"]
    table = dsmrctl("firmware", "list", "--folder", "bundles").out.splitlines()
    assert table[1].split("\t")[:2] == ["blink", "1.9.0"]


def test_a_bundle_is_shown_with_what_it_runs_on(dsmrctl: Run, folder: Path) -> None:
    out = dsmrctl("firmware", "show", "bundles/blink-1.9.0.zip").out
    assert "blink 1.9.0   for esp01s, nodemcu-v3" in out
    assert "MicroPython 1.29.0" in out
    assert "http.mpy" in out
    manifest = json.loads(dsmrctl("firmware", "show", "bundles/blink-1.9.0.zip", "--json").out)
    assert manifest == bundle("blink", "1.9.0").manifest


def test_a_whole_bundle_is_said_to_be_and_a_damaged_one_is_bad_data(
    dsmrctl: Run, folder: Path
) -> None:
    good = folder / "bundles" / "blink-1.9.0.zip"
    assert "is whole" in dsmrctl("firmware", "verify", good).out
    data = bytearray(good.read_bytes())
    data[len(data) // 2] ^= 1
    good.write_bytes(data)
    ran = dsmrctl("firmware", "verify", good, "--json")
    assert ran.code == 6
    assert json.loads(ran.err)["error"]["code"] == "bad_bundle"
    assert ran.out == ""


def test_what_is_absent_and_what_is_no_board_is_told(dsmrctl: Run, folder: Path) -> None:
    assert dsmrctl("firmware", "verify", "nothing.zip").code == 3
    ran = dsmrctl("firmware", "build", "toaster")
    assert ran.code == 2
    assert "interface, miniswitch" in ran.err


def test_a_bundle_is_built_where_it_is_asked_for(dsmrctl: Run, folder: Path) -> None:
    ran = dsmrctl("firmware", "build", "blink", "--output", "mine.zip")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("mine.zip: ")
    assert dsmrctl("firmware", "verify", "mine.zip").code == 0
