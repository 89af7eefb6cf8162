"""Virtual boards beside a household: flashed, switched on, and told where their pages are."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from dsmrctl import boards
from dsmrctl.errors import DsmrError, UsageError
from dsmrctl.flashing import build, image
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.loads import Load
from dsmrctl.virtual.shown import line

SSID, KEY = "HOUSEHOLD", "only in the air here"
# What hangs on their outputs, and the settings with which that is soon to be seen.
LOADS = {"miniswitch": ("pool pump", 1000), "switcher": ("boiler", 2000)}
SETTINGS: dict[str, dict[str, object]] = {
    "miniswitch": {
        "mode": "injection", "threshold_w": 1000, "on_delay_min": 0, "off_delay_min": 1,
    },
    "switcher": {"load_w": LOADS["switcher"][1]},
}  # fmt: skip
_GOT_IP = 5
_BOOT_S = 15.0


class Rack:
    """Boards by their names, each freshly flashed, in real time on 127.0.0.2, .3 and so on.

    group: where the frames are, as the boards' setting. loads: what hangs on them. Raises
    NoMicroPython, NotFound, UsageError.
    """

    def __init__(self, names: list[str], group: str) -> None:
        self._kinds = [boards.find(name) for name in names]
        self._group = group
        self._stack = ExitStack()
        self.boards: dict[str, VirtualBoard] = {}
        self.urls: dict[str, str] = {}
        self.loads: list[Load] = []

    def __enter__(self) -> Self:
        from dsmrctl.virtual import runtime

        if sys.platform != "linux":
            raise UsageError("virtual boards need Linux", hint="on Windows use WSL")
        runtime.find()
        air = Air()
        air.on(SSID, KEY, -52)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for number, kind in enumerate(self._kinds, 2):
                address = f"127.0.0.{number}"
                port = page_port(address)
                settings = {"frame_group": self._group, **SETTINGS.get(kind.name, {})}
                content = image.Content(settings, (SSID, KEY), port)
                data, place = image.make(build.current(kind), kind, kind.hardware[0], content)
                flash = folder / f"{number}.bin"
                flash.write_bytes(data)
                mac = bytes([0x5C, 0xCF, 0x7F, 0xD5, 0x14, number])
                board = VirtualBoard(flash, place, address=address, mac=mac, air=air)
                stack.enter_context(board)
                if kind.name in LOADS:
                    name, watts = LOADS[kind.name]
                    self.loads.append(Load(name, watts, board, kind.hardware[0]))
                board.power_on()
                self.boards[kind.name] = board
                self.urls[kind.name] = f"http://{address}{'' if port == 80 else f':{port}'}/"
            self._wait()
            self._stack = stack.pop_all()
        return self

    def shown(self, fancy: bool = True) -> list[str]:
        """A line a board: what a person before it would see, and where its page is."""
        return [
            f"{line(name, board, self.loads, fancy):<54}{self.urls[name]}"
            for name, board in self.boards.items()
        ]

    def _wait(self) -> None:
        end = time.monotonic() + _BOOT_S
        for name, board in self.boards.items():
            while board.wifi != _GOT_IP:
                if time.monotonic() > end:
                    raise DsmrError(
                        f"the virtual {name} did not come into its network",
                        hint=f"its serial log ends: {board.log[-300:]!r}",
                    )
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def page_port(address: str) -> int:
    """80 where an ordinary program may have it, else the first free one from 8080."""
    for port in (80, *range(8080, 8180)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise DsmrError(f"no free port for a page on {address}", hint="another demo may be running")
