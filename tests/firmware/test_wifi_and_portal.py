"""How a board comes into its network, opens its access point, and finds its way back."""

from __future__ import annotations

import json
import re
import socket
import struct

import pytest
from world import KEY, SSID, Answer, World

from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

SECOND = 1_000_000
POINT = "192.168.4.1"


def wifi_of(board: VirtualBoard) -> dict[str, object]:
    return json.loads(board.files()["wifi.json"])


def saved(world: World, board: VirtualBoard, form: str, host: str = POINT) -> Answer:
    return world.ask(
        board,
        "POST",
        "/wifisave",
        form.encode(),
        Host=host,
        Content_Type="application/x-www-form-urlencoded",
    )


def opened(world: World, board: VirtualBoard) -> VirtualBoard:
    world.clock.until(lambda: board.access_point, 40)
    world.clock.run(1)
    return board


def test_without_its_network_it_opens_an_access_point_after_fifteen_seconds(world: World) -> None:
    world.air.off(SSID)
    board = world.board()
    world.clock.run(15)
    assert board.access_point is None
    world.clock.run(4)  # fifteen seconds of its own start, after the two of boot.py
    assert board.access_point == "AutoConnectAP"


def test_without_any_network_known_it_opens_at_once(world: World) -> None:
    board = world.board(wifi=None)
    world.clock.run(4)
    assert board.access_point == "AutoConnectAP"


def test_with_its_network_it_opens_none(world: World) -> None:
    board = world.online(world.board())
    world.clock.run(30)
    assert board.access_point is None


def test_the_portal_lists_networks_by_signal_and_takes_one(world: World) -> None:
    world.air.on("near & <b>dear</b>'s", "another key", -40)
    world.air.on("far", "", -88)
    board = opened(world, world.board(wifi=None))
    page = world.ask(board, "GET", "/wifi", Host=POINT).body.decode()
    found = re.findall(r"data-ssid='([^']*)'", page)
    assert found == ["near &amp; &lt;b&gt;dear&lt;/b&gt;&#39;s", SSID, "far"]
    assert "<b>" not in page
    answer = saved(world, board, "s=HOME&p=an+invented%20key")
    assert answer.status == 200
    assert b"HOME" in answer.body
    assert KEY.encode() not in answer.body
    world.online(board)
    assert board.access_point is None
    assert (wifi_of(board)["ssid"], wifi_of(board)["password"]) == (SSID, KEY)
    assert world.ask(board, "GET", "/api/info").json()["wifi"]["ssid"] == SSID


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("s=&p=", 422),
        ("s=x&p=short", 422),
        (f"s={'x' * 33}&p=", 422),
        (f"s=x&p={'y' * 65}", 422),
        ("s=%zz", 400),
        ("s=%ff%fe", 400),
    ],
)
def test_a_network_that_cannot_be_is_refused(world: World, form: str, status: int) -> None:
    board = opened(world, world.board(wifi=None))
    answer = saved(world, board, form)
    assert answer.status == status
    assert len(answer.json()["error"]) > 10
    assert "wifi.json" not in board.files()


def test_networks_are_saved_only_on_the_access_points_own_address(world: World) -> None:
    board = opened(world, world.board(wifi=None))
    assert saved(world, board, "s=OWNED&p=owned+owned", "evil.example").status == 403
    assert "wifi.json" not in board.files()


def test_the_portals_save_is_no_path_of_a_board_in_its_network(world: World) -> None:
    board = world.online(world.board())
    assert saved(world, board, "s=OWNED&p=owned+owned", board.address).status == 405
    assert wifi_of(board)["ssid"] == SSID


@pytest.mark.parametrize(
    "path",
    [
        "/generate_204", "/gen_204", "/hotspot-detect.html", "/ncsi.txt", "/connecttest.txt",
        "/redirect", "/success.txt", "/anything/else",
    ],
)  # fmt: skip
def test_what_asks_for_the_internet_is_led_to_the_portal(world: World, path: str) -> None:
    board = opened(world, world.board(wifi=None))
    answer = world.ask(board, "GET", path, Host="connectivity.example")
    assert (answer.status, answer.headers["location"]) == (302, f"http://{POINT}/")


def test_every_name_is_this_board(world: World) -> None:
    board = opened(world, world.board(wifi=None))
    name = b"\x07example\x03com\x00"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.1", 0))
        asker.setblocking(False)

        def ask(question: bytes) -> bytes:
            asker.sendto(question, (board.address, 53))
            world.clock.run(1)
            try:
                return asker.recv(512)
            except BlockingIOError:
                return b""

        head = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0)
        answer = ask(head + name + b"\0\1\0\1")
        assert answer[:2] == b"\x12\x34"
        assert answer.endswith(socket.inet_aton(POINT))
        # Of a type it has none of, it says that there is none; others' answers it leaves alone.
        assert ask(head + name + b"\0\x1c\0\1")[6:8] == b"\0\0"
        assert ask(struct.pack(">6H", 1, 0x8180, 1, 0, 0, 0) + name + b"\0\1\0\1") == b""
        for junk in (b"", b"\0" * 5, head, head + b"\xff" * 40, head + b"\x3f" + b"x" * 30):
            ask(junk)
    assert board.resets == []
    assert world.ask(board, "GET", "/wifi", Host=POINT).status == 200


def test_a_wrong_password_brings_the_access_point_back(world: World) -> None:
    board = opened(world, world.board(wifi=None))
    saved(world, board, "s=HOME&p=not+the+right+one")
    world.clock.run(5)
    assert board.access_point is None
    opened(world, board)
    saved(world, board, "s=HOME&p=an+invented+key")
    world.online(board)


def test_a_router_that_comes_back_is_found_without_a_hand(world: World) -> None:
    world.air.off(SSID)
    board = opened(world, world.board())
    world.clock.run(60)
    world.air.on(SSID, KEY)
    world.clock.run(60)
    assert board.access_point  # it looks every three minutes
    world.clock.until(lambda: board.wifi == 5, 200)
    world.clock.run(2)
    assert board.access_point is None
    assert world.ask(board, "GET", "/api/info").status == 200
    assert board.resets == []


def test_it_does_not_look_while_someone_is_at_the_portal(world: World) -> None:
    world.air.off(SSID)
    board = opened(world, world.board())
    world.air.on(SSID, KEY)
    for _ in range(8):
        world.clock.run(60)
        world.ask(board, "GET", "/0wifi", Host=POINT)
        assert board.access_point
    world.clock.until(lambda: board.wifi == 5, 400)


def test_a_connection_lost_later_is_tried_for_ever_and_opens_no_access_point(
    world: World,
) -> None:
    board = world.online(world.board())
    world.air.off(SSID)
    for _ in range(20):
        world.clock.run(30)
        assert board.access_point is None
    world.air.on(SSID, KEY)
    world.online(board)
    assert world.ask(board, "GET", "/api/status").status == 200
    assert board.resets == []


def test_moved_to_another_network_it_goes_there(world: World) -> None:
    world.air.on("NEW", "another invented key")
    board = world.online(world.board())
    body = {"ssid": "NEW", "password": "another invented key"}
    assert world.ask(board, "PUT", "/api/wifi", body).status == 202
    world.again(board)
    assert world.ask(board, "GET", "/api/info").json()["wifi"]["ssid"] == "NEW"
    assert "old" not in wifi_of(board)


@pytest.mark.parametrize("body", [
    {"ssid": "NOWHERE", "password": "another invented key"},
    {"ssid": SSID, "password": "not the right one"},
])  # fmt: skip
def test_moved_to_one_that_does_not_answer_it_comes_back_within_a_minute_or_so(
    world: World, body: dict[str, str]
) -> None:
    board = world.online(world.board())
    assert world.ask(board, "PUT", "/api/wifi", body).status == 202
    world.clock.run(50)
    assert board.wifi != 5
    assert board.access_point is None
    world.clock.run(40)
    world.online(board)
    assert (wifi_of(board)["ssid"], wifi_of(board)["password"]) == (SSID, KEY)


@pytest.mark.parametrize(
    "body", [{}, [], {"ssid": ""}, {"ssid": 5}, {"ssid": "x", "password": "short"}, b"{"]
)
def test_a_move_to_what_is_no_network_is_refused(world: World, body: object) -> None:
    board = world.online(world.board())
    assert world.ask(board, "PUT", "/api/wifi", body).status in (400, 422)
    world.clock.run(5)
    assert board.resets == []


def test_the_chips_own_memory_of_the_network_is_not_written_each_start(world: World) -> None:
    board = world.online(world.board())
    for _ in range(3):
        board.power_off()
        board.power_on()
        world.online(board)
        figures = board.figures()
        assert (figures["programs"], figures["erases"]) == (0, 0)


def test_networks_in_the_air_are_told_by_signal(world: World) -> None:
    world.air.on("open", "", -30)
    board = world.online(world.board())
    assert world.ask(board, "GET", "/api/wifi/scan").json() == [
        {"ssid": "open", "rssi_dbm": -30, "secure": False},
        {"ssid": SSID, "rssi_dbm": -55, "secure": True},
    ]
