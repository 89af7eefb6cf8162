"""The household at a glance: the meter's numbers, a line a board, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dsmrctl.terminal.live import grouped
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("name", "state", "dBm", "frames", "up")
_RIGHT = ("dBm", "frames", "up")


@dataclass
class View:
    """values: quantities by their names, None or absent when unknown; rows: cells under COLUMNS.

    ill: the numbers of the rows that need somebody. notes: what is wrong, and what to do.
    """

    values: dict[str, Any]
    rows: Sequence[Sequence[str]]
    ill: Sequence[int] = ()
    notes: Sequence[str] = field(default_factory=list)


def head(values: dict[str, Any]) -> list[str]:
    """The meter's numbers, in at most two lines; none when nobody knows them."""
    if values.get("import_w") is None:
        return []

    def watts(name: str) -> str:
        return f"{grouped(values.get(name), '?')} W"

    now = f"import {watts('import_w')}   export {watts('export_w')}"
    if values.get("tariff") is not None:
        now += f"   tariff {values['tariff']}"
    if values.get("time"):
        now += f"   {safe(values['time'], 40)}"
    lines = [now]
    if values.get("quarter_w") is not None:
        lines.append(
            f"quarter {watts('quarter_w')} so far   forecast {watts('forecast_w')}   "
            f"month peak {watts('month_peak_w')}"
        )
    return lines


def show(terminal: Terminal, view: View) -> None:
    """Once, onto stdout; what is wrong onto stderr."""
    for line in head(view.values):
        terminal.line(line)
    terminal.table(view.rows, COLUMNS, right=_RIGHT)
    terminal.out.flush()  # with --watch into a pipe, each time as it is
    for note in view.notes:
        terminal.note(f"! {safe(note, 400)}")


def render(view: View, title: str) -> RenderableType:
    """The same for a live view; what is wrong stands under it, and marked beside its colour."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in COLUMNS:
        right = column in _RIGHT
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for number, row in enumerate(view.rows):
        style = "bold red" if number in view.ill else ""
        table.add_row(*(Text(safe(cell), style) for cell in row))
    parts: list[RenderableType] = [Text(f"{title}\n", "bold")]
    parts += [Text(line) for line in head(view.values)]
    parts += [table, *(Text(f"! {safe(note, 400)}", "bold") for note in view.notes)]
    parts.append(Text("\nCtrl-C ends"))
    return Group(*parts)
