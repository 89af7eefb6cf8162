"""The household at a glance: the meter's numbers, a line a board, and what is wrong.

Into a pipe plain lines; on a terminal the same with bars and LEDs as signs, ASCII where it has no
others. Colours say nothing that a sign or word does not say too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dsmrctl.terminal.live import bar, grouped
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

COLUMNS = ("name", "state", "dBm", "frames", "up")
_RIGHT = ("dBm", "frames", "up")
# A narrow terminal leaves out what matters least; a wide one has room for all.
_WIDE, _NARROW, _TINY = 110, 66, 50
_BARS = (("export", 5), ("import", 4))
_LONGEST = 40
# rich's SIMPLE_HEAD in ASCII: a line below the headings and no other.
_ASCII = "    \n    \n -- \n    \n    \n    \n    \n    \n"


class Row(NamedTuple):
    """A board's cells, from the wire as they are; ill: somebody has to look after it.

    lamps: LEDs that are lit of each bar, and of the peak LED, when it has them.
    """

    name: str
    board: str
    state: str
    firmware: str
    rssi: str
    frames: str
    up: str
    ill: bool = False
    lamps: tuple[int | None, int | None, bool, str] | None = None


@dataclass
class View:
    """values: quantities by their names, None or absent when unknown.

    least_w: the least month peak that is billed. notes: what is wrong, and what to do.
    """

    values: dict[str, Any]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=list)
    least_w: int = 0


def head(values: dict[str, Any]) -> list[str]:
    """The meter's numbers, in at most two lines; none when nobody knows them."""
    if values.get("import_w") is None:
        return []
    now = f"import {_watts(values, 'import_w')}   export {_watts(values, 'export_w')}"
    if values.get("tariff") is not None:
        now += f"   tariff {values['tariff']}"
    if values.get("time"):
        now += f"   {safe(values['time'], _LONGEST)}"
    lines = [now]
    if values.get("quarter_w") is not None:
        lines.append(
            f"quarter {_watts(values, 'quarter_w')} so far   "
            f"forecast {_watts(values, 'forecast_w')}   "
            f"month peak {_watts(values, 'month_peak_w')}"
        )
    return lines


def show(terminal: Terminal, view: View, again: bool = False) -> None:
    """Onto stdout; what is wrong onto stderr. again: a blank line parts it from the one before."""
    if again:
        terminal.line("")
    if terminal.out.isatty():
        console = terminal.console()
        console.print(render(view, console))
    else:
        for line in head(view.values):
            terminal.line(line)
        cells = [_cells(row, COLUMNS, None) for row in view.rows]
        terminal.table(cells, COLUMNS, right=_RIGHT)
        terminal.out.flush()
    for note in view.notes:
        terminal.note(f"! {safe(note, 400)}")


def render(
    view: View, console: Console, title: str | None = None, height: int | None = None
) -> RenderableType:
    """The same for a terminal of that width; with a title as a live view of so many lines."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    fancy = console.encoding.lower().startswith("utf")
    width = console.width
    columns = _columns(width)
    shown, more = _fitting(view, height)
    table = Table(
        box=box.SIMPLE_HEAD if fancy else box.Box(_ASCII, ascii=True), show_edge=False,
        padding=(0, 1, 0, 0), pad_edge=False, header_style="bold",
    )  # fmt: skip
    for column in columns:
        right = column in _RIGHT
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in shown:
        style = "bold red" if row.ill else ""
        table.add_row(*(Text(safe(cell), style) for cell in _cells(row, columns, fancy)))
    parts: list[RenderableType] = []
    if title is not None:
        parts.append(Text(safe(title), "bold"))
        parts.append(Text(("─" if fancy else "-") * width, no_wrap=True))
    parts += [*_powers(view, width, fancy), Text(), table]
    if more:
        parts.append(Text(f"and {more} more, who are well; a higher terminal shows them"))
    if title is not None:
        parts += [Text(f"! {safe(note, 400)}", "bold") for note in view.notes]
        parts.append(Text("\nCtrl-C ends"))
    return Group(*parts)


def _columns(width: int) -> list[str]:
    if width >= _WIDE:
        return ["name", "board", "state", "firmware", "dBm", "frames", "up"]
    left_out = {"up"} if width < _NARROW else set()
    if width < _TINY:
        left_out.add("dBm")
    return [column for column in COLUMNS if column not in left_out]


def _fitting(view: View, height: int | None) -> tuple[list[Row], int]:
    """The rows there is room for, those that are ill before others; and how many are left out."""
    rows = list(view.rows)
    room = len(rows) if height is None else max(1, height - 11 - 2 * len(view.notes))
    if len(rows) <= room:
        return rows, 0
    kept = sorted(range(len(rows)), key=lambda number: not rows[number].ill)[:room]
    return [rows[number] for number in sorted(kept)], len(rows) - room


def _cells(row: Row, columns: Sequence[str], fancy: bool | None) -> list[str]:
    """fancy: LEDs as signs, in ASCII when False; as words for None."""
    state = row.state if fancy is None or row.lamps is None else _lamps(row.lamps, fancy)
    if "board" not in columns and row.board not in row.name:
        state = f"{row.board}: {state}"
    name = safe(row.name, _LONGEST)
    cells = {
        "name": f"! {name}" if row.ill else name,
        "board": safe(row.board, _LONGEST),
        "state": state,
        "firmware": safe(row.firmware, _LONGEST),
        "dBm": row.rssi,
        "frames": row.frames,
        "up": row.up,
    }
    return [cells[column] for column in columns]


def _lamps(lamps: tuple[int | None, int | None, bool, str], fancy: bool) -> str:
    lit, dark = ("●", "○") if fancy else ("#", ".")
    said = []
    for (name, most), count in zip(_BARS, lamps[:2], strict=True):
        dots = "?" * most if count is None else lit * count + dark * (most - count)
        said.append(f"{name} {dots}")
    peak, told = lamps[2:]
    said.append(f"{'PEAK' if peak else 'peak'} {lit if peak else dark}")
    return " ".join(said) + (f" {told}" if told else "")


def _powers(view: View, width: int, fancy: bool) -> list[Text]:
    """The meter's numbers for a terminal: powers, the quarter as a bar, what it heads for."""
    from rich.text import Text

    values = view.values
    if values.get("import_w") is None:
        return [Text("Nobody says what the meter measures.", "bold")]
    line = Text()
    for name, style in (("import", "bold magenta"), ("export", "bold green")):
        line.append(f"{name} ").append(_watts(values, f"{name}_w"), style).append("   ")
    if values.get("tariff") is not None:
        line.append(f"tariff {values['tariff']}   ")
    if values.get("time"):
        line.append(_clock(safe(values["time"], _LONGEST)))
    lines = [line]
    so_far, forecast, peak = (
        values.get(f"{name}_w") for name in ("quarter", "forecast", "month_peak")
    )
    if so_far is None:
        return lines
    full = max(peak or 0, view.least_w, 1)
    end = f" {grouped(full)} W"
    lines.append(Text(bar(so_far, forecast, full, max(1, min(60, width - len(end))), fancy) + end))
    quarter = Text(f"quarter {_watts(values, 'quarter_w')} so far   ")
    if forecast is None:
        quarter.append("forecast not yet")
    elif forecast > full:
        quarter.append(f"forecast {grouped(forecast)} W, ABOVE the month peak", "bold red")
    else:
        quarter.append(f"forecast {grouped(forecast)} W")
    quarter.append(f"   month peak {_watts(values, 'month_peak_w')}")
    return [*lines, quarter]


def _watts(values: dict[str, Any], name: str) -> str:
    return f"{grouped(values.get(name), '?')} W"


def _clock(time: str) -> str:
    """The meter's clock as a person reads it."""
    match = re.match(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)", time, re.ASCII)
    return f"{match[1]} {match[2]}" if match else time
