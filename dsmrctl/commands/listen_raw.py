"""dsmrctl listen --raw: the numbers of frames of whatever order, and how they change."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from dsmrctl import errors
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.commands.listen_kept import Arriving, Recorder
    from dsmrctl.network.elements import Elements
    from dsmrctl.network.multicast import Datagram, Receiver
    from dsmrctl.terminal.live import LiveView

COLUMNS = ("#", "value", "change", "since start", "least", "most", "what it may be")
_RIGHT = COLUMNS[:-1]
_TICK_S = 1.0
_DRAW_S = 0.1
_MOST_OTHERS = 16


def follow(
    terminal: Terminal,
    receiver: Receiver,
    *,
    count: int | None,
    timeout: float | None,
    duration: float | None,
    recorder: Recorder | None = None,
    only: str | None = None,
) -> int:
    """Follows one sender's numbers until `count` frames, silence or `duration`.

    Also when it is ended by Ctrl-C or SIGTERM there is a table. Raises NoAnswer when nothing
    with numbers came, or fewer than `count`.
    """
    from dsmrctl.commands.listen_kept import Arriving
    from dsmrctl.terminal.live import LiveView

    heard = Heard(terminal)
    arriving = Arriving(receiver, recorder, only)
    live = LiveView(terminal) if terminal.live else None
    if not live and not terminal.json:
        terminal.note("listening; a table comes at the end (--count N, --duration TIME, or Ctrl-C)")
    try:
        with live or contextlib.nullcontext():
            _follow(arriving, heard, live, count, timeout, duration)
    finally:
        heard.tell()
        arriving.tell(terminal)
    if not heard.frames or (count is not None and heard.frames < count):
        raise errors.NoAnswer(
            f"only {heard.frames} of {count} frames with numbers came" if heard.frames
            else "nothing with numbers came",
            hint="is the interface in this network (--nic, --group)? dsmrctl discover",
        )  # fmt: skip
    return errors.DONE


def _follow(
    arriving: Arriving, heard: Heard, live: LiveView | None,
    count: int | None, timeout: float | None, duration: float | None,
) -> None:  # fmt: skip
    now = time.monotonic()
    never = float("inf")
    ends = never if duration is None else now + duration
    gives_up = never if timeout is None else now + timeout
    drawn = -never
    while heard.frames != count and now < min(ends, gives_up):
        for datagram in arriving.receive(min(_TICK_S, ends - now, gives_up - now)):
            if heard.take(datagram) and timeout is not None:
                gives_up = time.monotonic() + timeout
            if heard.frames == count:
                break
        now = time.monotonic()
        if live and now - drawn >= _DRAW_S:
            live.draw(heard.screen())
            drawn = now


class Heard:
    """The numbers of the first sender of any, and what else there was."""

    def __init__(self, terminal: Terminal) -> None:
        from dsmrctl.network.elements import Elements

        self.frames = 0
        self._terminal = terminal
        self._found = Elements()
        self._sender: tuple[str, int] | None = None
        self._others: set[str] = set()
        self._without = 0
        self._before_ns = 0

    def take(self, datagram: Datagram) -> bool:
        """Whether it was a frame of the one sender; a record of it with --json."""
        from dsmrctl.network import elements

        raw = elements.read(datagram.data)
        if raw is None:
            self._without += 1
            return False
        self._sender = self._sender or datagram.sender
        if datagram.sender[0] != self._sender[0]:
            if len(self._others) < _MOST_OTHERS:
                self._others.add(datagram.sender[0])
            return False
        passed_ns = datagram.time_ns - (self._before_ns or datagram.time_ns)
        self._before_ns = datagram.time_ns
        self._found.take(raw.elements, passed_ns / 1e9)
        self.frames += 1
        if self._terminal.json:
            self._terminal.record(_document(datagram.sender, raw.version, self._found))
        return True

    def tell(self) -> None:
        """The table, and on stderr what to give to --layout and what was left out."""
        from dsmrctl.network.elements import LEAST_MINUTES

        terminal = self._terminal
        if terminal.json:
            return
        for other in sorted(self._others):
            terminal.note(f"another sender was left out: {other}")
        if self._without:
            terminal.note(f"{self._without} without an array of whole numbers were left out")
        if self.frames:
            terminal.table(rows(self._found), COLUMNS, right=_RIGHT)
            terminal.note(f"as far as it is sure: --layout {self._found.layout()}")
            terminal.note("names: those of docs/protocol.md, and - for what nobody knows")
            if self._found.seconds < 60 * (LEAST_MINUTES + 1):
                terminal.note("a clock and a tariff are named after three minutes, not before")

    def screen(self) -> Any:
        """What the live view shows."""
        return _screen(self._found, self._sender, self.frames)


def rows(found: Elements) -> list[tuple[str, ...]]:
    """A row an element, under COLUMNS."""
    return [
        (
            str(place.number), str(place.value), _signed(place.change), _signed(place.since_first),
            str(place.least), str(place.most), guess.words,
        )
        for place, guess in zip(found.places, found.guesses(), strict=True)
    ]  # fmt: skip


def _signed(change: int) -> str:
    return f"{change:+d}" if change else ""


def _document(sender: tuple[str, int], version: int | None, found: Elements) -> dict[str, Any]:
    return {
        "sender": safe(f"{sender[0]}:{sender[1]}"),
        "version": version,
        "elements": [place.value for place in found.places],
        "changes": [place.change for place in found.places],
        "guesses": [guess.words for guess in found.guesses()],
        "layout": found.layout(),
    }


def _screen(found: Elements, sender: tuple[str, int] | None, total: int) -> Any:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in _RIGHT else "left", overflow="fold")
    for row in rows(found):
        table.add_row(*map(Text, row))
    where = f"{sender[0]}:{sender[1]}" if sender else "waiting for frames"
    head = Text(f"dsmrctl listen --raw   {safe(where)}   {total} frames", "bold")
    head.append("   Ctrl-C ends and keeps the table", "default")
    # A long array is cut off below; what it is for is not.
    return Group(head, Text(f"--layout {found.layout()}"), table)
