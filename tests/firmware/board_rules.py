"""The rules of what runs on a board: told from source text, with every exception by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import chip_lacks

# Of what the chip has, what a board of ours imports. The rest is absent from the 1 MB build
# (asyncio, umqtt, ssd1306), blocks (requests, ntptime), or is another name for the same (utime).
IMPORTS = {
    "array",
    "binascii",
    "collections",
    "errno",
    "esp",
    "flashbdev",
    "framebuf",
    "gc",
    "hashlib",
    "io",
    "json",
    "machine",
    "math",
    "micropython",
    "network",
    "os",
    "random",
    "re",
    "select",
    "socket",
    "struct",
    "sys",
    "time",
    "uctypes",
    "vfs",
}
CLOCK = {"ticks_add", "ticks_diff", "ticks_ms", "ticks_us"}
SLEEPS = {"sleep", "sleep_ms", "sleep_us"}
WORDS = {"packet", "message", "device", "param", "util", "manager", "helper"}
WORDS |= {f"{word}s" for word in WORDS}

# Rule -> file, or file:function -> why it may. Nothing else may.
MAY = {
    "sleep": {
        "boot.py": "its window for Ctrl-C and Improv comes before the loop",
        "choose.py": "a pause before the restart after a crash",
        "apps/switcher.py": "0.4 ms: so long a gate is pulsed, in the interrupt itself",
    },
    "select": {
        "lib/board.py": "the one place where a board waits",
        "boot.py": "its window for Ctrl-C and Improv comes before the loop",
    },
    "print": {
        "boot.py": "the loop does not run yet: the console is a person's",
        "lib/serial.py": "it owns the UART",
    },
    "except": {
        "boot.py": "main.py runs only when boot.py ends normally",
        "main.py": "any crash is written down and restarts the board",
    },
    "write": {
        "boot.py": "the tries left and the crash; the slots' code is not loaded yet",
        "choose.py": "the slot and its tries, before the slot's code is loaded",
        "lib/store.py": "writes a new file, then renames it",
        "lib/info.py": "the crash log",
        "lib/update.py": "the idle slot's files, which nothing runs before their sums are right",
        "lib/files.py": "the idle slot's files, which nothing runs before their sums are right",
    },
    "import": {
        "boot.py": "chooses the slot",
        "main.py": "starts the slot it has chosen",
        "lib/board.py": "starts the one app that this board is",
    },
}
# The one function that asks getaddrinfo for an address it was given: "file:function".
ASKS: set[str] = set()


def place(where: str, function: str) -> set[str]:
    return {where, f"{where}:{function}"}


def walk(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Every node, with the name of the function or method it stands in."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        inner = child.name if isinstance(child, ast.FunctionDef) else function
        yield from walk(child, inner)


def faults(source: str, where: str = "lib/some.py") -> list[str]:
    """What in this source the chip lacks or the house forbids, with its line."""
    tree = ast.parse(source)
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    found = []
    for node, function in [(tree, ""), *walk(tree)]:
        may = {rule for rule, places in MAY.items() if places.keys() & place(where, function)}
        for fault in (
            *chip_lacks.faults_of(node),
            *import_faults(node, where),
            *name_faults(node, modules),
            *time_faults(node, modules, may),
            *file_faults(node, may),
            *word_faults(node),
            *resolving_faults(node, where, function, tree),
            *memory_faults(node, where),
        ):
            found.append((getattr(node, "lineno", 0), fault))
    return [f"{line}: {fault}" for line, fault in sorted(found)]


def import_faults(node: ast.AST, where: str) -> list[str]:
    inside = where.count("/")
    match node:
        case ast.Import(names=names):
            return [f"import {name.name}" for name in names if name.name not in IMPORTS]
        case ast.ImportFrom(module=module, level=0) if module not in IMPORTS:
            return [f"from {module} import"]
        case ast.ImportFrom(level=level) if level and not inside:
            return ["a relative import: on the board this file is in no package"]
        case ast.ImportFrom(level=level) if level > inside + 1:
            return ["an import from above the slot"]
    return []


def name_faults(node: ast.AST, modules: dict[str, str]) -> list[str]:
    """Names of the chip's modules that the chip's modules have not."""
    match node:
        case ast.Attribute(value=ast.Name(id=local), attr=name) if local in modules:
            module = modules[local]
            if module in IMPORTS and name not in chip_lacks.names_of(module):
                return [f"{module}.{name} is not on the chip"]
        case ast.ImportFrom(module=str(module), level=0, names=names) if module in IMPORTS:
            return [
                f"{module}.{alias.name} is not on the chip"
                for alias in names
                if alias.name not in chip_lacks.names_of(module)
            ]
    return []


def time_faults(node: ast.AST, modules: dict[str, str], may: set[str]) -> list[str]:
    """A board waits in one select.poll, and measures with ticks: it knows no other clock."""
    allowed = CLOCK | (SLEEPS if "sleep" in may else set())
    match node:
        case ast.Attribute(value=ast.Name(id=local), attr=name) if modules.get(local) == "time":
            return [] if name in allowed else [f"time.{name}"]
        case ast.ImportFrom(module="time", names=names):
            return [f"time.{alias.name}" for alias in names if alias.name not in allowed]
        case ast.Import(names=names) if "select" not in may:
            return ["import select" for alias in names if alias.name == "select"]
        case ast.ImportFrom(module="select", level=0) if "select" not in may:
            return ["from select import"]
        case ast.Attribute(attr="lightsleep" | "deepsleep" | "idle" as name):
            return [f".{name}: it stops the network"]
    return []


def file_faults(node: ast.AST, may: set[str]) -> list[str]:
    match node:
        case ast.Call(func=ast.Name(id="open") | ast.Attribute(attr="open"), args=[_, mode, *_]):
            if "write" not in may and not (
                isinstance(mode, ast.Constant) and mode.value in ("r", "rb")
            ):
                return [f"open for writing: {ast.unparse(node)}"]
        case ast.Call(func=ast.Name(id="open") | ast.Attribute(attr="open"), keywords=[_, *_]):
            return ["open with keywords"]
        case ast.Call(func=ast.Name(id="print")) if "print" not in may:
            return ["print: the UART carries P1"]
        case ast.Call(func=ast.Attribute(attr="print_exception"), args=[_]) if "print" not in may:
            return ["print_exception onto the UART, which carries P1"]
        case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" as name):
            return [] if "print" in may else [f"sys.{name}: the UART carries P1"]
        case ast.ExceptHandler(type=None) if "except" not in may:
            return ["except: of everything"]
        case ast.ExceptHandler(type=ast.expr() as caught) if "except" not in may:
            return ["except BaseException"] * ("BaseException" in ast.unparse(caught))
        case ast.Call(func=ast.Name(id="__import__")) if "import" not in may:
            return ["__import__"]
    return []


def word_faults(node: ast.AST) -> list[str]:
    """Names that are given here; what the chip calls its own cannot be helped."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
            given = name
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            given = name
        case ast.alias(asname=str(name)):
            given = name
        case _:
            return []
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", given).lower().split("_")
    return [f"{given} is no word of this house"] * (not WORDS.isdisjoint(words))


def resolving_faults(node: ast.AST, where: str, function: str, tree: ast.AST) -> list[str]:
    """On the chip getaddrinfo of a name blocks 7 s a server, and the watchdog bites meanwhile."""
    match node:
        case ast.ImportFrom(module="socket", names=names):
            return ["from socket import getaddrinfo"] * ("getaddrinfo" in {n.name for n in names})
        case ast.Attribute(attr="getaddrinfo"):
            calls = [call.func for call in ast.walk(tree) if isinstance(call, ast.Call)]
            return [] if node in calls else ["getaddrinfo under another name"]
        case ast.Call(func=ast.Attribute(attr="getaddrinfo"), args=[host, *_]):
            if isinstance(host, ast.Constant):
                return [] if numeric(host.value) else [f"getaddrinfo of {host.value!r}"]
            if f"{where}:{function}" not in ASKS:
                return [f"getaddrinfo of {ast.unparse(host)}, which may be a name"]
            if not checked_before(tree, function, host, node.lineno):
                return [f"getaddrinfo of {ast.unparse(host)} before it is known to be an address"]
    return []


def numeric(host: object) -> bool:
    return isinstance(host, str) and re.fullmatch(r"\d+\.\d+\.\d+\.\d+", host) is not None


def checked_before(tree: ast.AST, function: str, host: ast.expr, line: int) -> bool:
    """Does an if over the same expression, on an earlier line, leave this function?"""
    return any(
        isinstance(node, ast.If)
        and inside == function
        and node.lineno < line
        and isinstance(node.body[-1], ast.Raise | ast.Return)
        and any(ast.dump(part) == ast.dump(host) for part in ast.walk(node.test))
        for node, inside in walk(tree)
    )


def memory_faults(node: ast.AST, where: str) -> list[str]:
    match node:
        case ast.Call(
            func=ast.Name(id="bytearray" | "bytes"), args=[ast.Constant(value=int(size))]
        ):
            return [f"{size} bytes in one piece"] * (size > 1024)
        case ast.Attribute(value=ast.Call(func=ast.Attribute(attr="Timer")), attr=name):
            # The chip keeps a pointer into the object that the collector does not know of.
            return [f"Timer(…).{name}: a timer that nothing holds is collected while it runs"]
        case ast.Module() | ast.FunctionDef() | ast.ClassDef():
            described = "/" in where and ast.get_docstring(node) is not None
            return ["a docstring: say it in a comment"] * described
    return []
