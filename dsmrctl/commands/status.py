"""dsmrctl status: the household at a glance."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import discover, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.census import Census
    from dsmrctl.network.discovery import Found
    from dsmrctl.network.household import Household, Member
    from dsmrctl.terminal.household import View

Watch = Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")]
_EVERY_S = 2.0
_ASK_S = 4.0
_SEARCH_S = 60.0


def status(
    board: options.BoardName = None,
    watch: Watch = False,
    count: options.Count = None,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> int:
    """The household at a glance: every board's live state.

    What the meter says, what each board does and why, how well it hears its WiFi,
    and who gets frames and who does not, with what to do about it. --watch shows it
    anew every 2 seconds. A board that is ill is no error of this command.

    \b
    Examples:
      dsmrctl status
      dsmrctl status --json
      dsmrctl status boiler --watch --host 192.168.1.20
    """
    from dsmrctl.network import household

    terminal = Terminal(as_json)
    way = reaching.Way(terminal, host, nic, timeout)
    first = _census(way, board)
    if not first.boards:
        raise errors.NotFound(
            f"no {board} was found" if board else "no board was found",
            hint="dsmrctl discover says more. Nothing bought yet? dsmrctl demo",
        )
    if not watch and count is None:
        _show(terminal, household.of(first))
        return errors.DONE
    return _watch(terminal, way, board, first, count)


app = options.command(status)


def _census(way: reaching.Way, board: str | None) -> Census:
    from dsmrctl.network import census, discovery, fleet

    if way.host is not None:
        return census.Census([census.look(way.board(board), way.timeout or _ASK_S)], [])
    fits = fleet.fits(board) if board else lambda _: True
    return census.take(way.timeout or discovery.WAIT_S, way.nic, fits=fits)


def _again(found: list[Found]) -> Census:
    """The same boards, asked once more."""
    from dsmrctl.network import census, fleet

    asked = fleet.each(found, lambda one: census.look(one, _ASK_S))
    return census.Census([one for _, one in asked if isinstance(one, census.Seen)], [])


def _show(terminal: Terminal, whole: Household) -> None:
    from dsmrctl.terminal import household as screen

    if terminal.json:
        terminal.record(document(whole))
    else:
        screen.show(terminal, _view(whole))


def _watch(
    terminal: Terminal, way: reaching.Way, board: str | None, first: Census, count: int | None
) -> int:
    """Every 2 s; new boards are looked for once a minute."""
    from dsmrctl.network import household
    from dsmrctl.terminal import household as screen
    from dsmrctl.terminal.live import LiveView

    found = [one.board for one in first.boards]
    searched = time.monotonic()
    whole = household.of(first)
    live = LiveView(terminal) if terminal.live else None
    shown = 0
    try:
        if live:
            live.__enter__()
        while True:
            if live:
                live.draw(screen.render(_view(whole), f"dsmrctl status   {_clock()}"))
            else:
                _show(terminal, whole)
            shown += 1
            if count is not None and shown >= count:
                return errors.DONE
            time.sleep(_EVERY_S)
            if way.host is None and time.monotonic() - searched > _SEARCH_S:
                searched = time.monotonic()
                census = _census(way, board)
                found = [one.board for one in census.boards] or found
            whole = household.of(_again(found))
    finally:
        if live:
            live.__exit__(None, None, None)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _view(whole: Household) -> View:
    from dsmrctl.terminal import household as screen

    ill = [number for number, one in enumerate(whole.members) if one.advice]
    notes: dict[str, list[str]] = {}
    for one in whole.members:
        if one.advice:
            notes.setdefault(one.advice, []).append(safe(one.seen.board.name, 40))
    return screen.View(
        whole.values,
        [_row(one) for one in whole.members],
        ill,
        [f"{', '.join(names)}: {advice}" for advice, names in notes.items()],
    )


def _row(one: Member) -> tuple[str, ...]:
    from dsmrctl.network.household import minutes

    seen = one.seen
    rssi = "-" if seen.rssi_dbm is None else str(seen.rssi_dbm)
    frames = one.frames
    if frames in ("ok", "late"):
        frames = f"{seen.frame_age_s} s"
    up = "-" if seen.uptime_s is None else minutes(seen.uptime_s)
    name = f"! {seen.board.name}" if one.advice else seen.board.name
    state = one.state
    if seen.board.board not in seen.board.name:
        state = f"{seen.board.board}: {state}"
    return (name, state, rssi, frames, up)


def document(whole: Household) -> dict[str, Any]:
    """The household for a program; quantities by their names, what is unknown is left out."""
    from dsmrctl.network import household

    return {
        "household": whole.values,
        "boards": [
            discover.document(one.seen)
            | {
                "state": safe(one.state),
                "frames": one.frames,
                "advice": one.advice,
                "values": household.known(one.seen.status),
            }
            for one in whole.members
        ],
    }
