"""Released bundles: the index of a folder of them, and whether boards understand each other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsmrctl.boards import BOARDS
from dsmrctl.errors import BadData, NotFound
from dsmrctl.flashing import bundle
from dsmrctl.flashing.bundle import Bundle, parse_version

FORMAT = 1
INDEX = "index.json"
_MOST = 1 << 20
# Who sends frames, and who acts on them.
SENDER = "interface"
_READERS = ("miniswitch", "monitor", "switcher")


class BadIndex(BadData):
    """An index that is none, or that tells of other bundles than lie beside it."""

    code = "bad_index"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}",
            hint=f"make it anew: dsmrctl firmware build all --output {path.parent}",
        )


@dataclass(frozen=True)
class Entry:
    """One bundle of a folder, as its index tells it; size and sha256 are the file's."""

    file: str
    board: str
    version: str
    hardware: list[str]
    frames: list[int]
    needs: dict[str, str]
    size: int
    sha256: str


@dataclass(frozen=True)
class Index:
    """The bundles of a folder, and the git commit they were built from when it is known."""

    source: str | None
    bundles: list[Entry]


def entry(path: Path) -> Entry:
    """What an index tells of a bundle, which is checked. Raises NotFound, BadBundle."""
    one = bundle.read(path)
    data = one.pack()
    return Entry(
        file=path.name,
        board=one.board,
        version=one.version,
        hardware=one.hardware,
        frames=one.manifest["frames"],
        needs=one.manifest["needs"],
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def file_name(one: Bundle) -> str:
    """What a bundle's file is called."""
    return f"{one.board}-{one.version}.zip"


def has_index(folder: Path) -> bool:
    """Whether a folder has an index of bundles, true or not."""
    try:
        found = json.loads(bundle.whole_file(folder / INDEX, _MOST))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"format", "bundles"} <= found.keys()


def true_index(folder: Path) -> Index | None:
    """The index of a folder; None without one, or when it is not true."""
    try:
        return read_index(folder)
    except (NotFound, BadData):
        return None


def write_index(folder: Path, source: str | None) -> Index:
    """Write the index of the bundles in a folder. Raises BadBundle."""
    index = Index(source, [entry(path) for path in bundle.released(folder)])
    listed = [asdict(each) for each in index.bundles]
    text = json.dumps({"format": FORMAT, "source": source, "bundles": listed}, indent=1)
    (folder / INDEX).write_text(text + "\n", "utf-8")
    return index


def read_index(folder: Path) -> Index:
    """The index of a folder, held against every bundle in it. Raises NotFound, BadIndex."""
    path = folder / INDEX
    try:
        found = json.loads(bundle.whole_file(path, _MOST))
        source = found.get("source")
        if found["format"] != FORMAT or not (source is None or _is_commit(source)):
            raise ValueError
        index = Index(source, [Entry(**_known(each)) for each in found["bundles"]])
        if not all(isinstance(each.file, str) for each in index.bundles):
            raise ValueError
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", hint="dsmrctl firmware build all makes it") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise BadIndex(path, "no index of bundles") from None
    there = [entry(each) for each in bundle.released(folder)]
    told, here = ({each.file: each for each in listed} for listed in (index.bundles, there))
    for name in sorted(told.keys() | here.keys()):
        if name not in here:
            raise BadIndex(path, f"{name!r} is not in the folder")
        if name not in told:
            raise BadIndex(path, f"{name} is in the folder, and not in the index")
        if told[name] != here[name]:
            raise BadIndex(path, f"{name} is another than the index says")
        if name != f"{here[name].board}-{here[name].version}.zip":
            raise BadIndex(path, f"in {name} is {here[name].board} {here[name].version}")
    if index.bundles != there:
        raise BadIndex(path, "not in their order, or twice")
    return index


def _is_commit(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{40,64}", text) is not None


def _known(told: dict[str, Any]) -> dict[str, Any]:
    """The fields that this version reads; later ones may add others."""
    return {name: told[name] for name in Entry.__dataclass_fields__}


def newest(bundles: Iterable[Bundle]) -> dict[str, Bundle]:
    """The newest bundle of each board."""
    return {one.board: one for one in sorted(bundles, key=_age)}


def _age(one: Bundle) -> tuple[int, ...]:
    return parse_version(one.version)


def together(bundles: Iterable[Bundle]) -> dict[str, list[str]]:
    """Version -> the boards of it: made from the same sources, they are meant for each other."""
    found: dict[str, set[str]] = {}
    for one in sorted(bundles, key=_age):
        found.setdefault(one.version, set()).add(one.board)
    return {version: sorted(names) for version, names in found.items()}


def misfits(bundles: Iterable[Bundle]) -> list[str]:
    """Why the newest bundles here would not work together, a sentence each; empty when they do.

    A board that is not among them is not missed: it may hang on the wall already.
    """
    here = newest(bundles)
    found = []
    sender = here.get(SENDER)
    for name in _READERS:
        reader = here.get(name)
        if sender and reader and not _frames(sender) & _frames(reader):
            found.append(
                f"{_said(sender)} sends frames {_listed(sender)} and {_said(reader)} reads "
                f"{_listed(reader)}: they would not understand each other"
            )
    for one in sorted(here.values(), key=lambda each: each.board):
        for name, need in sorted(one.manifest["needs"].items()):
            other = here.get(name)
            if other and _age(other) < parse_version(need.removeprefix(">=")):
                found.append(f"{_said(one)} needs {name} {need}, and here is {other.version}")
    return found


def misfits_of(one: Bundle) -> list[str]:
    """`misfits` of a bundle among the newest that came with dsmrctl for the other boards."""
    others = []
    for path in bundle.released():
        with suppress(bundle.BadBundle):
            others.append(bundle.read(path))
    beside = [each for each in newest(others).values() if each.board != one.board]
    return [told for told in misfits([*beside, one]) if _said(one) in told]


def _frames(one: Bundle) -> set[int]:
    return set(one.manifest["frames"])


def _listed(one: Bundle) -> str:
    return ", ".join(map(str, sorted(_frames(one)))) or "of no version"


def _said(one: Bundle) -> str:
    return f"{one.board} {one.version}"


def variants(one: Bundle) -> list[str]:
    """The builds of MicroPython that a bundle's hardware runs on, "" for the generic one."""
    board = BOARDS.get(one.board)
    kinds = board.hardware if board else ()
    found = [kind.variant for kind in kinds if kind.name in one.hardware]
    return list(dict.fromkeys(found)) or [one.manifest["base"]["variant"]]


def renew_index(folder: Path, made: Iterable[Bundle], before: Index | None) -> Index:
    """Write a folder's index after these bundles were put into it. Raises BadBundle.

    before: its index until then, when that was true. The source is told only when it is that of
    every bundle there.
    """
    commit = source()
    others = {path.name for path in bundle.released(folder)} - {file_name(one) for one in made}
    kept = before is not None and before.source == commit
    return write_index(folder, commit if not others or kept else None)


def source() -> str | None:
    """The git commit of these very sources; None when they are not one, or were changed."""
    import subprocess

    root = Path(__file__).parents[2]

    def git(*args: str) -> str:
        command = ["git", "-C", str(root), *args]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    try:
        # This folder may lie in somebody else's repository, as a virtual environment does.
        if not Path(git("rev-parse", "--show-toplevel")).samefile(root):
            return None
        changed = git("status", "--porcelain", "--", "dsmrctl", "pyproject.toml")
        return None if changed else git("rev-parse", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return None
