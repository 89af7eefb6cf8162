"""A board's settings as this computer holds them: read, compared, kept in a file, put back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dsmrctl import boards, errors
from dsmrctl.firmware.core import setting
from dsmrctl.network.board_client import BoardClient, plain
from dsmrctl.network.discovery import Found

FORMAT = 1
_MOST_BYTES = 1 << 20
_MOST_KEYS = 100


class Rule(NamedTuple):
    """What a setting may be, as its board says; `kind` is text, choice, int or bool."""

    kind: str
    least: int | None = None
    most: int | None = None
    unit: str | None = None
    choices: tuple[str, ...] = ()
    default: Any = None
    secret: bool = False

    def document(self) -> dict[str, Any]:
        """As the board's own schema has it."""
        return {
            "type": self.kind, "min": self.least, "max": self.most, "unit": self.unit,
            "choices": list(self.choices) or None, "default": self.default, "secret": self.secret,
        }  # fmt: skip

    def range(self) -> str:
        """What it may be, for a person."""
        if self.choices:
            return " | ".join(self.choices)
        if self.kind == "bool":
            return "on | off"
        if self.kind == "int":
            return f"{self.least}..{self.most}" if self.most is not None else "a whole number"
        return f"at most {self.most} bytes" if self.most is not None else "text"


class Held(NamedTuple):
    """A board's settings by their keys and the rules of each; a secret is True when it is set."""

    board: Found
    settings: dict[str, Any]
    rules: dict[str, Rule]


class Kept(NamedTuple):
    """One board's part of a backup."""

    board: str
    id: str
    name: str
    version: str
    settings: dict[str, Any]


class Restored(NamedTuple):
    """What of a backup goes back: the changes; keys the board has no more, or takes no more (with
    why); secrets that were set and are not."""

    changes: dict[str, Any]
    dropped: dict[str, str]
    secrets: list[str]


def read(board: Found, client: BoardClient) -> Held:
    """Asks a board for its settings. Raises what BoardClient raises."""
    settings, schema = client.settings()
    rules: dict[str, Rule] = {}
    values: dict[str, Any] = {}
    # A board's own order is its memory's; a person's is that of the schema.
    kind = boards.BOARDS.get(board.board)
    known = [key for key in kind.settings if key in settings] if kind else []
    for key in dict.fromkeys([*known, *sorted(list(settings)[:_MOST_KEYS])]):
        if not _is_key(key):
            continue
        rules[key] = _rule(schema.get(key))
        values[key] = _value(settings[key])
        if rules[key].secret:
            values[key] = settings[key] not in (False, None, "")
    return Held(board, values, rules)


def rules_here(board: boards.Board) -> dict[str, Rule]:
    """The rules of a kind of board as this version knows them."""
    return {key: _rule(setting.rule(board.name, key)) for key in board.settings}


def checked(board: str, key: str, rule: Rule, value: Any) -> Any:
    """A value as the board would take it. Raises UsageError in the board's own words.

    A key that this version does not know is judged by what the board says of it.
    """
    if board in boards.BOARDS and key in boards.BOARDS[board].settings:
        try:
            return setting.checked(board, key, value)
        except setting.SettingError as error:
            wrong = str(error)
    else:
        wrong = _wrong(key, rule, value)
        if wrong is None:
            return value
    raise errors.UsageError(wrong, hint=_example(key, rule))


def changed(before: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Of what is wanted, what is not so yet. Of a secret nobody knows."""
    return {key: value for key, value in wanted.items() if before.get(key) != value}


def document(held: Iterable[Held], saved: str) -> dict[str, Any]:
    """A backup: of one board its own fields, of several a list of them. No secret is in it."""
    parts = [
        {
            "board": plain(one.board.board, 64),
            "hw": plain(one.board.hardware, 64),
            "fw": plain(one.board.version, 64),
            "id": plain(one.board.id, 64),
            "name": plain(one.board.name, 64),
            "settings": one.settings,
            "secrets": [key for key, rule in one.rules.items() if rule.secret],
        }
        for one in held
    ]
    head = {"dsmrctl_backup": FORMAT, "saved": saved}
    return head | parts[0] if len(parts) == 1 else head | {"boards": parts}


def load(path: Path) -> list[Kept]:
    """The boards of a backup. Raises NotFound, BadData."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        if found["dsmrctl_backup"] != FORMAT:
            raise errors.BadData(
                f"{path} is a backup of another form ({found['dsmrctl_backup']!r})",
                hint="a newer dsmrctl reads it",
            )
        return [_kept(part) for part in found.get("boards", [found])]
    except FileNotFoundError:
        raise errors.NotFound(
            f"there is no {path}", hint="dsmrctl config BOARD --backup FILE makes one"
        ) from None
    except OSError as error:
        raise errors.Refused(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise errors.BadData(
            f"{path} is no backup of settings",
            hint="one is made by dsmrctl config BOARD --backup FILE; a whole flash goes back by "
            "dsmrctl flash --restore",
        ) from None


def part_for(board: Found, parts: list[Kept]) -> Kept | None:
    """What a backup has for that board: by its id; the only one there is of its kind."""
    same = [part for part in parts if part.id == board.id and part.board == board.board]
    if same:
        return same[0]
    alike = [part for part in parts if part.board == board.board]
    return alike[0] if len(parts) == 1 and alike else None


def restored(held: Held, kept: Kept) -> Restored:
    """What of a backup this board can take, whatever version either is of."""
    changes: dict[str, Any] = {}
    dropped: dict[str, str] = {}
    secrets = []
    for key, value in kept.settings.items():
        rule = held.rules.get(key)
        if rule is None:
            dropped[key] = "this version has no such setting"
        elif rule.secret:
            if value and not held.settings[key]:
                secrets.append(key)
        elif held.settings[key] != value:
            try:
                changes[key] = checked(held.board.board, key, rule, value)
            except errors.UsageError as error:
                dropped[key] = error.message
    return Restored(changes, dropped, secrets)


def shown(value: Any, rule: Rule) -> str:
    """A value for a person or a script, without its unit."""
    if rule.secret:
        return "set" if value else "not set"
    if value is True or value is False:
        return "on" if value else "off"
    return "" if value is None else str(value)


def _example(key: str, rule: Rule) -> str | None:
    if rule.secret:
        return f"{key}=@FILE reads it from a file, @- from the input"
    if rule.choices:
        return f"{key}={rule.choices[0]}"
    unit = f" ({rule.unit})" if rule.unit else ""
    return f"for example {key}={shown(rule.default, rule)}{unit}" if rule.default else None


def _kept(part: Any) -> Kept:
    settings = part["settings"]
    texts = [part[key] for key in ("board", "id", "fw")]
    if not isinstance(settings, dict) or not all(isinstance(text, str) for text in texts):
        raise ValueError
    board, ident, version = texts
    if len(settings) > _MOST_KEYS or not all(map(_is_key, settings)):
        raise ValueError
    return Kept(board, ident, str(part.get("name", "")), version, settings)


def _is_key(key: str) -> bool:
    return 0 < len(key) <= 40 and key.isascii() and key.replace("_", "a").isalnum()


def _value(value: Any) -> Any:
    """A value as it may be shown; what is none of the four kinds is text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    return plain(value if isinstance(value, str) else json.dumps(value), 100)


def _rule(said: Any) -> Rule:
    """A rule as a board says it; nothing is believed that has another type."""
    said = said if isinstance(said, dict) else {}
    choices, unit, kind = said.get("choices"), said.get("unit"), said.get("type")
    return Rule(
        kind=kind if kind in ("text", "choice", "int", "bool") else "text",
        least=_whole(said.get("min")),
        most=_whole(said.get("max")),
        unit=plain(unit, 10) if isinstance(unit, str) else None,
        choices=tuple(plain(str(one), 40) for one in choices[:20])
        if isinstance(choices, list)
        else (),
        default=_value(said.get("default")),
        secret=said.get("secret") is True,
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _wrong(key: str, rule: Rule, value: Any) -> str | None:
    """What is wrong with a value of a setting that only the board knows, or None."""
    if rule.kind == "int":
        if not isinstance(value, int) or isinstance(value, bool):
            return f"{key} is a whole number"
        if (rule.least is not None and value < rule.least) or (
            rule.most is not None and value > rule.most
        ):
            return f"{key} is between {rule.least} and {rule.most} {rule.unit or ''}".strip()
    elif rule.kind == "bool" and not isinstance(value, bool):
        return f"{key} is true or false"
    elif rule.choices and value not in rule.choices:
        return f"{key} is one of {', '.join(rule.choices)}"
    return None
