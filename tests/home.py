"""A home in simulated time: household, meter, boards, and loads that the meter feels."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, Self

from interface_board import group, local
from world import World

from dsmrctl import boards
from dsmrctl.gateway.frame_maker import FrameMaker
from dsmrctl.telegram import parse
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.household import Event, Household
from dsmrctl.virtual.loads import Load, Loads
from dsmrctl.virtual.meter import Meter


class Second(NamedTuple):
    """What a second was like: W of the whole house (export negative), and of each load by name."""

    number: int
    net_w: int
    loads: dict[str, int]


class Home:
    """Boards are added, then time runs. The frames are an interface board's, or the desk's.

    delay_s: so much later than it happens the meter shows a power. `seconds` is what was.
    """

    def __init__(
        self,
        world: World,
        household: Household,
        *,
        delay_s: int = 1,
        interface: bool = True,
        version: Any = "1.7.1",
    ) -> None:
        self.world, self.household = world, household
        self.meter = Meter(household, delay_s=delay_s, version=version)
        self.loads = Loads(household)
        self.where = group()
        self.boards: dict[str, VirtualBoard] = {}
        self.seconds: list[Second] = []
        self.spent_s = 0.0
        self._numbers = count(2)
        self._interface = self.board("interface", "interface") if interface else None
        self._maker = FrameMaker()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        own = socket.inet_aton("127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)

    @classmethod
    def scripted(cls, world: World, script: list[Event], **options: Any) -> Self:
        """A house that is nothing but its script, on a summer's day."""
        start = local("2026-06-18T10:00")
        return cls(world, Household.scripted(start, script), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def board(self, kind: str, name: str, draws_w: int = 0, **settings: Any) -> VirtualBoard:
        """A board of that name, with a load at its output when it draws something."""
        wanted = {"frame_group": "{}:{}".format(*self.where), "name": name, **settings}
        board = self.world.board(next(self._numbers), board=kind, settings=wanted)
        self.boards[name] = board
        if draws_w:
            self.loads.hang(name, draws_w, board, boards.find(kind).hardware[0])
        return board

    def begin(self) -> None:
        """All of them in the network."""
        for board in self.boards.values():
            self.world.online(board)

    def run(self, seconds: int, each: Callable[[Second], object] | None = None) -> None:
        """So many seconds of the household."""
        began = time.perf_counter()
        for _ in range(seconds):
            number = self.meter.second + 1
            raw = self.meter.telegram(number)
            if self._interface is not None:
                self._interface.serial(raw)
            else:
                data = self._maker.frame(self._maker.quantities(parse(raw)))
                self._socket.sendto(data, self.where)
            # The telegram told of the seconds before `number`: this is that second.
            self.world.clock.run(1)
            self.loads.apply(number - 1)
            loads = {load.name: load.power_w for load in self.loads.loads}
            second = Second(number, self.household.at(number).net_w, loads)
            self.seconds.append(second)
            if each:
                each(second)
        self.spent_s += time.perf_counter() - began

    def load(self, name: str) -> Load:
        """One of the loads."""
        return next(load for load in self.loads.loads if load.name == name)

    def wh(self, of: Callable[[Second], int]) -> int:
        """Energy of all seconds so far, of a power in W."""
        return sum(of(second) for second in self.seconds) // 3600
