"""The boards of the last discovery, for who must not wait for the network: shell completion."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress

from dsmrctl import preferences
from dsmrctl.network.discovery import MOST, Found

_MOST_BYTES = 1 << 20
_KINDS = [int if name == "port" else str for name in Found._fields]


def remember(boards: Iterable[Found], *, all_of_them: bool = False) -> None:
    """Keeps what was heard, beside what was known before unless it is all there is.

    Never raises: it is a convenience, and the disk may be full or not ours.
    """
    found = {} if all_of_them else {one.id: one for one in read()}
    found |= {one.id: one for one in boards}
    listed = [one._asdict() for one in list(found.values())[-MOST:]]
    data = json.dumps(listed, indent=1).encode()
    file = preferences.found_boards()
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        if file.exists() and file.read_bytes() == data:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def read() -> list[Found]:
    """What is kept; empty when there is nothing, or nothing that can be read."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        with preferences.found_boards().open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        boards = [Found(**one) for one in found]
        if all(type(part) is _KINDS[n] for one in boards for n, part in enumerate(one)):
            return boards
    return []
