"""docs/modules.md names the test behind each sentence: each is there, and each row has one."""

from __future__ import annotations

import re

from conftest import ROOT

TEXT = (ROOT / "docs" / "modules.md").read_text("utf-8")
NAMED = re.findall(r"`(test_\w+)::(test_\w+)`", TEXT)


def test_every_test_that_the_document_names_is_there() -> None:
    files = {path.stem: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(NAMED) > 45
    for file, test in NAMED:
        assert f"\ndef {test}(" in files[file], f"{file}::{test}"


def test_every_row_has_a_test_or_says_why_there_is_none() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    for row in rows:
        last = row.strip("|").split("|")[-1].strip()
        assert last in ("test", "---") or last.startswith(("`test_", "none: ")), row


def test_what_differs_is_explained() -> None:
    assert TEXT.count("**differs**") >= 6
    assert "## Where ours differ" in TEXT


def test_the_pictures_are_there() -> None:
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / "docs" / name).stat().st_size > 500
