"""Frames on a serial line as esptool sends them: SLIP (RFC 1055), and its check of a block."""

from __future__ import annotations

from functools import reduce
from operator import xor

_END, _ESCAPE = b"\xc0", b"\xdb"
_END_INSIDE, _ESCAPE_INSIDE = b"\xdb\xdc", b"\xdb\xdd"


def framed(data: bytes) -> bytes:
    """A frame as it goes over the line."""
    inside = data.replace(_ESCAPE, _ESCAPE_INSIDE).replace(_END, _END_INSIDE)
    return _END + inside + _END


def checksum(data: bytes) -> int:
    """Of a block's data: all of it, and EF, by exclusive or."""
    return reduce(xor, data, 0xEF)


class Ear:
    """Frames out of what comes on a line; what stands between two frames is noise."""

    def __init__(self) -> None:
        self._begun = False
        self._frame = b""

    def hear(self, data: bytes) -> list[bytes]:
        """The frames that these bytes end."""
        found: list[bytes] = []
        first, *rest = data.split(_END)
        self._within(first)
        for part in rest:
            if self._begun and self._frame:
                whole = self._frame.replace(_END_INSIDE, _END)
                found.append(whole.replace(_ESCAPE_INSIDE, _ESCAPE))
                self._begun = False
            else:
                # Two ends after another: the second begins the next.
                self._begun = True
            self._frame = b""
            self._within(part)
        return found

    def _within(self, part: bytes) -> None:
        if self._begun:
            self._frame += part
