"""dsmrctl log show: days, months and years, as a table, a chart, a picture or columns."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.history.store import History, Period


class Span(StrEnum):
    """What is shown at once."""

    day = "day"
    month = "month"
    year = "year"


class By(StrEnum):
    """What a row is."""

    second = "second"
    quarter = "quarter"
    day = "day"
    month = "month"


_ROWS = {Span.day: By.quarter, Span.month: By.day, Span.year: By.month}
_CHUNK = 50_000
_SINGLE = {By.quarter: "quarter", By.day: "day", By.month: "month"}

ShowSpan = Annotated[Span, typer.Argument(metavar="day|month|year", help="How much of it.")]
Date = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATE]",
        help="2026-11-24, 2026-11, 2026, today or yesterday; without it the last that was kept.",
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        envvar="DSMRCTL_LOG",
        help="The log; without it the user's own.",
    ),
]
RowsBy = Annotated[
    By | None,
    typer.Option(
        "--by",
        metavar="second|quarter|day|month",
        help="What a row is; else quarters of a day, days of a month, months of a year.",
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Rows of quantities, with a header.")]
Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help="Write the quantities to a Parquet file."),
]
Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Draw it as a picture in FILE.")
]


def show(
    span: ShowSpan = Span.day,
    date: Date = None,
    log: LogFile = None,
    by: RowsBy = None,
    csv: Csv = False,
    parquet: Parquet = None,
    svg: Svg = None,
    as_json: options.Json = False,
) -> int:
    """Show a day, a month or a year of the log.

    On a terminal a chart: import upwards, export downwards, the highest quarter
    beside it. Into a pipe rows. What was not recorded is a gap, never a guess.

    \b
    Examples:
      dsmrctl log show day --log meter.db
      dsmrctl log show month 2026-11 --csv --log meter.db
      dsmrctl log show year --json --log meter.db
    """
    from dsmrctl.history import schema
    from dsmrctl.history.store import History

    terminal = Terminal(as_json)
    if csv + (parquet is not None) + as_json > 1:
        raise errors.UsageError("--json, --csv and --parquet exclude each other")
    rows_by = by or _ROWS[span]
    if span is Span.day and rows_by is By.month:
        raise errors.UsageError("a day has no months", hint="--by second or quarter")
    with History(log or schema.default_path()) as history:
        first, until = _days(history, span, date)
        title = _title(span, first)
        if rows_by is By.second:
            if svg is not None:
                raise errors.UsageError("seconds are no picture", hint="--by quarter")
            return _seconds(terminal, history, first, until, csv, parquet, title)
        periods = history.periods(first, until, _SINGLE[rows_by])
        if not periods:
            raise errors.NotFound(
                f"nothing of {title} is in the log",
                hint=f"the last day in it is {history.last_day()}",
            )
        documents = [one.document() for one in periods]
        if svg is not None:
            _draw(svg, periods, rows_by, first, until, title)
            terminal.note(f"{title}: {svg}")
        if csv or parquet is not None or as_json:
            _columns(terminal, documents, csv, parquet)
        elif svg is None:
            whole = history.periods(first, until, span.value)
            _page(terminal, periods, whole, rows_by, first, until, title)
    return errors.DONE


def _days(history: History, span: Span, text: str | None) -> tuple[dt.date, dt.date]:
    """The first day meant, and the one after the last. Raises UsageError, NotFound."""
    last = history.last_day()
    if last is None:
        raise errors.NotFound("the log is empty", hint="dsmrctl log record fills it")
    day = last if text is None else _day(text)
    if span is Span.day:
        return day, day + dt.timedelta(days=1)
    if span is Span.month:
        first = day.replace(day=1)
        return first, (first + dt.timedelta(days=32)).replace(day=1)
    return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)


def _day(text: str) -> dt.date:
    if text in ("today", "yesterday"):
        return dt.date.today() - dt.timedelta(days=text == "yesterday")
    try:
        if re.fullmatch(r"\d{4}(-\d\d){0,2}", text):
            parts = [*map(int, text.split("-")), 1, 1][:3]
            if parts[0] < dt.MAXYEAR:
                return dt.date(*parts)
    except ValueError:
        pass
    raise errors.UsageError(
        f"'{text}' is no date", hint="for example 2026-11-24, 2026-11, 2026, today or yesterday"
    )


def _title(span: Span, first: dt.date) -> str:
    return first.isoformat()[: {Span.day: 10, Span.month: 7, Span.year: 4}[span]]


def _columns(
    terminal: Terminal, rows: list[dict[str, Any]], csv: bool, parquet: Path | None
) -> None:
    from dsmrctl.quantities import PERIOD

    if parquet is not None:
        kinds = {one.name: one.kind for one in PERIOD}
        count = _write_parquet((row.values() for row in rows), kinds, parquet)
        terminal.note(f"{count} rows in {parquet}")
    elif csv:
        _write_csv(terminal, [one.name for one in PERIOD], (row.values() for row in rows))
    else:
        for row in rows:
            terminal.record(row)


def _seconds(
    terminal: Terminal,
    history: History,
    first: dt.date,
    until: dt.date,
    csv: bool,
    parquet: Path | None,
    title: str,
) -> int:
    from dsmrctl.history import schema, store
    from dsmrctl.quantities import BY_NAME

    quarters = history.within(first, until)
    offsets = {one.utc: one.offset_s for one in quarters}
    if not quarters:
        raise errors.NotFound(
            f"nothing of {title} is in the log", hint=f"the last day is {history.last_day()}"
        )
    names = ("time", *schema.KEPT)

    def rows() -> Iterator[tuple[Any, ...]]:
        for utc, *values in history.seconds(begin=quarters[0].utc, end=quarters[-1].utc + 900):
            if (offset := offsets.get(utc // 900 * 900)) is not None:
                yield (store.local(utc, offset).isoformat(), *values)

    if parquet is not None:
        count = _write_parquet(rows(), {name: BY_NAME[name].kind for name in names}, parquet)
        terminal.note(f"{count} seconds in {parquet}")
    elif terminal.json:
        from decimal import Decimal

        exact = {n for n, name in enumerate(names) if BY_NAME[name].kind == "decimal"}
        for row in rows():
            found = {
                name: Decimal(value) if n in exact and value is not None else value
                for n, (name, value) in enumerate(zip(names, row, strict=True))
            }
            terminal.record(found)
    else:
        _write_csv(terminal, names, rows())
    return errors.DONE


def _write_csv(terminal: Terminal, names: Sequence[str], rows: Any) -> None:
    import csv

    writer = csv.writer(terminal.out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)


def _write_parquet(rows: Iterable[Iterable[Any]], kinds: dict[str, str], path: Path) -> int:
    """Returns how many rows there are. Raises MissingExtra, OSError."""
    try:
        import polars
    except ImportError:
        raise errors.MissingExtra("Parquet", "analysis") from None
    from dsmrctl.telegram.columns import DECIMALS, write_table

    types = {
        "integer": polars.Int64(),
        "decimal": polars.Decimal(scale=DECIMALS),
        "time": polars.String(),
    }
    texts = {name: polars.Int64() if kind == "integer" else polars.String()
             for name, kind in kinds.items()}  # fmt: skip
    tables = [polars.DataFrame([], schema=texts)]
    left = iter(rows)
    while chunk := [tuple(row) for row in itertools.islice(left, _CHUNK)]:
        tables.append(polars.DataFrame(chunk, schema=texts, orient="row"))
    table = polars.concat(tables).with_columns(
        polars.col(name).cast(types[kind]) for name, kind in kinds.items()
    )
    write_table(table, path)
    return table.height


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


def _page(
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


def _draw(
    path: Path, periods: list[Period], by: By, first: dt.date, until: dt.date, title: str
) -> None:
    from dsmrctl.terminal import picture

    slots, labels = _slots(periods, by, first, until)
    up, down, unit = _heights(slots, by)
    peak = _peak(slots)
    most = max((value for value in up if value is not None), default=0)
    text = picture.columns(
        f"{title}: import and export",
        up,
        down,
        labels,
        unit,
        summary=f"{len(periods)} columns, the highest {most:.4g} {unit}.",
        peak=peak,
    )
    path.write_text(text, encoding="utf-8")
