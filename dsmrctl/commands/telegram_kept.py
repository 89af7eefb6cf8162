"""What `telegram read` keeps: the telegrams in a recording, with names in them or without."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.recordings.writing import RecordingWriter
    from dsmrctl.telegram import Reject, Telegram
    from dsmrctl.telegram.sources import Source

_SOMEBODY = "meter"  # who an anonymous telegram is from
_SHOWN = 20  # codes, of those that were replaced


class Keeper:
    """Records telegrams, if a file is named, and makes them anonymous, if that is wanted.

    A context manager; at the end it says how many were recorded, and what was replaced, by OBIS
    code. Of something live the time of a telegram is when it came, else what the meter's clock
    said; where that says none, what it said before.
    """

    def __init__(self, terminal: Terminal, path: Path | None, anonymise: bool) -> None:
        from dsmrctl.telegram.anonymous import Anonymiser

        self._terminal = terminal
        self._path = path
        self._anonymiser = Anonymiser() if anonymise else None
        self._writer: RecordingWriter | None = None
        self._stack = contextlib.ExitStack()
        self._live = False
        self._name = _SOMEBODY
        self._last_ns = 0

    def begin(self, source: Source) -> None:
        """Before the first telegram. Raises what making a recording may."""
        self._live = source.live
        if self._anonymiser is None:
            self._name = source.name
        if self._live:
            self._open(time.time_ns())

    def _open(self, started_ns: int) -> None:
        if self._path is None:
            return
        from dsmrctl.recordings.writing import create

        self._writer = create(self._path, "telegrams", started_ns=started_ns)
        self._stack.enter_context(self._writer)

    def take(self, telegram: Telegram) -> Telegram:
        """Record a telegram; it, or what may be shown of it."""
        if self._anonymiser is not None:
            telegram = self._anonymiser.telegram(telegram)
        if self._path is not None:
            self._put(telegram.raw, self._time_ns(telegram))
        return telegram

    def _time_ns(self, telegram: Telegram) -> int:
        said = None if self._live else telegram.time
        if said is not None:
            self._last_ns = int(said.timestamp()) * 10**9
        return self._last_ns or time.time_ns()

    def _put(self, data: bytes, time_ns: int) -> None:
        from dsmrctl.recordings.item import Item

        if self._writer is None:
            self._open(time_ns)
        assert self._writer is not None
        self._writer.write(Item(time_ns, self._name, data))
        if self._live:
            self._writer.flush()

    def reject(self, reject: Reject) -> None:
        """What was no telegram: kept as it came by, unless it may name somebody."""
        if self._live and self._path is not None and self._anonymiser is None:
            from dsmrctl.recordings.item import LONGEST

            for at in range(0, len(reject.raw), LONGEST):
                self._put(reject.raw[at : at + LONGEST], time.time_ns())

    def __enter__(self) -> Keeper:
        from dsmrctl.commands.listen_kept import until_terminated

        if self._path is not None:
            self._stack.enter_context(until_terminated())
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            self._stack.__exit__(*raised)
        finally:
            if self._anonymiser is not None and self._anonymiser.replaced:
                self._tell_replaced(self._anonymiser.replaced)
            if self._writer is not None:
                self._tell(self._writer)

    def _tell_replaced(self, replaced: Counter[str]) -> None:
        """What, never what it was."""
        if self._terminal.json:
            self._terminal.record_note({"replaced": dict(replaced)})
            return
        most = [f"  {count} {safe(what)}" for what, count in replaced.most_common(_SHOWN)]
        if len(replaced) > _SHOWN:
            most.append(f"  and {len(replaced) - _SHOWN} codes more")
        self._terminal.note("\n".join(["replaced:", *most]))

    def _tell(self, writer: RecordingWriter) -> None:
        path = safe(writer.path)
        if self._terminal.json:
            self._terminal.record_note({"recorded": writer.items, "file": path})
        else:
            self._terminal.note(f"{writer.items} recorded in {path}")
