"""The whole chain on this computer: household, meter, a serial line, frames.

At the other end of the line a virtual interface board reads the telegrams; without one it is what
`serve` runs, by a pseudo terminal (by TCP where there are none). It is the real thing but for the
cable.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dsmrctl import errors

if TYPE_CHECKING:
    from dsmrctl.telegram.sources import Source
    from dsmrctl.virtual.board import VirtualBoard
    from dsmrctl.virtual.loads import Loads
    from dsmrctl.virtual.meter_outlets import Outlet
    from dsmrctl.virtual.rack import Rack

LOOPBACK = "127.0.0.1"
_TRY_S = 1.0


class Demonstration:
    """A household whose frames are sent while the block lasts; to loopback only.

    `start` is an aware time; `speed` times the clock, None as fast as can be. `serial_line` False
    takes TCP between meter and gateway, as where there are no pseudo terminals (Windows).
    rack: boards in real time. Its interface reads the meter and sends the frames, no gateway then;
    the household feels what hangs on the others.
    """

    def __init__(
        self,
        start: datetime,
        group: str,
        port: int,
        *,
        seed: int = 1,
        speed: float | None = 1.0,
        serial_line: bool = sys.platform != "win32",
        rack: Rack | None = None,
    ) -> None:
        from dsmrctl.virtual.meter_past import new_household_meter

        self.meter = new_household_meter(start, seed=seed)
        self.group, self.port = group, port
        self._speed = speed
        self._serial_line = serial_line
        self._rack = rack
        self._stack = ExitStack()
        self._ending = threading.Event()
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        from dsmrctl.gateway.frame_maker import FrameMaker
        from dsmrctl.gateway.service import Gateway
        from dsmrctl.network.multicast import Sender
        from dsmrctl.virtual.loads import Loads
        from dsmrctl.virtual.meter_outlets import MeterRun

        with ExitStack() as stack:
            interface = self._rack.boards.get("interface") if self._rack else None
            if self._rack is not None and interface is not None:
                loads = Loads(self.meter.household, self._rack.loads)
                outlet: Outlet = BoardLine(interface, loads)
            else:
                outlet, source = self._line(stack)
                sender = stack.enter_context(Sender(self.group, self.port, LOOPBACK, ttl=0))
                self.gateway = Gateway(FrameMaker(), sender)
                thread = threading.Thread(target=self._serve, args=(source,), name="gateway")
                thread.start()
                stack.callback(thread.join)
                stack.callback(self._ending.set)
            stack.enter_context(MeterRun(self.meter, [outlet], speed=self._speed))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, raised, trace)
        if self._error is not None:
            # Whatever else was raised, "no frame came" for one, is only its consequence.
            raise self._error from raised

    def _line(self, stack: ExitStack) -> tuple[Outlet, Source]:
        """Where the meter sends, and the other end of it."""
        from dsmrctl.telegram.sources import open_source
        from dsmrctl.virtual.meter_outlets import PtyOutlet

        if self._serial_line:
            line = stack.enter_context(PtyOutlet())
            return line, stack.enter_context(open_source(line.path))
        from dsmrctl.gateway.tcp_feed import TelegramFeed

        feed = stack.enter_context(TelegramFeed(LOOPBACK, 0))
        return feed, stack.enter_context(open_source(f"tcp://{LOOPBACK}:{feed.port}"))

    def _serve(self, source: Source) -> None:
        """What `serve` does, until the block ends."""
        from dsmrctl.telegram import Telegram
        from dsmrctl.telegram.sources import telegrams

        try:
            for item in telegrams(source, stop=self._ending.is_set):
                if isinstance(item, Telegram):
                    self.gateway.take(item)
        except Exception as error:
            if not self._ending.is_set():
                self._error = error


class BoardLine:
    """The line between a meter and a board: 115200 baud, as slow as the board's ring needs it.

    loads: what the household feels from the next second on.
    """

    _PIECE = 64
    _PIECE_S = 64 * 10 / 115200

    def __init__(self, board: VirtualBoard, loads: Loads | None = None) -> None:
        self._board, self._loads = board, loads

    def send(self, raw: bytes) -> None:
        """A telegram, in the time that the line takes for it."""
        if self._loads is not None:
            self._loads.apply()
        for at in range(0, len(raw), self._PIECE):
            self._board.serial(raw[at : at + self._PIECE])
            time.sleep(self._PIECE_S)

    def close(self) -> None:
        """The board is its owner's."""


def carried(group: str, port: int) -> tuple[str, int]:
    """(group, port) when loopback carries multicast here, else this computer's own address.

    macOS and Windows do not always: then frames go from program to program by unicast.
    """
    import os
    import socket

    from dsmrctl.network.multicast import Receiver, Sender

    token = os.urandom(8)
    try:
        # On a port nobody listens to: whoever listens to the real one would count a bad frame.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((LOOPBACK, 0))
            quiet = free.getsockname()[1]
        with (
            Receiver(group, quiet, [LOOPBACK]) as receiver,
            Sender(group, quiet, LOOPBACK, ttl=0) as out,
        ):
            out.send(token)
            if any(datagram.data == token for datagram in receiver.receive(_TRY_S)):
                return group, port
    except (errors.DsmrError, OSError):
        pass
    return LOOPBACK, port
