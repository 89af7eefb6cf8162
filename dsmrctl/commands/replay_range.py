"""`--from` and `--to`: which part of a recording is meant."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dsmrctl import errors, options

_FIRST_NS, _LAST_NS = -(1 << 70), 1 << 70


class Range:
    """A part of a recording; a moment is a time after its start, a local time, or ISO 8601.

    Raises UsageError for what is no moment.
    """

    def __init__(self, begin: str | None, end: str | None) -> None:
        self.given = begin is not None or end is not None
        self._begin, self._end = begin, end
        # What is wrong is said before anything is opened.
        self.of(0)

    def of(self, started_ns: int) -> tuple[int, int]:
        """From and to, in ns since 1970, of a recording that began then."""
        begin = _FIRST_NS if self._begin is None else _moment(self._begin, started_ns)
        end = _LAST_NS if self._end is None else _moment(self._end, started_ns)
        return begin, end

    @staticmethod
    def text(time_ns: int) -> str:
        """A moment as a person reads it."""
        return datetime.fromtimestamp(time_ns // 10**9).astimezone().isoformat(sep=" ")


def _moment(text: str, started_ns: int) -> int:
    match = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", text.strip())
    try:
        if match:
            hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
            began = datetime.fromtimestamp(started_ns / 1e9).astimezone()
            when = began.replace(hour=hour, minute=minute, second=second, microsecond=0)
            if when < began.replace(microsecond=0):
                when = (when.replace(tzinfo=None) + timedelta(days=1)).astimezone()
            return round(when.timestamp()) * 10**9
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
