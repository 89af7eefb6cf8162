"""A board's bundle holds the rules of its own settings only, and they are the same."""

from __future__ import annotations

import types

import pytest

from dsmrctl import boards
from dsmrctl.firmware.core import setting
from dsmrctl.flashing import build

SOURCE = (build.SOURCES / "core" / "setting.py").read_text("utf-8")


@pytest.mark.parametrize("board", sorted(boards.BOARDS))
def test_the_rules_of_a_board_are_those_of_the_desk(board: str) -> None:
    text = build._only(board, SOURCE)
    assert len(text) < len(SOURCE) - 300
    assert text.count("\n") == SOURCE.count("\n")
    # The crash log's line numbers are those of the source.
    lines = zip(SOURCE.splitlines(), text.splitlines(), strict=True)
    assert all(ours == theirs for ours, theirs in lines if ours.startswith(("def ", "class ")))
    own = types.ModuleType("own")
    exec(compile(text, "setting", "exec"), own.__dict__)
    assert own.keys(board) == setting.keys(board)
    for key in setting.keys(board):
        assert own.rule(board, key) == setting.rule(board, key)
    assert own.kept(board, None) == setting.kept(board, None)
