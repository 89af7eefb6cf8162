"""What a board does with what nobody should send it: a status, a sentence, and it goes on."""

from __future__ import annotations

import base64
import random

import pytest
from test_update_over_wifi import compiled
from world import KEY, SSID, Answer, Client, World, bundle

from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

SECOND = 1_000_000


@pytest.fixture
def board(world: World) -> VirtualBoard:
    return world.online(world.board())


def raw(world: World, board: VirtualBoard, data: bytes, seconds: float = 30) -> Answer:
    client = world.begin(board, data)
    world.clock.until(lambda: client.over, seconds)
    return client.answer()


def sentence(answer: Answer) -> str:
    text = answer.json()["error"]
    assert len(text) > 10
    return text


def fine(world: World, board: VirtualBoard) -> None:
    """It still answers, did not restart, and blinks."""
    assert world.ask(board, "GET", "/api/status").status == 200
    assert board.resets == []
    assert board.faults == []


def test_slow_loris_is_cut_off_and_others_are_served(world: World, board: VirtualBoard) -> None:
    slow = [world.begin(board, b"GET / HTTP/1.1\r\nHost: ") for _ in range(2)]
    for second in range(7):
        world.clock.run(1)
        for client in slow:
            client.data += b"x" * (second + 1)
    began = world.clock.now_us
    answer = world.ask(board, "GET", "/api/status")
    assert answer.status == 200
    assert world.clock.now_us - began < 5 * SECOND
    world.clock.until(lambda: all(client.over for client in slow), 10)
    for client in slow:
        assert client.answer().status == 408
        assert "8 s" in sentence(client.answer())
    fine(world, board)


def test_ten_clients_at_once_are_all_served(world: World, board: VirtualBoard) -> None:
    request = f"GET /api/status HTTP/1.1\r\nHost: {board.address}\r\n\r\n".encode()
    clients = [world.begin(board, request) for _ in range(10)]
    world.clock.until(lambda: all(client.over for client in clients), 60)
    assert [client.answer().status for client in clients] == [200] * 10
    fine(world, board)


@pytest.mark.parametrize("path", ["/api/settings", "/api/wifi", "/api/update", "/api/output"])
def test_a_body_of_a_megabyte_is_refused(world: World, board: VirtualBoard, path: str) -> None:
    answer = world.ask(board, "PUT" if path[-1] != "e" else "POST", path, b"{" + b" " * 1_000_000)
    assert answer.status in (404, 413)
    sentence(answer)
    fine(world, board)


def test_a_file_larger_than_a_slot_is_refused(world: World, board: VirtualBoard) -> None:
    answer = world.ask(
        board,
        "PUT",
        "/api/files/x",
        bytes(1_000_000),
        Content_Type="application/octet-stream",
        X_SHA256="0" * 64,
    )
    assert answer.status == 413
    assert "slot" in sentence(answer)
    fine(world, board)


def test_a_head_of_more_than_a_kilobyte_is_refused(world: World, board: VirtualBoard) -> None:
    answer = raw(world, board, b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 5000 + b"\r\n\r\n")
    assert answer.status == 431
    assert "1 KB" in sentence(answer)
    fine(world, board)


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1 and more\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /api/restart HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/restart HTTP/1.1\r\nContent-Length: much\r\n\r\n",
        b"PUT /api/settings HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"DELETE / HTTP/1.1\r\n\r\n",
        b"GET /../boot.py HTTP/1.1\r\n\r\n",
        b"GET //settings.json HTTP/1.1\r\n\r\n",
        b"GET /api/../wifi.json HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_a_status(world: World, board: VirtualBoard, head: bytes) -> None:
    answer = raw(world, board, head)
    assert answer.status >= 400
    sentence(answer)
    fine(world, board)


WRITES = [
    ("PUT", "/api/settings", {"name": "owned"}),
    ("PUT", "/api/wifi", {"ssid": "OWNED", "password": "owned owned"}),
    ("POST", "/api/restart", {}),
    ("POST", "/api/identify", {}),
    ("POST", "/api/update", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    "host", ["evil.example", "", "dsmr_blink.local.evil.example", "192.168.4.1"]
)
def test_a_name_that_is_not_the_boards_cannot_write(
    world: World, board: VirtualBoard, method: str, path: str, body: object, host: str
) -> None:
    before = board.files()
    answer = world.ask(board, method, path, body, Host=host)
    assert answer.status == 403
    assert "Host" in sentence(answer)
    world.clock.run(3)
    assert board.files() == before
    fine(world, board)


@pytest.mark.parametrize("host", ["dsmr_blink.local", "dsmr-blink.local", "DSMR_BLINK.LOCAL:80"])
def test_its_own_names_may_write(world: World, board: VirtualBoard, host: str) -> None:
    assert world.ask(board, "POST", "/api/identify", {}, Host=host).status == 200


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_page_elsewhere_cannot_write(
    world: World, board: VirtualBoard, method: str, path: str, body: object, kind: str
) -> None:
    # These are the types that a browser sends to another site without asking it first.
    answer = world.ask(board, method, path, body, Content_Type=kind, Origin="http://evil.example")
    assert answer.status == 415
    assert not [name for name in answer.headers if name.startswith("access-control")]
    fine(world, board)


def test_a_browser_that_asks_first_gets_no_leave(world: World, board: VirtualBoard) -> None:
    answer = world.ask(board, "OPTIONS", "/api/settings", Origin="http://evil.example")
    assert answer.status >= 400
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_wrong_password_is_refused_slowly_and_the_right_one_is_not(world: World) -> None:
    password = "an invented admin password"
    board = world.online(world.board(settings={"admin_password": password}))

    def basic(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    for wrong in ("", basic("admin:wrong"), basic(f"root:{password}"), "Basic !!!", "Bearer x",
                  basic(f"admin:{password}x"), basic("admin:")):  # fmt: skip
        began = world.clock.now_us
        answer = world.ask(board, "PUT", "/api/settings", {"name": "x"}, Authorization=wrong)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("basic")
        assert "--reset-settings" in sentence(answer)
        assert world.clock.now_us - began >= SECOND
    right = basic(f"admin:{password}")
    answer = world.ask(board, "PUT", "/api/settings", {"name": "x"}, Authorization=right)
    assert answer.status == 200
    assert world.ask(board, "GET", "/api/status").status == 200  # reading needs none
    assert password not in board.log
    fine(world, board)


def test_100_kb_of_noise_on_the_serial_line_at_boot_do_not_stop_it(world: World) -> None:
    board = world.board()
    board.serial(random.Random(7).randbytes(100_000))
    world.online(board)
    world.clock.run(10)
    assert b"stopped" not in board.log.encode()
    fine(world, board)


def test_a_telegram_with_an_03_in_it_is_no_ctrl_c(world: World) -> None:
    board = world.board()
    world.clock.run(0.5)
    board.serial(b"/FLU5\\253769484_A\r\n\x03\r\n0-0:96.1.4(50217)\r\n" * 3)
    world.online(board)
    fine(world, board)


def test_ctrl_c_in_the_first_two_seconds_stops_it_for_ten_minutes(world: World) -> None:
    board = world.board()
    world.clock.run(0.5)
    board.serial(b"\x03\r\n")
    world.clock.run(30)
    assert "stopped" in board.log
    assert board.wifi != 5
    world.clock.run(600)
    assert [cause for _, cause in board.resets] == ["SOFT"]
    world.online(board)


def test_no_turn_of_the_loop_takes_more_than_a_tenth_of_a_second(
    world: World, board: VirtualBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    # But for scan and update. A turn takes as long as the board is ahead of the world's clock:
    # what flash and radio cost. Python's own time has no price here; a chip must tell that.
    longest = 0

    def look(now_us: int) -> bool:
        nonlocal longest
        longest = max(longest, board.now_us - now_us)
        return False

    world.clock.others.append(look)
    for _ in range(3):
        world.ask(board, "GET", "/")
        world.ask(board, "GET", "/settings")
        world.ask(board, "GET", "/api/settings")
        world.ask(board, "PUT", "/api/settings", {"period_ms": 150 + _})
        world.ask(board, "GET", "/api/info")
        world.ask(board, "PUT", "/api/settings", b"{" * 1000)
        board.serial(bytes(3000))
        clients = [Client(world.clock, (board.address, 80), b"GET") for _ in range(3)]
        world.clock.run(10)
        for client in clients:
            client.close()
    assert 1000 < longest <= 100_000
    with capsys.disabled():
        print(f"\nthe longest turn of the loop: {longest / 1000:.1f} ms of simulated time")


def test_secrets_stay_out_of_answers_and_log(world: World) -> None:
    board = world.online(world.board(settings={"frame_key": "an invented frame key"}))
    seen = b"".join(
        world.ask(board, "GET", path).body
        for path in ("/api/info", "/api/settings", "/api/status", "/api/log", "/api/wifi/scan")
    )
    for secret in (KEY, "an invented frame key"):
        assert secret.encode() not in seen
        assert secret not in board.log
    assert SSID.encode() in seen


FAULTY = """
from . import blink_really
class App(blink_really.App):
    def status(self, client):
        return {}["a fault of ours"]
"""


def test_a_fault_that_someone_finds_is_logged_and_does_not_restart_the_board(world: World) -> None:
    slot = {
        "a/blink.mpy": compiled(FAULTY),
        "a/blink_really.mpy": bundle().files["blink.mpy"],
    }
    board = world.online(world.board(more=slot))
    for _ in range(3):
        answer = world.ask(board, "GET", "/api/status")
        assert answer.status == 500
        assert "/api/log" in sentence(answer)
    assert board.resets == []
    log = world.ask(board, "GET", "/api/log").body.decode()
    assert "KeyError: a fault of ours" in log
    assert "line 5" in log
