"""Telegrams as columns: CSV and Parquet of the quantities, one row a telegram."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dsmrctl.errors import MissingExtra
from dsmrctl.quantities import QUANTITIES
from dsmrctl.telegram.document import exact, quantities

if TYPE_CHECKING:
    import polars

    from dsmrctl.telegram.telegram import Telegram

# What a telegram can say; the others belong to boards and forecasts.
COLUMNS = tuple(
    quantity
    for quantity in QUANTITIES
    if quantity.name
    not in ("output_percent", "frame_age_s", "threshold_w", "forecast_w", "last_quarter_w")
)
_ROWS = 20_000


def write_csv(telegrams: Iterable[Telegram], out: TextIO) -> None:
    """A header and a row for each telegram; an unknown quantity is an empty field."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(quantity.name for quantity in COLUMNS)
    for telegram in telegrams:
        found = quantities(telegram)
        writer.writerow(
            exact(found[quantity.name]) if quantity.kind == "decimal" else found[quantity.name]
            for quantity in COLUMNS
        )


def write_parquet(telegrams: Iterable[Telegram], file: Path) -> int:
    """A Parquet file (zstd): time in UTC, whole Wh and W as integers, others as decimals.

    Returns the number of rows. Raises MissingExtra without polars.
    """
    polars = _polars()
    frames = [_frame(polars, rows) for rows in _batches(telegrams)]
    table = polars.concat(frames) if frames else _frame(polars, [])
    table.write_parquet(file, compression="zstd")
    return table.height


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise MissingExtra("writing Parquet", "analysis") from None
    return polars


def _batches(telegrams: Iterable[Telegram]) -> Iterator[list[dict[str, Any]]]:
    """Rows by the thousand: as Python objects a month of seconds would fill the memory."""
    rows: list[dict[str, Any]] = []
    for telegram in telegrams:
        found = quantities(telegram)
        found["time"] = telegram.time
        rows.append(found)
        if len(rows) == _ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _frame(polars: Any, rows: list[dict[str, Any]]) -> polars.DataFrame:
    from datetime import UTC

    types = {
        "time": polars.Datetime("us", "UTC"),
        "integer": polars.Int64,
    }
    columns = {}
    for quantity in COLUMNS:
        values = [row[quantity.name] for row in rows]
        if quantity.kind == "time":
            values = [each.astimezone(UTC) if each else None for each in values]
        kind = types.get(quantity.kind) or polars.Decimal(18, quantity.decimals)
        columns[quantity.name] = polars.Series(quantity.name, values, dtype=kind)
    return polars.DataFrame(columns)
