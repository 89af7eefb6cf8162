"""dsmrctl listen --raw: the numbers of frames of whatever order, and how they change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dsmrctl import errors
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.elements import Elements
    from dsmrctl.network.multicast import Receiver

COLUMNS = ("#", "value", "change", "least", "most", "what it may be")
_RIGHT = ("#", "value", "change", "least", "most")
_TICK_S = 1.0


def follow(
    terminal: Terminal,
    receiver: Receiver,
    *,
    count: int | None,
    timeout: float | None,
    duration: float | None,
) -> int:
    """Follows one sender's numbers until `count` frames, silence or `duration`.

    Raises NoAnswer when nothing with numbers came, or fewer than `count`.
    """
    from dsmrctl.network import elements
    from dsmrctl.terminal.live import LiveView

    found = elements.Elements()
    live = LiveView(terminal) if terminal.live else None
    sender: tuple[str, int] | None = None
    others: set[str] = set()
    began = heard = time.monotonic()
    last = 0.0
    total = 0
    if not live and not terminal.json:
        terminal.note("listening; a table comes at the end (--count N, --duration TIME, or Ctrl-C)")
    try:
        if live:
            live.__enter__()
        while count is None or total < count:
            now = time.monotonic()
            if timeout is not None and now - heard >= timeout:
                break
            if duration is not None and now - began >= duration:
                break
            for datagram in receiver.receive(_TICK_S if timeout is None else min(_TICK_S, timeout)):
                raw = elements.read(datagram.data)
                if raw is None:
                    continue
                heard = time.monotonic()
                sender = sender or datagram.sender
                if datagram.sender[0] != sender[0]:
                    others.add(datagram.sender[0])
                    continue
                at = datagram.time_ns / 1e9
                found.take(raw.elements, at - last if last else 0.0)
                last = at
                total += 1
                if terminal.json:
                    terminal.record(_document(sender, raw.version, found))
                if total == count:
                    break
            if live and found.places:
                live.draw(_screen(found, sender, total))
    except KeyboardInterrupt:
        if not total:
            raise
    finally:
        if live:
            live.__exit__(None, None, None)
    for other in sorted(others):
        terminal.note(f"another sender was left out: {other}")
    if total and not terminal.json:
        terminal.table(rows(found), COLUMNS, right=_RIGHT)
        terminal.note(f"as far as it is sure: --layout {found.layout()}")
        terminal.note("names: those of docs/protocol.md, and - for what nobody knows")
    if not total or (count is not None and total < count):
        raise errors.NoAnswer(
            f"only {total} of {count} frames with numbers came" if total
            else "nothing with numbers came",
            hint="is the interface in this network (--nic, --group)? dsmrctl discover",
        )  # fmt: skip
    return errors.DONE


def rows(found: Elements) -> list[tuple[str, ...]]:
    """A row an element, under COLUMNS."""
    return [
        (
            str(place.number), str(place.value), f"{place.change:+d}" if place.change else "",
            str(place.least), str(place.most), guess.words,
        )
        for place, guess in zip(found.places, found.guesses(), strict=True)
    ]  # fmt: skip


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
    where = f"{sender[0]}:{sender[1]}" if sender else ""
    head = Text(f"dsmrctl listen --raw   {safe(where)}   {total} frames\n", "bold")
    return Group(
        head, table, Text(f"--layout {found.layout()}\n\nCtrl-C ends, and keeps the table")
    )
