"""Boards that come, go, share a kind, or are none of ours; and twenty of them at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleet_boards import Fleet, Wanted, fleet, named

KINDS = ("miniswitch", "monitor", "switcher", "interface")


def started(home: Fleet, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", *args],
        env=home.environment(), cwd=home.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_ours_the_manuals_own_and_a_page_that_is_opened(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("miniswitch", "boiler"), Wanted("miniswitch", "pump")) as home:
        with named("dsmr_if", "127.0.0.70"):
            ran = home.run("discover", "--json", "--timeout", "2s")
            text = home.run("discover", "--timeout", "2s")
        found = json.loads(ran.out)
        assert [one["name"] for one in found["boards"]] == ["boiler", "pump"]
        # Ours have such host names too, and are not called foreign.
        assert found["foreign"] == [
            {
                "host": "dsmr_if.local", "address": "127.0.0.70", "board": "interface",
                "url": "http://127.0.0.70/",
            }
        ]  # fmt: skip
        assert "not ours: dsmr_if.local at http://127.0.0.70/" in text.err
        assert "dsmrctl listen --raw" in text.err
        browser = tmp_path / "browser"
        browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {tmp_path}/opened\n')
        browser.chmod(0o755)
        shown = {"BROWSER": f"{browser} %s"}
        both = home.run("discover", "--open", "--timeout", "1s", env=shown)
        assert (both.code, "boiler, pump" in both.err) == (2, True)
        one = home.run("discover", "pump", "--open", "--timeout", "1s", env=shown)
        assert one.code == 0, one.err
        url = f"http://{home.address('pump')}/"
        assert one.out == f"{url}\n"
        assert (tmp_path / "opened").read_text() == url


@pytest.mark.slow
def test_watch_tells_who_comes_and_goes(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("blink", "lamp")) as home:
        process = started(home, "discover", "--watch", "--json", "--count", "3")
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["name"], first["board"]) == ("found", "lamp", "blink")
        assert home.run("config", "lamp", "name=light").code == 0
        out, err = process.communicate(timeout=30)
        events = [json.loads(line) for line in out.splitlines()]
        assert [(each["event"], each["name"]) for each in events] == [
            ("gone", "lamp"), ("found", "light"),
        ], err  # fmt: skip
        silent = home.run("discover", "monitor", "--watch", "--timeout", "1s")
        assert silent.code == 4


@pytest.mark.soak
def test_twenty_at_once_and_some_vanish_in_the_midst_of_anything(tmp_path: Path) -> None:
    wanted = [Wanted(KINDS[number % 4], f"board-{number}") for number in range(20)]
    with fleet(tmp_path, *wanted) as home:
        began = time.monotonic()
        ran = home.run("discover", "--json", "--count", "20", "--timeout", "20s")
        found = {one["name"]: one for one in json.loads(ran.out)["boards"]}
        assert len(found) == 20
        assert time.monotonic() - began < 5
        for each in wanted:
            assert found[each.name]["address"] == home.address(each.name)
            assert found[each.name]["board"] == each.kind
        assert len({one["id"] for one in found.values()}) == 20
        assert len({one["host"] for one in found.values()}) == 20
        names = home.run("config", "--all", "name").out.splitlines()
        assert sorted(names) == sorted(f"{each.name}\t{each.name}" for each in wanted)
        assert len(json.loads(home.run("status", "--json").out)["boards"]) == 20
        file = str(tmp_path / "all.json")
        operations = [
            ("config", "board-0"),
            ("config", "board-4", "threshold_w=1500"),
            ("output", "board-8", "on"),
            ("identify", "board-1"),
            ("wifi", "scan", "board-5"),
            ("config", "board-9", "--backup", file),
            ("discover",),
            ("status",),
            ("config", "--all", "language=en"),
        ]
        gone = ["board-0", "board-4", "board-8", "board-1", "board-5", "board-9"]
        gone += ["board-12", "board-16", "board-13"]
        for number, (operation, victim) in enumerate(zip(operations, gone, strict=True)):
            process = started(home, *operation)
            time.sleep(0.12 + 0.03 * number)
            home.boards[victim].power_off()
            out, err = process.communicate(timeout=40)
            assert process.returncode in (0, 3, 4), (operation, out, err)
            assert "Traceback" not in err
            if process.returncode:
                assert err.startswith("dsmrctl: "), (operation, err)
        left = json.loads(home.run("discover", "--json").out)["boards"]
        assert {one["name"] for one in left} == {each.name for each in wanted} - set(gone)
        # A backup is whole, or there is none.
        if Path(file).exists():
            assert json.loads(Path(file).read_text())["name"] == "board-9"
