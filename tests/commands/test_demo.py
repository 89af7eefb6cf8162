"""`dsmrctl demo`: the whole chain on loopback, and the ways round what a system lacks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, clean_environment
from test_cli import on_a_terminal

from dsmrctl.network.multicast import Receiver
from dsmrctl.virtual.demonstration import LOOPBACK, Demonstration, carried

START = datetime(2026, 6, 23, 10, 0, tzinfo=UTC)


def frames(ran_out: str) -> list[dict[str, int]]:
    return [json.loads(line)["frame"] for line in ran_out.splitlines()]


@pytest.mark.slow
def test_a_frame_comes_for_each_second_of_the_household(dsmrctl: Run) -> None:
    ran = dsmrctl(
        *("demo", "--json", "--speed", "10", "--count", "20", "--group", "239.255.71.1:17101"),
        *("--start", "2026-01-15T18:00"),
    )
    assert ran.code == 0, ran.err
    seconds = [frame["minute"] * 60 + frame["second"] for frame in frames(ran.out)]
    assert seconds == list(range(20))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_household_and_another_another(dsmrctl: Run) -> None:
    def registers(seed: int, port: int) -> list[int]:
        ran = dsmrctl(
            *("demo", "--json", "--speed", "50", "--count", "3", "--seed", seed),
            *("--group", f"239.255.71.2:{port}"),
        )
        return [json.loads(line)["import_t1_wh"] for line in ran.out.splitlines()]

    assert registers(5, 17102) == registers(5, 17103) != registers(6, 17104)


@pytest.mark.parametrize(("serial_line", "port"), [(True, 17105), (False, 17106)])
@pytest.mark.slow
def test_telegrams_go_over_a_pty_and_over_tcp_where_there_is_none(
    serial_line: bool, port: int
) -> None:
    group = "239.255.71.3"
    with (
        Receiver(group, port, [LOOPBACK]) as receiver,
        Demonstration(START, group, port, speed=50, serial_line=serial_line),
    ):
        heard = []
        while len(heard) < 5:
            heard += receiver.receive(10) or pytest.fail("no frame came in 10 s")


@pytest.mark.slow
def test_frames_go_by_unicast_where_loopback_carries_no_multicast() -> None:
    assert carried("239.255.71.4", 17107) == ("239.255.71.4", 17107)
    # No group, so nothing can join: as on a system whose loopback refuses.
    assert carried("0.0.0.1", 17107) == (LOOPBACK, 17107)
    with (
        Receiver(LOOPBACK, 17107) as receiver,
        Demonstration(START, LOOPBACK, 17107, speed=50),
    ):
        assert receiver.receive(10)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals there")
def test_on_a_terminal_a_live_view_shows_powers_quarter_and_peak(tmp_path: Path) -> None:
    shown = on_a_terminal(
        ["demo", "--duration", "2s", "--group", "239.255.71.5:17108"], tmp_path, LINES="24"
    ).decode()
    for words in (
        "dsmrctl demo",
        "IMPORT, W",
        "EXPORT, W",
        "Quarter",
        "Forecast",
        "Month peak",
        "Ctrl-C",
    ):
        assert words in shown
    assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in shown


@pytest.mark.parametrize("args", [["--start", "soon"], ["--speed", "0"]])
def test_what_cannot_be_is_a_usage_error(args: list[str], dsmrctl: Run) -> None:
    assert dsmrctl("demo", *args).code == 2


@pytest.mark.slow
def test_a_board_boots_beside_the_household_and_hears_its_frames(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "demo", "--board", "blink", "--json",
         "--group", "239.255.71.9:17109", "--duration", "60s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(tmp_path),
    ) as demo:  # fmt: skip
        try:
            assert demo.stderr
            url = next(line.split()[1] for line in demo.stderr if line.startswith("blink: "))
            end = time.monotonic() + 20
            heard = 0
            while heard < 3 and time.monotonic() < end:
                with urllib.request.urlopen(f"{url}api/status", timeout=5) as answer:
                    heard = json.load(answer)["frames"]
                time.sleep(0.2)
            assert heard >= 3
        finally:
            demo.terminate()


def test_a_board_that_is_none_is_refused_with_those_there_are(dsmrctl: Run) -> None:
    ran = dsmrctl("demo", "--board", "toaster", "--group", "239.255.71.9:17110")
    assert ran.code == 2
    assert "toaster" in ran.err
    assert "blink" in ran.err


@pytest.mark.slow
def test_all_four_boards_act_and_the_meter_feels_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "demo", "--json", "--group", "239.255.71.10:17112",
         "--duration", "90s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(tmp_path),
    ) as demo:  # fmt: skip
        try:
            assert demo.stderr
            urls = {}
            while len(urls) < 4:
                name, _, url = demo.stderr.readline().partition(": ")
                if url.startswith("http"):
                    urls[name] = url.strip()
            assert list(urls) == ["interface", "miniswitch", "switcher", "monitor"]

            def status(name: str) -> dict[str, Any]:
                with urllib.request.urlopen(f"{urls[name]}api/status", timeout=9) as answer:
                    return json.load(answer)

            for url in urls.values():
                with urllib.request.urlopen(url, timeout=9) as answer:
                    assert answer.headers["Content-Encoding"] == "gzip"
            # 2500 W to spare: the pump takes 1000, the boiler what is left.
            end = time.monotonic() + 60
            settled = False
            while not settled and time.monotonic() < end:
                time.sleep(1)
                told = status("interface")
                settled = status("miniswitch")["output"] == 100 and status("switcher")["output"] > 0
                settled = settled and told["export_w"] < 200 and told["import_w"] < 100
            assert settled
            assert status("monitor")["status_led"] == "on"
        finally:
            demo.terminate()


@pytest.mark.soak
def test_the_live_view_shows_the_boards_side_by_side(tmp_path: Path) -> None:
    shown = on_a_terminal(
        ["demo", "--duration", "6s", "--group", "239.255.71.11:17113"], tmp_path, LINES="24"
    ).decode()
    for words in ("mini switch ON", "boiler", "export ", "peak ", "http://127.0.0.5"):
        assert words in shown
