"""`firmware/core` keeps to what the chip has, whole numbers, and no world outside."""

from __future__ import annotations

import ast
from pathlib import Path

import chip_lacks
import pytest

CORE = Path(__file__).parents[1] / "dsmrctl" / "firmware" / "core"
FILES = sorted(CORE.glob("**/*.py"))
IMPORTS = {"json", "re", "binascii", "hashlib"}
# The chip has these, but core reads no file, talks to nobody and knows no fractions.
REFUSED_METHODS = {"fromhex", "hex"}
REFUSED_NAMES = {
    "divmod",
    "eval",
    "exec",
    "float",
    "globals",
    "input",
    "locals",
    "open",
    "print",
    "round",
}


def faults(source: str) -> list[str]:
    """What in this source the chip lacks or the house forbids, with its line."""
    found = [
        (getattr(node, "lineno", 0), fault)
        for node in ast.walk(ast.parse(source))
        for fault in faults_of(node)
    ]
    return [f"{line}: {fault}" for line, fault in sorted(found)]


def faults_of(node: ast.AST) -> list[str]:
    return chip_lacks.faults_of(node) or core_faults_of(node)


def core_faults_of(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [f"import {name.name}" for name in names if name.name not in IMPORTS]
        case ast.ImportFrom(module=module, level=0) if module not in IMPORTS:
            return [f"from {module} import"]
        case ast.ImportFrom(level=level) if level > 1:
            return ["import from above the package"]
        case ast.Constant(value=float()):
            return [f"the float {node.value}"]
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return ["true division"]
        case ast.Name(id=name) if name in REFUSED_NAMES:
            return [name]
        case ast.Attribute(attr=name) if name in REFUSED_METHODS:
            return [f".{name}"]
        case ast.Global():
            return ["Global"]
    return []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_core_has_nothing_the_chip_lacks(path: Path):
    assert faults(path.read_text("utf-8")) == []


def test_there_is_a_core():
    assert {"crc16", "frame", "telegram", "demand"} <= {path.stem for path in FILES}


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random",
        "import os.path",
        "import dataclasses",
        "from typing import Any",
        "from __future__ import annotations",
        "from micropython import const",
        "from dsmrctl import errors",
        "from .. import lib",
        "from .frame import *",
        "x = 1.5",
        "x = 1e3",
        "x = 2j",
        "x = a / b",
        "x /= 2",
        "float('1')",
        "round(3)",
        "divmod(7, 2)",
        "open('x')",
        "print(1)",
        "'a'.partition('b')",
        "text.splitlines()",
        "text.removeprefix('b')",
        "binascii.crc32(b'')",
        "pow(2, 3, 5)",
        "json.dumps(a, sort_keys=True)",
        "[*a]",
        "(*a, 1)",
        "{**a}",
        "__file__",
        "try: pass\nexcept TimeoutError: pass",
        "x.to_bytes(length=2)",
        "global x",
        "b''.hex()",
        "match a:\n    case 1: pass",
        "async def f(): pass",
        "def f(a, /): pass",
        "@dataclass\nclass A: pass",
        "@micropython.viper\ndef f(): pass",
        "@functools.cache\ndef f(): pass",
    ],
)
def test_the_lint_sees(source: str):
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "import json, re, binascii, hashlib",
        "from . import clock",
        "from .frame import read as r",
        "x = a // b % 3 ** 2",
        "f(*a, **b)",
        "a, *b = c",
        "pow(2, 3)",
        "json.dumps(a)",
        "@property\ndef f(self): pass",
        "x: int | None = None",
    ],
)
def test_the_lint_lets_pass(source: str):
    assert faults(source) == []
