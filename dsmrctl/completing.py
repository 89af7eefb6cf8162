"""What the shell offers: boards of the last discovery, settings, choices. Never the network.

Loaded with the options, so it imports nothing at its top; a word that a shell could take for more
than a word is not offered.
"""

from __future__ import annotations

from typing import Any

_LEVELS = ("on", "off", "auto", "25%", "50%", "75%")
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def boards(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """The kinds of boards, and the names of those that were found last."""
    from dsmrctl.boards import BOARDS

    names = [each["name"] for each in _last() if set(each["name"]) <= _SAFE]
    return _beginning([*BOARDS, *names], incomplete)


def kinds(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """The kinds of boards."""
    from dsmrctl.boards import BOARDS

    return _beginning(BOARDS, incomplete)


def hardware(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """The hardware of the kind that is named, or of all."""
    from dsmrctl.boards import BOARDS

    named = BOARDS.get(ctx.params.get("kind") or "")
    chosen = [named] if named else BOARDS.values()
    return _beginning([each.name for board in chosen for each in board.hardware], incomplete)


def settings(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """KEY= of the board that is named, and behind that its choices."""
    from dsmrctl.boards import BOARDS
    from dsmrctl.firmware.core import setting

    word = ctx.params.get("board") or ctx.params.get("kind") or ""
    kind = word if word in BOARDS else _kind_of(word)
    wanted = [BOARDS[kind]] if kind in BOARDS else list(BOARDS.values())
    offered = []
    for board in wanted:
        for key in board.settings:
            rule = setting.rule(board.name, key)
            values = rule["choices"] or (["on", "off"] if rule["type"] == "bool" else [])
            if incomplete.startswith(f"{key}="):
                offered += [f"{key}={value}" for value in values]
            else:
                offered.append(f"{key}=")
    return _beginning(offered, incomplete)


def levels(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """What an output may be."""
    return _beginning(_LEVELS, incomplete)


def _beginning(words: Any, incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _kind_of(name: str) -> str:
    same = (each["board"] for each in _last() if each["name"].lower() == name.lower())
    return next(same, "")


def _last() -> list[dict[str, str]]:
    """The file that network/known.py writes, read here without what finds boards (0.1 s)."""
    import json

    from dsmrctl import preferences

    try:
        with preferences.found_boards().open("rb") as file:
            listed = json.loads(file.read(1 << 20))
        return [
            {"name": each["name"], "board": each["board"]}
            for each in listed
            if isinstance(each["name"], str) and isinstance(each["board"], str)
        ]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
