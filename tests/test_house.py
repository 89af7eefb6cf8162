"""The rules of the house that a machine can hold: arrows, sizes, printing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import ROOT

# From the top floor down; imports point down, never up, within a floor freely.
FLOORS = [
    {"cli"},
    {"commands"},
    {"diagnosis"},
    {"virtual", "provisioning", "gateway"},
    {"network", "flashing", "history"},
    {"peak", "telegram", "boards", "recordings"},
    {"firmware"},
]
# These serve every floor and use none of them.
SERVANTS = {
    *("terminal", "quantities", "options", "errors", "preferences", "keys", "completing"),
    "belgian_time",
    "__init__",
}
# options names the group's form, which is the network's to know, inside a function.
# completing names boards and their settings, which are the boards' and the firmware's to know.
ALLOWED = {("options", "network"), ("completing", "boards"), ("completing", "firmware")}

FILES = sorted((ROOT / "dsmrctl").rglob("*.py"))
IDS = [str(file.relative_to(ROOT)) for file in FILES]


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(file: Path) -> set[str]:
    """Every dsmrctl module a file imports, inside functions too, by full name."""
    package = file.relative_to(ROOT).with_suffix("").parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "dsmrctl"}


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if name in rooms)


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_imports_point_down(file: Path) -> None:
    own = room(".".join(file.relative_to(ROOT).with_suffix("").parts))
    if own == "__main__":
        return
    for name in imports(file):
        target = room(name)
        if target in SERVANTS or target == own or target.startswith("__"):
            continue
        if target not in set().union(*FLOORS):
            continue  # a name out of dsmrctl/__init__
        if own in SERVANTS:
            assert (own, target) in ALLOWED, f"{own} serves all floors and may use none: {name}"
        else:
            assert floor(own) <= floor(target), f"{own} must not know {name}"


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_only_the_terminal_prints(file: Path) -> None:
    # A board's serial line is not this computer's screen; its own lint says who may write there.
    if {"terminal", "firmware", "chip"} & set(file.parts):
        return
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert "print" not in calls


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_a_file_is_a_room_not_a_hall(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_domain_code_never_imports_typer(file: Path) -> None:
    if file.parent.name == "commands" or file.name in ("cli.py", "options.py"):
        return
    assert "typer" not in file.read_text().replace("never imports typer", "")


def test_no_path_of_a_machine_and_no_registry_stands_in_the_tree() -> None:
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *FILES, ROOT / "Makefile"]:
        text = file.read_text()
        for forbidden in ("/" + "work/", "/" + "root/", "py" + "pi.org", "np" + "mjs"):
            assert forbidden not in text, f"{forbidden} in {file}"
