"""Recordings made, in a form by the file's suffix. What is whole stays readable whatever happens.

Whoever writes seldom has each item in the file after `flush`, whoever writes much at most a second
later. Gzip is made readable to its end about once a second: more often it would pack nothing.
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
from dsmrctl.recordings.item import LONGEST, Item, Kind

SUFFIXES = (".ndjson", ".ndjson.gz", ".pcapng", ".pcapng.gz")
_ANYWHERE = ("224.0.1.3", 8266)
_EACH_S = 1.0
_MOST_WAITING = 1 << 16


def create(
    path: Path,
    kind: Kind,
    *,
    started_ns: int,
    nic: str | None = None,
    group: tuple[str, int] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RecordingWriter:
    """A new recording. For pcapng: the interface, and the address and port that frames went to.

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
    file = _made(path)
    pack = zlib.compressobj(wbits=31) if form.endswith(".gz") else None
    datagrams = pcapng.Datagrams(*(group or _ANYWHERE)) if captured else None
    return RecordingWriter(path, file, kind, started_ns, pack, datagrams, nic or "", clock)


def _made(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        raise errors.Refused(
            f"{path} is there already, and nothing is written over",
            hint="choose another name, or move it away",
        ) from None
    except FileNotFoundError:
        raise errors.NotFound(f"there is no folder {path.parent}", hint="make it first") from None
    except OSError as error:
        raise errors.Refused(f"cannot write {path}: {(error.strerror or '').lower()}") from None


class RecordingWriter:
    """Takes items; a context manager. `items` counts those taken; after an error those kept."""

    def __init__(
        self,
        path: Path,
        file: int,
        kind: Kind,
        started_ns: int,
        pack: zlib._Compress | None,
        datagrams: pcapng.Datagrams | None,
        nic: str,
        clock: Callable[[], float],
    ) -> None:
        self.path = path
        self.items = 0
        self._file = file
        self._started_ns = started_ns
        self._pack = pack
        self._datagrams = datagrams
        self._nic = nic
        self._nics: dict[str, int] = {}
        self._clock = clock
        self._failed: errors.DsmrError | None = None
        # One piece an item, unless it is packed. Bytes and items up to here are surely whole.
        self._waiting: list[bytes] = []
        self._size = 0
        self._whole = 0
        self._whole_items = 0
        self._put_at = self._packed_at = clock()
        self._add(pcapng.section() if datagrams else ndjson.first_line(kind, started_ns))
        self.flush(packed=True)

    def write(self, item: Item, nic: str | None = None) -> None:
        """Take an item; nic: the interface it came in by, for pcapng.

        Raises BadData for what no datagram can hold; DsmrError as `flush`.
        """
        if self._failed is not None:
            raise self._failed
        if len(item.data) > LONGEST:
            raise errors.BadData(f"{len(item.data)} bytes are no frame and no telegram")
        if self._datagrams is None:
            self._add(ndjson.line(item, self._started_ns))
        else:
            self._add(self._block(self._datagrams, item, self._nic if nic is None else nic))
        self.items += 1
        if self._size >= _MOST_WAITING or self._clock() - self._put_at >= _EACH_S:
            self.flush()

    def _block(self, datagrams: pcapng.Datagrams, item: Item, nic: str) -> bytes:
        number = self._nics.get(nic)
        if number is not None:
            return datagrams.block(item, number)
        block = datagrams.block(item, len(self._nics))
        self._nics[nic] = len(self._nics)
        return pcapng.interface(nic) + block

    def flush(self, packed: bool = False) -> None:
        """Put what was taken into the file; with `packed` also what gzip holds back.

        Raises DsmrError when the disk is full, which says how much was kept.
        """
        if self._failed is not None:
            raise self._failed
        now = self._put_at = self._clock()
        if self._pack is not None and (packed or now - self._packed_at >= _EACH_S):
            self._packed_at = now
            self._waiting.append(self._pack.flush(zlib.Z_SYNC_FLUSH))
            packed = True
        self._put(packed)

    def close(self) -> None:
        """Write what is left; more than once does no harm. Raises DsmrError."""
        if self._file < 0:
            return
        if self._pack is not None:
            self._waiting.append(self._pack.flush(zlib.Z_FINISH))
        self._put(True)
        file, self._file = self._file, -1
        try:
            os.close(file)
        except OSError as error:  # a network's disk may say only now that it is full
            self._failed = self._error(error)
            raise self._failed from None

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

    def _add(self, piece: bytes) -> None:
        if self._pack is not None:
            piece = self._pack.compress(piece)
        self._waiting.append(piece)
        self._size += len(piece)

    def _put(self, packed: bool) -> None:
        if not self._waiting:
            return
        data = memoryview(b"".join(self._waiting))
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError as error:
            self._stop(done)
            self._failed = self._error(error)
            raise self._failed from None
        self._waiting.clear()
        self._size = 0
        self._whole += done
        if self._pack is None or packed:
            self._whole_items = self.items

    def _stop(self, done: int) -> None:
        """End the file behind its last whole item; `done`: bytes that still went in."""
        file, self._file = self._file, -1
        if self._pack is None:
            for piece in self._waiting:
                if len(piece) > done:
                    break
                done -= len(piece)
                self._whole += len(piece)
                self._whole_items += 1
            try:
                os.ftruncate(file, self._whole)
            except OSError:
                pass  # the torn end is skipped by whoever reads it
        # What gzip has of a torn end is read too: it stays, though nobody counted it.
        self.items = self._whole_items
        self._waiting.clear()
        try:
            os.close(file)
        except OSError:
            pass
        if not self._whole:
            self.path.unlink(missing_ok=True)  # nothing is in it: the name is free again

    def _error(self, error: OSError) -> errors.DsmrError:
        why = (error.strerror or str(error)).lower()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "the disk is full"
        if not self._whole:
            return errors.DsmrError(f"cannot record in {self.path}: {why}", hint="free some space")
        least = "at least " if self._pack is not None else ""
        return errors.DsmrError(
            f"{why}: {self.path} ends here, with {least}the first {self.items} of it",
            hint="free some space, and record on into another file",
        )
