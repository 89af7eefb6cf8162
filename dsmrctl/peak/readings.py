"""What a meter said, by columns: the form in which every source of peaks is read.

A reading stands for a moment. Between two readings the register says what went through, whatever
the time between; what a forecast needs besides is the power of that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

UNKNOWN = -1


class Readings(NamedTuple):
    """Readings in the order they came, int64 columns of one length; -1 is unknown.

    utc: seconds since 1970. import_wh, export_wh: the registers, both tariffs summed. import_w,
    export_w: the power then. quarter_w, month_peak_w: the meter's own (1-0:1.4.0, 1-0:1.6.0). A
    column that no reading has is None. fresh: nothing came before, whatever block went before it.
    """

    utc: np.ndarray
    import_wh: np.ndarray
    import_w: np.ndarray
    export_wh: np.ndarray | None = None
    export_w: np.ndarray | None = None
    quarter_w: np.ndarray | None = None
    month_peak_w: np.ndarray | None = None
    fresh: bool = False

    def part(self, begin: int, end: int | None = None) -> Readings:
        """The readings from index `begin` until before `end`."""
        columns = (None if column is None else column[begin:end] for column in self[:-1])
        return Readings(*columns, fresh=self.fresh and begin == 0)  # type: ignore[arg-type]


def joined(blocks: Sequence[Readings]) -> Readings:
    """Blocks one after the other, as one; a column that only some of them have is -1 in others."""
    import numpy as np

    if len(blocks) == 1:
        return blocks[0]
    columns: list[np.ndarray | None] = []
    for each in zip(*(block[:-1] for block in blocks), strict=True):
        if all(column is None for column in each):
            columns.append(None)
            continue
        filled = (
            np.full(len(block.utc), UNKNOWN, np.int64) if column is None else column
            for block, column in zip(blocks, each, strict=True)
        )
        columns.append(np.concatenate(list(filled)))
    return Readings(*columns, fresh=blocks[0].fresh)  # type: ignore[arg-type]
