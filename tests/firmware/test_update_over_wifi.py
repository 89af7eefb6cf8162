"""An update over WiFi: only what changed travels, and a bad version gives way to the old one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from world import Answer, World, bundle, other_version

from dsmrctl.errors import Refused
from dsmrctl.flashing import build, filesystem
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

PAGE = {"index.html.gz": bundle().files["index.html.gz"] + bytes(300)}


def compiled(source: str) -> bytes:
    """A module of a test as the bundle would hold it."""
    path = build.SOURCES
    try:
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            build.SOURCES = Path(folder)
            (Path(folder) / "x.py").write_text(source)
            return build.compiled("x.py")
    finally:
        build.SOURCES = path


def listing(new: Bundle) -> dict[str, Any]:
    hashes = {path: entry["sha256"] for path, entry in new.manifest["files"].items()}
    return {"version": new.version, "files": hashes}


def post(world: World, board: VirtualBoard, new: Bundle) -> Answer:
    return world.ask(board, "POST", "/api/update", listing(new))


def put(world: World, board: VirtualBoard, path: str, data: bytes, sha: str = "") -> Answer:
    return world.ask(
        board,
        "PUT",
        f"/api/files/{path}",
        data,
        Content_Type="application/octet-stream",
        X_SHA256=sha or hashlib.sha256(data).hexdigest(),
    )


def update(world: World, board: VirtualBoard, new: Bundle) -> list[str]:
    """The whole of it; gives the paths that had to be sent."""
    first = post(world, board, new)
    sent = first.json().get("missing", [])
    for path in sent:
        assert put(world, board, path, new.files[path]).status == 200, path
    if sent:
        first = post(world, board, new)
    assert first.status == 202, first
    return sent


def version(world: World, board: VirtualBoard) -> str:
    return world.ask(board, "GET", "/api/info").json()["fw"]


def test_only_what_changed_is_sent_and_the_board_confirms_it(world: World) -> None:
    board = world.online(world.board())
    new = other_version(PAGE)
    assert update(world, board, new) == ["index.html.gz"]
    world.again(board)
    info = world.ask(board, "GET", "/api/info").json()
    assert (info["fw"], info["unconfirmed"]) == ("1.1.0", True)
    assert post(world, board, new).status == 409  # not before it has proved itself
    world.clock.run(40)
    assert world.ask(board, "GET", "/api/info").json()["unconfirmed"] is False
    assert json.loads(board.files()["boot.json"]) == {"slot": "b"}
    # And back again, into the slot that the first version is in: nothing has to be sent.
    assert update(world, board, bundle()) == []
    world.again(board)
    assert version(world, board) == "1.0.0"


def test_what_the_new_version_does_not_have_leaves_the_slot(world: World) -> None:
    board = world.online(world.board(more={"b/lib/old.mpy": bytes(9000), "b/x/y": b"1"}))
    update(world, board, other_version(PAGE))
    slot = {path for path in board.files() if path.startswith("b/")}
    assert slot == {f"b/{path}" for path in bundle().files} | {"b/files.json"}


CRASHES = """
class App:
    def __init__(self, board):
        raise ValueError("a version that crashes")
"""
HANGS = """
class App:
    def __init__(self, board):
        while True:
            pass
"""
LATE = """
from . import blink_really
class App(blink_really.App):
    def beat(self):
        super().beat()
        if self.blinks > 10:
            raise ValueError("later")
"""
NO_WIFI = """
import network
from . import blink_really
class App(blink_really.App):
    def beat(self):
        network.WLAN(network.STA_IF).active(False)
"""


@pytest.mark.parametrize(
    "source", [CRASHES, HANGS, LATE, NO_WIFI], ids=["crashes", "hangs", "later", "no-wifi"]
)
@pytest.mark.soak
def test_a_bad_version_falls_back_within_three_boots(world: World, source: str) -> None:
    board = world.online(world.board())
    board._patience_s = 1.5  # of real time, for a loop without end
    change = {"blink.mpy": compiled(source)}
    if "really" in source:
        change["blink_really.mpy"] = bundle().files["blink.mpy"]
    update(world, board, other_version(change, "6.6.6"))
    resets = len(board.resets)
    if source is NO_WIFI:
        # It never confirms itself; each restart, by a hand or the power, counts.
        for _ in range(4):
            world.clock.run(60)
            board.power_off()
            board.power_on()
    else:
        world.clock.run(240)
    world.online(board, 120)
    assert version(world, board) == "1.0.0"
    assert json.loads(board.files()["boot.json"]) == {"slot": "a"}
    assert len(board.resets) - resets <= 1 + 3 + 1
    log = world.ask(board, "GET", "/api/log").body.decode()
    assert "did not confirm itself" in log
    if source in (CRASHES, LATE):
        assert "ValueError" in log
        assert "line 4" in log or "line 7" in log
    if source is HANGS:
        assert "the watchdog" in log


def test_a_file_that_is_not_what_it_should_be_is_refused_and_gone(world: World) -> None:
    board = world.online(world.board())
    answer = put(world, board, "lib/x.mpy", b"1" * 5000, "0" * 64)
    assert answer.status == 409
    assert "X-SHA256" in answer.json()["error"]
    assert "b/lib/x.mpy" not in board.files()


@pytest.mark.parametrize(
    "path",
    ["../a/files.json", "a/../../boot.py", "./x", "/x", "x//y", "X.mpy", "x%2e", "x" * 60, ""],
)
def test_a_path_out_of_the_slot_is_refused(world: World, path: str) -> None:
    board = world.online(world.board())
    before = board.files()
    answer = put(world, board, path, b"1")
    assert answer.status in (400, 403, 404)
    assert board.files() == before


def test_a_connection_that_ends_in_the_middle_leaves_no_half_file(world: World) -> None:
    board = world.online(world.board())
    head = (
        f"PUT /api/files/lib/x.mpy HTTP/1.1\r\nHost: {board.address}\r\nContent-Length: 9000\r\n"
        f"Content-Type: application/octet-stream\r\nX-SHA256: {'0' * 64}\r\n\r\n"
    )
    client = world.begin(board, head.encode() + bytes(4000))
    world.clock.run(1)
    client.close()
    world.clock.run(2)
    assert "b/lib/x.mpy" not in board.files()


def test_two_slots_of_forty_blocks_and_a_settings_save_fit(world: World) -> None:
    """As large as a slot may be, twice, on the file system of 98 blocks."""

    def full(version: str) -> Bundle:
        empty = filesystem.used_blocks(98, {})
        for blocks in range(40):
            made = other_version({"filler.bin": bytes(blocks * 4096 + 1)}, version)
            if filesystem.used_blocks(98, made.slot("a")) - empty == 40:
                return made
        pytest.fail("no slot of forty blocks")

    running, new = full("1.0.1"), full("1.1.0")
    board = world.online(world.board(more=running.slot("a")))
    update(world, board, new)
    world.again(board)
    assert version(world, board) == "1.1.0"
    assert world.ask(board, "PUT", "/api/settings", {"name": "vol"}).status == 200


def test_the_firmware_of_another_kind_of_board_is_refused(world: World) -> None:
    board = world.online(world.board())
    answer = world.ask(
        board,
        "POST",
        "/api/update",
        {"version": "9.9.9", "files": {"miniswitch.mpy": "0" * 64}},
    )
    assert answer.status == 409
    assert "another kind" in answer.json()["error"]


def test_after_whatever_was_asked_before_an_update_is_answered(world: World) -> None:
    board = world.online(world.board())
    world.ask(board, "PUT", "/api/wifi", {"ssid": ""})
    world.ask(board, "POST", "/api/identify", {})
    world.ask(board, "GET", "/api/wifi/scan")
    world.clock.run(20)
    for _ in range(3):
        put(world, board, "lib/x.mpy", b"1" * 3000)
        answer = world.ask(board, "POST", "/api/update", b"{}")
        assert answer.status == 400
        assert post(world, board, other_version(PAGE)).status == 409
        for path in ("/", "/settings", "/api/info", "/api/settings"):
            assert world.ask(board, "GET", path).status == 200
    # Only the last list is kept, to go on with.
    assert json.loads(board.files()["update.json"]) == listing(other_version(PAGE))
    assert update(world, board, other_version(PAGE)) == ["index.html.gz"]
    assert "update.json" not in board.files()


def again(world: World, board: VirtualBoard, new: Bundle) -> Answer:
    """The list that came before, by its sum."""
    sha = hashlib.sha256(json.dumps(listing(new)).encode()).hexdigest()
    return world.ask(board, "POST", "/api/update", X_SHA256=sha)


def test_a_list_that_the_board_has_travels_only_once(world: World) -> None:
    board = world.online(world.board())
    new, other = other_version(PAGE), other_version(PAGE, "1.2.0")
    assert again(world, board, new).status == 400  # it has none
    assert post(world, board, new).json()["missing"] == ["index.html.gz"]
    # Another's list is not gone on with: what runs then is what was asked for, or nothing.
    refused = again(world, board, other)
    assert (refused.status, "missing" in refused.json()) == (409, False)
    assert post(world, board, new).json()["missing"] == ["index.html.gz"]
    assert again(world, board, new).json()["missing"] == ["index.html.gz"]
    assert put(world, board, "index.html.gz", PAGE["index.html.gz"]).status == 200
    assert again(world, board, new).status == 202
    world.again(board)
    assert version(world, board) == "1.1.0"


def test_a_list_with_another_sum_than_was_told_is_not_gone_by(world: World) -> None:
    board = world.online(world.board())
    answer = world.ask(
        board, "POST", "/api/update", listing(other_version(PAGE)), X_SHA256="0" * 64
    )
    assert answer.status == 409
    assert "send it whole" in answer.json()["error"]


def test_a_client_that_goes_in_the_middle_of_an_update_blocks_no_other(world: World) -> None:
    board = world.online(world.board())
    body = json.dumps(listing(other_version(PAGE))).encode()
    head = (
        f"POST /api/update HTTP/1.1\r\nHost: {board.address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client = world.begin(board, head.encode() + body[:500])
    world.clock.run(1)
    client.close()
    world.clock.run(1)
    assert update(world, board, other_version(PAGE)) == ["index.html.gz"]


def test_two_updates_do_not_get_in_each_others_way(world: World) -> None:
    stale = {f"b/old/{number}": b"1" for number in range(30)}
    board = world.online(world.board(more=stale))
    body = json.dumps(listing(other_version(PAGE))).encode()
    head = (
        f"POST /api/update HTTP/1.1\r\nHost: {board.address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    first = world.begin(board, head.encode() + body)
    world.clock.run(0.3)
    first.close()
    second = post(world, board, other_version(PAGE))
    assert second.status == 409
    world.clock.run(20)
    assert board.resets == []
    assert update(world, board, other_version(PAGE)) == ["index.html.gz"]


def test_it_falls_back_also_when_the_flash_is_full(world: World) -> None:
    boot = json.dumps({"slot": "b", "tries": 0, "old": "a"}).encode()
    given = {"boot.json": boot, "crash.txt": b"x" * 300}
    for blocks in range(80, 0, -1):
        try:
            board = world.board(more={**given, "b/filler": bytes(blocks * 4096)})
            break
        except Refused:
            continue
    else:
        pytest.fail("nothing fits")
    world.online(board, 60)
    assert version(world, board) == "1.0.0"
    assert "boot.new" not in board.files() or len(board.files()["boot.new"]) < 40
