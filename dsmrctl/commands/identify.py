"""dsmrctl identify: which of them is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsmrctl import errors, options
from dsmrctl.commands import reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
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
    light = _light(found)
    if not light:
        raise errors.UsageError(
            f"{safe(found.name, 40)} ({safe(found.hardware, 40)}) has no light to blink with",
            hint=f"its page is {found.url}; dsmrctl output switches what hangs on a switch",
        )
    way.client(found).call("POST", "identify")
    if as_json:
        terminal.record({"name": safe(found.name), "id": safe(found.id), "light": light})
    else:
        terminal.line(f"{safe(found.name, 40)} ({safe(found.board, 40)}): {light}, for 10 s")
    return errors.DONE


app = options.command(identify)


def _light(found: Found) -> str:
    """What is to be seen, empty for nothing; of a board that nobody here knows, something."""
    from dsmrctl import boards

    kind = boards.BOARDS.get(found.board)
    for hardware in kind.hardware if kind else ():
        if hardware.name == found.hardware:
            return hardware.light
    return "it blinks"
