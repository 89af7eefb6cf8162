"""dsmrctl wifi, by the real program: cable, access point and network, on boards that really run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import wifi_manager
from fleet_boards import Fleet, Wanted, fleet, named
from world import KEY, SSID, flash

from dsmrctl.provisioning import access_points
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.serial_line import SerialLine

OTHER, OTHER_KEY = "GARAGE", "an invented key 2"
WRONG = "an invented wrong key"


@contextmanager
def without_network(home: Fleet, number: int, name: str) -> Iterator[VirtualBoard]:
    """A board that nobody has given a network yet; off."""
    path, place = flash(
        home.folder, board="blink", wifi=None, settings={"name": name}, name=f"{name}.bin"
    )
    mac = bytes([0x5C, 0xCF, 0x7F, 0xA1, 0xB2, number])
    with VirtualBoard(path, place, address=f"127.0.0.{number}", mac=mac, air=home.air) as board:
        yield board


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Fleet]:
    """Only the WiFi, and the program."""
    with fleet(tmp_path) as made:
        yield made


@pytest.mark.soak
def test_by_cable_a_wrong_password_and_the_right_one(home: Fleet) -> None:
    with without_network(home, 60, "lamp") as board, SerialLine(board) as line:
        board.power_on()
        seen = home.run("wifi", "scan", "--port", line.port, "--json")
        assert seen.code == 0, seen.err
        assert {one["ssid"]: one["secure"] for one in json.loads(seen.out)}[SSID] is True
        assert "lamp: dsmrctl blink 1.0.0, ESP8266" not in seen.err  # --json is for programs
        push = ("wifi", "push", "--ssid", SSID, "--port", line.port)
        wrong = home.run(*push, "--password-file", "-", stdin=WRONG + "\n")
        assert wrong.code == 5
        assert f"cannot join the network '{SSID}'" in wrong.err
        right = home.run(*push, env={"DSMRCTL_WIFI_PASSWORD": KEY})
        assert (right.code, right.out) == (
            0, f"lamp is on the network {SSID}: http://{board.address}/\n",
        )  # fmt: skip
        assert "lamp: dsmrctl blink 1.0.0, ESP8266" in right.err
        for ran in (wrong, right):
            assert KEY not in ran.out + ran.err + board.log
            assert WRONG not in ran.out + ran.err + board.log


@pytest.mark.slow
def test_at_its_access_point_a_board_of_ours(home: Fleet) -> None:
    with without_network(home, 61, "lamp") as board:
        board.power_on()
        end = time.monotonic() + 20
        while board.access_point is None and time.monotonic() < end:
            time.sleep(0.05)
        there = {"DSMRCTL_PORTAL": board.address, "DSMRCTL_WIFI_PASSWORD": KEY}
        seen = home.run("wifi", "scan", "--portal", env=there)
        assert seen.out.startswith("network\tdBm\tpassword\n")
        assert f"{SSID}\t-5" in seen.out
        ran = home.run("wifi", "push", "--portal", "--ssid", SSID, env=there)
        assert ran.code == 0, ran.err
        assert f"lamp is on the network {SSID}" in ran.out
        assert "at the access point: blink esp01s 1.0.0 a1b23d" in ran.err
        assert KEY not in ran.out + ran.err + board.log


@pytest.mark.slow
def test_at_the_access_point_of_the_manuals_own_module(home: Fleet) -> None:
    heard = [wifi_manager.Heard(SSID, -60, True)]
    point = wifi_manager.AccessPoint("127.0.0.62", heard, wifi_manager.version_2)
    over = threading.Event()

    with named("dsmr_minisw", "127.0.0.63"):
        with wifi_manager.running(point) as port:
            there = {"DSMRCTL_PORTAL": f"{point.address}:{port}", "DSMRCTL_WIFI_PASSWORD": KEY}
            process = subprocess.Popen(
                [sys.executable, "-m", "dsmrctl", "wifi", "push", "--portal", "--ssid", SSID],
                env=home.environment() | there, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            end = time.monotonic() + 20
            while not point.saved and time.monotonic() < end:
                time.sleep(0.05)
            over.wait(0.5)
        # Its access point is gone: it joined.
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert point.saved == [(SSID, KEY)]
    assert set(point.hosts) == {"192.168.4.1"}
    assert out == f"dsmr_minisw.local is on the network {SSID}: http://127.0.0.63/\n"
    assert KEY not in out + err
    assert KEY.encode() not in arguments


@pytest.mark.soak
def test_an_access_point_that_stays_open_is_a_network_that_was_not_joined(home: Fleet) -> None:
    point = wifi_manager.AccessPoint("127.0.0.64", [], wifi_manager.version_0_16)
    with wifi_manager.running(point) as port:
        there = {"DSMRCTL_PORTAL": f"{point.address}:{port}", "DSMRCTL_WIFI_PASSWORD": WRONG}
        ran = home.run("wifi", "push", "--portal", "--ssid", SSID, env=there)
    assert ran.code == 5
    assert "it could not join" in ran.err
    assert "is the password right?" in ran.err
    assert WRONG not in ran.out + ran.err


@pytest.mark.soak
def test_over_the_network_to_another_one_and_from_one_that_is_gone(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("miniswitch", "pump")) as home:
        home.air.on(OTHER, OTHER_KEY, -40)
        seen = home.run("wifi", "scan", "pump", "--json")
        assert json.loads(seen.out)[0] == {"ssid": OTHER, "rssi_dbm": -40, "secure": True}
        push = ("wifi", "push", "pump", "--ssid", OTHER, "--password-file", "-")
        ran = home.run(*push, stdin=OTHER_KEY)
        assert ran.code == 0, ran.err
        assert ran.out == f"pump is on the network {OTHER}: http://{home.address('pump')}/\n"
        short = home.run(*push, stdin="short")
        assert (short.code, "at least 8 characters" in short.err) == (2, True)
        # It goes away in the midst.
        home.boards["pump"].restarts = False
        gone = home.run(
            "wifi", "push", "pump", "--ssid", SSID, "--timeout", "6s", "--password-file", "-",
            stdin=KEY,
        )  # fmt: skip
        assert gone.code == 4
        assert "back in its old network two minutes later" in gone.err


@pytest.mark.soak
def test_over_the_network_with_a_wrong_password_it_comes_back(tmp_path: Path) -> None:
    with fleet(tmp_path, Wanted("miniswitch", "pump")) as home:
        home.air.on(OTHER, OTHER_KEY, -40)
        # To another network, and to the same one with another password.
        for ssid in (OTHER, SSID):
            ran = home.run(
                "wifi", "push", "pump", "--ssid", ssid, "--password-file", "-",
                stdin=WRONG, timeout=150,
            )  # fmt: skip
            assert ran.code == 5
            assert "cannot join" in ran.err
            assert WRONG not in ran.out + ran.err
            assert home.again("pump").name == "pump"


@pytest.mark.slow
def test_just_one_way_and_no_question_where_nobody_sits(home: Fleet) -> None:
    for wrong in (
        ["push"],
        ["push", "pump", "--portal", "--ssid", SSID],
        ["push", "--port", "/dev/null", "--portal", "--ssid", SSID],
        ["push", "pump"],
        ["push", "pump", "--ssid", SSID],
        ["scan"],
    ):
        ran = home.run("wifi", *wrong)
        assert (ran.code, ran.out) == (2, ""), wrong


LISTED = r"""no:HOME:AA\:BB\:CC\:00\:11\:22:87:WPA2
yes:AutoConnectAP:5E\:CF\:7F\:A1\:B2\:C3:40:
no:AutoConnectAP:5E\:CF\:7F\:A1\:B2\:C4:71:
no:colon\:and \\ back:AA\:BB\:CC\:00\:11\:23:50:WPA2
no:AutoConnectAP:not a bssid:71:
"""


def test_several_access_points_are_told_apart() -> None:
    near, far = access_points.told(LISTED)
    assert (near.bssid, near.signal, near.joined, near.id) == (
        "5E:CF:7F:A1:B2:C4", 71, False, "a1b2c4",
    )  # fmt: skip
    assert (far.joined, far.id) == (True, "a1b2c3")
    assert near.bssid in access_points.steps(near, "linux")[0]
    for system in ("linux", "darwin", "win32"):
        assert any("AutoConnectAP" in step for step in access_points.steps(None, system))


@pytest.mark.slow
def test_the_steps_to_an_access_point_are_told_with_what_is_in_the_air(home: Fleet) -> None:
    program = home.folder / "nmcli"
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{LISTED}E\n")
    program.chmod(0o755)
    there = {
        "DSMRCTL_PORTAL": "127.0.0.65",
        "PATH": f"{home.folder}{os.pathsep}{os.environ['PATH']}",
    }
    push = ("wifi", "push", "--portal", "--ssid", SSID, "--no-password", "--timeout", "1s")
    ran = home.run(*push, env=there)
    assert ran.code == 4
    assert "5E:CF:7F:A1:B2:C4 (71 %, likely board a1b2c4)" in ran.err
    assert "one at a time" in ran.err
    assert "nmcli dev wifi connect AutoConnectAP bssid 5E:CF:7F:A1:B2:C4" in ran.err
