"""Files, FIFOs and standard input: telegrams as they are, gzipped, or in a recording."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dsmrctl import errors
from dsmrctl.recordings.gunzip import BLOCK, GZIP, Gunzip
from dsmrctl.telegram.recording import RecordingReader, is_recording
from dsmrctl.telegram.sources import Source, standard_input

_FIRST_LINE = 512  # a recording says what it is within these bytes


class StoredSource(Source):
    """A file, FIFO or device, or with `path` None standard input.

    Gzip and recordings are known by their first bytes. Raises NotFound, Refused; `read` raises
    BadData for a damaged gzip file or recording, UsageError for a recording of frames.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        follow: bool = False,
        on_note: Callable[[str], None] = lambda text: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = "standard input" if path is None else str(path)
        self._note = on_note
        self._wait = wait
        self._fd = standard_input() if path is None else _opened(path)
        self._owned = path is not None
        mode = os.fstat(self._fd).st_mode
        self._regular = stat.S_ISREG(mode)
        self._follow = follow and self._regular
        self.live = not self._regular or follow
        self._gunzip: Gunzip | None = None
        self._recording: RecordingReader | None = None
        self._first: bytes | None = b""  # None: whether it is gzip, is known
        self._head: bytes | None = b""  # None: whether it is a recording, is known
        self._ended = False

    def read(self, timeout: float | None = None) -> bytes | None:
        """See Source."""
        while not self._ended:
            data = self._unpacked(timeout)
            if data is None:
                self._ended = True
                return self._last()
            if not data:
                return b""
            if self._head is not None:
                data = self._recognise(self._head + data, ended=False)
            if self._recording is not None:
                data = self._recording.feed(data)
            if data:
                return data
        return None

    def close(self) -> None:
        if self._owned and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._ended = True

    def _last(self) -> bytes | None:
        """What was still held back when the end came."""
        data = self._recognise(self._head, ended=True) if self._head else b""
        if self._recording is not None:
            data = self._recording.feed(data)
            if note := self._recording.close():
                self._note(f"{self.name}: {note}")
        return data or None

    def _recognise(self, head: bytes, ended: bool) -> bytes:
        """Decide what the first bytes are; b"" as long as they could be either."""
        line, newline, _ = head[:_FIRST_LINE].partition(b"\n")
        undecided = head.startswith(b"{") and not newline and len(head) < _FIRST_LINE
        if undecided and not ended:
            self._head = head
            return b""
        self._head = None
        if is_recording(line):
            self._recording = RecordingReader(self.name, self._note)
        return head

    def _unpacked(self, timeout: float | None) -> bytes | None:
        """Bytes after gzip, if it is that; b"" when none came in time, None at the end."""
        while True:
            if self._gunzip is not None and (data := self._gunzip.more()):
                return data
            data = self._raw(timeout)
            if data == b"":
                return b""
            if self._first is not None:
                first = self._first + (data or b"")
                if first == GZIP[:1] and data is not None:
                    self._first = first  # one byte of two: the next tells
                    continue
                self._first = None
                if first.startswith(GZIP):
                    self._gunzip = Gunzip(self.name)
                data = first or None
            if data is None:
                if self._gunzip is not None and not self._gunzip.whole:
                    self._note(f"{self.name}: the gzip file ends too early; all before is used")
                return None
            if self._gunzip is None:
                return data
            self._gunzip.add(data)

    def _raw(self, timeout: float | None) -> bytes | None:
        if not self._regular and sys.platform != "win32":
            ready, _, _ = select.select([self._fd], [], [], timeout)
            if not ready:
                return b""
        try:
            data = os.read(self._fd, BLOCK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise errors.DsmrError(f"cannot read {self.name}: {error.strerror}") from None
        if data:
            return data
        if not self._follow:
            return None
        pause = 0.2 if timeout is None else min(0.2, timeout)
        self._wait(pause)
        return b""


def _opened(path: Path) -> int:
    # Without O_NONBLOCK a FIFO would hold us in open() until somebody writes, deaf to a timeout.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            raise IsADirectoryError
    except IsADirectoryError:
        raise errors.UsageError(f"{path} is a directory", hint="name a file in it") from None
    except FileNotFoundError:
        raise errors.NotFound(
            f"there is no file {path}",
            hint="SOURCE is a port, tcp://host:port, a file, or - for standard input",
        ) from None
    except PermissionError:
        raise errors.Refused(f"{path} may not be read by you", hint=f"ls -l {path}") from None
    except (OSError, ValueError) as error:
        raise errors.NotFound(f"cannot open {path}: {error}") from None
    return fd
