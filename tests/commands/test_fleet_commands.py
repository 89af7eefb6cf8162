"""discover, config, output, identify and status, by the real program on boards that really run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_boards import Fleet, Wanted, fleet

pytestmark = pytest.mark.slow

BOARDS = [
    Wanted("interface", "meter"),
    Wanted("miniswitch", "pump", hardware="sonoff-basic"),
    Wanted("miniswitch", "boiler"),
    Wanted("switcher", "bath"),
    Wanted("monitor", "hall"),
]
# Boards on this computer answer within 0.2 s.
SOON = ("--timeout", "1500ms")
PASSWORD = "an invented admin 1"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet"), *BOARDS) as made:
        yield made


def value(home: Fleet, board: str, key: str) -> str:
    ran = home.run("config", board, key)
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_discover_finds_each_board_once_and_says_how_it_is(home: Fleet) -> None:
    ran = home.run("discover", "--json", "--count", len(BOARDS), "--timeout", "20s")
    assert ran.code == 0, ran.err
    found = {one["name"]: one for one in json.loads(ran.out)["boards"]}
    assert len(found) == len(BOARDS) == len(json.loads(ran.out)["boards"])
    for wanted in BOARDS:
        one = found[wanted.name]
        assert (one["board"], one["url"]) == (wanted.kind, f"http://{home.address(wanted.name)}/")
        assert (one["firmware"], one["rssi_dbm"], one["answers"]) == ("1.0.0", -55, True)
        assert one["frame_age_s"] is None  # nobody sends
    # The two of a kind have host names of their own.
    hosts = {found["pump"]["host"], found["boiler"]["host"]}
    assert hosts == {"dsmr-minisw.local", "dsmr-minisw-2.local"}


def test_discover_as_a_table_by_kind_and_nothing_is_no_error(home: Fleet) -> None:
    lines = home.run("discover", "miniswitch", "--timeout", "2s").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", "boiler", "pump"]
    none = home.run("discover", "blink", "--timeout", "1s")
    assert (none.code, none.out) == (0, "")
    assert "no blink was found" in none.err
    short = home.run("discover", "blink", "--timeout", "1s", "--count", "2")
    assert short.code == 4


def test_config_shows_one_bare_value_or_all_with_what_they_may_be(home: Fleet) -> None:
    assert home.run("config", "boiler", "threshold_w").out == "1000\n"
    shown = home.run("config", "boiler").out
    assert "threshold_w\t1000\tW\t0..30000\t1000\n" in shown
    assert "mode\ttariff\t\ttariff | injection\ttariff\n" in shown
    assert "admin_password\tnot set\t\ta secret\t\n" in shown
    assert "output\t0\t%\tread only\t\n" in shown
    one = json.loads(home.run("config", "boiler", "--json").out)
    assert one["settings"]["off_delay_min"] == 10
    assert one["schema"]["off_delay_min"]["max"] == 1440
    absent = home.run("config", "hall", "threshold")
    assert (absent.code, absent.out) == (2, "")
    assert "monitor has no setting 'threshold'" in absent.err


def test_config_changes_all_or_nothing_and_says_before_and_after(home: Fleet) -> None:
    dry = home.run("config", "pump", "threshold_w=1500", "on_delay_min=2", "--dry-run")
    assert dry.out == (
        "pump: would change: threshold_w 1000 -> 1500 W\n"
        "pump: would change: on_delay_min 1 -> 2 min\n"
    )
    assert value(home, "pump", "threshold_w") == "1000"
    wrong = home.run("config", "pump", "threshold_w=1500", "on_delay_min=2000")
    assert wrong.code == 2
    assert "on_delay_min is between 0 and 1440 min" in wrong.err
    assert value(home, "pump", "threshold_w") == "1000"
    ran = home.run("config", "pump", "threshold_w=1500", "on_delay_min=2")
    assert ran.out == "pump: threshold_w 1000 -> 1500 W\npump: on_delay_min 1 -> 2 min\n"
    again = home.run("config", "pump", "threshold_w=1500")
    assert (again.code, again.out) == (0, "")
    back = home.run("config", "pump", "--reset", "threshold_w", "--reset", "on_delay_min", "--json")
    assert json.loads(back.out)["changed"]["threshold_w"] == {"from": 1500, "to": 1000}


def test_which_board_is_meant_is_never_guessed(home: Fleet) -> None:
    ran = home.run("config", "miniswitch", "threshold_w=9")
    assert (ran.code, ran.out) == (2, "")
    assert "2 boards are a miniswitch: boiler, pump" in ran.err
    # Both stand in a table, with what tells them apart.
    for name in ("boiler", "pump"):
        assert f"http://{home.address(name)}/" in ran.err
        assert value(home, name, "threshold_w") == "1000"
    absent = home.run("config", "nobody", "name", "--timeout", "1s")
    assert absent.code == 3
    assert "boiler (miniswitch)" in absent.err
    other = home.run("config", "monitor", "name", "--host", home.address("boiler"))
    assert other.code == 2
    assert "is a miniswitch, not a monitor" in other.err
    silent = home.run("config", "--host", "127.0.0.99", "name", "--timeout", "2s")
    assert silent.code == 4


def test_all_boards_of_a_kind_at_once(home: Fleet) -> None:
    ran = home.run("config", "miniswitch", "--all", "off_delay_min=7", *SOON)
    assert ran.out == "boiler: off_delay_min 10 -> 7 min\npump: off_delay_min 10 -> 7 min\n"
    assert home.run("config", "--all", "language", *SOON).out.count("\tnl\n") == len(BOARDS)
    # A setting that one of them has not: nothing happens to any.
    ran = home.run("config", "--all", "off_delay_min=8", *SOON)
    assert ran.code == 2
    assert value(home, "pump", "off_delay_min") == "7"
    home.run("config", "miniswitch", "--all", "off_delay_min=10", *SOON)


def test_a_backup_goes_back_and_what_a_version_has_not_is_named(
    home: Fleet, tmp_path: Path
) -> None:
    file = tmp_path / "hall.json"
    assert home.run("config", "hall", "--backup", file).code == 0
    kept = json.loads(file.read_text())
    assert (kept["board"], kept["fw"], kept["id"]) == (
        "monitor", "1.0.0", home.found({"hall"})["hall"].id,
    )  # fmt: skip
    assert home.run("config", "hall", "--backup", file).code == 2  # never overwritten
    kept["settings"] |= {"brightness": 3, "max_import_w": 99_999_999, "max_export_w": 6000}
    file.write_text(json.dumps(kept))
    differs = home.run("config", "hall", "--diff", file)
    assert differs.out == "hall: differs: max_export_w 5000 -> 6000 W\n"
    ran = home.run("config", "hall", "--restore", file)
    assert ran.code == 0
    assert ran.out == "hall: max_export_w 5000 -> 6000 W\n"
    assert "brightness is left out: this version has no such setting" in ran.err
    assert "max_import_w is left out: max_import_w is between 4 and 30000 W" in ran.err
    wrong = home.run("config", "boiler", "--restore", file)
    assert wrong.code == 3
    file.write_text("[1, 2]")
    assert home.run("config", "hall", "--restore", file).code == 6


@pytest.mark.soak
def test_an_admin_password_is_wanted_told_by_a_file_and_shown_nowhere(home: Fleet) -> None:
    argument = home.run("config", "bath", f"admin_password={PASSWORD}")
    assert argument.code == 2
    assert "everybody on this computer can read it" in argument.err
    assert home.run("config", "bath", "admin_password=@-", stdin=PASSWORD + "\n").code == 0
    assert value(home, "bath", "admin_password") == "true"
    refused = home.run("config", "bath", "load_w=1700")
    assert refused.code == 5
    assert "--admin-password-file" in refused.err
    wrong = home.run("config", "bath", "load_w=1700", env={"DSMRCTL_ADMIN_PASSWORD": "wrong one"})
    assert wrong.code == 5
    assert "the admin password is wrong" in wrong.err
    right = {"DSMRCTL_ADMIN_PASSWORD": PASSWORD}
    ran = home.run("config", "bath", "load_w=1700", env=right)
    assert ran.out == "bath: load_w 1500 -> 1700 W\n"
    gone = home.run(
        "config", "bath", "--reset", "admin_password",
        "--admin-password-file", "-", stdin=PASSWORD,
    )  # fmt: skip
    assert gone.out == "bath: admin_password set -> not set\n"
    for each in (argument, refused, wrong, ran, gone):
        assert PASSWORD not in each.out + each.err


def test_an_output_by_hand_and_back_to_its_rule(home: Fleet) -> None:
    ran = home.run("output", "boiler", "on", "--for", "10m")
    assert ran.out == "boiler: on for 10 min, then back to its rule (tariff)\n"
    assert home.boards["boiler"].pins[0] == 0  # its relay is on when low
    part = home.run("output", "bath", "41%", "--for", "61s", "--json")
    told = json.loads(part.out)
    # A fiftieth is its step.
    assert (told["output_percent"], told["hand_percent"]) == (40, 40)
    assert 115 <= told["timer_s"] <= 120
    assert home.run("output", "boiler", "auto").out == (
        "boiler: back to its rule (tariff), now off\n"
    )
    assert home.boards["boiler"].pins[0] == 1
    home.run("output", "bath", "auto")
    relay = home.run("output", "boiler", "40%")
    assert relay.code == 2
    assert "level of a relay is 0 or 100" in relay.err
    none = home.run("output", "hall", "on")
    assert (none.code, "has no output" in none.err) == (2, True)
    for wrong in (["boiler"], ["boiler", "half"], ["boiler", "on", "--for", "5h"]):
        assert home.run("output", *wrong).code == 2


def test_identify_blinks_and_says_where(home: Fleet) -> None:
    board = home.boards["pump"]
    before = len(board.changes)
    assert "its LED blinks" in home.run("identify", "pump").out
    dark = home.run("identify", "boiler")
    assert (dark.code, "has no light" in dark.err) == (2, True)
    assert {gpio for _, gpio, _ in board.changes[before:]} <= {13}


def test_status_says_who_does_what_and_who_gets_no_frames(home: Fleet) -> None:
    ran = home.run("status", "--json", *SOON)
    assert ran.code == 0, ran.err
    told = {one["name"]: one for one in json.loads(ran.out)["boards"]}
    assert told["meter"]["frames"] == "no telegrams"
    assert "P1 port" in told["meter"]["advice"]
    assert told["boiler"]["frames"] == "none"
    assert told["boiler"]["state"] == "off: hears no frames"
    assert told["boiler"]["values"] == {"output_percent": 0, "frame_age_s": None} or (
        told["boiler"]["values"] == {"output_percent": 0}
    )
    text = home.run("status", *SOON)
    assert text.out.splitlines()[0] == "name\tstate\tdBm\tframes\tup"
    assert "! meter" in text.out
    assert "nobody sends frames" in text.err
    one = home.run("status", "--host", home.address("hall"))
    assert "export 0/5, import 0/4" in one.out
    absent = home.run("status", "nobody", "--timeout", "1s")
    assert absent.code == 3
