"""dsmrctl discover: the boards on the network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.census import Seen
    from dsmrctl.network.discovery import Foreign, Found

Watch = Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")]
Open = Annotated[bool, typer.Option("--open", help="Open its page in the browser.")]

COLUMNS = ("name", "board", "hardware", "firmware", "page", "dBm", "frames", "update")
# On a terminal of 80 columns what the rest tells as well goes first.
_WIDE = 100
_FOREVER_S = 1e9


def discover(
    board: options.BoardName = None,
    watch: Watch = False,
    open_page: Open = False,
    nic: options.Nic = None,
    count: options.Count = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> int:
    """Find the boards on the network.

    Looks for 3 seconds (--timeout), and asks each board how it is. Modules with the
    manual's own firmware are found by their names, and told apart. None at all is no
    error. With --watch it goes on until Ctrl-C, a line for each that comes or goes.

    \b
    Examples:
      dsmrctl discover
      dsmrctl discover --json
      dsmrctl discover miniswitch --timeout 5s
    """
    from dsmrctl.network import census, discovery, fleet

    terminal = Terminal(as_json)
    fits = fleet.fits(board) if board else lambda _: True
    if watch:
        if open_page:
            raise errors.UsageError("--watch or --open", hint="leave one of them out")
        return _watch(terminal, fits, nic, timeout, count)
    found = census.take(timeout or discovery.WAIT_S, nic, fits=fits, count=count)
    if board is not None:
        mine = [one for one in found.foreign if board.lower() in (one.board, one.host)]
        found = found._replace(foreign=mine)
    if open_page:
        return _open(terminal, [one.board for one in found.boards], found.foreign)
    if as_json:
        terminal.record(
            {
                "boards": [document(one) for one in found.boards],
                "foreign": [one._asdict() | {"url": one.url} for one in found.foreign],
            }
        )
    elif found.boards:
        _table(terminal, found.boards)
    for one in found.boards:
        if one.fault is not None:
            terminal.note(f"{safe(one.board.name, 40)}: {one.fault.message}")
    if not as_json:
        _others(terminal, found.foreign)
    if not found.boards and not found.foreign:
        _nothing(terminal, board, timeout or discovery.WAIT_S)
    if count is not None and len(found.boards) < count:
        raise errors.NoAnswer(
            f"only {len(found.boards)} of {count} boards were found", hint="a longer --timeout?"
        )
    return errors.DONE


app = options.command(discover)


def _table(terminal: Terminal, found: list[Seen]) -> None:
    rows = [dict(zip(COLUMNS, row(one), strict=True)) for one in found]
    columns = list(COLUMNS)
    if terminal.out.isatty() and terminal.console().width < _WIDE:
        columns.remove("hardware")
        if all(each["update"] == "-" for each in rows):
            columns.remove("update")
    cells = [[each[column] for column in columns] for each in rows]
    terminal.table(cells, columns, right=("dBm", "frames"))


def document(one: Seen) -> dict[str, Any]:
    """A board for a program; what is unknown is null."""
    board = one.board
    return {
        "name": safe(board.name),
        "board": safe(board.board),
        "hardware": safe(board.hardware),
        "firmware": safe(board.version),
        "update": update_for(board),
        "id": safe(board.id),
        "host": safe(board.host),
        "address": board.address,
        "port": board.port,
        "url": board.url,
        "answers": one.fault is None,
        "ssid": None if one.ssid is None else safe(one.ssid),
        "rssi_dbm": one.rssi_dbm,
        "uptime_s": one.uptime_s,
        "frame_age_s": one.frame_age_s,
        "unconfirmed": one.unconfirmed,
    }


def row(one: Seen) -> tuple[str, ...]:
    """A board's cells under COLUMNS; frames: how long ago it heard the last one."""
    board = one.board
    if one.fault is not None:
        frames = "no answer"
    elif one.sends:
        frames = "sends"
    else:
        frames = "none" if one.frame_age_s is None else f"{one.frame_age_s} s"
    rssi = "-" if one.rssi_dbm is None else str(one.rssi_dbm)
    update = update_for(board) or ("trial" if one.unconfirmed else "-")
    return (
        board.name, board.board, board.hardware, board.version, board.url, rssi, frames, update,
    )  # fmt: skip


def update_for(board: Found) -> str | None:
    """The newer version that `dsmrctl update` would put on it, if there is one."""
    from dsmrctl import boards
    from dsmrctl.flashing import build, bundle

    kind = boards.BOARDS.get(board.board)
    here = build.version_here(kind) if kind else None
    try:
        newer = here and bundle.parse_version(here) > bundle.parse_version(board.version)
    except errors.BadData:
        return None
    return here if newer else None


def _others(terminal: Terminal, foreign: list[Foreign]) -> None:
    for one in foreign:
        terminal.note(
            f"not ours: {one.host} at {one.url} (other firmware, such as the manual's own)\n"
            f"  its frames: dsmrctl listen --raw · its page: {one.url} · a network for it, at its\n"
            f"  access point: dsmrctl wifi push --portal · ours instead: dsmrctl flash {one.board}"
        )


def _nothing(terminal: Terminal, board: str | None, timeout: float) -> None:
    what = f"no {board}" if board else "no board"
    lines = (
        f"{what} was found in {timeout:g} s",
        "is this computer in the boards' network? --nic names one of several",
        "an access point may keep WiFi and cable apart: a board's page may answer all the same",
        "nothing bought yet? run dsmrctl demo in another terminal",
    )
    if not terminal.json:
        terminal.note("\n  ".join(lines))


def _open(terminal: Terminal, found: list[Found], foreign: list[Foreign]) -> int:
    import webbrowser

    pages = [(safe(one.name, 40), one.url) for one in found]
    pages += [(one.host, one.url) for one in foreign]
    if not pages:
        raise errors.NotFound("no board was found", hint="dsmrctl discover --timeout 10s")
    if len(pages) > 1:
        names = ", ".join(name for name, _ in pages)
        raise errors.UsageError(
            f"several boards were found: {names}",
            hint=f"name one: dsmrctl discover --open {pages[0][0]}",
        )
    url = pages[0][1]
    if terminal.json:
        terminal.record({"url": url})
    else:
        terminal.line(url)
    if not webbrowser.open(url):
        raise errors.DsmrError("there is no browser here", hint=f"open {url} in one")
    return errors.DONE


def _watch(
    terminal: Terminal, fits: Any, nic: str | None, timeout: float | None, count: int | None
) -> int:
    """A line for each that comes, changes or goes. Raises NoAnswer when nothing came in time."""
    from dsmrctl.network import discovery, known

    there: dict[str, Found] = {}
    heard = time.monotonic()
    told_of = 0

    def tell(event: str, board: Found) -> None:
        nonlocal told_of, heard
        told_of += 1
        heard = time.monotonic()
        if terminal.json:
            said = {key: safe(text) for key, text in board._asdict().items() if key != "port"}
            terminal.record({"event": event, **said, "port": board.port, "url": board.url})
        else:
            now = time.strftime("%H:%M:%S")
            cells = (board.name, board.board, board.hardware, board.version, board.url)
            line = "  ".join(safe(cell, 40) for cell in cells if cell)
            terminal.line(f"{now}  {event:<7}  {line}", flush=True)

    def told(news: Found | str) -> None:
        if isinstance(news, str):
            gone = there.pop(news, None)
            if gone is not None:
                tell("gone", gone)
        elif fits(news):
            event = "changed" if news.name in there else "found"
            there[news.name] = news
            known.remember([news])
            tell(event, news)

    def over(_: object) -> bool:
        if count is not None and told_of >= count:
            return True
        return timeout is not None and time.monotonic() - heard >= timeout

    if not terminal.json:
        terminal.note("watching; Ctrl-C ends")
    discovery.browse(_FOREVER_S, nic, enough=over, told=told)
    if told_of == 0 or (count is not None and told_of < count):
        raise errors.NoAnswer(f"nothing came for {timeout:g} s", hint="dsmrctl discover")
    return errors.DONE
