"""dsmrctl update, by the real program, on boards that restart into what they were sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleet_boards import Fleet, Wanted, fleet
from world import bundle, other_version

from dsmrctl.flashing import build
from dsmrctl.flashing.bundle import Bundle

pytestmark = pytest.mark.slow

PASSWORD = "korrekt horse 9"
PAGE = {"index.html.gz": bundle().files["index.html.gz"] + bytes(300)}
CRASHES = b"""
class App:
    def __init__(self, board):
        raise ValueError("a version that crashes")
"""


def crashing(folder: Path) -> Bundle:
    """The blink board's firmware, but that its app raises as it starts."""
    (folder / "x.py").write_bytes(CRASHES)
    before, build.SOURCES = build.SOURCES, folder
    try:
        return other_version({"blink.mpy": build.compiled("x.py")}, "6.6.6")
    finally:
        build.SOURCES = before


def as_file(home: Fleet, made: Bundle) -> str:
    file = home.folder / f"{made.board}-{made.version}.zip"
    file.write_bytes(made.pack())
    return str(file)


@contextmanager
def running(home: Fleet, *args: str) -> Iterator[subprocess.Popen[str]]:
    """The program, while something happens to the board."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", *args],
        env=home.environment(), cwd=home.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.soak
def test_what_changed_is_sent_and_it_is_waited_for_till_it_holds(tmp_path: Path) -> None:
    lamp = Wanted("blink", "lamp", {"admin_password": PASSWORD})
    with fleet(tmp_path, lamp, Wanted("miniswitch", "pump")) as home:
        new = as_file(home, other_version(PAGE))
        dry = home.run("update", "lamp", "--bundle", new, "--dry-run", "--json")
        assert json.loads(dry.out)["exact"] is False
        assert home.found({"lamp"})["lamp"].version == "1.0.0"
        # Before a board is touched: another kind's firmware, and an older version unasked.
        other = home.run("update", "pump", "--bundle", new)
        assert (other.code, "is for the board blink" in other.err) == (2, True)
        older = other_version(PAGE, "0.9.0")
        refused = home.run("update", "lamp", "--bundle", as_file(home, older))
        assert (refused.code, "which is newer than 0.9.0" in refused.err) == (2, True)
        # Without its admin password nothing reaches its flash.
        before = home.boards["lamp"].files()
        locked = home.run("update", "lamp", "--bundle", new)
        assert (locked.code, "it wants its admin password" in locked.err) == (5, True)
        assert home.boards["lamp"].files() == before
        file = home.folder / "password"
        file.write_text(PASSWORD)
        told = ("--admin-password-file", str(file))
        ran = home.run("update", "lamp", "--bundle", new, "--json", *told, timeout=100)
        assert ran.code == 0, ran.err
        assert PASSWORD not in ran.out + ran.err
        events = [json.loads(line) for line in ran.out.splitlines()]
        size = len(PAGE["index.html.gz"])
        assert events[-1]["event"] == "updated"
        assert (events[-1]["files"], events[-1]["bytes"]) == (1, size)
        assert home.found({"lamp"})["lamp"].version == "1.1.0"
        again = home.run("update", "lamp", "--bundle", new)
        assert (again.code, again.out) == (0, "lamp has blink 1.1.0 already\n")


@pytest.mark.soak
def test_a_version_that_does_not_hold_is_told_with_its_reason(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("blink", "lamp")) as home:
        bad = as_file(home, crashing(tmp_path))
        ran = home.run("update", "lamp", "--bundle", bad, timeout=150)
        assert ran.code == 1
        assert "blink 6.6.6 did not hold on lamp: it runs 1.0.0 again" in ran.err
        assert "ValueError: a version that crashes" in ran.err


@pytest.mark.soak
def test_a_board_that_goes_in_the_midst_is_told_and_gone_on_with(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("blink", "lamp")) as home:
        board = home.boards["lamp"]
        change = {f"more{n}.mpy": bundle().files["blink.mpy"] + bytes(n) for n in range(8)}
        new = as_file(home, other_version(change))
        with running(home, "update", "lamp", "--bundle", new) as process:
            slot = board.place
            end = time.monotonic() + 30
            while not any(path.startswith("b/more") for path in _files(home)):
                assert time.monotonic() < end, slot
            board.power_off()
            _, said = process.communicate(timeout=90)
        assert process.returncode == 4
        assert "it goes on with its old version" in said
        board.power_on()
        assert home.again("lamp").version == "1.0.0"
        there = {path for path in _files(home) if path.startswith("b/more")}
        ran = home.run("update", "lamp", "--bundle", new, "--json", timeout=100)
        assert ran.code == 0, ran.err
        sent = json.loads(ran.out.splitlines()[-1])
        # What it had got whole is not sent twice; the last may have been half.
        assert sent["files"] <= len(change) - len(there) + 1
        assert home.found({"lamp"})["lamp"].version == "1.1.0"


def _files(home: Fleet) -> dict[str, bytes]:
    """The files on the flash; none while it is written just there."""
    try:
        return home.boards["lamp"].files()
    except Exception:
        return {}


@pytest.mark.soak
def test_all_boards_readers_first_and_the_first_failure_ends_it(tmp_path: Path) -> None:
    wanted = [Wanted("interface", "meter"), Wanted("monitor", "hall"), Wanted("miniswitch", "pump")]
    with fleet(tmp_path, *wanted) as home:
        images = {"DSMRCTL_NIC": "lo"}
        dry = home.run("update", "--all", "--bundle", "0.1.0", "--dry-run", "--json", env=images)
        assert [json.loads(line)["name"] for line in dry.out.splitlines()] == [
            "pump", "hall", "meter",
        ]  # fmt: skip
        # The second goes away while the first is updated.
        args = ("update", "--all", "--bundle", "0.1.0", "--yes")
        with running(home, *args) as process:
            end = time.monotonic() + 60
            while home.boards["pump"].wifi == 5 and time.monotonic() < end:
                time.sleep(0.1)
            home.boards["hall"].power_off()
            said, told = process.communicate(timeout=150)
        assert process.returncode == 4
        assert "pump runs miniswitch 0.1.0" in said
        assert "not begun: meter" in told
        home.boards["hall"].power_on()
        home.again("hall")
        ran = home.run(*args, timeout=200)
        assert ran.code == 0, ran.err
        assert "pump has miniswitch 0.1.0 already" in ran.out
        assert "meter runs interface 0.1.0" in ran.out


@pytest.mark.soak
def test_the_power_fails_again_and_again_and_in_the_end_it_is_updated(tmp_path: Path) -> None:
    """In the midst of a flash write, of every file: the old version runs, till the new one does.

    What is whole stays. A file begins anew, and the list before it: with fewer writes between two
    cuts than these take nobody gets on, so that there are more of them when nothing came of it.
    """
    with fleet(tmp_path, Wanted("blink", "lamp")) as home:
        board = home.boards["lamp"]
        made = other_version(PAGE | {"more.mpy": bundle().files["blink.mpy"]})
        new = as_file(home, made)
        writes, cuts, whole = 25, 0, set[str]()
        while cuts < 60:
            board.cut_at(writes)
            ran = home.run("update", "lamp", "--bundle", new, timeout=250)
            if not board.cut:
                break
            cuts += 1
            assert ran.code in (1, 4), (cuts, ran.out, ran.err)
            assert "Traceback" not in ran.err
            board.power_on()
            assert home.again("lamp").version in ("1.0.0", "1.1.0")
            there = board.files()
            now = {path for path, data in made.files.items() if there.get(f"b/{path}") == data}
            assert whole <= now, (cuts, whole - now)
            if now == whole:
                writes += 20
            whole = now
        assert 5 <= cuts < 60
        assert home.run("update", "lamp", "--bundle", new, timeout=200).code == 0
        assert home.found({"lamp"})["lamp"].version == "1.1.0"
