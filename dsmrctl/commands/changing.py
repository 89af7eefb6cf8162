"""KEY=VALUE words of a command line as the settings they stand for, each judged by its rule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsmrctl import errors, keys
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.board_settings import Rule

_TRUTH = {"true": True, "on": True, "yes": True, "1": True} | {
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip


def changes(
    terminal: Terminal,
    board: str,
    rules: dict[str, Rule],
    words: list[str],
    *,
    asks: str = "=",
    given: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What the words want of a board of that kind. Raises UsageError, with the board's own rule.

    A secret never stands among them, where everybody on the computer could read it: KEY= (with
    asks "" KEY alone) asks for it, KEY=@FILE reads a file. given: secrets that are known already.
    """
    from dsmrctl.network import board_settings

    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if key not in rules:
            raise errors.UsageError(
                f"{board} has no setting {safe(key)!r}", hint=f"it has {', '.join(rules)}"
            )
        rule = rules[key]
        value: Any = text
        if given is not None and key in given:
            value = given[key]
        elif rule.secret:
            value = secret(terminal, key, text, f"{key}{asks}")
        elif not equals:
            raise errors.UsageError(
                f"{key} wants a value",
                hint=f"for example {key}={board_settings.shown(rule.default, rule)}",
            )
        elif rule.kind == "int" and re.fullmatch("-?[0-9]{1,9}", text):
            value = int(text)
        elif rule.kind == "bool" and text.lower() in _TRUTH:
            value = _TRUTH[text.lower()]
        try:
            found[key] = board_settings.checked(board, key, rule, value)
        except errors.UsageError as error:
            if rule.secret:
                raise errors.UsageError(error.message, hint=_secretly(key, asks)) from None
            raise
    return found


def secret(terminal: Terminal, key: str, text: str, asked: str) -> str:
    """The secret that a word stands for: asked for, or out of a file. Raises UsageError."""
    if not text:
        return prompt.secret(terminal, key)
    if not text.startswith("@"):
        raise errors.UsageError(
            f"{key} is a secret: on a command line everybody on this computer can read it",
            hint=_secretly(key, asked.removeprefix(key)),
        )
    return keys.read_text(text[1:], "", key) or ""


def _secretly(key: str, asks: str) -> str:
    return f"{key}{asks} alone asks for it, {key}=@FILE reads it from a file, @- from the input"
