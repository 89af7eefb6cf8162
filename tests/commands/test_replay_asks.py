"""replay onto a real network: nothing moves a relay before somebody said so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ran import clean_environment

from dsmrctl.firmware.core import frame
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.writing import create


@pytest.mark.soak
def test_boards_on_a_network_are_named_and_nothing_is_sent_before_a_yes(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    path = tmp_path / "frames.ndjson"
    with create(path, "frames", started_ns=0) as writer:
        for n in range(3):
            data = frame.build((n, 0, 351, 0, 1, 5, n, 0, 0, 0))
            writer.write(Item(n * 10**9, "10.0.0.9:5000", data))
    script = Path(__file__).with_name("real_network.py")
    path_with_ip = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(script), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(tmp_path) | {"PATH": path_with_ip, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode == 77:
        pytest.skip(f"no veth here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = {line["what"]: line for line in map(json.loads, done.stdout.splitlines())}
    happened = {what: (line["code"], line["heard"]) for what, line in found.items()}
    assert happened == {
        "nobody to ask": (2, 0),
        "nobody to ask, a board": (2, 0),
        "no": (5, 0),
        "yes": (0, 3),
        "--yes": (0, 3),
    }
    assert "no board answered on d0" in found["nobody to ask"]["said"]
    assert "--yes says that this is meant" in found["nobody to ask"]["said"]
    for what in ("nobody to ask, a board", "no", "yes"):
        assert "real boards on d0 switch by what is recorded: pump" in found[what]["said"]
    assert "nothing was sent" in found["no"]["said"]
