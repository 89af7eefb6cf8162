"""Quantities by column, a row a telegram: what reading an archive gives."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from dsmrctl.errors import MissingExtra
from dsmrctl.quantities import QUANTITIES

from .document import quantities
from .framing import Reject
from .telegram import Telegram

if TYPE_CHECKING:
    import numpy as np

NAMES = tuple(
    quantity.name
    for quantity in QUANTITIES
    if quantity.kind != "time"
    and quantity.name
    not in ("output_percent", "frame_age_s", "threshold_w", "forecast_w", "last_quarter_w")
)
"""The quantities a telegram can say, beside its time."""

LARGEST = 2**63 - 1


class Column(NamedTuple):
    """A quantity of each telegram: int64 `values` of which `valid` tells those that were said.

    The quantity is `values / 10**decimals`, exactly. Where it is unknown, `values` is 0.
    """

    values: np.ndarray
    valid: np.ndarray
    decimals: int


class Block(NamedTuple):
    """Telegrams in the order of the stream, by column; and what was rejected between them.

    `time` is the meter's clock, datetime64[s] in UTC, NaT where unknown; `offset` what the meter
    adds to it, in seconds. `columns` are NAMES and the objects that were asked for.
    """

    time: np.ndarray
    offset: np.ndarray
    columns: dict[str, Column]
    rejects: list[Reject]

    @property
    def rows(self) -> int:
        return len(self.time)


def numpy() -> Any:
    """numpy, imported when it is needed. Raises MissingExtra."""
    try:
        import numpy
    except ImportError:
        raise MissingExtra("reading an archive as columns", "analysis") from None
    return numpy


def joined(blocks: list[Block], names: Sequence[str]) -> Block:
    np = numpy()
    columns = {}
    for name in names:
        parts = [block.columns[name] for block in blocks]
        decimals = max((part.decimals for part in parts), default=0)
        parts = [_rescaled(part, decimals) for part in parts]
        columns[name] = Column(
            np.concatenate([np.empty(0, np.int64), *(part.values for part in parts)]),
            np.concatenate([np.empty(0, bool), *(part.valid for part in parts)]),
            decimals,
        )
    return Block(
        np.concatenate([np.empty(0, "datetime64[s]"), *(block.time for block in blocks)]),
        np.concatenate([np.empty(0, np.int32), *(block.offset for block in blocks)]),
        columns,
        [reject for block in blocks for reject in block.rejects],
    )


def _rescaled(column: Column, decimals: int) -> Column:
    np = numpy()
    if decimals == column.decimals:
        return column
    factor = 10 ** (decimals - column.decimals)
    valid = column.valid & (np.abs(column.values) <= LARGEST // factor)
    return Column(np.where(valid, column.values, 0) * factor, valid, decimals)


def _column(said: Sequence[Decimal | int | None]) -> Column:
    """A column of what the general parser says."""
    np = numpy()
    exact = [(0, 0) if each is None else whole(each) for each in said]
    decimals = max((each[1] for each in exact), default=0)
    values = [value * 10 ** (decimals - own) for value, own in exact]
    valid = [
        each is not None and abs(value) <= LARGEST for each, value in zip(said, values, strict=True)
    ]
    if not all(valid):
        values = [value if known else 0 for value, known in zip(values, valid, strict=True)]
    return Column(np.array(values, np.int64), np.array(valid, bool), decimals)


def whole(number: Decimal | int) -> tuple[int, int]:
    """A number as a whole one and its decimals: 112.384 is 112384 and 3."""
    if isinstance(number, int):
        return number, 0
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # no infinity, no NaN: NUMBER lets none through
    value = int("".join(map(str, digits))) * 10 ** max(0, exponent)
    return -value if sign else value, max(0, -exponent)


def quantity_row(telegram: Telegram, objects: Sequence[str]) -> dict[str, Decimal | int | None]:
    """What the general parser says in a row."""
    found = quantities(telegram)
    row = {name: found[name] for name in NAMES}
    for code in objects:
        item = telegram.get(code)
        measured = item.measurement if item is not None else None
        row[code] = measured.number if measured is not None else None
    return row


def read_generally(telegrams: list[Telegram], objects: Sequence[str]) -> Block:
    np = numpy()
    rows = [quantity_row(telegram, objects) for telegram in telegrams]
    time = np.full(len(rows), "NaT", "datetime64[s]")
    offset = np.zeros(len(rows), np.int32)
    for at, telegram in enumerate(telegrams):
        when = telegram.time
        if when is not None:
            aside = when.utcoffset()
            assert aside is not None  # the meter's clock has its flag, or Central Europe's time
            offset[at] = aside.total_seconds()
            time[at] = np.datetime64(when.replace(tzinfo=None), "s") - offset[at]
    names = (*NAMES, *objects)
    return Block(time, offset, {name: _column([row[name] for row in rows]) for name in names}, [])
