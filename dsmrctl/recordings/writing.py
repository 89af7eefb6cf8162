"""Recordings made, in a form by the file's suffix. What is whole stays readable whatever happens.

An item goes to the file as it comes; only gzip holds a second of them back, or half of it would
not be packed at all.
"""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from dsmrctl import errors
from dsmrctl.recordings import ndjson, pcapng
from dsmrctl.recordings.item import Item, Kind

SUFFIXES = (".ndjson", ".ndjson.gz", ".pcapng", ".pcapng.gz")
_PACKED_S = 1.0


def create(
    path: Path,
    kind: Kind,
    *,
    started_ns: int,
    group: tuple[str, int] = ("224.0.1.3", 8266),
    clock: Callable[[], float] = time.monotonic,
) -> RecordingWriter:
    """A new recording; group: the address and port that frames were sent to, for pcapng.

    started_ns: ns since 1970. Raises UsageError for another suffix, Refused when the file is there
    already, and NotFound, Refused or DsmrError where none can be made.
    """
    form = next((each for each in reversed(SUFFIXES) if path.name.lower().endswith(each)), None)
    captured = form is not None and form.startswith(".pcapng")
    if form is None or (captured and kind != "frames"):
        known = SUFFIXES if kind == "frames" else SUFFIXES[:2]
        raise errors.UsageError(
            f"{path.name} does not say how to record",
            hint=f"end its name with one of {', '.join(known)}",
        )
    try:
        file = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
        )
    except FileExistsError:
        raise errors.Refused(
            f"{path} is there already, and nothing is written over",
            hint="choose another name, or move it away",
        ) from None
    except FileNotFoundError:
        raise errors.NotFound(f"there is no folder {path.parent}", hint="make it first") from None
    except OSError as error:
        raise errors.Refused(f"cannot write {path}: {(error.strerror or '').lower()}") from None
    pack = zlib.compressobj(wbits=31) if form.endswith(".gz") else None
    datagrams = pcapng.Datagrams(*group) if captured else None
    return RecordingWriter(path, file, kind, started_ns, pack, datagrams, clock)


class RecordingWriter:
    """Takes items; a context manager. `items` counts those that are in the file."""

    def __init__(
        self,
        path: Path,
        file: int,
        kind: Kind,
        started_ns: int,
        pack: zlib._Compress | None,
        datagrams: pcapng.Datagrams | None,
        clock: Callable[[], float],
    ) -> None:
        self.path = path
        self.items = 0
        self._file = file
        self._started_ns = started_ns
        self._pack = pack
        self._datagrams = datagrams
        self._clock = clock
        self._packed_at = clock()
        self._nics: dict[str, int] = {}
        self._waiting: list[bytes] = []
        self._written = 0
        self._whole = 0
        self._add(pcapng.section() if datagrams else ndjson.first_line(kind, started_ns))
        self.flush(packed=True)

    def write(self, item: Item, nic: str = "") -> None:
        """Take an item; nic: the interface it came in by. Raises BadData for no ip:port."""
        if self._datagrams is None:
            self._add(ndjson.line(item, self._started_ns))
        else:
            number = self._nics.get(nic)
            if number is None:
                number = self._nics[nic] = len(self._nics)
                self._add(pcapng.interface(nic))
            self._add(self._datagrams.block(item, number))
        self.items += 1

    def flush(self, packed: bool = False) -> None:
        """Put what was taken into the file; with `packed` also what gzip holds back.

        Raises DsmrError when the disk is full; then all items before are whole.
        """
        if self._pack is not None:
            now = self._clock()
            if packed or now - self._packed_at >= _PACKED_S:
                self._packed_at = now
                self._waiting.append(self._pack.flush(zlib.Z_SYNC_FLUSH))
        self._put()

    def close(self) -> None:
        """Write what is left; more than once does no harm. Raises DsmrError."""
        if self._file < 0:
            return
        try:
            if self._pack is not None:
                self._waiting.append(self._pack.flush(zlib.Z_FINISH))
            self._put()
        finally:
            file, self._file = self._file, -1
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if raised[0] is None:
            self.close()
            return
        try:
            self.close()
        except errors.DsmrError:
            pass  # what was raised first says more

    def _add(self, data: bytes) -> None:
        self._waiting.append(data if self._pack is None else self._pack.compress(data))

    def _put(self) -> None:
        data, self._waiting = memoryview(b"".join(self._waiting)), []
        try:
            while data:
                count = os.write(self._file, data)
                self._written += count
                data = data[count:]
        except OSError as error:
            raise self._stopped(error) from None
        self._whole = self._written

    def _stopped(self, error: OSError) -> errors.DsmrError:
        """The disk is full, or gone: end the file with its last whole flush."""
        file, self._file = self._file, -1
        try:
            os.ftruncate(file, self._whole)
        except OSError:
            pass  # the torn end is skipped by whoever reads it
        os.close(file)
        why = (error.strerror or str(error)).lower()
        if error.errno == errno.ENOSPC:
            why = "the disk is full"
        return errors.DsmrError(
            f"the recording {self.path} ends here: {why}",
            hint="all before is whole; free some space, and record on into another file",
        )
