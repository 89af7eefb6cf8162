"""Twenty boards at once, some of which vanish in the midst of whatever is done."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fleet_boards import Wanted, fleet

KINDS = ("miniswitch", "monitor", "switcher", "interface")


@pytest.mark.soak
def test_twenty_at_once_and_some_vanish_in_the_midst_of_anything(tmp_path: Path) -> None:
    wanted = [Wanted(KINDS[number % 4], f"board-{number}") for number in range(20)]
    with fleet(tmp_path, *wanted) as home:
        began = time.monotonic()
        ran = home.run("discover", "--json", "--timeout", "5s")
        assert time.monotonic() - began < 15  # twenty boards start and answer on this one computer
        there = {one["name"]: one for one in json.loads(ran.out)["boards"]}
        assert len(there) == len(json.loads(ran.out)["boards"]) == 20
        for each in wanted:
            assert there[each.name]["address"] == home.address(each.name)
            assert there[each.name]["board"] == each.kind
        assert len({one["id"] for one in there.values()}) == 20
        assert len({one["host"] for one in there.values()}) == 20
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
            process = home.begin(*operation)
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
