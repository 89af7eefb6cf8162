"""Telegrams out of a recording: NDJSON, a line an item, with its time and sender.

The first line is `{"dsmrctl_recording":1,"kind":"telegrams","started":…}`, then come lines
`{"t":…,"from":…,"data":…}`, or `data_b64` for what is no UTF-8.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable

from dsmrctl import errors

VERSION = 1
LONGEST_LINE = 1 << 17
"""Bytes: a telegram of 16 KiB with every byte escaped as \\u0000, and its head."""


def is_recording(line: bytes) -> bool:
    """Whether `line` is the first of a recording, of any kind and version."""
    head = _object(line)
    return head is not None and "dsmrctl_recording" in head


class RecordingReader:
    """Lines in, in any slices; the telegrams' bytes out.

    A bad line is skipped and counted. Raises UsageError for a recording of frames, BadData for a
    newer version or a line beyond all bounds.
    """

    def __init__(self, name: str, on_note: Callable[[str], None] = lambda text: None) -> None:
        self._name = name
        self._note = on_note
        self._rest = b""
        self._line = 0
        self._skipped = 0

    def feed(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise errors.BadData(f"{self._name}: line {self._line + len(lines) + 1} has no end")
        return b"".join(map(self._data, lines))

    def close(self) -> str | None:
        """What a person should know about the end."""
        torn, self._rest = bool(self._rest.strip()), b""
        if self._skipped:
            self._note(f"{self._name}: {self._skipped} lines could not be read and were skipped")
        return "the last line is torn and was skipped" if torn else None

    def _data(self, line: bytes) -> bytes:
        self._line += 1
        if not line.strip():
            return b""
        item = _object(line)
        if self._line == 1:
            self._check(item or {})
            return b""
        if item is not None:
            text, coded = item.get("data"), item.get("data_b64")
            if isinstance(text, str):
                return text.encode("utf-8", "replace")
            if isinstance(coded, str):
                try:
                    return binascii.a2b_base64(coded, strict_mode=True)
                except ValueError:
                    pass
        self._skipped += 1
        return b""

    def _check(self, head: dict[str, object]) -> None:
        version, kind = head.get("dsmrctl_recording"), head.get("kind")
        if not isinstance(version, int) or version > VERSION:
            raise errors.BadData(
                f"{self._name} is a recording of a newer kind", hint="a newer dsmrctl reads it"
            )
        if kind == "frames":
            raise errors.UsageError(
                f"{self._name} is a recording of frames; telegrams are needed here",
                hint="dsmrctl replay sends frames on; dsmrctl listen shows them",
            )
        if kind != "telegrams":
            raise errors.BadData(f"{self._name} is a recording of neither frames nor telegrams")


def _object(line: bytes) -> dict[str, object] | None:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None
