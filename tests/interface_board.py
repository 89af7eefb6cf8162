"""An interface board in simulated time that is fed telegrams, and ears for the frames it sends.

with FedInterface(world) as fed:
    fed.household(20)              # twenty seconds of a household's meter
    fed.give(raw)                  # any telegram, or noise
    fed.frames[-1].read().import_w
    fed.status()["quarter_w"]
"""

from __future__ import annotations

import itertools
import os
import re
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Self

from world import World

from dsmrctl import belgian_time
from dsmrctl.firmware.core import frame
from dsmrctl.gateway.frame_maker import FrameMaker, NoFrame
from dsmrctl.telegram import BadTelegram, parse
from dsmrctl.telegram.crc import crc16
from dsmrctl.telegram.values import european
from dsmrctl.virtual.meter import Meter
from dsmrctl.virtual.meter_past import new_household_meter

SECOND = 1_000_000
# GPIO2, active low: level 0 is light.
LED = 2
SERIAL = "1SAG3100000001"
_numbers = itertools.count(1)


def group() -> tuple[str, int]:
    """A multicast group and port that no other test uses."""
    number = next(_numbers)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return f"239.255.{72 + worker}.{number % 250 + 1}", 19000 + worker * 500 + number


def local(text: str) -> datetime:
    """A time on a Belgian wall, as "2026-06-18T18:34"."""
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=european(when))


def stamp(when: datetime) -> str:
    """The moment as a Belgian meter writes it: YYMMDDhhmmss, then S or W."""
    return belgian_time.stamp(int(when.timestamp()))


def crc(text: bytes) -> bytes:
    """The telegram with its right CRC; whatever stands behind the last `!` goes."""
    body = text[: text.rindex(b"!") + 1]
    return body + b"%04X\r\n" % crc16(body)


def retimed(raw: bytes, text: str) -> bytes:
    """The telegram with another time of the meter's clock, and the CRC that goes with it."""
    return crc(re.sub(rb"(?m)^0-0:1\.0\.0\([^)]*\)", b"0-0:1.0.0(%s)" % text.encode(), raw))


def short(when: datetime | str, wh: int, import_w: int = 400, serial: str = SERIAL) -> bytes:
    """A short telegram of a 1.4 meter with all that a frame needs: T1 holds `wh`, T2 nothing."""
    text = when if isinstance(when, str) else stamp(when)
    lines = (
        "/FLU5\\253000001_A",
        "",
        "0-0:96.1.4(50214)",
        f"0-0:96.1.1({serial.encode().hex().upper()})",
        f"0-0:1.0.0({text})",
        f"1-0:1.8.1({wh // 1000:06d}.{wh % 1000:03d}*kWh)",
        "1-0:1.8.2(000000.000*kWh)",
        "1-0:2.8.1(000000.000*kWh)",
        "1-0:2.8.2(000000.000*kWh)",
        "0-0:96.14.0(0001)",
        f"1-0:1.7.0({import_w // 1000:02d}.{import_w % 1000:03d}*kW)",
        "1-0:2.7.0(00.000*kW)",
        "!",
    )
    return crc("\r\n".join(lines).encode())


class Heard(NamedTuple):
    """A datagram that came, when, and from where."""

    at_us: int
    data: bytes
    sender: str

    def read(self) -> frame.Frame:
        return frame.read(self.data)


class Ears:
    """Everything that comes to an address, or to a group on the loopback network."""

    def __init__(self, world: World, where: tuple[str, int]) -> None:
        self.world, self.where = world, where
        self.heard: list[Heard] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(where)
        if 224 <= int(where[0].split(".")[0]) < 240:
            member = socket.inet_aton(where[0]) + socket.inet_aton("127.0.0.1")
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        world.clock.others.append(self.look)

    def look(self, now_us: int) -> bool:
        try:
            data, sender = self._socket.recvfrom(2048)
        except BlockingIOError:
            return False
        self.heard.append(Heard(now_us, data, sender[0]))
        return True

    def close(self) -> None:
        if self.look in self.world.clock.others:
            self.world.clock.others.remove(self.look)
        self._socket.close()


class FedInterface:
    """An interface in the network, with a meter of its own; `with` closes its ears.

    settings: more than the group, which is its own. start: of the household, on a Belgian wall.
    version: of its meter, "1.4" or "1.7.1". more: files on its flash. online: wait until it is in
    the network. `frames` is all that came to the group.
    """

    def __init__(
        self,
        world: World,
        *,
        number: int = 2,
        settings: dict[str, Any] | None = None,
        start: str = "2026-06-18T18:34",
        version: str = "1.7.1",
        online: bool = True,
        seed: int = 1,
        meter: Meter | None = None,
        **flashed: Any,
    ) -> None:
        self.world = world
        self.where = group()
        self.settings = {"frame_group": "{}:{}".format(*self.where), **(settings or {})}
        self.ears = Ears(world, self.where)
        self.frames = self.ears.heard
        key = self.settings.get("frame_key")
        self.maker = FrameMaker(key=key.encode() if key else None)
        self.start = start
        self._meter, self._version, self._seed = meter, version, seed
        self.board = world.board(number, board="interface", settings=self.settings, **flashed)
        if online:
            world.online(self.board)

    @property
    def meter(self) -> Meter:
        """The household's, made when first asked for."""
        if self._meter is None:
            options: dict[str, Any] = {"version": self._version}
            self._meter = new_household_meter(local(self.start), seed=self._seed, **options)
        return self._meter

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ears.close()

    def give(self, raw: bytes, seconds: float = 1.0) -> None:
        """Bytes onto its serial line, then so many seconds."""
        self.board.serial(raw)
        self.world.clock.run(seconds)

    def household(self, seconds: int, each: Callable[[bytes], object] | None = None) -> list[bytes]:
        """The meter's telegrams of so many seconds, one a second; gives them."""
        given = []
        for _ in range(seconds):
            raw = self.meter.telegram(self.meter.second + 1)
            given.append(raw)
            self.give(raw)
            if each:
                each(raw)
        return given

    def desk(self, raw: bytes) -> bytes | None:
        """The frame that the desk makes of it, following one telegram after the other."""
        try:
            return self.maker.frame(self.maker.quantities(parse(raw)))
        except (BadTelegram, NoFrame):
            return None

    def status(self) -> dict[str, Any]:
        """GET /api/status, as it comes over the network."""
        answer = self.world.ask(self.board, "GET", "/api/status")
        assert answer.status == 200, answer
        return answer.json()

    def power_cycle(self) -> None:
        """Off, and on again: the memory of its clock is gone."""
        self.board.power_off()
        self.world.clock.run(1)
        self.board.power_on()
        self.world.online(self.board)

    def restart(self) -> None:
        """By its API; the memory of its clock stays."""
        assert self.world.ask(self.board, "POST", "/api/restart", {}).status == 202
        self.world.again(self.board)

    def lights(self, since_us: int = 0) -> list[tuple[int, int]]:
        """(when, for how long) its LED shone, in microseconds; the last may still."""
        shone: list[tuple[int, int]] = []
        began = None
        for at_us, gpio, level in self.board.changes:
            if gpio != LED or at_us < since_us:
                continue
            if level == 0 and began is None:
                began = at_us
            elif level == 1 and began is not None:
                shone.append((began, at_us - began))
                began = None
        return shone


__all__ = [
    "LED",
    "SECOND",
    "SERIAL",
    "Ears",
    "FedInterface",
    "Heard",
    "crc",
    "group",
    "local",
    "retimed",
    "short",
    "stamp",
]
