"""A network handed over the serial line to the real image, in simulated time.

tests/provisioning has the same in real time, with our client and the one that others wrote.
"""

from __future__ import annotations

import pytest
from world import KEY, SSID, World

from dsmrctl.firmware.core import improv
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow


class Cable:
    """A computer's end of the serial line, in simulated time."""

    def __init__(self, world: World, board: VirtualBoard) -> None:
        self.world, self.board = world, board
        self.reader = improv.Reader()
        self.heard: list[tuple[int, bytes]] = []
        board.on_serial = lambda data: self.heard.extend(self.reader.feed(data))

    def ask(self, command: int, *texts: str, seconds: float = 6) -> list[tuple[int, bytes]]:
        self.heard.clear()
        self.board.serial(improv.result(command, texts, improv.RPC))
        self.world.clock.run(seconds)
        return list(self.heard)


def test_in_the_first_two_seconds_it_answers_and_joins(world: World) -> None:
    board = world.board(wifi=None)
    cable = Cable(world, board)
    world.clock.run(1)
    states = cable.ask(improv.CURRENT)
    assert (improv.STATE, bytes([improv.READY])) in states
    (info,) = (data for kind, data in cable.ask(improv.INFO) if kind == improv.RESULT)
    assert improv.strings(info) == [b"dsmrctl blink", b"1.0.0", b"ESP8266", b"blink-a1b202"]
    heard = cable.ask(improv.WIFI, SSID, KEY)
    assert (improv.STATE, bytes([improv.JOINED])) in heard
    (result,) = (data for kind, data in heard if kind == improv.RESULT)
    assert improv.strings(result) == [f"http://{board.address}/".encode()]
    world.online(board)
    assert board.access_point is None
    # Asked again, as others' tools do, it still answers.
    assert (improv.STATE, bytes([improv.JOINED])) in cable.ask(improv.CURRENT)


def test_networks_are_told_one_by_one(world: World) -> None:
    world.air.on("café", "", -70)
    board = world.board(wifi=None)
    cable = Cable(world, board)
    world.clock.run(6)
    found = [improv.strings(data) for kind, data in cable.ask(improv.SCAN) if kind == improv.RESULT]
    assert found == [[SSID.encode(), b"-55", b"YES"], ["café".encode(), b"-70", b"NO"], []]


def test_a_wrong_password_is_told_and_the_access_point_stays(world: World) -> None:
    board = world.board(wifi=None)
    cable = Cable(world, board)
    world.clock.run(6)
    heard = cable.ask(improv.WIFI, SSID, "not the right one", seconds=25)
    assert (improv.ERROR, bytes([improv.NOT_JOINED])) in heard
    assert board.access_point
    assert (improv.STATE, bytes([improv.JOINED])) in cable.ask(improv.WIFI, SSID, KEY)
    assert KEY not in board.log


def test_after_the_window_a_board_in_its_network_is_silent(world: World) -> None:
    board = world.online(world.board())
    cable = Cable(world, board)
    assert cable.ask(improv.CURRENT) == []


def test_asked_at_its_start_a_board_that_has_a_network_answers_for_a_minute(world: World) -> None:
    board = world.board()
    cable = Cable(world, board)
    world.clock.run(1)
    cable.ask(improv.CURRENT)
    assert (improv.STATE, bytes([improv.JOINED])) in cable.ask(improv.CURRENT)
    world.clock.run(70)
    assert cable.ask(improv.CURRENT) == []


def test_noise_and_telegrams_on_the_line_do_not_disturb_it(world: World) -> None:
    board = world.board(wifi=None)
    cable = Cable(world, board)
    world.clock.run(6)
    board.serial(b"/FLU5\\253769484_A\r\n\r\n0-0:96.1.4(50217)\r\n!2F5A\r\nIMPROV\x01IMPRO\xff")
    assert (improv.STATE, bytes([improv.READY])) in cable.ask(improv.CURRENT)


def test_a_wrong_network_over_the_line_does_not_cost_a_board_the_one_it_has(world: World) -> None:
    board = world.board()
    cable = Cable(world, board)
    world.clock.run(1)
    cable.ask(improv.CURRENT)
    world.online(board)
    for password in ("not the right one", "nor is this one"):
        heard = cable.ask(improv.WIFI, SSID, password, seconds=25)
        assert (improv.ERROR, bytes([improv.NOT_JOINED])) in heard
        world.online(board)
    assert board.access_point is None


def test_after_a_wrong_network_at_the_portal_the_known_one_is_still_found(world: World) -> None:
    world.air.off(SSID)
    board = world.board()
    world.clock.until(lambda: board.access_point, 40)
    cable = Cable(world, board)
    heard = cable.ask(improv.WIFI, "NOWHERE", "an invented password", seconds=25)
    assert (improv.ERROR, bytes([improv.NOT_JOINED])) in heard
    world.air.on(SSID, KEY)
    world.clock.until(lambda: board.wifi == 5, 400)
    world.clock.run(2)
    assert board.access_point is None
