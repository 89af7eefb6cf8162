"""What every command that reads a SOURCE shares: opening it, counting, and the exit code."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dsmrctl import errors, keys
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.telegram import Reject, Telegram
    from dsmrctl.telegram.archive import Block
    from dsmrctl.telegram.sources import Source

# Of these a person wants to know what happened on the line, not only how often.
REASONS = {
    "truncated": "cut short: the line dropped bytes, or the reading began in mid-telegram",
    "overrun": "longer than 16 KiB: the end was lost",
    "crc": "wrong CRC: a bit fell over; a long cable, a weak pull-up or noise",
    "garbage": "no telegram: noise, the wrong baud rate, or an inverted line",
}


def meter_key(file: str | None) -> bytes | None:
    """The key of an encrypted meter, from --meter-key-file or DSMRCTL_METER_KEY."""
    if file is None and "DSMRCTL_METER_KEY" not in os.environ:
        return None
    from dsmrctl.telegram import luxembourg

    return luxembourg.read_key(file)


def frame_key(file: str | None) -> bytes | None:
    """The key of signed frames, from --frame-key-file or DSMRCTL_FRAME_KEY; its bytes as they are.

    Raises UsageError for one that is not 16 to 64 bytes of UTF-8; its text stays out of it.
    """
    text = keys.read_text(file, "DSMRCTL_FRAME_KEY", "frame key")
    if text is None:
        return None
    key = text.encode()
    if not 16 <= len(key) <= 64:
        raise errors.UsageError(
            f"a frame key has 16 to 64 bytes, this one has {len(key)}",
            hint="one line of text, the same on every board",
        )
    return key


def open_telegrams(
    source: str | None,
    terminal: Terminal,
    *,
    dsmr2: bool = False,
    follow: bool = False,
    key: bytes | None = None,
    speed: float | None = 1.0,
) -> AbstractContextManager[Source]:
    """Open a SOURCE that holds telegrams; `household` is the virtual meter.

    Raises UsageError for `frames`, and with a table of ports when there are several.
    """
    from dsmrctl.telegram import sources

    kind = sources.kind(source)
    if kind == "frames":
        raise errors.UsageError(
            "frames carry a few numbers of a telegram, not the telegram itself",
            hint="give a port, tcp://host:8088 or a file; dsmrctl listen shows the frames",
        )
    if kind == "household":
        from dsmrctl.virtual.meter_outlets import HouseholdSource

        return HouseholdSource(speed=speed)
    _tell_a_slow_crc(terminal)
    try:
        opened = sources.open_source(
            source, dsmr2=dsmr2, follow=follow, key=key, on_note=terminal.note
        )
    except sources.SeveralPorts as several:
        if not terminal.json:
            terminal.table(several.rows, several.COLUMNS, stderr=True)
        raise
    if source is None:
        terminal.note(f"reading {opened.name}, the only serial port here")
    return opened


def _tell_a_slow_crc(terminal: Terminal) -> None:
    from dsmrctl.telegram import crc

    if crc.implementation() != "crcmod C extension":
        terminal.note(
            "crcmod has no C extension here, so CRCs are checked in Python: right, but slower;\n"
            "  with a C compiler: pip install --force-reinstall --no-binary :all: crcmod"
        )


@dataclass(frozen=True)
class Reading:
    """What a person asks of a SOURCE of telegrams; the options that `telegram`'s commands share."""

    source: str | None
    count: int | None
    timeout: float | None
    follow: bool
    strict: bool
    dsmr2: bool
    meter_key_file: str | None

    def each(self, terminal: Terminal, show: Callable[[Telegram], None]) -> int:
        """Show every valid telegram; the exit code."""

        def use(telegrams: Iterator[Telegram], opened: Source, tally: Tally) -> None:
            for telegram in telegrams:
                show(telegram)

        return self.run(terminal, use)

    def run(
        self,
        terminal: Terminal,
        use: Callable[[Iterator[Telegram], Source, Tally], None],
        on_reject: Callable[[Reject], None] | None = None,
    ) -> int:
        """Open the source, let `use` take from it, tell what was rejected; the exit code.

        on_reject: given each reject as it comes, between the telegrams.
        """
        from dsmrctl.telegram.sources import telegrams

        tally = Tally()
        key = meter_key(self.meter_key_file)
        with open_telegrams(
            self.source, terminal, dsmr2=self.dsmr2, follow=self.follow, key=key
        ) as opened:
            found = telegrams(opened, timeout=self.timeout, count=self.count)
            if on_reject is not None:
                found = _passing(found, on_reject)
            use(tally.watch(found, self.count), opened, tally)
            return tally.finish(terminal, opened.name, self.strict)


def _passing(
    items: Iterator[Telegram | Reject], on_reject: Callable[[Reject], None]
) -> Iterator[Telegram | Reject]:
    from dsmrctl.telegram import Reject

    for item in items:
        if isinstance(item, Reject):
            on_reject(item)
        yield item


class Tally:
    """How many telegrams were valid, and why the others were not."""

    def __init__(self) -> None:
        self.valid = 0
        self.rejected: Counter[str] = Counter()

    def watch(
        self,
        items: Iterator[Telegram | Reject],
        count: int | None = None,
        on_reject: Callable[[str, str], None] | None = None,
    ) -> Iterator[Telegram]:
        """Pass the telegrams on; count both kinds.

        Silence ends the stream when telegrams came and no `count` of them was asked for.
        """
        from dsmrctl.telegram import Reject

        try:
            for item in items:
                if isinstance(item, Reject):
                    self.rejected[item.reason] += 1
                    if on_reject is not None:
                        on_reject(item.reason, REASONS[item.reason])
                else:
                    self.valid += 1
                    yield item
        except errors.NoAnswer:
            if count is not None and self.valid:
                raise errors.NoAnswer(f"only {self.valid} of {count} telegrams came") from None
            if not self.valid and not self.rejected:
                raise  # else something came, only nothing good: finish() says what

    def watch_blocks(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Pass the blocks of an archive on; count what is in them."""
        for block in blocks:
            self.valid += block.rows
            self.rejected.update(reject.reason for reject in block.rejects)
            yield block

    def finish(self, terminal: Terminal, name: str, strict: bool = False) -> int:
        """Tell what was rejected. Exit code 0, or with `strict` 6; BadData when none was valid."""
        counts = [f"  {count} {REASONS[reason]}" for reason, count in self.rejected.most_common()]
        total = self.rejected.total()
        if not self.valid:
            what = f"none of {total} was whole" if total else "nothing is in it"
            raise errors.BadData(
                f"no valid telegram in {name}: {what}",
                hint="\n".join(
                    [
                        *(line.strip() for line in counts),
                        "a telegram begins with / and ends with ! and a CRC; "
                        "an old meter wants --dsmr2",
                    ]
                ),
            )
        if total and not terminal.json:
            terminal.note("\n".join([f"{self.valid} telegrams, {total} rejected:", *counts]))
        elif total:
            terminal.record_note({"rejected": dict(self.rejected)})
        return errors.BAD_DATA if strict and total else errors.DONE
