"""A recorded frame made fit to be sent now: its minute and second, and who signed it.

Only what has to be is another: the other bytes stay as they were recorded.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core import signature

# As far as the second of the seven elements every frame has; a text before it may hold anything.
_CLOCK = re.compile(rb'("dsmr"\s*:\s*\[\s*(?:-?\d+\s*,\s*){5})(\d+)(\s*,\s*)(\d+)(?=\s*[,\]])')
_SIGNED = re.compile(rb',"n":(\d+),"m":"[A-Za-z0-9+/=]{12}"\}\Z')
_2020_S = 1_577_836_800
# Further from the clock than frames that wait for each other come: this computer slept, its clock
# was set, or a pause of the recording was cut.
_ASTRAY_S = 2

# Reason -> what a person should know of frames that went as they were.
REASONS = {
    "no-frame": "no frames: sent as they were recorded",
    "no-clock": "whose minute and second could not be found: sent as they were recorded",
    "signed": "signed: another minute would spoil it, so sent as recorded (--sign signs anew)",
    "old-counter": "signed long ago: boards with a key refuse them (--sign signs anew)",
    "unsignable": "no version 2 frames, which alone can be signed: sent unsigned",
}


class Reframer:
    """Changes frames on their way.

    current: the first one's minute and second become those of `now` (seconds since 1970), all
    others move along; `live`, at the clock's own speed, they are held to it. key: they are signed
    by it, each with a larger counter than the one before. `kept` counts those that went as they
    were, or unsigned, by their reason.
    """

    def __init__(
        self,
        *,
        current: bool = False,
        live: bool = False,
        key: bytes | None = None,
        now: Callable[[], float] = time.time,
        offset_s: Callable[[float], int] = lambda at: time.localtime(at).tm_gmtoff,
    ) -> None:
        self.kept: Counter[str] = Counter()
        self._current = current
        self._live = live
        self._key = key
        self._now = now
        self._offset_s = offset_s
        self._shift_s: int | None = None
        self._n = 0

    def again(self) -> None:
        """The recording begins anew: its first frame becomes current again."""
        self._shift_s = None

    def __call__(self, data: bytes) -> bytes:
        """The frame to send."""
        signed = _SIGNED.search(data) if data.endswith(b'"}') else None
        if not self._current and self._key is None:
            if signed is not None:
                self.kept["old-counter"] += 1
            return data
        if not _is_frame(data):
            self.kept["no-frame"] += 1
            return data
        if signed is not None and self._key is None:
            self.kept["signed"] += 1
            return data
        bare = data if signed is None else data[: signed.start()] + b"}"
        if self._current:
            bare = self._moved(bare)
        return bare if self._key is None else self._signed(bare, self._key)

    @property
    def ahead_s(self) -> int:
        """How far the counters ran ahead of the clock: so long boards refuse who signs by it."""
        return max(0, self._n + _2020_S - int(self._now())) if self._n else 0

    def _signed(self, bare: bytes, key: bytes) -> bytes:
        n = max(int(self._now()) - _2020_S, self._n + 1)
        try:
            made = signature.sign(bare.rstrip(), key, n)
            # What a board would say of it: there is JSON that no signature fits behind.
            core.read(made)
            signature.check(made, key, self._n)
        except ValueError:  # FrameError too
            self.kept["unsignable"] += 1
            return bare
        self._n = n
        return made

    def _moved(self, data: bytes) -> bytes:
        found = _CLOCK.search(data)
        if found is None:
            self.kept["no-clock"] += 1
            return data
        then = int(found[2]) * 60 + int(found[4])
        now = self._now()
        clock_s = int(now) + self._offset_s(now)
        if self._shift_s is None or (self._live and self._astray(then, clock_s)):
            self._shift_s = (clock_s - then) % 3600
        minute, second = divmod((then + self._shift_s) % 3600, 60)
        clock = b"%s%d%s%d" % (found[1], minute, found[3], second)
        made = data[: found.start()] + clock + data[found.end() :]
        if _says(made, minute, second):
            return made
        # JSON may name a thing twice, and readers take the last.
        self.kept["no-clock"] += 1
        return data

    def _astray(self, then: int, clock_s: int) -> bool:
        assert self._shift_s is not None
        away = (then + self._shift_s - clock_s + 1800) % 3600 - 1800
        return abs(away) > _ASTRAY_S


def _says(data: bytes, minute: int, second: int) -> bool:
    try:
        frame = core.read(data)
    except core.FrameError as error:
        return error.reason == "looks-like-registers"
    return (frame.minute, frame.second) == (minute, second)


def _is_frame(data: bytes) -> bool:
    try:
        core.read(data)
    except core.FrameError as error:
        # Powers that look like registers are a frame all the same, for who knows its layout.
        return error.reason == "looks-like-registers"
    return True
