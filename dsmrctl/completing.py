"""What the shell offers: boards of the last discovery, settings, choices. Never the network.

Loaded with the options, so it imports nothing at its top; a word that a shell could take for more
than a word is not offered. Where one setting is left, two words are: a shell that is offered one
adds a blank to it, and a value follows without any.
"""

from __future__ import annotations

from typing import Any

_LEVELS = ("on", "off", "auto", "25%", "50%", "75%")
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 63


def boards(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """The kinds of boards, and the names of those that were found last.

    A name that is no plain word stands back for the board's host name.
    """
    from dsmrctl.boards import BOARDS

    offered = list(BOARDS)
    for each in _last():
        words = each["name"], each["host"].removesuffix(".local")
        offered += [word for word in words if _is_plain(word)][:1]
    offered = _beginning(offered, incomplete)
    # The first word is a setting where no board is named.
    takes_settings = any(parameter.name == "words" for parameter in ctx.command.params)
    if takes_settings and (ctx.params.get("every") or ctx.params.get("host")):
        offered += settings(ctx, args, incomplete)
    return offered


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
    """KEY= of the board that is named, and behind that its choices, or its default."""
    rules = _rules(ctx)
    cut = _cut_by_bash()
    if cut is not None:
        key, between, begun = cut
        return _beginning(_values(rules.get(key, [])), begun) if between == "=" else []
    key, equals, _ = incomplete.partition("=")
    if equals:
        return _beginning([f"{key}={value}" for value in _values(rules.get(key, []))], incomplete)
    fit = _beginning(rules, incomplete)
    if len(fit) != 1:
        return [f"{key}=" for key in fit]
    (key,) = fit
    values = [f"{key}={value}" for value in _values(rules[key])]
    if len(values) > 1:
        return values
    if values:
        return [f"{key}=", *values]
    # `flash` asks for a secret at its KEY alone; text may come from a file.
    asked = rules[key][0]["secret"] and "kind" in ctx.params
    return [key if asked else f"{key}=", f"{key}=@"]


def keys(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """The settings of the board that is named, or of all."""
    return _beginning(_rules(ctx), incomplete)


def levels(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    """What an output may be."""
    return _beginning(_LEVELS, incomplete)


def _beginning(words: Any, incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _is_plain(word: str) -> bool:
    """Whether it is a word in every shell, and no option."""
    return 0 < len(word) <= _LONGEST and set(word) <= _SAFE and word[0] != "-"


def _cut_by_bash() -> tuple[str, str, str] | None:
    """KEY, = and what of a value is there, when bash holds them for words; else None.

    It takes = for the end of a word (COMP_WORDBREAKS), and puts what is offered behind it.
    """
    import os

    if os.environ.get("_DSMRCTL_COMPLETE") != "complete_bash":
        return None
    joined, number = os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", "")
    words = joined.split("\n" if "\n" in joined else " ")
    at = int(number) if number.isdecimal() else 0
    if not 2 < at <= len(words):
        return None
    now = words[at] if at < len(words) else ""
    if now.startswith("="):
        return words[at - 1], now, ""
    return (words[at - 2], words[at - 1], now) if words[at - 1].startswith("=") else None


def _rules(ctx: Any) -> dict[str, list[dict[str, Any]]]:
    """Of each setting its rules: one of the kind that is named, or those of all kinds."""
    from dsmrctl.boards import BOARDS
    from dsmrctl.firmware.core import setting

    word = ctx.params.get("board") or ctx.params.get("kind") or ""
    kind = word if word in BOARDS else _kind_of(word)
    found: dict[str, list[dict[str, Any]]] = {}
    for board in [BOARDS[kind]] if kind in BOARDS else BOARDS.values():
        for key in board.settings:
            found.setdefault(key, []).append(setting.rule(board.name, key))
    return found


def _values(rules: list[dict[str, Any]]) -> list[str]:
    values: list[str] = []
    for rule in rules:
        if rule["type"] == "bool":
            values += ["on", "off"]
        elif rule["type"] == "int":
            values.append(str(rule["default"]))
        else:
            values += rule["choices"] or []
    return list(dict.fromkeys(values))


def _kind_of(word: str) -> str:
    same = (
        each["board"]
        for each in _last()
        if word
        and word.lower() in (each["name"].lower(), each["host"].removesuffix(".local").lower())
    )
    return next(same, "")


def _last() -> list[dict[str, str]]:
    """The file that network/known.py writes, read here without what finds boards (0.1 s)."""
    import json

    from dsmrctl import preferences

    try:
        with preferences.found_boards().open("rb") as file:
            listed = json.loads(file.read(1 << 20))
        found = [{key: each[key] for key in ("name", "board", "host")} for each in listed]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    return [each for each in found if all(isinstance(text, str) for text in each.values())]
