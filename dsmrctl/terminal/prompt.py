"""Questions to a person: on stderr, so that stdout stays data, and only when one is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dsmrctl.errors import UsageError
from dsmrctl.terminal.output import Terminal


def possible(terminal: Terminal) -> bool:
    """Somebody sits there who can be asked."""
    return (
        not terminal.json and terminal.err.isatty() and sys.stdin is not None and sys.stdin.isatty()
    )


def ask(terminal: Terminal, question: str) -> str:
    """A line of text, without blanks around it; the end of the input is an interruption."""
    terminal.err.write(question)
    terminal.err.flush()
    line = sys.stdin.readline()
    if not line:
        terminal.err.write("\n")
        raise KeyboardInterrupt
    return line.strip()


def yes(terminal: Terminal, question: str) -> bool:
    """Yes or no; no when only Enter is pressed."""
    while True:
        answer = ask(terminal, f"{question} [y/N] ").lower()
        if answer in ("", "n", "no", "nee", "non"):
            return False
        if answer in ("y", "yes", "j", "ja", "o", "oui"):
            return True


def choose(terminal: Terminal, question: str, rows: Sequence[Sequence[object]]) -> int:
    """Which of the rows, as its index; each is shown with a number before it."""
    for number, row in enumerate(rows, 1):
        terminal.note(f"  {number}  " + "  ".join(map(str, row)))
    while True:
        answer = ask(terminal, f"{question} [1-{len(rows)}] ")
        if answer.isdigit() and 1 <= int(answer) <= len(rows):
            return int(answer) - 1


def secret(terminal: Terminal, question: str) -> str:
    """A text that is not shown as it is typed. Raises UsageError when nobody can be asked."""
    from getpass import getpass

    if not possible(terminal):
        raise UsageError(f"{question} is asked for, and nobody is there to answer")
    try:
        return getpass(f"{question}: ", stream=terminal.err)
    except EOFError:
        raise KeyboardInterrupt from None
