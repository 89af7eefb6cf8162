"""dsmrctl config: the settings of boards, shown, changed, kept in a file and put back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsmrctl import completing, errors, options
from dsmrctl.commands import configuring, reaching
from dsmrctl.terminal.output import Terminal

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY|KEY=VALUE]...",
        help="KEY prints its value alone; KEY=VALUE changes it, KEY=@FILE takes it from a file, "
        "KEY= asks for a secret.",
        autocompletion=completing.settings,
    ),
]
Reset = Annotated[
    list[str] | None,
    typer.Option(
        "--reset",
        metavar="KEY",
        help="Back to its default; a secret is forgotten.",
        autocompletion=completing.keys,
    ),
]
DiffFile = Annotated[
    Path | None,
    typer.Option("--diff", metavar="FILE", help="Show what differs from a backup."),
]


def config(
    board: options.BoardName = None,
    words: Words = None,
    reset: Reset = None,
    backup: options.Backup = None,
    restore: options.Restore = None,
    diff: DiffFile = None,
    dry_run: options.DryRun = False,
    every: options.Every = False,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    as_json: options.Json = False,
) -> int:
    """Show and change the settings of boards.

    Without a KEY all are shown, with what they may be. Changes are taken by a board
    all or none; what is wrong is told in the board's own words, with exit code 2.
    --all: of every board there is, or of every one of a kind.

    \b
    Examples:
      dsmrctl config miniswitch
      dsmrctl config miniswitch threshold_w
      dsmrctl config miniswitch threshold_w=1500 on_delay_min=2
      dsmrctl config --all --backup boards.json
    """
    terminal = Terminal(as_json)
    words = list(words or [])
    if board is not None and (every or host) and _is_change(board):
        words.insert(0, board)
        board = None
    changes = [word for word in words if "=" in word]
    if sum(map(bool, (backup, restore, diff, changes or reset))) > 1:
        raise errors.UsageError(
            "one thing at a time: --backup, --restore, --diff, or changes",
            hint="run it once for each",
        )
    if (backup or restore or diff) and words:
        raise errors.UsageError("a backup is of all settings", hint=f"leave out {words[0]}")
    if changes and len(changes) < len(words):
        raise errors.UsageError("KEY shows and KEY=VALUE changes", hint="one or the other at once")
    if backup is not None:
        _check_place(backup)
    way = reaching.Way(terminal, host, nic, timeout, admin_file)
    run = configuring.Configuring(terminal, way, board, every)
    if backup is not None:
        return run.backup(backup)
    if restore is not None or diff is not None:
        return run.restore(restore or diff, dry_run or diff is not None, diff is not None)
    if changes or reset:
        return run.change(changes, reset or [], dry_run)
    if dry_run:
        raise errors.UsageError("--dry-run of what?", hint="KEY=VALUE, or --restore FILE")
    return run.show(words)


app = options.command(config)


def _is_change(word: str) -> bool:
    """Whether the first word is no board's name but a setting."""
    from dsmrctl import boards

    keys = {key for kind in boards.BOARDS.values() for key in (*kind.settings, *kind.told)}
    return "=" in word or word in keys


def _check_place(file: Path) -> None:
    from dsmrctl.flashing import backup

    backup.check_place(file)
