"""Peaks as a person sees them: months as a table, the last one's quarters as a chart or picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl import belgian_time
from dsmrctl.commands.peak_sources import day_of, local
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.peak.simulation import Simulated

_HEADINGS = ("month", "peak W", "at", "import kWh", "quarters", "warned")


def page(terminal: Terminal, done: Simulated) -> None:
    """Months, and on a terminal the quarters of the last one."""
    rows = []
    for one in done.months():
        at = "-" if one.peak_utc is None else f"{local(one.peak_utc):%a %d %H:%M}"
        rows.append(
            (
                f"{one.year}-{one.month:02d}",
                "-" if one.peak_w is None else str(one.peak_w),
                at,
                f"{one.import_wh / 1000:.3f}",
                f"{one.quarters} of {one.of}",
                str(one.warned),
            )
        )
    terminal.table(rows, _HEADINGS, right=("peak W", "import kWh", "quarters", "warned"))
    if not terminal.out.isatty():
        return
    from dsmrctl.terminal import chart

    console = terminal.console()
    shown = _shown(done)
    if shown.peak is None:
        return
    fancy = console.encoding.lower().startswith("utf")
    mark = (shown.peak, shown.said)
    down = [None if value is None else 0.0 for value in shown.up]
    for line in chart.columns(
        shown.up, down, shown.labels, "W", width=console.width, fancy=fancy, mark=mark
    ):
        terminal.line(line)


def draw(path: Path, done: Simulated, title: str) -> None:
    """The same quarters as a picture (SVG)."""
    from dsmrctl.terminal import picture

    shown = _shown(done)
    legend = {"up": "demand by the quarter"}
    if shown.peak is not None:
        legend["peak"] = f"highest quarter: {shown.said}"
    if None in shown.up:
        legend["gap"] = "not known"
    down = [None if value is None else 0.0 for value in shown.up]
    text = picture.columns(
        title, shown.up, down, shown.labels, "W",
        summary=f"The highest quarter: {shown.said}", peak=shown.peak, legend=legend,
    )  # fmt: skip
    path.write_text(text, encoding="utf-8")


class _Shown(NamedTuple):
    """A place for every quarter of the days shown; peak: where the highest is, said: of it."""

    up: list[float | None]
    labels: list[tuple[int, str]]
    peak: int | None
    said: str


def _shown(done: Simulated) -> _Shown:
    """The days from the first quarter on, at most those of the last one's month."""
    utc, demand = done.rows.utc, done.rows.demand_w
    last = int(utc.max())
    begin = max(
        belgian_time.month_start(*belgian_time.month_of(last)),
        belgian_time.midnight(belgian_time.day(int(utc.min()))),
    )
    end = belgian_time.midnight(belgian_time.day(last) + 1)
    up: list[float | None] = [None] * ((end - begin) // 900)
    for at, watts in zip(((utc - begin) // 900).tolist(), demand.tolist(), strict=True):
        if 0 <= at < len(up) and watts >= 0:
            up[at] = float(watts)
    labels: list[tuple[int, str]] = []
    if len(up) <= 100:
        labels = [(n, f"{local(begin + n * 900):%H:%M}") for n in range(0, len(up), 12)]
    else:
        for ordinal in range(belgian_time.day(begin), belgian_time.day(end)):
            midnight = belgian_time.midnight(ordinal)
            labels.append(((midnight - begin) // 900, str(day_of(midnight).day)))
    known = [n for n, value in enumerate(up) if value is not None]
    if not known:
        return _Shown(up, labels, None, "none is known")
    peak = max(known, key=lambda n: up[n] or 0)
    when = local(begin + peak * 900)
    return _Shown(up, labels, peak, f"{up[peak] or 0:.0f} W, {when:%a %d %H:%M}")
