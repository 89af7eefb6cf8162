"""What hangs on the boards' outputs, so that the household feels what they switch."""

from __future__ import annotations

from typing import NamedTuple

from dsmrctl import boards
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.household import Household


class Load(NamedTuple):
    """A load of `watts` at a board's relay, or at its triac (`gpio` None)."""

    name: str
    watts: int
    board: VirtualBoard
    gpio: int | None
    on: int

    @property
    def power_w(self) -> int:
        """What it draws now; by a triac, as many half cycles as went through in a second."""
        if self.gpio is None:
            return self.watts * sum(self.board.conducted) // 100
        return self.watts if self.board.pins.get(self.gpio) == self.on else 0


class Loads:
    """The loads of one household; `apply` once a second. phase: 1, 2 or 3, where they hang."""

    def __init__(self, household: Household, phase: int = 1) -> None:
        self._household, self._phase = household, phase
        self.loads: list[Load] = []

    def hang(self, name: str, watts: int, board: VirtualBoard, hardware: boards.Hardware) -> Load:
        """A load at the output of a board of that hardware: its relay, or its gate."""
        relay = hardware.pins.get("relay")
        gpio, on = (relay.gpio, 1 - (relay.off or 0)) if relay else (None, 1)
        load = Load(name, watts, board, gpio, on)
        if gpio is None:
            board.mains(hardware.pins["zero_cross"].gpio, hardware.pins["gate"].gpio)
        self.loads.append(load)
        return load

    def apply(self, second: int | None = None) -> int:
        """From the second after this one on, the house draws what they draw; gives the sum in W.

        second: of the household; None: the last that was asked for.
        """
        for load in self.loads:
            self._household.set_load(load.name, load.power_w, second, self._phase)
        return sum(load.power_w for load in self.loads)
