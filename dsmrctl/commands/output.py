"""dsmrctl output: a board's output by hand, for a while."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import typer

from dsmrctl import completing, errors, options
from dsmrctl.commands import reaching
from dsmrctl.terminal.output import Terminal, safe

# A switch's own, should nobody say how long (docs/protocol.md, PUT /api/output).
_MINUTES, _MOST_MINUTES = 60, 240
_LEVELS = {"on": 100, "off": 0, "auto": None}

Level = Annotated[
    str | None,
    typer.Argument(
        metavar="on|off|auto|N%",
        help="What the output shall be; auto: its rule's.",
        autocompletion=completing.levels,
    ),
]
For = Annotated[
    float | None,
    typer.Option(
        "--for", parser=options.seconds, metavar="TIME", help="So long, then back to its rule."
    ),
]


def output(
    board: options.BoardName = None,
    level: Level = None,
    time: For = None,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    as_json: options.Json = False,
) -> int:
    """Switch a board's output by hand, then back to its rule.

    For an hour unless --for says otherwise (1 min to 4 h). auto gives it back now.
    A switcher takes parts too, such as 40%. What waits for frames does not end it.

    \b
    Examples:
      dsmrctl output boiler on --for 10m --host 192.168.1.22
      dsmrctl output switcher 40% --host 192.168.1.22
      dsmrctl output miniswitch auto --host 192.168.1.20
    """
    terminal = Terminal(as_json)
    if level is None and host is not None:
        board, level = None, board
    wanted = _level(level)
    minutes = _minutes(terminal, time)
    if wanted is None and time is not None:
        raise errors.UsageError("auto is for good", hint="leave out --for")
    way = reaching.Way(terminal, host, nic, timeout, admin_file)
    found = way.board(board)
    client = way.client(found)
    body: dict[str, Any] = {"level": wanted}
    if wanted is not None:
        body["minutes"] = minutes
    try:
        client.call("PUT", "output", body)
    except errors.Refused as refused:
        if getattr(refused, "status", 0) == 404:
            raise _without_output(found.board, found.name) from None
        raise
    status = client.status()
    if as_json:
        terminal.record(
            {
                "name": safe(found.name),
                "id": safe(found.id),
                "output_percent": _whole(status.get("output")),
                "hand_percent": _whole(status.get("hand")),
                "timer_s": _whole(status.get("timer_s")),
                "mode": safe(status.get("mode"), 40),
                "reason": safe(status.get("reason"), 40),
            }
        )
        return errors.DONE
    mode = safe(status.get("mode"), 40)
    name = safe(found.name, 40)
    if wanted is None:
        now = _said(_whole(status.get("output")))
        terminal.line(f"{name}: back to its rule ({mode}), now {now}")
    else:
        terminal.line(f"{name}: {_said(wanted)} for {minutes} min, then back to its rule ({mode})")
    return errors.DONE


app = options.command(output)


def _level(text: str | None) -> int | None:
    """0 to 100, or None for auto. Raises UsageError."""
    word = (text or "").lower()
    if word in _LEVELS:
        return _LEVELS[word]
    match = re.fullmatch(r"(\d{1,3})\s*%?", word)
    if match and int(match[1]) <= 100:
        return int(match[1])
    what = "the output shall be what?" if text is None else f"{safe(text)!r} is no level"
    raise errors.UsageError(what, hint="on, off, auto, or a part such as 40%")


def _minutes(terminal: Terminal, seconds: float | None) -> int:
    """Whole minutes, as the board counts them. Raises UsageError."""
    if seconds is None:
        return _MINUTES
    minutes = math.ceil(seconds / 60)
    if not 1 <= minutes <= _MOST_MINUTES:
        raise errors.UsageError(
            "an output is held by hand for 1 to 240 minutes",
            hint="for example --for 10m, or --for 4h; for longer change its mode: dsmrctl config",
        )
    if minutes * 60 != seconds:
        terminal.note(f"whole minutes: {minutes} min")
    return minutes


def _without_output(kind: str, name: str) -> errors.UsageError:
    from dsmrctl import boards

    have = [each.name for each in boards.BOARDS.values() if "output" in each.told]
    return errors.UsageError(
        f"{safe(name, 40)} ({safe(kind, 40)}) has no output",
        hint=f"these have one: {', '.join(have)}",
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _said(percent: int | None) -> str:
    return "unknown" if percent is None else {0: "off", 100: "on"}.get(percent, f"{percent} %")
