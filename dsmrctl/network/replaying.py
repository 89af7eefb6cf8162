"""A recording sent again at its times: absolute deadlines, so that nothing drifts.

What `sleep` oversleeps is made up by waiting for the last moments awake: late by a millisecond at
most on an idle machine, however fast the replay.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable

from dsmrctl.network.multicast import NetworkDown
from dsmrctl.recordings.item import Item

# Sleeping is as exact as the kernel's timer and the processor's other work: the rest is watched.
_AWAKE_S = 0.0015
# A computer that slept, or was held up, does not send the past in one burst.
HELD_UP_S = 5.0
# A pause that a person should know of, by the clock of whoever waits; some meters send every 10 s.
LONG_S = 30.0
# Captures hold what two processors saw in either order; more than this is a clock set back.
_SWAPPED_NS = 10**9
# No system sleeps for centuries, and a recording can be damaged so that it asks for them.
_SLICE_S = 3600.0
# Lateness is kept of so many; later ones take the place of others, evenly.
_KEPT = 1 << 20


class Report:
    """What a replay did: `sent` items, `not_sent` by reason, how late each was.

    `set_back`: how often the recording's clock was; `held_up`: how often this computer slept.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.not_sent: Counter[str] = Counter()
        self.set_back = 0
        self.held_up = 0
        self._late = array("d")
        self._seen = 0

    def late(self, seconds: float) -> None:
        """Take how late an item was."""
        if len(self._late) < _KEPT:
            self._late.append(seconds)
        else:
            # Every one has the same chance to be kept, without a die: a step without a pattern.
            self._late[self._seen * 7919 % _KEPT] = seconds
        self._seen += 1

    def late_ms(self, part: float) -> float | None:
        """How late (ms) that part of them was at most: 0.5 the half; None when none was timed."""
        if not self._late:
            return None
        ordered = sorted(self._late)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] * 1000


class Replay:
    """Sends items by their times.

    speed: times as fast as they were recorded; None: at once. longest_s: a longer pause in the
    recording is cut to that. on_pause: told of a pause of so many seconds before it is waited for.
    send: answers with the reason when it could not, or raises NetworkDown. clock, wait: seconds;
    tests bring their own.
    """

    def __init__(
        self,
        send: Callable[[bytes], object],
        *,
        speed: float | None = 1.0,
        longest_s: float | None = None,
        on_pause: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.report = Report()
        self._send = send
        self._speed = speed
        self._longest_ns = None if longest_s is None else round(longest_s * 1e9)
        self._on_pause = on_pause
        self._clock = clock
        self._wait = wait
        # When the item of `_at_ns` in the recording's own time is due; None before the first.
        self._began: float | None = None
        self._at_ns = 0
        self._last_ns: int | None = None
        self._step_ns = 10**9

    def run(self, items: Iterable[Item]) -> None:
        """Send them all. Called again, they follow after a pause as long as the last one."""
        first = True
        for item in items:
            self._advance(item.time_ns, first)
            first = False
            late = None if self._speed is None else self._until(self._due())
            self._put(item.data)
            if late is not None:
                self.report.late(late)

    def _advance(self, time_ns: int, first: bool) -> None:
        """Count the time since the item before; `_at_ns` never goes back."""
        if self._last_ns is None:
            self._last_ns = time_ns
            return
        step = self._step_ns if first else time_ns - self._last_ns
        self._last_ns = time_ns
        if -_SWAPPED_NS < step < 0:
            # Overtaken on the way to the file: it goes at once, and the next by the one before.
            self._last_ns -= step
            step = 0
        elif step < 0:
            # The clock was set back then; they came one after the other all the same.
            self.report.set_back += 1
            step = 0
        elif step:
            if self._longest_ns is not None:
                step = min(step, self._longest_ns)
            self._step_ns = min(step, 10 * 10**9)
        self._at_ns += step
        if self._speed is not None and step / 1e9 / self._speed >= LONG_S:
            self._on_pause(step / 1e9 / self._speed)

    def _due(self) -> float:
        assert self._speed is not None
        if self._began is None:
            self._began = self._clock()
        return self._began + self._at_ns / 1e9 / self._speed

    def _until(self, due: float) -> float | None:
        """Wait; how late it is then (s), None when this computer was held up."""
        now = self._clock()
        while due - now > _AWAKE_S:
            self._wait(min(due - now - _AWAKE_S, _SLICE_S))
            now = self._clock()
        while (now := self._clock()) < due:
            pass
        if now - due <= HELD_UP_S:
            return now - due
        assert self._began is not None
        self.report.held_up += 1
        self._began += now - due
        return None

    def _put(self, data: bytes) -> None:
        try:
            reason = self._send(data)
        except NetworkDown as error:
            reason = error.message
        if isinstance(reason, str):
            self.report.not_sent[reason] += 1
        else:
            self.report.sent += 1
