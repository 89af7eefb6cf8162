"""How regularly frames come: rate, gaps, jitter, for each sender, whatever the clock does.

Pure: every time is an argument, and memory is bounded however long it runs. Times of frames are
those of the computer's clock, which somebody may set: `Steady` makes an even line of them.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from typing import Any

# A gap is longer than 1.5 times the usual interval, and by so much at least: a replay at a
# thousand times the speed has no gap wherever this computer was busy for a moment.
GAP = 1.5
LEAST_GAP_NS = 10_000_000
# The clock was set, not only led back to the right time little by little (at most 0.5 ms a second).
JUMP_NS = 100_000_000

# The usual interval is the median of so many; it is looked at again after so many more.
_RECENT = 31
_AGAIN = 8
# More senders are counted together, without intervals: a stranger may make up any number.
MOST_SENDERS = 16
OTHERS = "others"
# Deviations are counted in classes 2 % wide, from a microsecond on.
_WIDTH = math.log(1.02)
_LEAST_NS = 1000


def uptime_ns() -> int:
    """A clock nobody can set, that goes on while the computer sleeps where the system has one."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if kind is None else time.clock_gettime_ns(kind)


class Steady:
    """Times of a clock that may be set, as times of one that cannot.

    Frames may wait in a queue while the clock is set: those of before keep their place.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self.back = 0
        self.largest_ns = 0
        self._offset_ns: int | None = None
        self._before_ns = 0
        self._last_ns: int | None = None

    def steady(self, time_ns: int, now_ns: int, uptime_ns: int) -> int:
        """Uptime at which a frame came whose stamp is `time_ns`; both clocks as they are now."""
        offset_ns = now_ns - uptime_ns
        if self._offset_ns is None:
            self._offset_ns = self._before_ns = offset_ns
        moved_ns = offset_ns - self._offset_ns
        if abs(moved_ns) >= JUMP_NS:
            self.jumps += 1
            self.back += moved_ns < 0
            if abs(moved_ns) > abs(self.largest_ns):
                self.largest_ns = moved_ns
            self._before_ns = self._offset_ns
        elif self._before_ns == self._offset_ns:
            self._before_ns = offset_ns  # one clock that is led on slowly
        self._offset_ns = offset_ns
        came_ns = time_ns - offset_ns
        if abs(uptime_ns - came_ns) < JUMP_NS:
            self._before_ns = offset_ns  # just stamped: none of before can follow
        elif self._possible(time_ns - self._before_ns, uptime_ns):
            came_ns = time_ns - self._before_ns
        # A stamp that is nowhere between the last frame and now says nothing.
        if not self._possible(came_ns, uptime_ns):
            came_ns = uptime_ns
        if self._last_ns is None or came_ns > self._last_ns:
            self._last_ns = came_ns
        return came_ns

    def _possible(self, came_ns: int, uptime_ns: int) -> bool:
        """Not of the future, and not long before the last; several senders may cross a little."""
        least_ns = -JUMP_NS + (self._last_ns if self._last_ns is not None else came_ns)
        return least_ns <= came_ns <= uptime_ns + JUMP_NS


class _Flow:
    """The frames of one sender, or of all."""

    def __init__(self) -> None:
        self.frames = 0
        self.gaps = 0
        self.missing = 0
        self.longest_ns = 0
        self.usual_ns = 0
        self._first_ns = 0
        self._last_ns = 0
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._since = 0
        self._deviations: Counter[int] = Counter()

    def take(self, came_ns: int) -> None:
        self.frames += 1
        if self.frames == 1:
            self._first_ns = self._last_ns = came_ns
            return
        interval_ns = max(0, came_ns - self._last_ns)
        self._last_ns = max(self._last_ns, came_ns)
        self.longest_ns = max(self.longest_ns, interval_ns)
        recent = self._recent
        recent.append(interval_ns)
        self._since += 1
        if not self.usual_ns:
            if len(recent) == _AGAIN:
                self._settle()
            return
        self._judge(interval_ns)
        if self._since >= _AGAIN:
            self._look()

    def _look(self) -> None:
        self._since = 0
        self.usual_ns = max(1, sorted(self._recent)[len(self._recent) // 2])

    def _settle(self) -> None:
        """The first few: what is usual among them judges them too."""
        self._look()
        for interval_ns in self._recent:
            self._judge(interval_ns)

    def _judge(self, interval_ns: int) -> None:
        usual_ns = self.usual_ns
        if interval_ns > max(GAP * usual_ns, usual_ns + LEAST_GAP_NS):
            self.gaps += 1
            self.missing += max(1, round(interval_ns / usual_ns) - 1)
            return  # what is missing says nothing about how evenly the rest came
        off_ns = abs(interval_ns - usual_ns)
        place = 0 if off_ns < _LEAST_NS else 1 + int(math.log(off_ns / _LEAST_NS) / _WIDTH)
        self._deviations[place] += 1

    def jitter_ms(self, part: float) -> float | None:
        """The deviation that `part` of the intervals stay below."""
        wanted = part * self._deviations.total()
        if not wanted:
            return None
        below = 0
        for place in sorted(self._deviations):
            below += self._deviations[place]
            if below >= wanted:
                middle_ns = _LEAST_NS * math.exp((place - 0.5) * _WIDTH) if place else _LEAST_NS / 2
                return round(middle_ns / 1e6, 4)
        return None

    def document(self) -> dict[str, Any]:
        if not self.usual_ns and len(self._recent) > 1:
            self._settle()
        took_ns = self._last_ns - self._first_ns
        return {
            "frames": self.frames,
            "per_s": round((self.frames - 1) * 1e9 / took_ns, 3) if took_ns > 0 else None,
            "interval_s": round(self.usual_ns / 1e9, 6) if self.usual_ns else None,
            "longest_s": round(self.longest_ns / 1e9, 6) if self.frames > 1 else None,
            "gaps": self.gaps,
            "missing": self.missing,
            "jitter_p50_ms": self.jitter_ms(0.5),
            "jitter_p99_ms": self.jitter_ms(0.99),
        }


class Statistics:
    """Takes the times of good frames; tells how they came."""

    def __init__(self) -> None:
        self._steady = Steady()
        self._flows: dict[str, _Flow] = {}
        self._others = 0
        self._first_ns: int | None = None
        self._last_ns = 0
        self._frames = 0

    def take(self, sender: str, time_ns: int, now_ns: int, uptime_ns: int) -> None:
        """A frame of `sender`, stamped `time_ns`, read now, by the clock and the uptime; ns."""
        came_ns = self._steady.steady(time_ns, now_ns, uptime_ns)
        self._frames += 1
        if self._first_ns is None:
            self._first_ns = self._last_ns = came_ns
        self._last_ns = max(self._last_ns, came_ns)
        flow = self._flows.get(sender)
        if flow is None:
            if len(self._flows) >= MOST_SENDERS:
                self._others += 1
                return
            flow = self._flows[sender] = _Flow()
        flow.take(came_ns)

    def document(self) -> dict[str, Any]:
        """The figures by name; None is unknown. Times in s, jitter in ms.

        `missing` counts the frames that gaps left no room for. `jitter_…` is how far intervals are
        from the usual one: half of them, and 99 of 100, are nearer.
        """
        took_ns = self._last_ns - (self._first_ns or 0)
        senders = {name: flow.document() for name, flow in self._flows.items()}
        if self._others:
            senders[OTHERS] = {"frames": self._others}
        steady = self._steady
        return {
            "frames": self._frames,
            "duration_s": round(took_ns / 1e9, 6),
            "per_s": round((self._frames - 1) * 1e9 / took_ns, 3) if took_ns > 0 else None,
            "senders": senders,
            "clock_jumps": steady.jumps,
            "clock_jumps_back": steady.back,
            "clock_largest_jump_s": round(steady.largest_ns / 1e9, 3) if steady.jumps else None,
        }
