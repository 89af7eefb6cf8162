"""Signed frames: who has the key may send, and nothing is taken twice (docs/protocol.md)."""

from . import sealed, sending
from .frame import MAX_BYTES, Frame, FrameError, read
from .sending import tag
from .written import COUNTERS, VERSION_2


def sign(data: bytes, key: bytes, n: int) -> bytes:
    """The version 2 frame `data` with counter `n` and the tag by `key` (16 to 64 bytes).

    n: the meter's time in UTC seconds since 2020-01-01. Raises ValueError, FrameError.
    """
    if not 0 <= n < COUNTERS:
        raise ValueError("n is not below 2**30")
    if data[:15] != VERSION_2:
        raise FrameError("version")
    signed = sending.sign(data, key, n)
    if len(signed) > MAX_BYTES:
        raise FrameError("too-long")
    return signed


def check(data: bytes | bytearray | memoryview, key: bytes, last_n: int) -> int:
    """The counter of a frame signed by `key`; FrameError when it is not, or `n` is not new."""
    if len(data) > MAX_BYTES:
        raise FrameError("too-long")
    n = sealed.n_of(bytes(data), key)
    if n is None:
        raise FrameError("signature")
    if n <= last_n:
        raise FrameError("replayed")
    return n


class Gate:
    """What a receiver with a key lets through: signed frames, each newer than the last.

    The caller keeps `last_n` over a reset and hands it back. Then `ready` waits for two valid
    frames; refused ones between do not start it anew, else any sender without the key could
    hold a board off.
    """

    def __init__(self, key: bytes | None, last_n: int = 0):
        if key is not None:
            tag(b"", key)
        self.last_n = last_n
        self.refused = 0
        self._key = key
        self._valid = 0

    @property
    def ready(self) -> bool:
        """Whether the board may act on what it takes; without a key always."""
        return self._key is None or self._valid > 1

    def take(self, data: bytes | bytearray | memoryview) -> Frame:
        """The frame in `data`; raises FrameError and counts it when it is refused."""
        try:
            n = None if self._key is None else check(data, self._key, self.last_n)
            frame = read(data)
        except FrameError:
            self.refused += 1
            raise
        if n is not None:
            self.last_n = n
            self._valid = min(self._valid + 1, 2)
        return frame
