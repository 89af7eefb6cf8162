"""dsmrctl demo: the whole system on this computer, with nothing bought."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dsmrctl import errors, options
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.virtual.rack import Rack

# A bright afternoon with clouds: enough to spare for the loads, and not all the time.
BRIGHT = "2026-06-18T16:49"

ACTING = ("miniswitch", "switcher", "monitor")

Start = Annotated[
    str,
    typer.Option(
        "--start",
        metavar="WHEN",
        help="The household's clock at the start, like 2026-01-15T18:00, or now.",
    ),
]

Boards = Annotated[
    list[str] | None,
    typer.Option(
        "--board",
        metavar="BOARD",
        help="Boot the interface and this board only; may be repeated. All four when left out.",
    ),
]

Flash = Annotated[
    bool,
    typer.Option("--flash", help="Instead: flash a virtual board (--board), and watch it boot."),
]


def demo(
    duration: options.Duration = None,
    count: options.Count = None,
    seed: options.Seed = 1,
    speed: options.Speed = "1",
    start: Start = BRIGHT,
    group: options.Group = None,
    board: Boards = None,
    flash: Flash = False,
    as_json: options.Json = False,
) -> int:
    """A household on this computer: meter, frames and a live view.

    A house with solar panels, a car and a smart meter, invented second by second.
    Its telegrams go over a serial line into an interface board; a mini switch with
    a pool pump, a switcher with a boiler and a monitor hear the frames, and the
    meter feels what they switch. Each is its own flash image under a real
    MicroPython, with its page. Where no board can be booted, and at another --speed,
    `dsmrctl serve` takes the interface's place. Nothing leaves this computer.

    \b
    Examples:
      dsmrctl demo --duration 5s
      dsmrctl demo --speed 60 --count 120
      dsmrctl demo --board blink --duration 5s
      dsmrctl demo --flash --duration 5s
    """
    from dsmrctl.commands.listen import follow
    from dsmrctl.gateway.service import parse_speed
    from dsmrctl.network import multicast
    from dsmrctl.virtual.demonstration import LOOPBACK, Demonstration, carried

    terminal = Terminal(as_json)
    if flash:
        from dsmrctl.commands import demo_flash

        if count is not None or len(board or []) > 1:
            raise errors.UsageError("--flash is for one board, and has no frames to count")
        return demo_flash.run(terminal, duration, board[0] if board else "interface")
    begin, times = when(start), parse_speed(speed)
    address, port = group or (multicast.GROUP, multicast.PORT)
    address, port = carried(address, port)
    if not terminal.live:
        terminal.note(f"a household on {begin:%d %B %Y, %H:%M}, seed {seed}, frames on {address}")
    names = _names(terminal, board, address, times)
    with (
        multicast.Receiver(address, port, [LOOPBACK]) as receiver,
        _booted(terminal, names, address, port) as rack,
        Demonstration(
            begin,
            address,
            port,
            seed=seed,
            speed=times,
            rack=rack,
        ),
    ):
        try:
            # Ten seconds without a frame would be a fault of ours, not of the household.
            return follow(
                terminal,
                receiver,
                count=count,
                timeout=10.0,
                duration=duration,
                title="dsmrctl demo",
                beside=rack.shown if rack else None,
            )
        except errors.NoAnswer as few:
            raise errors.NoAnswer(
                few.message, hint="a frame a second comes: give it longer, or more --speed"
            ) from None


def _names(
    terminal: Terminal, wanted: list[str] | None, address: str, speed: float | None
) -> list[str]:
    """The boards to boot: the interface where it can be, and those asked for, or all.

    Raises UsageError when those asked for cannot be.
    """
    from dsmrctl.network.multicast import is_multicast
    from dsmrctl.virtual import runtime

    asked = wanted or []
    if asked and not is_multicast(address):
        raise errors.UsageError(
            "boards hear frames of a multicast group only",
            hint="this system does not carry multicast on loopback; try Linux, or WSL",
        )
    others = [name for name in asked if name != "interface"]
    try:
        if speed != 1:
            reason = "its clock runs at one speed only"
        elif not is_multicast(address) or sys.platform != "linux":
            reason = "virtual boards need Linux"
        else:
            runtime.find()
            return ["interface", *(others if wanted else ACTING)]
    except errors.DsmrError as error:
        if asked:
            raise
        reason = f"{error.message} ({error.hint})"
    if "interface" in asked:
        raise errors.UsageError(f"no interface board: {reason}", hint="leave out --board interface")
    terminal.note(f"dsmrctl serve in place of an interface board: {reason}")
    return others


@contextmanager
def _booted(terminal: Terminal, names: list[str], address: str, port: int) -> Iterator[Rack | None]:
    """The boards, in their network; None for none."""
    if not names:
        yield None
        return
    from dsmrctl.virtual.rack import Rack

    terminal.note(f"booting {', '.join(names)} …")
    with Rack(names, f"{address}:{port}") as rack:
        for name, url in rack.urls.items():
            terminal.note(f"{name}: {url}")
        yield rack


app = options.command(demo)


def when(text: str) -> datetime:
    """`now`, or a date and time as in Belgium. Raises UsageError."""
    from dsmrctl.telegram.values import european

    if text == "now":
        return datetime.now().astimezone()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(
            f"'{text}' is no time", hint="for example 2026-06-21T12:00, or now"
        ) from None
    if not 2000 <= found.year < 2099:
        raise errors.UsageError(f"a meter's clock knows the years 2000 to 2098, not {found.year}")
    return found if found.tzinfo else found.replace(tzinfo=european(found))
