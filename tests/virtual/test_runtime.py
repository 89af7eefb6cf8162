"""Which MicroPython boots the boards: it is run and asked, not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsmrctl.virtual import runtime


@pytest.fixture(autouse=True)
def fresh() -> None:
    runtime.find.cache_clear()


def program(folder: Path, text: str) -> Path:
    path = folder / "micropython"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_installed_is_found_and_can_boot_a_board() -> None:
    assert runtime.fault(runtime.find()) == ""


def test_the_one_named_is_taken_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(runtime.VARIABLE, runtime.find())
    named = runtime.find()
    runtime.find.cache_clear()
    monkeypatch.setenv(runtime.VARIABLE, str(tmp_path / "nothing here"))
    with pytest.raises(runtime.NoMicroPython) as told:
        runtime.find()
    assert "nothing here" in told.value.message
    assert runtime.VARIABLE in (told.value.hint or "")
    assert named


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("exit 1", "said nothing"),
        ("echo 'no module named vfs' >&2; exit 1", "no module named vfs"),
        ("echo 1.20.0 6 1", "1.28 or later"),
        ("echo 1.30.0 7 0", "loads .mpy 7.0"),
        ("echo Python 3.11", "said nothing"),
    ],
)
def test_one_that_cannot_is_refused_with_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, why: str
) -> None:
    monkeypatch.setenv(runtime.VARIABLE, str(program(tmp_path, says)))
    with pytest.raises(runtime.NoMicroPython) as told:
        runtime.find()
    assert why in told.value.message
    assert "dsmrctl[virtual]" in (told.value.hint or "")
