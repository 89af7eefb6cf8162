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
from dsmrctl.commands import log_drawn
from dsmrctl.commands.log_drawn import By
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.history.store import History


class Span(StrEnum):
    """What is shown at once."""

    day = "day"
    month = "month"
    year = "year"


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
      dsmrctl log show month --csv --log meter.db
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
        whole = history.periods(first, until, span.value)
        documents = [one.document() for one in periods]
        if svg is not None:
            log_drawn.draw(svg, periods, whole, rows_by, first, until, title)
            terminal.note(f"{title}: {svg}")
        if csv or parquet is not None or as_json:
            _columns(terminal, documents, csv, parquet)
        elif svg is None:
            log_drawn.page(terminal, periods, whole, rows_by, first, until, title)
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

    texts = {name: polars.Int64() if kind == "integer" else polars.String()
             for name, kind in kinds.items()}  # fmt: skip
    tables = [polars.DataFrame([], schema=texts)]
    left = iter(rows)
    while chunk := [tuple(row) for row in itertools.islice(left, _CHUNK)]:
        tables.append(polars.DataFrame(chunk, schema=texts, orient="row"))
    column = polars.col
    made = {
        "integer": lambda name: column(name),
        "decimal": lambda name: column(name).cast(polars.Decimal(18, DECIMALS)),
        "time": lambda name: column(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us"),
    }
    table = polars.concat(tables).with_columns(made[kind](name) for name, kind in kinds.items())
    write_table(table, path)
    return table.height
