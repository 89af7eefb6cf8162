"""Each rule of core turned about, in a copy: the test that holds it must go red."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from rules import RULES, Rule

CORE = Path("dsmrctl") / "firmware" / "core"
# Whatever decides in these is in the table; of the others, the main rules.
WHOLE = ("switch.py", "regulator.py", "ledbar.py", "warning.py")
FILES = sorted({rule.file for rule in RULES})
TESTS = sorted({rule.test for rule in RULES})


def source(file: str) -> str:
    return (ROOT / CORE / file).read_text("utf-8")


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.file}-{rule.says}")
def test_the_rule_stands_there_exactly_once_and_turned_about_is_python(rule: Rule):
    text = source(rule.file)
    assert text.count(rule.old) == 1
    turned = text.replace(rule.old, rule.new)
    assert ast.dump(ast.parse(turned)) != ast.dump(ast.parse(text))


@pytest.mark.parametrize("test", TESTS)
def test_the_test_named_is_there(test: str):
    file, _, name = test.partition("::")
    found = ast.parse((ROOT / file).read_text("utf-8")).body
    assert name in [node.name for node in found if isinstance(node, ast.FunctionDef)]


def test_no_rule_is_there_twice():
    assert len({(rule.file, rule.old, rule.new) for rule in RULES}) == len(RULES)
    assert len({rule.says for rule in RULES}) == len(RULES)


def test_the_boards_that_act_and_what_they_hear_are_in_the_table():
    heard = {"written.py", "sealed.py", "quarter.py", "frame.py", "signature.py"}
    assert set(WHOLE) | heard | {"months.py", "setting.py"} <= set(FILES)


def decisions(text: str) -> Iterator[tuple[int, int, str]]:
    """Every place where something is decided: from, to (in characters), and what stands there."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    assert text.isascii()
    for node in ast.walk(ast.parse(text)):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare | ast.UnaryOp) and not isinstance(
            getattr(node, "op", None), ast.USub
        ):
            parts = [node]
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            parts = [node.test]
        elif isinstance(node, ast.BoolOp):
            parts = node.values
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            parts = [node] if node.func.id in ("min", "max") else []
        for part in parts:
            assert part.end_lineno is not None
            assert part.end_col_offset is not None
            begin = starts[part.lineno - 1] + part.col_offset
            end = starts[part.end_lineno - 1] + part.end_col_offset
            if not (isinstance(part, ast.Constant) and part.value is None):
                yield begin, end, text[begin:end]


def uncovered(file: str, text: str) -> list[str]:
    spans = [
        (text.index(rule.old), text.index(rule.old) + len(rule.old))
        for rule in RULES
        if rule.file == file
    ]
    return sorted(
        {
            what
            for begin, end, what in decisions(text)
            if not any(begin < until and since < end for since, until in spans)
        }
    )


@pytest.mark.parametrize("file", WHOLE)
def test_whatever_decides_is_in_the_table(file: str):
    assert list(decisions(source(file)))
    assert uncovered(file, source(file)) == []


def test_a_rule_that_is_new_is_seen():
    text = source("switch.py") + "\n\ndef f(a, b):\n    return a if b > 5 else min(a, b)\n"
    assert uncovered("switch.py", text) == ["b > 5", "min(a, b)"]


# --- turned about --------------------------------------------------------------------------------


def copied(where: Path) -> None:
    """The package as it is, without what a Python compiled of it."""
    shutil.copytree(ROOT / "dsmrctl", where / "dsmrctl", ignore=lambda *_: ["__pycache__"])


def run(where: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """By a Python that finds the copy in `where` before the project's own package."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=where,
        env=kept | {"PYTHONPATH": str(where), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def judged(where: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    # Without conftest: a plain test needs nothing of it, and it loads half the project.
    without = (
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
    )
    return run(where, "-m", "pytest", "-x", "-q", *without, *(str(ROOT / test) for test in tests))


@pytest.mark.slow
def test_untouched_the_copy_is_what_is_tested_and_all_is_green(tmp_path: Path):
    copied(tmp_path)
    said = run(tmp_path, "-c", "from dsmrctl.firmware.core import switch; print(switch.__file__)")
    assert said.stdout.strip() == str(tmp_path / CORE / "switch.py")
    ran = judged(tmp_path, *TESTS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(TESTS)} passed" in ran.stdout
    # A file that cannot be loaded is no red test: it is told apart from one.
    (tmp_path / CORE / "switch.py").write_text("raise ImportError\n")
    assert judged(tmp_path, "tests/core/test_switch.py").returncode > 1


@pytest.mark.soak
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.file}-{rule.says}")
def test_turned_about_its_test_goes_red(rule: Rule, tmp_path: Path):
    copied(tmp_path)
    file = tmp_path / CORE / rule.file
    file.write_text(file.read_text("utf-8").replace(rule.old, rule.new), "utf-8")
    ran = judged(tmp_path, rule.test)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "1 failed" in ran.stdout
