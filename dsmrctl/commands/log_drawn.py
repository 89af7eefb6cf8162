"""A log's days, months and years as a person sees them: a chart, a table, a picture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.history.store import Period


class By(StrEnum):
    """What a row is."""

    second = "second"
    quarter = "quarter"
    day = "day"
    month = "month"


def _slots(
    periods: list[Period], by: By, first: dt.date, until: dt.date
) -> tuple[list[Period | None], list[tuple[int, str]]]:
    """A place for every quarter, day or month there was, also for those nobody recorded."""
    if by is By.quarter:
        # As many as the day has: 92 and 100 in the two nights.
        begin = round(periods[0].time.replace(hour=0, minute=0).timestamp())
        offset = periods[0].time.utcoffset()
        count = (until - first).days * 96
        later = periods[-1].time.utcoffset()
        if offset is not None and later is not None:
            count += round((offset - later).total_seconds() / 900)
        slots: list[Period | None] = [None] * count
        for one in periods:
            at = (round(one.time.timestamp()) - begin) // 900
            if 0 <= at < count:
                slots[at] = one
        if count == 96:
            return slots, [(at, f"{at // 4:02d}:00") for at in range(0, 96, 12)]
        if count <= 100:  # the two nights: where the clock was is in the quarters themselves
            times = [(n, one.time) for n, one in enumerate(slots) if one is not None]
            return slots, [(n, f"{t:%H:%M}") for n, t in times if not t.minute and not t.hour % 3]
        return slots, [(day * 96, str(day + 1)) for day in range(count // 96)]
    if by is By.day:
        count = (until - first).days
        places = {(one.time.date() - first).days: one for one in periods}
        if count > 31:
            months = [(first.replace(month=n) - first).days for n in range(1, 13)]
            return [places.get(n) for n in range(count)], [
                (at, dt.date(first.year, n, 1).strftime("%b")) for n, at in enumerate(months, 1)
            ]
        return [places.get(n) for n in range(count)], [(n, str(n + 1)) for n in range(count)]
    places = {one.time.month - 1: one for one in periods}
    names = [(n, dt.date(first.year, n + 1, 1).strftime("%b")) for n in range(12)]
    return [places.get(n) for n in range(12)], names


def page(
    terminal: Terminal, periods: list[Period], whole: list[Period], by: By,
    first: dt.date, until: dt.date, title: str,
) -> None:  # fmt: skip
    """What a person sees: a chart and a summary on a terminal, a table in a pipe."""
    if not terminal.out.isatty():
        rows = [
            (
                one.time.strftime("%Y-%m-%d %H:%M" if by is By.quarter else "%Y-%m-%d"),
                *("-" if value is None else str(value) for value in one[1:4]),
                str(one.seen_s),
            )
            for one in periods
        ]
        terminal.table(rows, ("time", "import Wh", "export Wh", "peak W", "seen s"))
        return
    from dsmrctl.terminal import chart

    console = terminal.console()
    slots, labels = _slots(periods, by, first, until)
    up, down, unit = _heights(slots, by)
    fancy = console.encoding.lower().startswith("utf")
    terminal.line(title)
    peak = _peak(slots)
    mark = None if peak is None else (peak, f"{_peak_w(slots[peak])} W")
    for line in chart.columns(up, down, labels, unit, width=console.width, fancy=fancy, mark=mark):
        terminal.line(line)
    terminal.line(_summary(whole, periods, slots))


def _heights(
    slots: Sequence[Period | None], by: By
) -> tuple[list[float | None], list[float | None], str]:
    """Quarters as their demand in W, others as energy in kWh."""
    factor, unit = (4, "W") if by is By.quarter else (0.001, "kWh")

    def height(value: int | None) -> float | None:
        return None if value is None else value * factor

    up = [height(one.import_wh) if one else None for one in slots]
    down = [height(one.export_wh) if one else None for one in slots]
    return up, down, unit


def _summary(
    whole: Sequence[Period], periods: Sequence[Period], slots: Sequence[Period | None]
) -> str:
    one = whole[0]

    def kwh(value: int | None) -> str:
        return "?" if value is None else f"{value / 1000:.3f} kWh"

    text = f"import {kwh(one.import_wh)}   export {kwh(one.export_wh)}"
    if one.peak_w is not None and one.peak_time is not None:
        text += f"   highest quarter {one.peak_w} W at {one.peak_time:%Y-%m-%d %H:%M}"
    missing = sum(each is None for each in slots)
    holes = sum(each.import_wh is None for each in periods)
    if missing or holes:
        text += f"   ({missing} not recorded, {holes} in part)"
    return text


def _peak(slots: Sequence[Period | None]) -> int | None:
    """Where the highest quarter is; of two alike the first."""
    found = max(range(len(slots)), key=lambda n: _peak_w(slots[n]), default=None)
    return None if found is None or not _peak_w(slots[found]) else found


def _peak_w(one: Period | None) -> int:
    return 0 if one is None else one.peak_w or 0


def draw(
    path: Path, periods: list[Period], whole: list[Period], by: By,
    first: dt.date, until: dt.date, title: str,
) -> None:  # fmt: skip
    from dsmrctl.terminal import picture

    slots, labels = _slots(periods, by, first, until)
    up, down, unit = _heights(slots, by)
    peak = _peak(slots)
    most = max((value for value in up if value is not None), default=0)
    legend = {"up": "imported"}
    if any(down):
        legend["down"] = "exported"
    one = None if peak is None else slots[peak]
    if one is not None and one.peak_time is not None:
        legend["peak"] = f"highest quarter: {one.peak_w} W at {one.peak_time:%Y-%m-%d %H:%M}"
    if any(high is None and low is None for high, low in zip(up, down, strict=True)):
        legend["gap"] = "not recorded"
    text = picture.columns(
        f"{title}: import and export",
        up,
        down,
        labels,
        unit,
        summary=f"The highest column {most:.4g} {unit}; {_summary(whole, periods, slots)}",
        peak=peak,
        legend=legend,
    )
    path.write_text(text, encoding="utf-8")
