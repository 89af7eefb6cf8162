"""`--from` and `--to`: which part of a recording is meant."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dsmrctl import errors, options

_FIRST_NS, _LAST_NS = -(1 << 70), 1 << 70
# Any time that every system's calendar has.
_SOME_NS = 1_600_000_000 * 10**9


class Range:
    """A part of a recording; a moment is a time after its start, a local time, or ISO 8601.

    A local time is the first such after the start, of the end the first after the beginning.
    Raises UsageError for what is no moment, and for an end that is before the beginning.
    """

    def __init__(self, begin: str | None, end: str | None) -> None:
        self.given = begin is not None or end is not None
        self._begin, self._end = begin, end
        # What is wrong is said before anything is opened.
        for text in (begin, end):
            if text is not None:
                _moment(text, _SOME_NS, _SOME_NS)

    def of(self, started_ns: int) -> tuple[int, int]:
        """From and to, in ns since 1970, of a recording that began then."""
        begin, end = _FIRST_NS, _LAST_NS
        if self._begin is not None:
            begin = _moment(self._begin, started_ns, started_ns)
        if self._end is not None:
            end = _moment(self._end, started_ns, max(begin, started_ns))
        if begin >= end:
            raise errors.UsageError(
                f"--to {self._end} is not after --from {self._begin or 'the start'}",
                hint=f"the recording begins at {self.text(started_ns)}",
            )
        return begin, end

    @staticmethod
    def text(time_ns: int) -> str:
        """A moment as a person reads it."""
        return datetime.fromtimestamp(time_ns // 10**9).astimezone().isoformat(sep=" ")


def _moment(text: str, started_ns: int, after_ns: int) -> int:
    match = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", text.strip())
    try:
        if match:
            hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
            after = datetime.fromtimestamp(after_ns // 10**9)
            # Without a zone, so that the day the clocks change has its own.
            when = after.replace(hour=hour, minute=minute, second=second)
            if when < after:
                when += timedelta(days=1)
            return round(when.astimezone().timestamp()) * 10**9
        if re.match(r"\d{4}-", text):
            when = datetime.fromisoformat(text)
            when = when if when.tzinfo else when.astimezone()
            return round(when.timestamp() * 1e6) * 1000
        return started_ns + round(options.seconds(text) * 1e9)
    except (ValueError, OverflowError, OSError, errors.UsageError):
        raise errors.UsageError(
            f"'{text}' is no moment of a recording",
            hint="for example 90s or 2h after its start, 07:30, or 2026-11-24T07:30:00",
        ) from None
