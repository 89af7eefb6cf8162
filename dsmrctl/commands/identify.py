"""dsmrctl identify: which of them is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsmrctl import errors, options
from dsmrctl.commands import reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.boards import Board, Hardware
    from dsmrctl.network.discovery import Found


def identify(
    board: options.BoardName = None,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    as_json: options.Json = False,
) -> int:
    """Let a board's light blink for ten seconds: which one is it?

    A monitor blinks with all its LEDs. Some have no light of their own.

    \b
    Examples:
      dsmrctl identify boiler --host 192.168.1.22
    """
    terminal = Terminal(as_json)
    way = reaching.Way(terminal, host, nic, timeout, admin_file)
    found = way.board(board)
    kind, hardware = _kind(found)
    # Of hardware that nobody here knows, something.
    light = hardware.light if hardware else "it blinks"
    title = hardware.title if hardware else safe(found.hardware, 40)
    name = safe(found.name, 40)
    if not light:
        other = f"its page is {found.url}"
        if kind is not None and "output" in kind.told:
            other += "; dsmrctl output switches what hangs on it"
        raise errors.UsageError(f"{name}, {title}, has no light to blink with", hint=other)
    way.client(found).call("POST", "identify")
    if as_json:
        terminal.record(
            {
                "name": safe(found.name),
                "id": safe(found.id),
                "board": safe(found.board),
                "hardware": safe(found.hardware),
                "light": light,
                "seconds": 10,
            }
        )
    else:
        terminal.line(f"{name} ({safe(found.board, 40)}), {title}: {light}, for 10 s")
    return errors.DONE


app = options.command(identify)


def _kind(found: Found) -> tuple[Board | None, Hardware | None]:
    """What it says it is, where that is known here."""
    from dsmrctl import boards

    kind = boards.BOARDS.get(found.board)
    for hardware in kind.hardware if kind else ():
        if hardware.name == found.hardware:
            return kind, hardware
    return kind, None
