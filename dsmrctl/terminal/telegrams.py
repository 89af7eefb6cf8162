"""A telegram explained on the screen: columns on a terminal, aligned text in a pipe."""

from __future__ import annotations

from typing import Any

from dsmrctl.terminal.output import Terminal, safe


def show_explained(terminal: Terminal, rows: list[Any]) -> None:
    """Rows of (line, obis, value, unit, meaning, remark); a remark stands below its line."""
    if not terminal.out.isatty():
        for row in rows:
            value = f"{safe(row.value):>34} {safe(row.unit):<5}"
            terminal.line(f"{safe(row.obis):<16} {value} {safe(row.meaning)}".rstrip())
            if row.remark:
                terminal.line(f"{'':<16} ! {safe(row.remark)}")
        terminal.line("", flush=True)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left", "left"):
        table.add_column(justify=justify, overflow="fold")
    for row in rows:
        shown = Text(safe(row.value), style="bold")
        table.add_row(
            Text(safe(row.obis), style="cyan"), shown, Text(safe(row.unit)), Text(safe(row.meaning))
        )
        if row.remark:
            table.add_row("", "", "", Text(f"! {safe(row.remark)}", style="yellow"))
    console = terminal.console()
    console.print(table)
    console.print()
