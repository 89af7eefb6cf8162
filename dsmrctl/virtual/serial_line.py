"""A virtual board's serial line at a pty, so that serial programs can open it. Real time only."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

from dsmrctl.errors import UsageError

if TYPE_CHECKING:
    from dsmrctl.virtual.board import VirtualBoard


class SerialLine:
    """port: the path that serial programs open; bytes nobody reads are dropped, as on a wire."""

    def __init__(self, board: VirtualBoard) -> None:
        try:
            import tty
        except ImportError:  # Windows
            raise UsageError(
                "a virtual serial line needs a pty, which this system has not",
                hint="on Windows use WSL",
            ) from None
        self._board = board
        self._own, self._theirs = os.openpty()
        # The other end stays open, or the line would hang up whenever a program closes it.
        tty.setraw(self._theirs)
        os.set_blocking(self._own, False)
        self.port = os.ttyname(self._theirs)
        self._wake, self._waker = os.pipe()
        board.on_serial = self._out
        self._thread = threading.Thread(target=self._serve, name=f"serial {self.port}")
        self._thread.start()

    def _out(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._own, data)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._own, self._wake], [], [])
            if self._wake in ready:
                return
            with contextlib.suppress(BlockingIOError):
                self._board.serial(os.read(self._own, 1024))

    def close(self) -> None:
        """The line is gone."""
        self._board.on_serial = None
        os.write(self._waker, b"x")
        self._thread.join()
        for end in (self._own, self._theirs, self._wake, self._waker):
            os.close(end)

    def __enter__(self) -> SerialLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
