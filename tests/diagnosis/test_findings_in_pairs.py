"""Every finding has a test that provokes it and one that clears it; the docs list them all."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

from dsmrctl.diagnosis.finding import KINDS


@cache
def named(function: str) -> set[str]:
    """The findings that calls of that function name, in the tests beside this file."""
    return {
        argument.value
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == function
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def made() -> set[str]:
    """The findings that the code makes."""
    text = "".join(file.read_text() for file in (ROOT / "dsmrctl/diagnosis").glob("*.py"))
    return {name for name in KINDS if len(re.findall(rf'"{name}"', text)) > 1}


@pytest.mark.parametrize("name", KINDS)
def test_one_test_provokes_it_and_one_clears_it(name: str) -> None:
    assert name in named("provoked")
    assert name in named("cleared")


def test_each_kind_is_really_looked_for() -> None:
    assert made() == set(KINDS)


def test_the_docs_list_each_finding_as_the_code_has_it() -> None:
    text = (ROOT / "docs/doctor.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    assert [row[0] for row in rows] == list(KINDS)
    for name, title, why in rows:
        assert (title, why) == (KINDS[name].title, KINDS[name].why)
    headings = re.findall(r"^### (.*)$", text, re.M)
    assert headings == list(dict.fromkeys(kind.subject.capitalize() for kind in KINDS.values()))
