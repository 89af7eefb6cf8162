"""Frames on a serial line as esptool sends them: SLIP (RFC 1055), and its check of a block."""

from __future__ import annotations

END, ESCAPE = 0xC0, 0xDB
_SAID = {0xDC: END, 0xDD: ESCAPE}


def framed(data: bytes) -> bytes:
    """A frame as it goes over the line."""
    data = data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + data + b"\xc0"


def checksum(data: bytes) -> int:
    """Of a block's data: all of it, and EF, by exclusive or."""
    found = 0xEF
    for byte in data:
        found ^= byte
    return found


class Ear:
    """What comes on a line, byte by byte."""

    def __init__(self) -> None:
        self._frame: bytearray | None = None
        self._escape = False

    def hear(self, byte: int) -> bytes | None:
        """The frame that this byte ends, if it does."""
        if byte == END:
            frame, self._frame, self._escape = self._frame, bytearray(), False
            if frame:
                self._frame = None
                return bytes(frame)
        elif self._frame is not None:
            if self._escape:
                self._frame.append(_SAID.get(byte, byte))
            elif byte != ESCAPE:
                self._frame.append(byte)
            self._escape = byte == ESCAPE and not self._escape
        return None
