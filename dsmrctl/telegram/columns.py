"""Telegrams as columns: CSV and Parquet of the quantities, one row a telegram.

A stream goes telegram by telegram, an archive by the block (`archive`): the values are the same.
"""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dsmrctl.errors import DsmrError, MissingExtra
from dsmrctl.quantities import QUANTITIES
from dsmrctl.telegram.document import quantities
from dsmrctl.telegram.sources import refuse_without_key

if TYPE_CHECKING:
    import numpy as np
    import polars

    from dsmrctl.telegram.archive import Block, Column
    from dsmrctl.telegram.sources import Source
    from dsmrctl.telegram.telegram import Telegram

# What a telegram can say; the others belong to boards and forecasts.
COLUMNS = tuple(
    quantity
    for quantity in QUANTITIES
    if quantity.name
    not in ("output_percent", "frame_age_s", "threshold_w", "forecast_w", "last_quarter_w")
)
DECIMALS = 6
"""Digits behind the point in a Parquet file: more than any meter sends (3), so none is lost."""
_ROWS = 20_000


def blocks_of(source: Source) -> Iterator[Block] | None:
    """The source by the block when it is stored and numpy is there; else None: by the telegram."""
    if source.live:
        return None
    try:
        import numpy  # noqa: F401 - only whether it is there

        from dsmrctl.telegram.archive import iter_blocks
    except ImportError:
        return None
    return iter_blocks(_pieces(source), key=source.key)


def _pieces(source: Source) -> Iterator[bytes]:
    """What a stored source holds. Raises UsageError when it is encrypted and there is no key."""
    first = True
    while (piece := source.read()) is not None:
        if first:
            refuse_without_key(source, piece[:4096])
        first = False
        yield piece


def csv_header(out: TextIO) -> None:
    """The names of the columns."""
    out.write(",".join(quantity.name for quantity in COLUMNS) + "\n")


def csv_rows(telegrams: Iterable[Telegram], out: TextIO, flush: bool = False) -> None:
    """A row for each telegram; an unknown quantity is an empty field. `flush`: each out at once."""
    writer = csv.writer(out, lineterminator="\n")
    for telegram in telegrams:
        found = quantities(telegram)
        writer.writerow(_text(found[quantity.name]) for quantity in COLUMNS)
        if flush:
            out.flush()


def csv_block(block: Block, out: TextIO) -> None:
    """A row for each telegram of a block."""
    columns = [_iso(block)]
    columns += [
        _texts(block.columns[quantity.name]) for quantity in COLUMNS if quantity.kind != "time"
    ]
    out.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _texts(column: Column) -> list[str]:
    """Exact decimal texts of a column."""
    values, known = column.values.tolist(), column.valid.tolist()
    if column.decimals == 0:
        return [str(value) if said else "" for value, said in zip(values, known, strict=True)]
    unit = 10**column.decimals
    return [
        f"{'-' if value < 0 else ''}{abs(value) // unit}.{abs(value) % unit:0{column.decimals}d}"
        if said
        else ""
        for value, said in zip(values, known, strict=True)
    ]


def _iso(block: Block) -> list[str]:
    """The meter's clock as ISO 8601 with its offset."""
    import numpy as np

    local = np.datetime_as_string(block.time + block.offset).tolist()
    ends = {3600: "+01:00", 7200: "+02:00"}
    return [
        "" if text == "NaT" else text + ends[offset]
        for text, offset in zip(local, block.offset.tolist(), strict=True)
    ]


def write_parquet(frames: Iterable[polars.DataFrame], file: Path) -> int:
    """A Parquet file (zstd): time in UTC, whole Wh and W as integers, others as decimals.

    Returns the number of rows; without any no file is written. What came before Ctrl-C or a pulled
    cable is written all the same. Raises MissingExtra without polars, OSError.
    """
    polars = _polars()
    kept = [_frame({})]
    try:
        kept.extend(frames)
    finally:
        table = polars.concat(kept)
        if table.height:
            write_table(table, file)
    return table.height


def write_table(table: polars.DataFrame, file: Path) -> None:
    """To a new file first: a full disk must not cost the one that was there."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory", str(file))
    fresh = file.with_name(f"{file.name}.new")
    try:
        table.write_parquet(fresh, compression="zstd")
        fresh.replace(file)
    except _polars().exceptions.PolarsError as error:
        fresh.unlink(missing_ok=True)
        raise OSError(errno.EIO, f"cannot be written: {error}", str(file)) from None


def frames_of(telegrams: Iterable[Telegram]) -> Iterator[polars.DataFrame]:
    """Telegrams by the thousand: as Python objects a month of seconds would fill the memory."""
    rows: list[dict[str, Any]] = []
    ended = None
    try:
        for telegram in telegrams:
            rows.append(quantities(telegram) | {"time": telegram.time})
            if len(rows) == _ROWS:
                yield _frame_of_rows(rows)
                rows = []
    except (DsmrError, KeyboardInterrupt) as error:
        ended = error  # first what came
    if rows:
        yield _frame_of_rows(rows)
    if ended is not None:
        raise ended


def frame_of_block(block: Block) -> polars.DataFrame:
    """A block as a polars frame, exact."""
    polars = _polars()
    series = {"time": polars.Series(block.time.astype("datetime64[us]"))}
    for name, column in block.columns.items():
        series[name] = polars.Series(_masked(column)).cast(polars.Int64)
    found = _frame_raw(series)
    scales = [
        (polars.col(name).cast(polars.Decimal(38, 0)) * Decimal(1).scaleb(-column.decimals)).alias(
            name
        )
        for name, column in block.columns.items()
        if column.decimals
    ]
    return _frame(found.with_columns(scales).to_dict())


def _masked(column: Column) -> np.ndarray[Any, Any] | list[int | None]:
    if column.valid.all():
        return column.values
    return [
        value if said else None
        for value, said in zip(column.values.tolist(), column.valid.tolist(), strict=True)
    ]


def _frame_of_rows(rows: list[dict[str, Any]]) -> polars.DataFrame:
    from datetime import UTC

    columns: dict[str, list[Any]] = {
        quantity.name: [row[quantity.name] for row in rows] for quantity in COLUMNS
    }
    columns["time"] = [each.astimezone(UTC) if each else None for each in columns["time"]]
    return _frame(columns)


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise MissingExtra("writing Parquet", "analysis") from None
    return polars


def _frame_raw(series: Mapping[str, Any]) -> Any:
    return _polars().DataFrame(series)


def _frame(columns: Mapping[str, Any]) -> polars.DataFrame:
    """The columns with the one type each has in every file."""
    polars = _polars()
    series = []
    for quantity in COLUMNS:
        if quantity.kind == "time":
            kind = polars.Datetime("us", "UTC")
        elif quantity.kind == "integer":
            kind = polars.Int64
        else:
            kind = polars.Decimal(18, DECIMALS)
        values = columns.get(quantity.name, [])
        if quantity.kind == "time" and isinstance(values, polars.Series):
            values = values.dt.replace_time_zone("UTC")
        if isinstance(values, polars.Series):
            series.append(values.cast(kind).alias(quantity.name))
        else:
            series.append(polars.Series(quantity.name, values, dtype=kind))
    return polars.DataFrame(series)
