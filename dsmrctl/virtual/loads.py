"""What hangs on the boards' outputs, so that the household feels what they switch."""

from __future__ import annotations

from collections.abc import Iterable

from dsmrctl import boards
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.household import Household

_HALVES = 100  # of the mains, in a second


class Load:
    """A load of `watts` at a board's relay, or at its triac.

    power_w: what it drew in the second that `look` looked back on.
    """

    def __init__(
        self, name: str, watts: int, board: VirtualBoard, hardware: boards.Hardware
    ) -> None:
        self.name, self.watts, self.board = name, watts, board
        self.power_w = 0
        self._relay = hardware.pins.get("relay")
        self._halves = 0
        if self._relay is None:
            board.mains(hardware.pins["zero_cross"].gpio, hardware.pins["gate"].gpio)

    def look(self) -> int:
        """Once a second: a relay as it is now, a triac by what went through it since."""
        self.board.catch_up()
        if self._relay is not None:
            self.power_w = self.watts * (self.board.pins.get(self._relay.gpio) == 1 - self.off)
        else:
            # Fewer than before: it has restarted.
            through = max(0, self.board.halves - self._halves)
            self._halves = self.board.halves
            self.power_w = self.watts * min(through, _HALVES) // _HALVES
        return self.power_w

    @property
    def off(self) -> int:
        """The level at which its relay rests."""
        return 0 if self._relay is None else self._relay.off or 0


class Loads:
    """The loads of one household; `apply` once a second. phase: 1, 2 or 3, where they hang."""

    def __init__(self, household: Household, loads: Iterable[Load] = (), phase: int = 1) -> None:
        self._household, self._phase = household, phase
        self.loads = list(loads)

    def hang(self, name: str, watts: int, board: VirtualBoard, hardware: boards.Hardware) -> Load:
        """A load at the output of a board of that hardware: its relay, or its gate."""
        load = Load(name, watts, board, hardware)
        self.loads.append(load)
        return load

    def apply(self, second: int | None = None) -> int:
        """From the second after this one on, the house draws what they draw; gives the sum in W.

        second: of the household; None: the last that was asked for.
        """
        for load in self.loads:
            self._household.set_load(load.name, load.look(), second, self._phase)
        return sum(load.power_w for load in self.loads)
