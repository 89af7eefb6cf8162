"""Boards that come, go, share a kind, or are none of ours."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet_boards import Fleet, Wanted, fleet, named

from dsmrctl.network import discovery
from dsmrctl.network import fleet as boards
from dsmrctl.network.board_client import BoardGone
from dsmrctl.network.discovery import Found

BOARDS = [
    Wanted("miniswitch", "boiler"),
    Wanted("miniswitch", "pump"),
    Wanted("miniswitch", "pool"),
    Wanted("blink", "lamp"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet"), *BOARDS) as made:
        yield made


def found(heard: discovery.Heard) -> dict[str, Found]:
    return {one.name: one for one in heard.boards.values()}


def heard_all(names: set[str]) -> Callable[[discovery.Heard], bool]:
    return lambda heard: names <= found(heard).keys()


def wait_till_ours_gave_way(names: set[str], host: str) -> None:
    def gave_way(heard: discovery.Heard) -> bool:
        return heard_all(names)(heard) and all(one.host != host for one in heard.boards.values())

    assert gave_way(discovery.browse(15, "lo", enough=gave_way))


@pytest.mark.slow
def test_three_of_a_kind_are_told_apart_and_each_is_heard_once(home: Fleet) -> None:
    told: list[Found | str] = []
    names = {each.name for each in BOARDS}
    began = time.monotonic()
    heard = discovery.browse(10, "lo", enough=heard_all(names), told=told.append)
    assert time.monotonic() - began < 5
    there = found(heard)
    assert there.keys() == names
    assert sorted(one.name for one in told if isinstance(one, Found)) == sorted(names)
    for number, each in enumerate(BOARDS, 2):
        one = there[each.name]
        assert (one.board, one.version) == (each.kind, "1.0.0")
        assert (one.address, one.port) == (home.address(each.name), 80)
        assert one.id == f"f1ee{number:02x}"  # the end of its MAC
    hosts = {one.host for one in there.values() if one.board == "miniswitch"}
    assert len(hosts) == 3
    assert all(host.startswith("dsmr-minisw") for host in hosts)
    # Each way to name it leads to that board and no other.
    for one in there.values():
        for word in (one.name.upper(), one.id, one.host, one.host.removesuffix(".local")):
            assert boards.one(word, nic="lo").id == one.id, word
    assert {one.id for one in boards.find("miniswitch", nic="lo")} == {
        one.id for one in there.values() if one.board == "miniswitch"
    }


@pytest.mark.soak
def test_the_manuals_own_are_told_from_ours(home: Fleet) -> None:
    names = {each.name for each in BOARDS}
    address = "127.0.0.70"
    with named("dsmr_minisw", address):
        wait_till_ours_gave_way(names, "dsmr-minisw.local")
        census = json.loads(home.run("discover", "--json", "--timeout", "1500ms").out)
    assert {one["name"] for one in census["boards"]} == names
    assert all(one["answers"] for one in census["boards"])
    # Ours are dsmr_minisw-2 and so on now, and are not called foreign.
    assert census["foreign"] == [
        {
            "host": "dsmr_minisw.local", "address": address, "board": "miniswitch",
            "url": f"http://{address}/",
        }
    ]  # fmt: skip
    # The manual's gives way too, to another of its kind.
    with named("dsmr_minisw-2", address):
        wait_till_ours_gave_way(names, "dsmr-minisw-2.local")
        shown = home.run("discover", "--timeout", "1500ms")
    assert {line.split("\t")[0] for line in shown.out.splitlines()[1:]} == names
    assert shown.err.count("not ours: ") == 1
    assert f"not ours: dsmr_minisw-2.local at http://{address}/" in shown.err
    assert "dsmrctl listen --raw" in shown.err


@pytest.mark.slow
def test_the_page_is_opened_of_one_board_and_of_no_more(home: Fleet, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    shown = {"BROWSER": f"{browser} %s"}
    several = home.run("discover", "--open", "--timeout", "1s", env=shown)
    assert (several.code, "boiler, lamp, pool, pump" in several.err) == (2, True)
    one = home.run("discover", "pump", "--open", "--timeout", "1s", env=shown)
    assert one.code == 0, one.err
    url = f"http://{home.address('pump')}/"
    assert one.out == f"{url}\n"
    assert (tmp_path / "opened").read_text() == url


@pytest.mark.soak
def test_watch_tells_who_restarts_and_who_changes_its_name(home: Fleet) -> None:
    process = home.begin("discover", "blink", "--watch", "--json", "--count", "5")
    assert process.stdout
    first = json.loads(process.stdout.readline())
    assert (first["event"], first["name"], first["board"]) == ("found", "lamp", "blink")
    resets = len(home.boards["lamp"].resets)
    lamp = boards.at(home.address("lamp"))
    client = boards.client(lamp)
    client.call("POST", "restart")  # it says goodbye
    assert home.again("lamp", since=resets).id == lamp.id
    client.change({"name": "light"})
    try:
        out, err = process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    client.change({"name": "lamp"})
    events = [json.loads(line) for line in out.splitlines()]
    assert [(each["event"], each["name"]) for each in events] == [
        ("gone", "lamp"), ("found", "lamp"), ("gone", "lamp"), ("found", "light"),
    ], err  # fmt: skip
    silent = home.run("discover", "monitor", "--watch", "--timeout", "1s")
    assert silent.code == 4


@pytest.mark.soak
def test_a_board_that_vanishes_between_discovery_and_question_is_gone_at_once(home: Fleet) -> None:
    names = {"boiler", "pump", "pool"}
    there = found(discovery.browse(10, "lo", enough=heard_all(names)))
    home.boards["pump"].power_off()  # no goodbye
    try:
        began = time.monotonic()
        answers = boards.each(
            [there[name] for name in sorted(names)], lambda one: boards.client(one).settings()
        )
        assert time.monotonic() - began < boards.TIMEOUT
        for one, answer in answers:
            assert isinstance(answer, BoardGone) is (one.name == "pump"), answer
        # What was known of it is not believed: who is meant is looked for anew.
        ran = home.run("config", "pump", "--timeout", "1s")
        assert (ran.code, ran.out) == (3, "")
        assert "no board here is called 'pump'" in ran.err
        assert "pump" not in found(discovery.browse(1, "lo"))
    finally:
        home.boards["pump"].power_on()
    assert home.again("pump").id == there["pump"].id
