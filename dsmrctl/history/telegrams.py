"""Telegrams as what the log keeps: one by one as they come, an archive by the block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dsmrctl.history.schema import KEPT
from dsmrctl.quantities import BY_NAME
from dsmrctl.telegram.document import WATT_HOURS, quantities, whole

if TYPE_CHECKING:
    from dsmrctl.telegram.archive import Block, Column
    from dsmrctl.telegram.telegram import Telegram


def of_telegram(telegram: Telegram, now: Callable[[], datetime] | None = None) -> dict[str, Any]:
    """Its quantities. A meter that sends totals has them as tariff 1.

    now: this computer's clock, for a meter that has none (DSMR 2 and 3) and speaks just now.
    """
    found = quantities(telegram)
    if now is not None and telegram.time is None and telegram.get("0-0:1.0.0") is None:
        found["time"] = now().isoformat(timespec="seconds")
    if not by_tariff(telegram):
        found["import_t1_wh"] = whole(telegram.import_total, WATT_HOURS)
        found["export_t1_wh"] = whole(telegram.export_total, WATT_HOURS)
    return found


def by_tariff(telegram: Telegram) -> bool:
    """Whether the meter sends its registers by tariff, as `iter_blocks` wants them."""
    return any(telegram.get(f"1-0:1.8.{tariff}") for tariff in (1, 2))


def of_block(block: Block) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """(UTC second, offset, what is kept) of every telegram of a block whose time is known."""
    import numpy as np

    columns = (_kept(block.columns[name], BY_NAME[name].kind) for name in KEPT)
    rows = zip(
        np.isnat(block.time).tolist(),
        block.time.astype("int64").tolist(),
        block.offset.tolist(),
        zip(*columns, strict=True),
        strict=True,
    )
    return ((utc, offset, values) for unknown, utc, offset, values in rows if not unknown)


def _kept(column: Column, kind: str) -> list[Any]:
    """Whole numbers, or a decimal's exact text; None where it was not said."""
    values = column.values.tolist()
    if kind == "decimal" and column.decimals:
        unit, digits = 10**column.decimals, column.decimals
        # The same reading comes again and again: gas for five minutes, a voltage every few seconds.
        texts = {
            value: f"{'-' if value < 0 else ''}{abs(value) // unit}.{abs(value) % unit:0{digits}d}"
            for value in set(values)
        }
        values = [texts[value] for value in values]
    elif kind == "decimal":
        values = [str(value) for value in values]
    if column.valid.all():
        return values
    return [v if said else None for v, said in zip(values, column.valid.tolist(), strict=True)]
