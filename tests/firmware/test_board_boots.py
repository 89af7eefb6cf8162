"""The blink board: the very flash image, booted by the real MicroPython in simulated time."""

from __future__ import annotations

import itertools

from world import KEY, SSID, World

SECOND = 1_000_000


def test_its_outputs_rest_before_anything_else(world: World) -> None:
    board = world.board()
    world.clock.run(0.1)
    at_us, gpio, level = board.changes[0]
    assert (gpio, level) == (2, 1)  # its LED is on when low
    assert at_us < 10_000


def test_it_blinks_comes_into_the_network_and_tells_who_it_is(world: World) -> None:
    board = world.online(world.board())
    assert board.faults == []
    info = world.ask(board, "GET", "/api/info").json()
    assert info["board"] == "blink"
    assert info["hw"] == "esp01s"
    assert info["fw"] == "1.0.0"
    assert info["id"] == "a1b202"
    assert info["name"] == "blink-a1b202"
    assert info["frames"] == [1, 2]
    assert info["reset_cause"] == "pwron"
    assert info["wifi"] == {"ssid": SSID, "rssi_dbm": -55, "ip": board.address}
    assert info["host"] == "dsmr_blink.local"
    assert (info["access_point"], info["unconfirmed"]) == (False, False)
    assert info["heap_low"] > 4096
    start = len(board.changes)
    world.clock.run(10)
    lit = [level for _, gpio, level in board.changes[start:] if gpio == 2]
    assert len(lit) == 10
    assert KEY not in board.log


def test_its_milliseconds_wrap_and_it_does_not_notice(world: World) -> None:
    # A run starts a minute before they wrap.
    board = world.online(world.board())
    world.clock.run(70)
    times = [at_us for at_us, gpio, _ in board.changes if gpio == 2][2:]
    steps = {round((b - a) / 100_000) for a, b in itertools.pairwise(times)}
    assert steps == {10}
    assert 55 <= world.ask(board, "GET", "/api/info").json()["uptime_s"] - 15 <= 75
    assert board.resets == []


def test_settings_are_kept_over_a_power_cut_and_apply_at_once(world: World) -> None:
    board = world.online(world.board())
    answer = world.ask(board, "PUT", "/api/settings", {"period_ms": 200, "name": "zolder"})
    assert answer.status == 200
    assert answer.json()["settings"]["period_ms"] == 200
    start = len(board.changes)
    world.clock.run(2)
    assert 9 <= len(board.changes) - start <= 10
    board.power_off()
    world.clock.run(1)
    board.power_on()
    world.online(board)
    settings = world.ask(board, "GET", "/api/settings").json()
    assert settings["settings"]["period_ms"] == 200
    assert settings["settings"]["name"] == "zolder"
    assert settings["schema"]["period_ms"]["max"] == 10000
    assert world.ask(board, "GET", "/api/info").json()["name"] == "zolder"


def test_settings_that_did_not_change_are_not_written(world: World) -> None:
    board = world.online(world.board())
    world.ask(board, "PUT", "/api/settings", {"period_ms": 300})
    before = board.figures()
    assert world.ask(board, "PUT", "/api/settings", {"period_ms": 300}).status == 200
    after = board.figures()
    assert (after["programs"], after["erases"]) == (before["programs"], before["erases"])


def test_one_wrong_value_changes_nothing(world: World) -> None:
    board = world.online(world.board())
    answer = world.ask(board, "PUT", "/api/settings", {"name": "x", "period_ms": 5})
    assert answer.status == 422
    assert answer.json() == {
        "error": "period_ms is between 100 and 10000 ms",
        "field": "period_ms",
    }
    assert world.ask(board, "GET", "/api/settings").json()["settings"]["name"] == ""


def test_a_secret_is_shown_only_as_set_or_not(world: World) -> None:
    board = world.online(world.board())
    secret = "an invented password"
    answer = world.ask(board, "PUT", "/api/settings", {"admin_password": secret})
    assert answer.json()["settings"]["admin_password"] is True
    assert secret.encode() not in answer.body
    assert secret not in board.log


def test_identify_blinks_the_light_for_ten_seconds(world: World) -> None:
    board = world.online(world.board(settings={"period_ms": 10000}))
    start = len(board.changes)
    assert world.ask(board, "POST", "/api/identify", {}).status == 200
    world.clock.run(15)
    assert 36 <= len(board.changes) - start <= 44


def test_pages_are_gzip_and_known_ones_are_not_sent_again(world: World) -> None:
    import gzip

    board = world.online(world.board())
    for path in ("/", "/settings"):
        answer = world.ask(board, "GET", path)
        assert answer.status == 200
        assert answer.headers["content-encoding"] == "gzip"
        assert b"<!doctype html>" in gzip.decompress(answer.body).lower()
        again = world.ask(board, "GET", path, If_None_Match=answer.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    assert world.ask(board, "GET", "/nothing").status == 404


def test_restart_says_so_first(world: World) -> None:
    board = world.online(world.board())
    assert world.ask(board, "POST", "/api/restart", {}).status == 202
    world.clock.run(3)
    assert [cause for _, cause in board.resets] == ["SOFT"]
    world.online(board)
    assert world.ask(board, "GET", "/api/info").json()["reset_cause"] == "soft"


def test_forty_changes_in_a_row_are_all_taken(world: World) -> None:
    board = world.online(world.board())
    for number in range(40):
        body = {"period_ms": 200 + number, "name": f"zolder {number}"}
        assert world.ask(board, "PUT", "/api/settings", body).status == 200, number
    world.clock.run(10)
    assert world.ask(board, "GET", "/api/info").json()["name"] == "zolder 39"
    assert board.resets == []


def test_a_call_that_only_begins_like_one_is_none(world: World) -> None:
    board = world.online(world.board())
    assert world.ask(board, "GET", "/api/status?x=1").status == 200
    assert world.ask(board, "GET", "/api/statusses").status == 404
