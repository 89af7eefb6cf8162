"""Telegrams out of a recording, for those who read telegrams from anything."""

from __future__ import annotations

from collections.abc import Callable

from dsmrctl import errors
from dsmrctl.recordings.ndjson import LineReader, is_recording

__all__ = ["RecordingReader", "is_recording"]


class RecordingReader:
    """Lines of a recording in, in any slices; the telegrams' bytes out.

    A bad line is skipped and counted. Raises UsageError for a recording of frames, BadData for a
    newer version or a line beyond all bounds.
    """

    def __init__(self, name: str, on_note: Callable[[str], None] = lambda text: None) -> None:
        self._name = name
        self._note = on_note
        self._lines = LineReader(name)

    def feed(self, data: bytes) -> bytes:
        """The bytes of the telegrams whose lines are whole now."""
        items = self._lines.feed(data)
        if self._lines.kind == "frames":
            raise errors.UsageError(
                f"{self._name} is a recording of frames; telegrams are needed here",
                hint="dsmrctl replay sends frames on; dsmrctl listen shows them",
            )
        return b"".join(item.data for item in items)

    def close(self) -> str | None:
        """What a person should know about the end."""
        torn = self._lines.close()
        self._lines.tell(self._note)
        return "the last line is torn and was skipped" if torn else None
