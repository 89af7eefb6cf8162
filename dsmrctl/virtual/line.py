"""The line between a virtual chip and its desk, the program at its end, and what it prints.

Everything on it is 16 bytes, kind, length and number, and as many bytes of content; chip/chip.py
knows the same form.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import IO, NamedTuple

from dsmrctl.virtual import runtime

CHIP = Path(__file__).parent / "chip"
# What the stand-ins are loaded into; what they leave of it is filled before the app starts.
_STAND_INS = 120 * 1024

_HEAD = struct.Struct("<cxHxxxxq")


class Told(NamedTuple):
    """One thing that was told, by the letter of its kind."""

    kind: bytes
    number: int
    content: bytes


class Line:
    """The desk's end of it; `output` is the program's output, which never blocks here."""

    def __init__(self, end: socket.socket, output: IO[bytes]) -> None:
        self._end, self._output = end, output
        self._came = b""
        self.over = False
        os.set_blocking(output.fileno(), False)

    def send(self, kind: bytes, number: int, content: bytes = b"") -> None:
        """Tells the chip; one that is gone hears nothing."""
        with contextlib.suppress(OSError):
            self._end.sendall(_HEAD.pack(kind, len(content), number) + content)

    def take(self, timeout_s: float) -> Told | None:
        """What comes next. None: nothing did in so many seconds, or the program ended (`over`)."""
        while True:
            came = self._came
            if len(came) >= _HEAD.size:
                kind, size, number = _HEAD.unpack_from(came)
                end = _HEAD.size + size
                if len(came) >= end:
                    self._came = came[end:]
                    return Told(kind, number, came[_HEAD.size : end])
            try:
                self._end.settimeout(timeout_s)
                part = self._end.recv(65536)
            except TimeoutError:
                return None
            except OSError:
                part = b""
            if not part:
                self.over = True
                return None
            self._came += part

    def printed(self) -> str:
        """What the program printed since it was last asked."""
        text = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output.fileno(), 65536):
                text += data
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        """Both ends of it."""
        self._output.close()
        self._end.close()


def boot(heap: int, empty_image: int) -> tuple[subprocess.Popen[bytes], Line]:
    """Starts MicroPython on the stand-ins, with so many bytes of heap for a board's image.

    Raises NoMicroPython.
    """
    ours, theirs = socket.socketpair()
    room = heap + empty_image + _STAND_INS
    try:
        program = subprocess.Popen(
            [runtime.find(), "-X", f"heapsize={room}", str(CHIP / "start.py"), str(CHIP),
             str(theirs.fileno()), str(heap), str(empty_image)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    finally:
        theirs.close()
    assert program.stdout is not None
    return program, Line(ours, program.stdout)
