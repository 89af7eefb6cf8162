"""A board that acts, booted from its flash image in simulated time, and frames for it.

switch = Acting(world, "miniswitch", settings={"mode": "injection"})
switch.frames(60, export_w=1500)      # one a second
switch.silence(11)
assert not switch.on("relay")
"""

from __future__ import annotations

import socket
from typing import Any, Self

from interface_board import SECOND, group
from world import World

from dsmrctl import boards
from dsmrctl.firmware.core import frame, signature

START = 214_272_000


class Acting:
    """The board in the network; it has heard no frame yet.

    settings: more than the group, which is its own. where: another's group. The meter's clock
    begins at `at_s` seconds of its hour and goes on with the frames.
    """

    def __init__(
        self,
        world: World,
        board: str,
        *,
        number: int = 2,
        hardware: str | None = None,
        settings: dict[str, Any] | None = None,
        where: tuple[str, int] | None = None,
        online: bool = True,
        at_s: int = 0,
        **flashed: Any,
    ) -> None:
        self.world = world
        self.where = where or group()
        self.kind = boards.find(board)
        self.hardware = self.kind.kind(hardware) if hardware else self.kind.hardware[0]
        wanted = {"frame_group": "{}:{}".format(*self.where), **(settings or {})}
        self.board = world.board(number, board=board, hardware=hardware, settings=wanted, **flashed)
        self.at_s = at_s
        self.key = wanted.get("frame_key", "").encode()
        self.n = START
        self._ws = 83_125_000 * 3600
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        own = socket.inet_aton("127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        if online:
            world.online(self.board)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # Frames

    def text(
        self,
        *,
        import_w: int = 0,
        export_w: int = 0,
        tariff: int = 1,
        quarter_w: int = 0,
        month_peak_w: int = 0,
        version: int = 2,
    ) -> bytes:
        """The next frame, signed when there is a key."""
        at = self.at_s % 3600
        values = (self._ws // 3600, 0, import_w, export_w, tariff, at // 60, at % 60)
        data = frame.build(
            (*values, month_peak_w, quarter_w, 0)[: 7 if version == 1 else 10], version
        )
        return signature.sign(data, self.key, self.n) if self.key else data

    def send(self, data: bytes, seconds: float = 1.0) -> None:
        """A datagram to its group, then so many seconds."""
        self._socket.sendto(data, self.where)
        self.world.clock.run(seconds)

    def frames(self, count: int = 1, **said: Any) -> None:
        """So many frames, one a second."""
        for _ in range(count):
            self.send(self.text(**said))
            self.at_s += 1
            self.n += 1
            self._ws += said.get("import_w", 0)

    def silence(self, seconds: float) -> None:
        """No frame for so long; the meter's clock goes on."""
        self.world.clock.run(seconds)
        self.at_s += int(seconds)
        self.n += int(seconds)

    # What it does

    def on(self, pin: str) -> bool:
        """Is this output on?"""
        wired = self.hardware.pins[pin]
        return self.board.pins[wired.gpio] != wired.off

    def changes(self, pin: str, since_us: int = 0) -> list[tuple[float, bool]]:
        """(seconds since then, on or not) of each change of this output."""
        wired = self.hardware.pins[pin]
        return [
            ((at - since_us) / SECOND, level != wired.off)
            for at, gpio, level in self.board.changes
            if gpio == wired.gpio and at >= since_us
        ]

    def status(self) -> dict[str, Any]:
        """GET /api/status, as it comes over the network."""
        answer = self.world.ask(self.board, "GET", "/api/status")
        assert answer.status == 200, answer
        return answer.json()

    def set(self, **changes: Any) -> None:
        """PUT /api/settings."""
        answer = self.world.ask(self.board, "PUT", "/api/settings", changes)
        assert answer.status == 200, answer

    def hand(self, level: int | None, minutes: int | None = None) -> int:
        """PUT /api/output; the status of the answer."""
        body: dict[str, Any] = {"level": level}
        if minutes is not None:
            body["minutes"] = minutes
        return self.world.ask(self.board, "PUT", "/api/output", body).status

    def restart(self) -> None:
        """By its API; the memory of its clock stays."""
        assert self.world.ask(self.board, "POST", "/api/restart", {}).status == 202
        self.world.again(self.board)

    def power_cycle(self) -> None:
        """Off, and on again: the memory of its clock is gone."""
        self.board.power_off()
        self.world.clock.run(1)
        self.board.power_on()
        self.world.online(self.board)
