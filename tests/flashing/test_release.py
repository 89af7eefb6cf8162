"""What is released: its index is true, its bytes can be made again, and boards go together."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, clean_environment
from hypothesis import given
from hypothesis import strategies as st
from world import bundle

from dsmrctl.errors import NotFound
from dsmrctl.flashing import bundle as bundles
from dsmrctl.flashing import release
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.flashing.release import BadIndex

Need = Callable[[str], str]


def test_the_index_of_what_is_released_tells_of_every_bundle_there() -> None:
    index = release.read_index(bundles.images())
    assert [each.file for each in index.bundles] == [path.name for path in bundles.released()]
    # Whoever has a bundle can make it again; so its sources must be known.
    assert index.source or not index.bundles


@pytest.mark.slow
def test_what_is_released_is_whole(dsmrctl: Run) -> None:
    for path in bundles.released():
        ran = dsmrctl("firmware", "verify", path)
        assert ran.code == 0, ran.err
    assert release.misfits(map(bundles.read, bundles.released())) == []


def rebuilt(repository: Path, commit: str, board: str, folder: Path) -> bytes:
    """A board's bundle by the sources of that commit, whose own build makes it."""
    tree = folder / commit
    if not tree.exists():
        packed = subprocess.run(
            ["git", "-C", str(repository), "archive", commit, "dsmrctl"],
            capture_output=True,
            check=True,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(tree, filter="data")
    command = [sys.executable, "-m", "dsmrctl", "firmware", "build", board, "--output", "made.zip"]
    subprocess.run(command, cwd=tree, env=clean_environment(folder), check=True)
    return (tree / "made.zip").read_bytes()


@pytest.mark.slow
def test_what_is_released_is_made_again_byte_for_byte(need: Need, tmp_path: Path) -> None:
    index = release.read_index(bundles.images())
    if index.source is None:
        assert not index.bundles
        return
    git = need("git")
    command = [git, "-C", str(ROOT), "cat-file", "-e", f"{index.source}^{{commit}}"]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"commit {index.source} is not here (no repository, or a shallow one)")
    for each in index.bundles:
        made = rebuilt(ROOT, index.source, each.board, tmp_path)
        assert made == (bundles.images() / each.file).read_bytes(), each.file


@pytest.fixture
def repository(need: Need, tmp_path: Path) -> Path:
    """A repository of these sources, with one page changed so that it is not these."""
    need("git")
    made = tmp_path / "repository"
    shutil.copytree(
        ROOT / "dsmrctl", made / "dsmrctl", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", made)
    (made / ".gitignore").write_text("__pycache__\n")
    page = made / "dsmrctl" / "firmware" / "web" / "blink.html"
    page.write_text(page.read_text("utf-8") + "<p>another</p>\n", "utf-8")
    (made / "images").mkdir()
    release.write_index(made / "images", None)
    git(made, "init", "--quiet")
    git(made, "add", ".")
    git(made, "commit", "--quiet", "--message", "sources")
    return made


def git(repository: Path, *args: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@invalid")
    command = ["git", "-C", str(repository), *who, "-c", "commit.gpgsign=false", *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def build(repository: Path, what: str) -> str:
    """Build into images/, as its developer does; what it said on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl", "firmware", "build", what, "--output", "images"],
        cwd=repository,
        env=clean_environment(repository.parent) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_a_release_names_its_commit_and_that_commit_makes_it_again(
    repository: Path, tmp_path: Path
) -> None:
    images, commit = repository / "images", git(repository, "rev-parse", "HEAD")
    assert build(repository, "all") == ""
    index = release.read_index(images)
    assert index.source == commit
    assert [each.board for each in index.bundles] == [
        *("blink", "interface", "miniswitch", "monitor", "switcher")
    ]
    blink = (images / index.bundles[0].file).read_bytes()
    assert rebuilt(repository, commit, "blink", tmp_path) == blink
    assert blink != bundle("blink", index.bundles[0].version).pack()
    # One more from the same sources keeps it; from others that are not committed, it goes.
    (images / index.bundles[3].file).unlink()
    release.write_index(images, commit)
    assert build(repository, "monitor") == ""
    assert release.read_index(images) == index
    page = repository / "dsmrctl" / "firmware" / "web" / "blink.html"
    page.write_text(page.read_text("utf-8") + "<p>more</p>\n", "utf-8")
    assert "names no commit" in build(repository, "blink")
    assert release.read_index(images).source is None
    assert "names no commit" in build(repository, "all")
    # A commit of which only one bundle is does not speak for the others.
    git(repository, "commit", "--quiet", "--all", "--message", "more")
    assert "names no commit" in build(repository, "blink")
    assert build(repository, "all") == ""
    assert release.read_index(images).source == git(repository, "rev-parse", "HEAD")


# The index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two bundles and their index."""
    for version in ("1.10.0", "1.9.0"):
        (tmp_path / f"blink-{version}.zip").write_bytes(bundle("blink", version).pack())
    release.write_index(tmp_path, "a" * 40)
    return tmp_path


@pytest.mark.slow
def test_an_index_is_read_as_it_was_written_the_oldest_version_first(folder: Path) -> None:
    index = release.read_index(folder)
    assert index.source == "a" * 40
    assert [each.version for each in index.bundles] == ["1.9.0", "1.10.0"]
    data = (folder / "blink-1.9.0.zip").read_bytes()
    assert index.bundles[0] == release.entry(folder / "blink-1.9.0.zip")
    assert index.bundles[0].size == len(data)
    text = (folder / "index.json").read_bytes()
    release.write_index(folder, "a" * 40)
    assert (folder / "index.json").read_bytes() == text


def changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    told = json.loads((folder / "index.json").read_text())
    change(told)
    (folder / "index.json").write_text(json.dumps(told))


def test_what_an_index_of_later_adds_is_let_be(folder: Path) -> None:
    changed(folder, lambda it: (it.update(more=1), it["bundles"][0].update(more=1)))
    assert len(release.read_index(folder).bundles) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["bundles"].pop(), "is in the folder, and not in the index"),
        (lambda it: it["bundles"][0].update(file="../x.zip"), "is not in the folder"),
        (lambda it: it["bundles"][0].update(sha256="0" * 64), "another than the index says"),
        (lambda it: it["bundles"][0].update(frames=[1]), "another than the index says"),
        (lambda it: it["bundles"].reverse(), "not in their order, or twice"),
        (lambda it: it["bundles"].append(it["bundles"][0]), "not in their order, or twice"),
        (lambda it: it.update(source="main; rm"), "no index of bundles"),
        (lambda it: it.update(source=["a"]), "no index of bundles"),
        (lambda it: it.update(format=2), "no index of bundles"),
        (lambda it: it.update(bundles=5), "no index of bundles"),
        (lambda it: it.update(bundles=[[]]), "no index of bundles"),
        (lambda it: it["bundles"][0].pop("needs"), "no index of bundles"),
        (lambda it: it["bundles"][0].update(file=["x"]), "no index of bundles"),
    ],
)
def test_an_index_that_is_not_true_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    changed(folder, change)
    with pytest.raises(BadIndex, match=said):
        release.read_index(folder)


def test_a_bundle_that_was_renamed_is_told(folder: Path) -> None:
    (folder / "blink-1.9.0.zip").rename(folder / "blink-2.0.0.zip")
    release.write_index(folder, None)
    with pytest.raises(BadIndex, match=r"in blink-2\.0\.0\.zip is blink 1\.9\.0"):
        release.read_index(folder)


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b"\xff", b"[]", b"null"])
def test_what_is_no_index_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(NotFound):
        release.read_index(tmp_path)
    (tmp_path / "index.json").write_bytes(text)
    assert not release.has_index(tmp_path)
    with pytest.raises(BadIndex):
        release.read_index(tmp_path)


# Whether boards understand each other


def one(
    board: str, version: str = "1.0.0", frames: tuple[int, ...] = (1, 2), **needs: str
) -> Bundle:
    manifest = bundles.manifest(board, [], ["FLASH_1M"], version, needs, {})
    return Bundle({**manifest, "frames": list(frames)}, {})


def test_what_has_no_frame_version_in_common_is_told() -> None:
    assert release.misfits([one("interface", frames=(3,)), one("monitor", "1.4.0")]) == [
        "interface 1.0.0 sends frames 3 and monitor 1.4.0 reads 1, 2: "
        "they would not understand each other"
    ]
    # Neither reads the other's frames, and blink reads none.
    apart = [one("monitor", frames=(1,)), one("switcher", frames=(2,)), one("blink", frames=(9,))]
    assert release.misfits([*apart, one("interface")]) == []


def test_what_is_needed_and_not_here_in_that_version_is_told() -> None:
    needing = one("monitor", "2.0.0", interface=">=1.10.0")
    assert release.misfits([needing, one("interface", "1.9.0")]) == [
        "monitor 2.0.0 needs interface >=1.10.0, and here is 1.9.0"
    ]
    assert release.misfits([needing, one("interface", "1.10.0")]) == []
    assert release.misfits([needing, one("interface", "1.10.0.dev0")]) != []
    # It may hang on the wall already.
    assert release.misfits([needing]) == []


BOARDS = ("interface", "miniswitch", "monitor", "switcher", "blink")
VERSIONS = st.tuples(*[st.integers(0, 11)] * 3).map(lambda it: ".".join(map(str, it)))
BUNDLES = st.lists(
    st.builds(
        lambda board, version, frames, needs: one(board, version, tuple(frames), **needs),
        st.sampled_from(BOARDS),
        VERSIONS,
        st.sets(st.integers(1, 4), max_size=3),
        st.dictionaries(st.sampled_from(BOARDS), VERSIONS.map(">={}".format), max_size=2),
    ),
    unique_by=lambda it: (it.board, it.version),
    max_size=8,
)


@given(found=BUNDLES, data=st.data())
def test_only_the_newest_of_each_board_counts_in_whatever_order(
    found: list[Bundle], data: st.DataObject
) -> None:
    told = release.misfits(found)
    assert release.misfits(data.draw(st.permutations(found))) == told
    assert release.misfits(release.newest(found).values()) == told


@given(found=BUNDLES)
def test_each_misfit_is_one_and_none_is_missed(found: list[Bundle]) -> None:
    here = release.newest(found)
    wrong = 0
    for name, each in here.items():
        if name not in ("interface", "blink") and "interface" in here:
            shared = set(each.manifest["frames"]) & set(here["interface"].manifest["frames"])
            wrong += not shared
        for other, need in each.manifest["needs"].items():
            if other in here:
                least = tuple(map(int, need[2:].split(".")))
                wrong += tuple(map(int, here[other].version.split("."))) < least
    told = release.misfits(found)
    assert len(told) == wrong
    for sentence in told:
        assert any(f"{each.board} {each.version}" in sentence for each in here.values())


@given(version=VERSIONS, frames=st.sets(st.integers(1, 4), min_size=1))
def test_what_was_made_together_goes_together(version: str, frames: set[int]) -> None:
    needs = dict.fromkeys(BOARDS, f">={version}")
    found = [one(board, version, tuple(frames), **needs) for board in BOARDS]
    assert release.misfits(found) == []
    assert release.together(found) == {version: sorted(BOARDS)}


@pytest.mark.slow
def test_the_builds_of_micropython_that_a_bundle_needs_are_those_of_its_hardware() -> None:
    assert release.variants(bundle("blink")) == ["FLASH_1M", ""]
    assert release.variants(bundle("monitor")) == [""]
    assert release.variants(one("later")) == ["FLASH_1M"]
