"""Bytes in, telegrams out: finds where telegrams begin and end, however the bytes come.

What comes out depends on the bytes alone, never on how they were cut into slices: everything is
decided at a place in the stream (an end mark, or `limit` bytes after a beginning), not by what
happens to be in the buffer. Memory stays below `limit` plus one slice, and each byte is looked at a
bounded number of times, whatever comes in.

A beginning is `/` and three letters at the start of a line; in the middle of a line, where a new
telegram cut off the one before it, the whole header has to be there. An end is `!` at the start of
a line with up to four hexadecimal digits (DSMR P1 5.0.2, chapter 6.2). Text of a message can look
like either, so no mark is believed alone: a CRC that holds decides which beginning belongs to which
end, and until then up to 16 beginnings stay open. Telegrams without a CRC (DSMR 2 and 3) are
taken when their brackets balance, or when another telegram or the end of the input follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from dsmrctl.telegram import crc
from dsmrctl.telegram.marks import BEGIN, END, HEADER, LINE_END, WHOLE_HEADER, Beginning
from dsmrctl.telegram.telegram import Telegram

if TYPE_CHECKING:
    from dsmrctl.telegram.luxembourg import Unsealer

Reason = Literal["truncated", "overrun", "crc", "garbage"]

LIMIT = 16384
"""Bytes a telegram may have: DSMR's longest message is 2048 characters, event logs add some."""

_OPEN = 16  # beginnings kept open at once; a message would need that many lines like a header
_LOOK = 80  # bytes a header in the middle of a line may take until it is known for one

_IDLE = b"\x00\xff\r\n"
"""What lines send while nothing is said: skipped between telegrams, no reject."""
_IDLING = re.compile(rb"[\x00\xff\r\n]*")


class Reject(NamedTuple):
    """Bytes that gave no telegram: why, where in the stream, and the bytes themselves.

    "truncated": the next telegram began, or the input ended, before its end mark. "overrun": no end
    mark within the limit. "crc": a whole telegram whose CRC (Luxembourg: whose tag) does not hold.
    "garbage": bytes of no telegram, at most `limit` in one reject.
    """

    reason: Reason
    offset: int
    raw: bytes


class Framer:
    """Cuts a stream into telegrams and rejects, in the order of the stream.

    `limit` is the most bytes a telegram may have, `offset` the place in the stream of the first
    byte that will be fed. What cannot be used comes out as a Reject; nothing is raised, but with
    the `key` of an encrypted (Luxembourg) meter, 16 bytes, WrongKey when it opens no frame.
    """

    def __init__(self, limit: int = LIMIT, key: bytes | None = None, offset: int = 0) -> None:
        self._limit = limit
        self._unsealer: Unsealer | None = None
        if key is not None:
            from dsmrctl.telegram.luxembourg import Unsealer

            self._unsealer = Unsealer(key, limit, offset)
        self._offset = offset  # in the stream, of the buffer's first byte
        self._buffer = b""
        self._at = 0  # all before is decided; the first open beginning when there is one
        self._searched = 0  # no end mark before this that was not looked at
        self._scanned = 0  # no beginning before this that is not known
        self._open: list[Beginning] = []
        self._unclosed: tuple[Beginning, int] | None = None
        self._checked = b""  # the last telegram whose CRC held
        self._found: list[Telegram | Reject] = []

    def feed(self, data: bytes) -> Iterator[Telegram | Reject]:
        """What is complete with `data` added; nothing is lost when the result is not read."""
        if self._unsealer is not None:
            return self._unsealer.feed(data)
        self._buffer += data
        return self._go(closed=False)

    def close(self) -> Iterator[Telegram | Reject]:
        """What is left at the end of the input. The next `feed` starts afresh."""
        if self._unsealer is not None:
            return self._unsealer.close()
        return self._go(closed=True)

    def _go(self, closed: bool) -> Iterator[Telegram | Reject]:
        while self._step(closed):
            pass
        if closed:
            self._finish()
        self._forget()
        found, self._found = self._found, []
        return iter(found)

    def _step(self, closed: bool) -> bool:
        """Decide at the next place where something can be decided; False: more bytes are needed."""
        buffer = self._buffer
        if not self._open:
            at = self._at
            if buffer[at : at + 1] in _IDLE:
                at = self._at = _IDLING.match(buffer, at).end()  # type: ignore[union-attr]
                self._searched = max(self._searched, at)
                self._scanned = max(self._scanned, at)
        due = self._at + self._limit
        mark = buffer.find(b"!", self._searched, due)
        if mark < 0:
            self._searched = max(self._searched, min(due, len(buffer)))
            # A header that begins before `due` must be seen whole, wherever the slices end.
            if len(buffer) >= due + _LOOK or (closed and len(buffer) > due):
                self._overdue(due)
                return True
            return False
        self._searched = mark
        if mark == self._at or buffer[mark - 1] not in b"\r\n":
            # The next one at the start of a line is behind the next line end.
            line_end = LINE_END.search(buffer, mark + 1)
            self._searched = min(due, line_end.start() if line_end else len(buffer))
            return True
        match = END.match(buffer, mark)
        assert match is not None
        end = match.end()
        if end == len(buffer) and not closed and buffer[-1] != 0x0A:
            return False
        self._searched = mark + 1
        digits = match[1]
        if match[2] is None:
            # Four digits can be checked; fewer are an end mark only where a line or telegram ends.
            if len(digits) < 4 and end < len(buffer) and buffer[end] != 0x2F:
                return True
            end = match.end(1)
        self._ended(mark, end, digits)
        return True

    def _ended(self, mark: int, end: int, digits: bytes) -> None:
        """An end mark: the first open beginning whose CRC holds there makes a telegram."""
        buffer, at = self._buffer, self._at
        # The usual case first: one telegram, whole, right where the one before it ended.
        if (
            digits
            and not self._open
            and HEADER.match(buffer, at)
            and crc.holds(buffer[at : mark + 1], digits)
        ):
            self._take(buffer[at:end], end, checked=True)
            return
        self._scan(mark, mark)
        if not self._open:
            return
        taken = self._with_crc(mark, digits) if digits else self._without_crc(mark, end)
        if taken is not None:
            self._reject_before(taken)
            self._take(buffer[taken.at : end], end, checked=bool(digits))
            return
        self._open[-1].end = end

    def _with_crc(self, mark: int, digits: bytes) -> Beginning | None:
        for beginning in self._open:
            if beginning.holds(self._buffer, mark + 1, digits):
                return beginning
        return None

    def _without_crc(self, mark: int, end: int) -> Beginning | None:
        """The last one whose brackets balance. If none does, what follows `end` has to tell."""
        self._unclosed = None
        for beginning in reversed(self._open):
            balances = beginning.balances(self._buffer, mark)
            if not beginning.has_object(self._buffer, mark):
                continue
            if beginning.opened and not self._had_a_crc(beginning.at):
                if balances:
                    return beginning
                self._unclosed = self._unclosed or (beginning, end)
        return None

    def _had_a_crc(self, at: int) -> bool:
        """Whether this meter's last telegram had one: then it lost it on the way."""
        header = self._checked[: self._checked.find(b"\n")]
        return bool(header) and self._buffer.startswith(header, at)

    def _take(self, raw: bytes, end: int, checked: bool) -> None:
        if checked:
            self._checked = raw
        self._found.append(Telegram(raw, crc="valid" if checked else "absent"))
        self._open.clear()
        self._unclosed = None
        self._at = self._searched = self._scanned = end

    def _scan(self, upto: int, sight: int) -> None:
        """Open every beginning up to `upto`, with the bytes before `sight` in view."""
        buffer = self._buffer
        if self._scanned >= upto:
            return
        if self._scanned == self._at and not self._open and HEADER.match(buffer, self._at):
            self._begin(self._at)
            self._scanned += 1
        for match in BEGIN.finditer(buffer, self._scanned, sight):
            if match.start() >= upto:
                break
            self._begin(match.start())
        self._scanned = upto

    def _begin(self, at: int) -> None:
        if self._unclosed is not None:
            beginning, end = self._unclosed
            self._unclosed = None
            idle = end <= at and not self._buffer[end:at].strip(_IDLE)
            if idle and WHOLE_HEADER.match(self._buffer, at):
                searched = self._searched
                self._reject_before(beginning)
                self._take(self._buffer[beginning.at : end], end, checked=False)
                self._at, self._searched = at, searched
        if not self._open:
            self._reject("garbage", self._at, at)
            self._at = at
        self._open.append(Beginning(at))
        if len(self._open) > _OPEN:
            self._give_up(at)

    def _overdue(self, due: int) -> None:
        """`limit` bytes without a decision: the first beginning, or the garbage, goes."""
        begun = bool(self._open)
        self._scan(due, due + _LOOK)
        if begun and self._at + self._limit == due:
            self._give_up(due)
        elif not self._open:
            self._reject("garbage", self._at, due)
            self._at = due

    def _give_up(self, due: int) -> None:
        """Reject the first open beginning; the next one, or what follows `due`, is then first."""
        first = self._open.pop(0)
        if self._unclosed is not None and self._unclosed[0] is first:
            self._unclosed = None
        if self._open:
            self._reject_from(first, self._open[0].at)
            self._at = self._open[0].at
        elif first.end:
            self._reject("crc", first.at, first.end)
            self._at = first.end
        else:
            self._reject("overrun", first.at, due)
            self._at = due

    def _reject_before(self, beginning: Beginning) -> None:
        for first, following in zip(self._open, self._open[1:], strict=False):
            if first is beginning:
                break
            self._reject_from(first, following.at)

    def _reject_from(self, beginning: Beginning, upto: int) -> None:
        if beginning.end:
            self._reject("crc", beginning.at, beginning.end)
            self._reject("garbage", beginning.end, upto)
        else:
            self._reject("truncated", beginning.at, upto)

    def _reject(self, reason: Reason, start: int, end: int) -> None:
        raw = self._buffer[start:end]
        if reason == "garbage":
            end -= len(raw) - len(raw.rstrip(_IDLE))
            raw = raw.strip(_IDLE)
            if not raw:
                return
            start = end - len(raw)
        self._found.append(Reject(reason, self._offset + start, raw))

    def _finish(self) -> None:
        size = len(self._buffer)
        self._scan(size, size)
        if self._unclosed is not None:
            beginning, end = self._unclosed
            if not self._buffer[end:].strip(_IDLE):
                self._reject_before(beginning)
                self._take(self._buffer[beginning.at : end], end, checked=False)
        for first, following in zip(self._open, self._open[1:], strict=False):
            self._reject_from(first, following.at)
        if self._open:
            self._reject_from(self._open[-1], size)
        else:
            self._reject("garbage", self._at, size)
        self._open.clear()
        self._unclosed = None
        self._at = self._searched = self._scanned = size

    def _forget(self) -> None:
        """Drop the bytes that are decided; places are counted from the buffer's first byte."""
        by = self._at
        if not by:
            return
        self._buffer = self._buffer[by:]
        self._offset += by
        self._at = 0
        self._searched -= by
        self._scanned -= by
        for beginning in self._open:
            beginning.shift(by)
        if self._unclosed is not None:
            self._unclosed = (self._unclosed[0], self._unclosed[1] - by)
