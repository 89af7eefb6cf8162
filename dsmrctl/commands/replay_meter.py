"""A file of telegrams as they are (.raw, .txt, .gz), replayed by the meter's own clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from dsmrctl.commands import reading
from dsmrctl.recordings.item import Item


class MeterFile:
    """What `recordings.Recording` is, of a file without times: the meter's clock tells them.

    A telegram without a time comes a second after the one before; what is no telegram is skipped.
    Raises NotFound, Refused.
    """

    kind = "telegrams"

    def __init__(self, path: Path, on_note: Callable[[str], None] = lambda text: None) -> None:
        from dsmrctl.telegram.stored import StoredSource

        self.name = str(path)
        self._note = on_note
        self.skipped: Counter[str] = Counter()
        self.ports: Counter[int] = Counter()
        self._source = StoredSource(path, on_note=on_note)
        try:
            items = self._read()
            self._first = next(items, None)
        except BaseException:
            self._source.close()
            raise
        self._items = items
        self.started_ns = 0 if self._first is None else self._first.time_ns

    def _read(self) -> Iterator[Item]:
        from dsmrctl.telegram import Reject
        from dsmrctl.telegram.sources import telegrams

        time_ns = 0
        for found in telegrams(self._source):
            if isinstance(found, Reject):
                self.skipped[found.reason] += 1
                continue
            if found.time is None:
                time_ns += 10**9
            else:
                time_ns = round(found.time.timestamp()) * 10**9
            yield Item(time_ns, self.name, found.raw)
        for reason, count in self.skipped.most_common():
            self._note(f"{self.name}: {count} skipped: {reading.REASONS[reason]}")

    def __iter__(self) -> Iterator[Item]:
        if self._first is not None:
            yield self._first
        yield from self._items

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._source.close()
