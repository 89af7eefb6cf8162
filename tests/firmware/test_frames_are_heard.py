"""The multicast group: joined, joined again, left for another."""

from __future__ import annotations

import itertools
import socket

from world import SSID, World

from dsmrctl.firmware.core import frame
from dsmrctl.virtual.board import VirtualBoard

SECOND = 1_000_000
_numbers = itertools.count(1)
GOOD = frame.build((1, 2, 3, 0, 1, 11, 2, 0, 0, 0))


def group() -> tuple[str, int]:
    number = next(_numbers)
    return f"239.255.71.{number}", 18700 + number


class Sender:
    def __init__(self, where: tuple[str, int]) -> None:
        self.where = where
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        own = socket.inet_aton("127.0.0.1")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)

    def send(self, times: int, world: World) -> None:
        for _ in range(times):
            self.socket.sendto(GOOD, self.where)
            world.clock.run(1)


def heard(world: World, board: VirtualBoard) -> int:
    return world.ask(board, "GET", "/api/status").json()["frames"]


def test_frames_are_counted_and_another_group_is_joined_at_once(world: World) -> None:
    one, other = Sender(group()), Sender(group())
    setting = "{}:{}"
    board = world.online(world.board(settings={"frame_group": setting.format(*one.where)}))
    one.send(5, world)
    other.send(3, world)
    assert heard(world, board) == 5
    body = {"frame_group": setting.format(*other.where)}
    assert world.ask(board, "PUT", "/api/settings", body).status == 200
    one.send(3, world)
    other.send(4, world)
    assert heard(world, board) == 9
    for sender in (one, other):
        sender.socket.close()


def test_after_the_network_was_lost_frames_are_heard_again(world: World) -> None:
    from world import KEY

    sender = Sender(group())
    where = "{}:{}".format(*sender.where)
    board = world.online(world.board(settings={"frame_group": where}))
    sender.send(3, world)
    world.air.off(SSID)
    sender.send(5, world)
    world.air.on(SSID, KEY)
    world.clock.until(lambda: board.wifi == 5, 60)
    world.clock.run(3)
    before = heard(world, board)
    sender.send(4, world)
    assert heard(world, board) == before + 4
    assert board.resets == []
    sender.socket.close()


def joins(board: VirtualBoard, where: tuple[str, int], since_us: int) -> list[int]:
    """The seconds after `since_us` at which it asked the network for the group."""
    return [
        round((at - since_us) / SECOND)
        for at, joined in board.joins
        if joined == where[0] and at > since_us
    ]


def test_it_joins_again_every_minute_and_in_silence_every_five_seconds(world: World) -> None:
    # Access points forget who listens.
    where = group()
    board = world.online(world.board(settings={"frame_group": "{}:{}".format(*where)}))
    sender = Sender(where)
    sender.send(6, world)
    start = world.clock.now_us
    sender.send(130, world)
    often = joins(board, where, start)
    assert len(often) == 2
    assert 59 <= often[1] - often[0] <= 61
    start = world.clock.now_us
    world.clock.run(30)
    silent = joins(board, where, start)
    assert 4 <= len(silent) <= 6
    assert all(4 <= b - a <= 6 for a, b in itertools.pairwise(silent))
    sender.socket.close()
