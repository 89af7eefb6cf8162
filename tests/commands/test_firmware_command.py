"""`dsmrctl firmware`: bundles made, listed, shown and checked, as one would type it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from file_server import FileServer, serving
from world import bundle

from dsmrctl.flashing import bundle as bundles
from dsmrctl.flashing import release
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.virtual import base

pytestmark = pytest.mark.slow

NAME = "ESP8266_GENERIC-FLASH_1M-20260824-v1.29.0.bin"


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


def test_what_belongs_together_and_what_runs_on_what_is_listed(dsmrctl: Run, folder: Path) -> None:
    path = folder / "bundles" / "monitor-1.10.0.zip"
    path.write_bytes(bundle("monitor", "1.10.0").pack())
    cache = {"DSMRCTL_CACHE": str(folder / "cache")}
    (folder / "cache" / "base").mkdir(parents=True)
    (folder / "cache" / "base" / NAME).write_bytes(base.make("FLASH_1M"))
    ran = dsmrctl("firmware", "list", "--folder", "bundles", env=cache)
    head, *rows = [line.split("\t") for line in ran.out.splitlines()]
    assert head == ["board", "version", "hardware", "frames", "needs", "MicroPython", "bytes"]
    assert [(row[0], row[1], row[5]) for row in rows] == [
        ("blink", "1.9.0", "FLASH_1M ready, generic absent"),
        ("blink", "1.10.0", "FLASH_1M ready, generic absent"),
        ("monitor", "1.10.0", "generic absent"),
    ]
    assert ran.err == "1.10.0: blink, monitor belong together\n"
    ran = dsmrctl("firmware", "list", "--folder", "bundles", "--json", env=cache)
    assert json.loads(ran.out.splitlines()[0])["base"] == {"FLASH_1M": "ready", "generic": "absent"}
    assert ran.err == ""


def test_boards_that_would_not_understand_each_other_are_warned_of(
    dsmrctl: Run, folder: Path
) -> None:
    for board, frames in (("interface", [3]), ("monitor", [1, 2])):
        made = bundles.manifest(board, ["esp01s"], ["FLASH_1M"], "2.0.0", {}, {})
        path = folder / "bundles" / f"{board}-2.0.0.zip"
        path.write_bytes(Bundle({**made, "frames": frames}, {}).pack())
    said = "interface 2.0.0 sends frames 3 and monitor 2.0.0 reads 1, 2"
    ran = dsmrctl("firmware", "list", "--folder", "bundles")
    assert ran.code == 0
    assert f"warning: {said}" in ran.err
    ran = dsmrctl("firmware", "list", "--folder", "bundles", "--json")
    assert json.loads(ran.err)["warning"].startswith(said)


def test_a_damaged_bundle_does_not_hide_the_others(dsmrctl: Run, folder: Path) -> None:
    (folder / "bundles" / "blink-1.9.0.zip").write_bytes(b"no zip")
    ran = dsmrctl("firmware", "list", "--folder", "bundles")
    assert ran.code == 0
    assert "1.10.0" in ran.out
    assert "warning: bundles/blink-1.9.0.zip: no bundle" in ran.err


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
    assert json.loads(ran.out)["whole"] is False


def test_of_several_bundles_all_are_told_and_one_bad_one_counts(dsmrctl: Run, folder: Path) -> None:
    files = sorted((folder / "bundles").iterdir())
    ran = dsmrctl("firmware", "verify", *files)
    assert ran.code == 0
    assert ran.out.count("is whole") == 2
    (folder / "bundles" / "bad.zip").write_bytes(b"PK")
    ran = dsmrctl("firmware", "verify", "bundles/bad.zip", *files)
    assert ran.code == 6
    assert ran.out.count("is whole") == 2
    assert "bundles/bad.zip: no bundle" in ran.err
    assert "dsmrctl: 1 of 3 are not whole" in ran.err
    ran = dsmrctl("firmware", "verify", *files, "absent.zip", "--json")
    assert ran.code == 3
    assert [json.loads(line)["whole"] for line in ran.out.splitlines()] == [True, True, False]
    ran = dsmrctl("firmware", "verify", "absent.zip", "bundles/bad.zip")
    assert ran.code == 6


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


def test_all_are_built_into_a_folder_whose_index_is_made_anew(dsmrctl: Run, folder: Path) -> None:
    ran = dsmrctl("firmware", "build", "all", "--output", "made")
    assert ran.code == 0, ran.err
    assert len(list((folder / "made").glob("*.zip"))) == 5
    # Only a folder that has one gets an index.
    assert not (folder / "made" / "index.json").exists()
    release.write_index(folder / "made", None)
    (folder / "made" / bundles.released(folder / "made")[0].name).unlink()
    ran = dsmrctl("firmware", "build", "blink", "--output", "made", "--json")
    assert ran.code == 0, ran.err
    file = json.loads(ran.out)["file"]
    index = release.read_index(folder / "made")
    assert str(Path("made") / index.bundles[0].file) == file


# MicroPython


@pytest.fixture
def mirror(folder: Path) -> Iterator[tuple[FileServer, dict[str, str]]]:
    """A server with the stand-in for 1 MB, and the environment that names it."""
    with serving(base.make("FLASH_1M")) as server:
        yield (
            server,
            {
                "DSMRCTL_BASE_URL": server.url,
                "DSMRCTL_CACHE": str(folder / "cache"),
                "no_proxy": "*",
            },
        )


def test_the_base_image_is_fetched_once_and_told_where(
    dsmrctl: Run, folder: Path, mirror: tuple[FileServer, dict[str, str]]
) -> None:
    server, environment = mirror
    path = folder / "cache" / "base" / NAME
    ran = dsmrctl("firmware", "fetch", "miniswitch", env=environment)
    assert ran.code == 0, ran.err
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert ran.out == f"FLASH_1M: {path}\nsha256 {digest}\n"
    assert ran.err == ""  # piped: no bar
    ran = dsmrctl("firmware", "fetch", "--variant", "FLASH_1M", "--json", env=environment)
    assert json.loads(ran.out) == {
        "variant": "FLASH_1M",
        "file": str(path),
        "size": path.stat().st_size,
        "sha256": digest,
        "new": False,
    }
    assert len(server.asked) == 1
    # Both that boards need: what this server has for the other is the wrong build.
    ran = dsmrctl("firmware", "fetch", env=environment)
    assert ran.code == 6
    assert ran.out.startswith("FLASH_1M: ")
    assert "this is FLASH_1M, for boards with 1 MB" in ran.err


def test_how_fetching_failed_is_in_the_exit_code(
    dsmrctl: Run, mirror: tuple[FileServer, dict[str, str]]
) -> None:
    server, environment = mirror
    server.status = 404
    ran = dsmrctl("firmware", "fetch", "monitor", env=environment)
    assert ran.code == 3
    assert "--base FILE" in ran.err
    server.status, server.mute = 200, True
    ran = dsmrctl("firmware", "fetch", "monitor", "--timeout", "200ms", "--json", env=environment)
    assert ran.code == 4
    assert json.loads(ran.err)["error"]["code"] == "no_answer"
    server.mute, server.kind, server.content = False, "text/html", b"<html>log in"
    ran = dsmrctl("firmware", "fetch", "monitor", env=environment)
    assert ran.code == 6
    assert ran.out == ""
    for wrong in (("--variant", "OTA"), ("toaster",), ("monitor", "--variant", "generic")):
        assert dsmrctl("firmware", "fetch", *wrong, env=environment).code == 2


def test_a_file_from_elsewhere_takes_the_place_of_fetching(
    dsmrctl: Run, folder: Path, mirror: tuple[FileServer, dict[str, str]]
) -> None:
    server, environment = mirror
    (folder / "mine.bin").write_bytes(base.make(""))
    ran = dsmrctl("firmware", "fetch", "--base", "mine.bin", env=environment)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("generic: ")
    ran = dsmrctl("firmware", "fetch", "miniswitch", "--base", "mine.bin", env=environment)
    assert ran.code == 6
    assert "this board needs FLASH_1M" in ran.err
    ran = dsmrctl("firmware", "fetch", "monitor", env=environment)
    assert ran.out.splitlines()[0].endswith("(was here)")
    assert dsmrctl("firmware", "fetch", "--base", "absent.bin", env=environment).code == 3
    assert not server.asked
