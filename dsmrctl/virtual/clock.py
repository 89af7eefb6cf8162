"""Simulated time for virtual boards: a day passes in seconds, and the same way each time.

A board waits in one place only, with a deadline. At each moment the conductor lets those boards
work that have something to do, then all of them, round after round, until nobody did; then it
moves to the earliest deadline or event. Sockets are the computer's own and are looked at without
waiting.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from dsmrctl.errors import NoAnswer

if TYPE_CHECKING:
    from dsmrctl.virtual.board import VirtualBoard

SECOND = 1_000_000


class Conductor:
    """Times in microseconds since the simulation's start.

    boards: those that live by it. others: functions of the time that look at sockets too, such
    as a client; each says whether it did something.
    """

    def __init__(self) -> None:
        self.now_us = 0
        self.boards: list[VirtualBoard] = []
        self.others: list[Callable[[int], bool]] = []
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, time_us: int, call: Callable[[], None]) -> None:
        """Calls it at that moment."""
        heapq.heappush(self._events, (time_us, next(self._numbers), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls it so many seconds from now."""
        self.at(self.now_us + int(seconds * SECOND), call)

    def run(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        self._run(self.now_us + int(seconds * SECOND), None)

    def until(self, holds: Callable[[], object], seconds: float = 60.0) -> None:
        """Runs until it holds. Raises NoAnswer when it does not within so many seconds."""
        end = self.now_us + int(seconds * SECOND)
        if not self._run(end, holds):
            raise NoAnswer(f"it does not hold after {seconds:g} simulated seconds")

    def _run(self, end_us: int, holds: Callable[[], object] | None) -> bool:
        while True:
            self._rounds()
            if holds is not None and holds():
                return True
            next_us = self._next(end_us)
            if next_us >= end_us:
                self.now_us = end_us
                return False
            self.now_us = max(self.now_us, next_us)
            while self._events and self._events[0][0] <= self.now_us:
                heapq.heappop(self._events)[2]()

    def _next(self, end_us: int) -> int:
        times = [wakes for board in self.boards if (wakes := board.wakes_us) is not None]
        if self._events:
            times.append(self._events[0][0])
        return min([*times, end_us])

    def _rounds(self) -> None:
        """Everything that happens at this moment."""
        worked = False
        for board in self.boards:
            wakes = board.wakes_us
            if wakes is not None and wakes <= self.now_us:
                worked |= board.grant(self.now_us)
        # Any work may have sent something to any other.
        others = True
        while worked or others:
            others = sum(other(self.now_us) for other in self.others) > 0
            if not (worked or others):
                return
            worked = False
            for board in self.boards:
                if board.running and board.now_us <= self.now_us:
                    worked |= board.grant(self.now_us)
