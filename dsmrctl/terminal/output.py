"""One writer to the screen: documents, lines and tables on stdout, notes and errors on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, TextIO

from dsmrctl.errors import DsmrError

if TYPE_CHECKING:
    from rich.console import Console

# C0, DEL and C1 drive a terminal; the bidirectional marks reorder what a person reads.
_MARKS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROL: dict[int, str | None] = {
    **dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}"),
    **dict.fromkeys(_MARKS),
    # Halves of characters, which JSON can hold and no stream can say.
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),
}


def safe(text: object, limit: int = 200) -> str:
    """`text` from the wire, made harmless to show: one line, no control characters, bounded."""
    shown = str(text).translate(_CONTROL)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def dumps(value: Any, ascii_only: bool = False) -> str:
    """JSON in one line, every Decimal with its exact digits (0.10 stays 0.10, never 0.1000000001).

    The json module would need a float for that; a float cannot hold what the meter said.
    `ascii_only`: other characters as JSON's escapes, for a stream that has no place for them.
    """
    import json

    found: list[str] = []

    def place(item: Any) -> str:
        found.append(_exact(item))
        return _PLACE

    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, default=place)
    if not found:
        return text
    # The module can only write a Decimal as a string: each stands in a place of its own until its
    # digits are put there. No text from outside can be that place: it is drawn anew each start.
    pieces = text.split(f'"{_PLACE}"')
    return "".join(chain.from_iterable(zip_longest(pieces, found, fillvalue="")))


_PLACE = os.urandom(12).hex()


def _exact(item: Any) -> str:
    from decimal import Decimal

    if isinstance(item, Decimal) and item.is_finite():
        return format(item, "f")
    raise TypeError(f"{type(item).__name__} has no place in JSON")


def _lacks_characters(stream: TextIO) -> bool:
    """Whether the stream is in an encoding (cp1252, ASCII) that cannot say every character."""
    import codecs

    try:
        return not codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")
    except (AttributeError, LookupError):
        return False


class Terminal:
    """Where a command's results go. `json` is what `--json` asked for.

    `colour` follows NO_COLOR, FORCE_COLOR and TERM=dumb (no-color.org, force-color.org).
    """

    def __init__(
        self, json: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.json = json
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self._out_ascii = _lacks_characters(self.out)
        self._err_ascii = _lacks_characters(self.err)

    @property
    def interactive(self) -> bool:
        """A person sits at both ends: something may be asked."""
        return self.out.isatty() and sys.stdin is not None and sys.stdin.isatty()

    @property
    def live(self) -> bool:
        """Standard output can be drawn on again and again."""
        return self.out.isatty() and os.environ.get("TERM") != "dumb" and not self.json

    def console(self, stderr: bool = False) -> Console:
        """A rich console; rich reads NO_COLOR, FORCE_COLOR, COLUMNS and TERM itself."""
        from rich.console import Console

        return Console(file=self.err if stderr else self.out, highlight=False, emoji=False)

    def record(self, value: Any) -> None:
        """One JSON line of a stream, out at once."""
        self.out.write(dumps(value, self._out_ascii) + "\n")
        self.out.flush()

    def record_note(self, value: Any) -> None:
        """A remark beside the data as one JSON line, on stderr."""
        self.note(dumps(value, self._err_ascii))

    def line(self, text: str, flush: bool = False) -> None:
        """One plain line of data; the caller has made text from the wire `safe`."""
        self.out.write(text + "\n")
        if flush:
            self.out.flush()

    def raw(self, data: bytes) -> None:
        """Bytes as they are, in order with what was written as text."""
        self.out.flush()
        self.out.buffer.write(data)
        self.out.buffer.flush()

    def table(
        self,
        rows: Iterable[Sequence[object]],
        columns: Sequence[str],
        right: Sequence[str] = (),
        stderr: bool = False,
    ) -> None:
        """Rows under headings; columns named in `right` are aligned right. Plain when piped."""
        rows = [[safe(cell) for cell in row] for row in rows]
        stream = self.err if stderr else self.out
        if not stream.isatty():
            for row in ([*columns], *rows):
                stream.write("\t".join(row) + "\n")
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold"
        )
        for column in columns:
            # Nothing is cut off: an address that ends in … helps nobody.
            table.add_column(
                column, justify="right" if column in right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*map(Text, row))
        self.console(stderr).print(table)

    def note(self, text: str) -> None:
        """A remark beside the data, on stderr."""
        self.err.write(text + "\n")
        self.err.flush()

    def error(self, error: DsmrError) -> None:
        """What went wrong and what to do next; with `--json` as one object."""
        if self.json:
            body = {"code": error.code, "message": error.message, "hint": error.hint}
            self.record_note({"error": body})
        else:
            self.err.write(f"dsmrctl: {error.message}\n")
            if error.hint:
                for hint_line in error.hint.splitlines():
                    self.err.write(f"  {hint_line}\n")
        self.err.flush()
