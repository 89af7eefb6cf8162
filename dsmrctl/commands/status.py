"""dsmrctl status: the household at a glance."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import discover, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.census import Census
    from dsmrctl.network.discovery import Found
    from dsmrctl.network.household import Household, Member
    from dsmrctl.terminal.household import Row, View

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
    terminal = Terminal(as_json)
    way = reaching.Way(terminal, host, nic, timeout)
    first = _census(way, board)
    whole = _household(way, board, first)
    if not whole.members:
        raise errors.NotFound(
            f"no {safe(board, 40)} was found" if board else "no board was found",
            hint="dsmrctl discover says more. Nothing bought yet? dsmrctl demo",
        )
    if not watch and count is None:
        _show(terminal, whole)
        return errors.DONE
    return _watch(terminal, way, board, first, count)


app = options.command(status)


def _census(way: reaching.Way, board: str | None) -> Census:
    """All boards, also where one is meant: whether it should hear frames the others know."""
    from dsmrctl.network import census, discovery

    if way.host is not None:
        return census.Census([census.look(way.board(board), way.timeout or _ASK_S)], [])
    return census.take(way.timeout or discovery.WAIT_S, way.nic)


def _household(way: reaching.Way, board: str | None, found: Census) -> Household:
    """What is meant of the household that these boards are."""
    from dsmrctl.network import fleet, household

    whole = household.of(found)
    if way.host is not None:
        # Nobody else was asked: whether others send, or hear, is not known.
        alone = "it hears no frames: dsmrctl status without --host says whether anybody sends"
        silent = ("none", "late")
        told = [
            one._replace(advice=alone) if one.frames in silent else one for one in whole.members
        ]
        return whole._replace(members=told)
    if board is None:
        return whole
    meant = fleet.fits(board)
    return whole._replace(members=[one for one in whole.members if meant(one.seen.board)])


def _again(found: list[Found]) -> Census:
    """The same boards, asked once more."""
    from dsmrctl.network import census, fleet

    asked = fleet.each(found, lambda one: census.look(one, _ASK_S))
    return census.Census([one for _, one in asked if isinstance(one, census.Seen)], [])


def _joined(before: list[Found], now: list[Found]) -> list[Found]:
    """Who is here now, and who was: a board that left is told to be silent, not forgotten."""
    from dsmrctl.network import discovery

    names = {(one.name, one.id) for one in now}
    places = {(one.address, one.port) for one in now}
    gone = [
        one
        for one in before
        if (one.name, one.id) not in names and (one.address, one.port) not in places
    ]
    both = [*now, *gone][: discovery.MOST]
    return sorted(both, key=lambda one: (one.name.lower(), one.id))


def _show(terminal: Terminal, whole: Household, again: bool = False) -> None:
    from dsmrctl.terminal import household as screen

    if terminal.json:
        terminal.record(document(whole))
    else:
        screen.show(terminal, _view(whole), again)


def _watch(
    terminal: Terminal, way: reaching.Way, board: str | None, first: Census, count: int | None
) -> int:
    """Every 2 s; new boards are looked for once a minute."""
    from dsmrctl.terminal import household as screen
    from dsmrctl.terminal.live import LiveView

    found = [one.board for one in first.boards]
    searched = time.monotonic()
    now = first
    shown = 0
    console = terminal.console() if terminal.live else None
    with LiveView(terminal, console) if console else nullcontext() as live:
        while True:
            whole = _household(way, board, now)
            if live and console:
                title = f"dsmrctl status   {_clock()}"
                live.draw(screen.render(_view(whole), console, title, console.height))
            else:
                _show(terminal, whole, again=shown > 0)
            shown += 1
            if count is not None and shown >= count:
                return errors.DONE
            time.sleep(_EVERY_S)
            if way.host is None and time.monotonic() - searched > _SEARCH_S:
                searched = time.monotonic()
                # This computer may have lost its network: the boards are asked all the same.
                with suppress(errors.DsmrError):
                    found = _joined(found, [one.board for one in _census(way, board).boards])
            now = _again(found)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _view(whole: Household) -> View:
    from dsmrctl.firmware.core.warning import LEAST_W
    from dsmrctl.terminal import household as screen

    notes: dict[str, list[str]] = {}
    for one in whole.members:
        if one.advice:
            notes.setdefault(one.advice, []).append(safe(one.seen.board.name, 40))
    return screen.View(
        whole.values,
        [_row(one) for one in whole.members],
        [f"{', '.join(names)}: {advice}" for advice, names in notes.items()],
        LEAST_W,
    )


def _row(one: Member) -> Row:
    from dsmrctl.network.household import minutes
    from dsmrctl.terminal import household as screen

    seen = one.seen
    frames = one.frames
    if frames in ("ok", "late"):
        frames = f"{seen.frame_age_s} s"
    return screen.Row(
        seen.board.name,
        seen.board.board,
        one.state,
        seen.board.version,
        "-" if seen.rssi_dbm is None else str(seen.rssi_dbm),
        frames,
        "-" if seen.uptime_s is None else minutes(seen.uptime_s),
        bool(one.advice),
        _lamps(seen.status) if seen.fault is None else None,
    )


def _lamps(status: dict[str, Any]) -> tuple[int | None, int | None, bool, str] | None:
    """A monitor's LEDs, which may be anything: see terminal.household.Row."""
    from dsmrctl.network.census import whole

    if "export_leds" not in status or "output" in status:
        return None
    peak = status.get("peak_led")
    forecast = whole(status.get("forecast_w"), 0, 10**6)
    told = f"{forecast} W" if peak == "blink" and forecast is not None else ""
    return (
        whole(status.get("export_leds"), 0, 5),
        whole(status.get("import_leds"), 0, 4),
        peak in ("on", "blink") if isinstance(peak, str) else False,
        told,
    )


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
