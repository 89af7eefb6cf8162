"""Columns on a terminal: what was imported upwards, what was exported downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ROWS = 14


def columns(
    up: Sequence[float | None],
    down: Sequence[float | None],
    labels: Sequence[tuple[int, str]],
    unit: str,
    *,
    width: int = 80,
    fancy: bool = True,
    mark: tuple[int, str] | None = None,
) -> list[str]:
    """Lines of a chart, one column a value, wider ones where there is room.

    up, down: values ≥ 0, None for a gap. labels: (index, text) below. fancy: not only ASCII. mark:
    an index and what is said of it above. Where values are more than columns, neighbours share one,
    which shows the higher.
    """
    count = len(up)
    if not count:
        return []
    # The widest that stands left of the axis.
    extremes = (max((value for value in way if value), default=0) for way in (up, down))
    left = max(len(f"-{_short(value)} {unit}") for value in extremes)
    room = max(width - left - 1, 10)
    shared = -(-count // room)
    wide = max(1, min(6, room // -(-count // shared)))
    highs = [_most(up[at : at + shared]) for at in range(0, count, shared)]
    lows = [_most(down[at : at + shared]) for at in range(0, count, shared)]
    most_up = max((value for value in highs if value), default=0)
    most_down = max((value for value in lows if value), default=0)
    # Up and down in one scale, as many rows as each needs of it.
    level = (most_up + most_down) / _ROWS or 1.0
    rows_up, rows_down = math.ceil(most_up / level - 1e-9), math.ceil(most_down / level - 1e-9)
    lines = []
    if mark is not None:
        at = mark[0] // shared * wide
        # Where no room is on its right, the text is on its left.
        fits = at + 2 + len(mark[1]) <= room
        sign = "▼" if fancy else "v"
        before = at if fits else max(0, at - len(mark[1]) - 1)
        said = f"{sign} {mark[1]}" if fits else f"{mark[1]} {sign}"
        lines.append(" " * (left + 1 + before) + said)
    for row in range(rows_up, 0, -1):
        axis = f"{_short(most_up)} {unit}" if row == rows_up else ""
        cells = (_cell(value, level, row, fancy) for value in highs)
        lines.append(f"{axis:>{left}} " + "".join(cell * wide for cell in cells))
    rule = "─" if fancy else "-"
    line = "".join((" " if value is None else rule) * wide for value in highs)
    lines.append(f"{'0':>{left}} {line}")
    for row in range(1, rows_down + 1):
        axis = f"-{_short(most_down)} {unit}" if row == rows_down else ""
        cells = (_hanging(value, level, row, fancy) for value in lows)
        lines.append(f"{axis:>{left}} " + "".join(cell * wide for cell in cells))
    foot = [" "] * (len(highs) * wide + 12)
    free = 0
    for index, text in labels:
        at = index // shared * wide
        if at >= free:
            foot[at : at + len(text)] = text
            free = at + len(text) + 1
    lines.append(" " * (left + 1) + "".join(foot))
    return [line.rstrip() for line in lines]


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _cell(value: float | None, level: float, row: int, fancy: bool) -> str:
    eighths = round((value or 0) / level * 8) - (row - 1) * 8
    if not fancy:
        return "#" if eighths >= 4 else " "
    return _EIGHTHS[min(max(eighths, 0), 8)]


def _hanging(value: float | None, level: float, row: int, fancy: bool) -> str:
    halves = round((value or 0) / level * 2) - (row - 1) * 2
    if halves <= 0:
        return " "
    return ("█" if halves > 1 else "▀") if fancy else "="


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
