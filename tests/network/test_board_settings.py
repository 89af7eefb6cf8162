"""Settings as this computer holds them: hostile schemas, backups of any kind, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import bundle

from dsmrctl import boards, errors
from dsmrctl.firmware.core import setting
from dsmrctl.network import board_settings, updating
from dsmrctl.network.board_settings import Held
from dsmrctl.network.discovery import Found

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def found(kind: str, ident: str = "a1b2c3", name: str = "one") -> Found:
    return Found(name, "127.0.0.2", 80, kind, "esp01s", "1.0.0", ident)


class Says:
    """A board's answer to GET /api/settings, which may be anything of the right outer form."""

    def __init__(self, settings: dict[str, Any], schema: dict[str, Any]) -> None:
        self._answer = settings, schema

    def settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._answer


def held(kind: str, **values: Any) -> Held:
    """A board with its defaults, and these values."""
    settings = setting.kept(kind, dict(values))
    rules = {key: setting.rule(kind, key) for key in settings}
    says: Any = Says({k: bool(v) if rules[k]["secret"] else v for k, v in settings.items()}, rules)
    return board_settings.read(found(kind), says)


@given(st.dictionaries(st.text(), ANY_JSON), st.dictionaries(st.text(), ANY_JSON))
def test_whatever_a_board_says_its_settings_are_short_and_printable(
    settings: dict[str, Any], schema: dict[str, Any]
) -> None:
    says: Any = Says(settings, schema)
    got = board_settings.read(found("miniswitch"), says)
    for key, value in got.settings.items():
        rule = got.rules[key]
        for text in (key, board_settings.shown(value, rule), rule.range()):
            assert len(text) < 1000
            assert text.isprintable()
        assert json.dumps(rule.document())


@given(ANY_JSON, st.booleans())
def test_any_file_is_a_backup_or_a_clear_error(content: Any, marked: bool) -> None:
    import tempfile

    if marked and isinstance(content, dict):
        content = {"dsmrctl_backup": 1, "board": "blink", "id": "", "fw": ""} | content
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "backup.json"
        file.write_text(json.dumps(content))
        caught: errors.DsmrError | None = None
        parts: list[board_settings.Kept] = []
        try:
            parts = board_settings.load(file)
        except errors.DsmrError as error:
            caught = error
    assert caught is None or (caught.exit_code == errors.BAD_DATA and caught.hint)
    assert all(isinstance(part.settings, dict) for part in parts)


@pytest.mark.parametrize("kind", sorted(boards.BOARDS))
def test_a_backup_put_back_at_once_changes_nothing(kind: str, tmp_path: Path) -> None:
    board = held(kind, name="cellar", admin_password="an invented 1")
    content = board_settings.document([board], "now")
    assert "an invented 1" not in json.dumps(content)
    file = tmp_path / "one.json"
    file.write_text(json.dumps(content))
    part = board_settings.part_for(board.board, board_settings.load(file))
    assert part is not None
    back = board_settings.restored(board, part)
    assert (back.changes, back.dropped, back.secrets) == ({}, {}, [])
    # Onto one without that password, and with another name.
    other = board_settings.restored(held(kind, name="attic"), part)
    assert (other.changes, other.secrets) == ({"name": "cellar"}, ["admin_password"])


def test_of_several_boards_each_finds_its_own_part_by_its_id(tmp_path: Path) -> None:
    both = [held("miniswitch", threshold_w=watts) for watts in (1100, 1200)]
    both[1] = both[1]._replace(board=found("miniswitch", "ffffff"))
    file = tmp_path / "all.json"
    file.write_text(json.dumps(board_settings.document(both, "now")))
    parts = board_settings.load(file)
    for one in both:
        part = board_settings.part_for(one.board, parts)
        assert part is not None
        assert part.settings == one.settings
    assert board_settings.part_for(found("miniswitch", "000000"), parts) is None
    # A board that took another's place: the only one of its kind in a backup of one.
    assert board_settings.part_for(found("miniswitch", "000000"), parts[:1]) == parts[0]
    assert board_settings.part_for(found("monitor", "a1b2c3"), parts[:1]) is None


@given(st.permutations(["interface", "miniswitch", "monitor", "switcher", "miniswitch"]))
@pytest.mark.slow
def test_who_sends_frames_is_updated_last(kinds: list[str]) -> None:
    wanted = [
        (found(kind, f"{number:06x}", f"{kind} {number}"), bundle(kind))
        for number, kind in enumerate(kinds)
    ]
    ordered = updating.order(wanted)
    assert sorted(one.id for one, _ in ordered) == sorted(one.id for one, _ in wanted)
    assert ordered[-1][0].board == "interface"
