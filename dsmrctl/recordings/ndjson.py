"""Our own form: NDJSON, a line an item, with its time and sender (docs/protocol.md, Recordings).

The first line is `{"dsmrctl_recording":1,"kind":"frames","started":…}`, then come lines
`{"t":…,"from":…,"data":…}`, or `data_b64` for what is no UTF-8.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime

from dsmrctl import errors
from dsmrctl.recordings.item import KINDS, TIMES_NS, Item, Kind

VERSION = 1
LONGEST_LINE = 1 << 17
"""Bytes: a telegram of 16 KiB with every byte escaped as \\u0000, and its head."""

# Text that grows longer than this by escapes goes as base64, which grows by a third.
_LONGEST_TEXT = 3 << 15
_LONGEST_S = TIMES_NS.stop / 1e9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_recording(line: bytes) -> bool:
    """Whether `line` is the first of a recording, of any kind and version."""
    head = _object(line)
    return head is not None and "dsmrctl_recording" in head


def first_line(kind: Kind, started_ns: int) -> bytes:
    """The line a recording begins with; started_ns: ns since 1970, of which µs are kept."""
    started = datetime.fromtimestamp(started_ns // 10**9, UTC)
    text = started.replace(microsecond=started_ns // 1000 % 10**6).isoformat()
    head = {"dsmrctl_recording": VERSION, "kind": kind, "started": text}
    return json.dumps(head, separators=(",", ":")).encode() + b"\n"


def line(item: Item, started_ns: int) -> bytes:
    """One item as a line, all ASCII; its time is kept to the µs."""
    # From whole µs, so that nothing is rounded twice.
    micros = item.time_ns // 1000 - started_ns // 1000
    sign, seconds, part = "-" * (micros < 0), *divmod(abs(micros), 10**6)
    name, text = "data", ""
    try:
        text = json.dumps(item.data.decode())
    except UnicodeDecodeError:
        pass
    if not text or len(text) > _LONGEST_TEXT:
        coded = binascii.b2a_base64(item.data, newline=False).decode()
        name, text = "data_b64", f'"{coded}"'
    sender = json.dumps(item.sender)
    return f'{{"t":{sign}{seconds}.{part:06d},"from":{sender},"{name}":{text}}}\n'.encode()


class LineReader:
    """Lines in, in any slices; items out.

    A bad line is skipped and counted in `skipped`. `kind` and `started_ns` are known once the first
    line was fed. Raises BadData for a newer version, and for a line beyond all bounds once all
    items before it were given.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._line = 0
        self.skipped = 0
        self.kind: Kind | None = None
        self.started_ns = 0
        self._endless: errors.BadData | None = None

    def feed(self, data: bytes) -> list[Item]:
        """The items whose lines are whole now."""
        if self._endless is not None:
            raise self._endless
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
            self._endless = errors.BadData(
                f"{self._name}: line {self._line + len(lines) + 1} has no end",
                hint="it is damaged there; what is before it was read",
            )
        items: list[Item] = []
        keep = items.append
        for each in lines:
            self._line += 1
            if self.kind is None:
                self._begin(_object(each) or {})
                continue
            item = _read(each, self.started_ns)
            if item is not None:
                keep(item)
            elif each.strip():
                self.skipped += 1
        if self._endless is not None and not items:
            raise self._endless
        return items

    def close(self) -> bool:
        """At the end: whether a torn line was left over, which is no item. Raises as `feed`."""
        if self._endless is not None:
            raise self._endless
        torn, self._rest = bool(self._rest.strip()), b""
        return torn

    def tell(self, note: Callable[[str], None]) -> None:
        """Tell a person what was skipped."""
        if self.skipped:
            note(f"{self._name}: {self.skipped} lines could not be read and were skipped")

    def _begin(self, head: dict[str, object]) -> None:
        version, kind = head.get("dsmrctl_recording"), head.get("kind")
        if not isinstance(version, int) or version > VERSION:
            raise errors.BadData(
                f"{self._name} is a recording of a newer kind", hint="a newer dsmrctl reads it"
            )
        if kind not in KINDS:
            raise errors.BadData(
                f"{self._name} is a recording of neither frames nor telegrams",
                hint="its first line is damaged, or was made by another program",
            )
        self.kind = kind
        self.started_ns = _started_ns(head.get("started"))


def _started_ns(text: object) -> int:
    """ISO 8601 as ns since 1970; without a zone it is UTC. What cannot be read is 0: 1970."""
    try:
        when = datetime.fromisoformat(str(text))
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        past = when - _EPOCH
    except (ValueError, OverflowError):
        return 0
    return ((past.days * 86400 + past.seconds) * 10**6 + past.microseconds) * 1000


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def _object(text: bytes) -> dict[str, object] | None:
    try:
        found = _decode(text.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(text: bytes, started_ns: int) -> Item | None:
    try:
        found = _decode(text.decode())
        seconds, data = found["t"], found.get("data")
        if data is None:
            data = binascii.a2b_base64(found["data_b64"], strict_mode=True)
        else:
            data = data.encode()
        sender = found.get("from", "")
        if not -_LONGEST_S < seconds < _LONGEST_S or not isinstance(sender, str):
            return None
        time_ns = started_ns + round(seconds * 1e6) * 1000
        return Item(time_ns, sender, data) if time_ns in TIMES_NS else None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
