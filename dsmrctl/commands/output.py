"""dsmrctl output: a board's output by hand, for a while."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import completing, errors, options
from dsmrctl.commands import asking, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.discovery import Found

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
    every: options.Every = False,
    yes: options.Yes = False,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    as_json: options.Json = False,
) -> int:
    """Switch a board's output by hand, then back to its rule.

    For an hour unless --for says otherwise (1 min to 4 h). auto gives it back now.
    A switcher takes parts too, such as 40%. What waits for frames does not end it.
    --all switches every output there is, once somebody said yes (--yes).

    \b
    Examples:
      dsmrctl output boiler on --for 10m --host 192.168.1.22
      dsmrctl output switcher 40% --host 192.168.1.22
      dsmrctl output miniswitch auto --host 192.168.1.20
    """
    terminal = Terminal(as_json)
    if level is None and (host is not None or every):
        board, level = None, board
    wanted = _level(board, level)
    if wanted is None and time is not None:
        raise errors.UsageError("auto is for good", hint="leave out --for")
    minutes = _minutes(terminal, time)
    way = reaching.Way(terminal, host, nic, timeout, admin_file)
    body = {"level": wanted} | ({} if wanted is None else {"minutes": minutes})
    password = way.password()

    def switch(one: Found) -> dict[str, Any]:
        return _switch(way, one, body, password)

    if not every:
        found = way.board(board)
        _tell(terminal, found, switch(found), wanted)
        return errors.DONE
    return _all(terminal, way, board, switch, wanted, yes)


app = options.command(output)


def _all(
    terminal: Terminal, way: reaching.Way, board: str | None, switch: Any,
    wanted: int | None, sure: bool,
) -> int:  # fmt: skip
    """Every output there is. Raises NotFound, UsageError, and the first error of a board."""
    from dsmrctl.network import fleet

    there = way.boards(board)
    have = [one for one in there if _has_one(one.board)]
    if not have:
        raise _without_output(there[0])
    if not sure and len(have) > 1:
        names = ", ".join(safe(one.name, 40) for one in have)
        person = asking.Asked(terminal, sure)
        what = "back to its rule" if wanted is None else _said(wanted)
        if not person.sure([f"the output of {len(have)} boards goes {what}: {names}"]):
            raise errors.DsmrError("nothing was changed")
    told = fleet.each(have, switch)
    wrong: list[tuple[Found, object]] = []
    for one, status in told:
        if isinstance(status, dict):
            try:
                _tell(terminal, one, status, wanted)
                continue
            except errors.DsmrError as error:
                status = error
        wrong.append((one, status))
        if not terminal.json and len(told) > 1:
            terminal.note(status.message)
    first = reaching.worst(wrong)
    if first is not None:
        raise first
    return errors.DONE


def _switch(
    way: reaching.Way, one: Found, body: dict[str, Any], password: reaching.Password
) -> dict[str, Any]:
    """Switches it; its status then. Raises UsageError, and what BoardClient raises."""
    from dsmrctl.network import board_client

    client = way.client(one, password)
    try:
        client.call("PUT", "output", body)
    except board_client.BoardRefused as refused:
        if refused.status == 404:
            raise _without_output(one) from None
        raise
    except board_client.WrongValue as wrong:
        raise errors.UsageError(
            f"{safe(one.name, 40)}: {safe(wrong.message)}",
            hint="on, off or auto; parts such as 40% are for a board that dims",
        ) from None
    try:
        return client.status()
    except board_client.BoardGone as gone:
        level = body["level"]
        took = "auto" if level is None else f"{_said(level)} for {body['minutes']} min"
        raise errors.NoAnswer(
            f"{safe(one.name, 40)} took the order ({took}) and does not answer since",
            hint="dsmrctl status shows how it is; " + (gone.hint or ""),
        ) from None


def _tell(terminal: Terminal, one: Found, status: dict[str, Any], wanted: int | None) -> None:
    """What the board says it does now, which need not be what it was told."""
    name, mode = safe(one.name, 40), safe(status.get("mode") or "?", 40)
    now, hand, left = (_whole(status.get(key)) for key in ("output", "hand", "timer_s"))
    if terminal.json:
        terminal.record(
            {
                "name": safe(one.name),
                "id": safe(one.id),
                "output_percent": now,
                "hand_percent": hand,
                "timer_s": left,
                "mode": safe(status.get("mode"), 40),
                "reason": safe(status.get("reason"), 40),
            }
        )
    if (hand is None) != (wanted is None):
        raise errors.DsmrError(
            f"{name} took the order, and is {_said(now)}, "
            + (f"by its rule ({mode})" if hand is None else "still by hand"),
            hint="did somebody else switch it just now? dsmrctl status",
        )
    if terminal.json:
        return
    if wanted is None:
        terminal.line(f"{name}: back to its rule ({mode}), now {_said(now)}")
    else:
        minutes = "?" if left is None else math.ceil(left / 60)
        terminal.line(f"{name}: {_said(hand)} for {minutes} min, then back to its rule ({mode})")
        if hand and status.get("mains") is False:
            terminal.note(f"{name}: there are no mains at its load, so nothing flows")


def _level(board: str | None, text: str | None) -> int | None:
    """0 to 100, or None for auto. Raises UsageError."""
    if text is None and board is not None and _LEVEL.fullmatch(board.lower()):
        raise errors.UsageError(
            f"which board shall be {safe(board, 40)}?",
            hint="its kind or name, --host, or --all; dsmrctl discover shows them",
        )
    word = (text or "").lower()
    if word in _LEVELS:
        return _LEVELS[word]
    match = _LEVEL.fullmatch(word)
    if match and int(match[1]) <= 100:
        return int(match[1])
    what = "the output shall be what?" if text is None else f"{safe(text)!r} is no level"
    raise errors.UsageError(what, hint="on, off, auto, or a part such as 40%")


_LEVEL = re.compile(r"(?:([0-9]{1,3})\s*%?|on|off|auto)")


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
        told = f"whole minutes: {minutes} min"
        if terminal.json:
            terminal.record_note({"note": told})
        else:
            terminal.note(told)
    return minutes


def _has_one(kind: str) -> bool:
    from dsmrctl import boards

    return kind in boards.BOARDS and "output" in boards.BOARDS[kind].told


def _without_output(one: Found) -> errors.UsageError:
    from dsmrctl import boards

    have = ", ".join(filter(_has_one, boards.BOARDS))
    return errors.UsageError(
        f"{safe(one.name, 40)} ({safe(one.board, 40)}) has no output",
        hint=f"these have one: {have}",
    )


def _whole(value: object) -> int | None:
    """A number that is one; boards may say anything."""
    return value if type(value) is int and 0 <= value < 1 << 40 else None


def _said(percent: int | None) -> str:
    return "unknown" if percent is None else {0: "off", 100: "on"}.get(percent, f"{percent} %")
