"""`dsmrctl demo --flash`: a newcomer without a board sees one flashed, and boot."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from ran import Run, clean_environment


@pytest.mark.slow
def test_it_is_flashed_boots_and_has_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "demo", "--flash"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(tmp_path) | {"TMPDIR": str(folder)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines = []
    url = None
    while url is None:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
        url = re.search(r"it is in its network: (http://\S+)", line)
    with urllib.request.urlopen(url[1] + "api/info", timeout=10) as answer:
        info = json.load(answer)
    assert (info["board"], info["hw"]) == ("interface", "esp01s")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    said = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert "verified" in lines[0]
    assert "dsmrctl interface esp01s" in "".join(lines)
    assert "$ dsmrctl flash interface --hardware esp01s --ssid HOUSEHOLD --port" in said
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_for_a_program_it_is_json(dsmrctl: Run) -> None:
    ran = dsmrctl("demo", "--flash", "--json", "--duration", "6s")
    assert ran.code == 0, ran.err
    events = [json.loads(line) for line in ran.out.splitlines()]
    names = [event["event"] for event in events]
    assert names.index("plan") < names.index("done") < names.index("serial") < names.index("seen")


@pytest.mark.soak
def test_another_board_as_well_but_one_at_a_time(dsmrctl: Run) -> None:
    ran = dsmrctl("demo", "--flash", "--board", "monitor", "--duration", "7s")
    assert ran.code == 0, ran.err
    assert "dsmrctl monitor nodemcu-v3" in ran.out
    assert "it is in its network: http://127.0.0.2" in ran.out
    for more in (["--count", "3"], ["--board", "monitor", "--board", "blink"]):
        ran = dsmrctl("demo", "--flash", *more)
        assert ran.code == 2
        assert "for one board" in ran.err
