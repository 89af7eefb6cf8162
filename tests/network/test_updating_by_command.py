"""dsmrctl update, by the real program, against stand-ins that stop, or are none it is for."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fleet_boards import Fleet
from hostile_boards import Stand, by_call, in_turn, says, silent
from world import other_version

from dsmrctl import boards, errors
from dsmrctl.commands import asking, update
from dsmrctl.network.discovery import Found
from dsmrctl.terminal.output import Terminal
from dsmrctl.virtual.air import Air

pytestmark = pytest.mark.slow


def as_file(home: Fleet) -> str:
    """The blink board's version 1.1.0."""
    file = home.folder / "blink-1.1.0.zip"
    file.write_bytes(other_version({"index.html.gz": b"another page"}).pack())
    return str(file)


def alone(folder: Path) -> Fleet:
    """The program without any board: what answers is a stand-in's."""
    return Fleet(folder, Air())


def info(fw: str, **more: object) -> dict[str, object]:
    who = {"board": "blink", "hw": "esp01s", "fw": fw, "id": "a1b202", "name": "lamp"}
    return who | {"uptime_s": 500, "unconfirmed": False} | more


def host(stand: Stand) -> tuple[str, str]:
    return ("--host", f"{stand.address}:{stand.port}")


def test_a_bundle_for_other_hardware_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    home = alone(tmp_path)
    with Stand(by_call(info=info("1.0.0", hw="esp32"))) as stand:
        ran = home.run("update", "--bundle", as_file(home), *host(stand))
        assert all(request.startswith(b"GET /api/info ") for request in stand.asked)
    assert (ran.code, "this board is a esp32" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("then, code", [("1.1.0", 0), ("1.0.0", 1)], ids=["holds", "falls back"])
def test_a_board_still_on_trial_from_before_is_waited_for(
    tmp_path: Path, then: str, code: int
) -> None:
    """As after a Ctrl-C: that it has the new version is not that it keeps it."""
    home = alone(tmp_path)
    trial = says(info("1.1.0", unconfirmed=True))
    with Stand(in_turn(trial, trial, trial, says(info(then)))) as stand:
        ran = home.run("update", "--bundle", as_file(home), *host(stand))
        assert all(request.startswith(b"GET ") for request in stand.asked)
    assert ran.code == code, ran.err
    assert ("lamp has blink 1.1.0 already" in ran.out) == (code == 0)
    assert ("blink 1.1.0 did not hold on lamp: it runs 1.0.0 again" in ran.err) == (code == 1)


def test_a_board_that_stops_answering_holds_nobody_up_for_longer_than_asked(tmp_path: Path) -> None:
    home = alone(tmp_path)
    with Stand(in_turn(says(info("1.0.0")), says(info("1.0.0")), silent)) as stand:
        new = as_file(home)
        began = time.monotonic()
        ran = home.run("update", "--bundle", new, *host(stand), "--timeout", "1s")
        took = time.monotonic() - began
    assert ran.code == 4, ran.err
    assert "run this again" in ran.err
    assert took < 2 * 1 + 4  # its log, its list; and the program's own start


def test_with_all_what_it_is_not_for_is_left_out_and_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def board(name: str, kind: str, hardware: str) -> Found:
        return Found(name, "127.0.0.9", 80, kind, hardware, "0.0.1", name, "x.local")

    known = board("pump", "miniswitch", boards.MINISWITCH.hardware[0].name)
    odd = [board("evil", "toaster", "v1"), board("odd", "miniswitch", "v99")]
    person = asking.Asked(Terminal(json=True), False)
    plan, older, there = update._plan(person, [*odd, known], "0.1.0", True)
    assert ([one.name for one, _ in plan], older, there) == (["pump"], [], [])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["event"], each["name"]) for each in events] == [
        ("left_out", "evil"), ("left_out", "odd"),
    ]  # fmt: skip
    # None that it is for, or one that was named: nothing was done, and that is no success.
    for meant, every, told in ((odd, True, 2), (odd[1:], False, 0)):
        with pytest.raises(errors.UsageError):
            update._plan(person, meant, "0.1.0", every)
        assert len(capsys.readouterr().out.splitlines()) == told
