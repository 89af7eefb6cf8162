"""The script in docs/scripting.md, run as it stands, on boards that really run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from fleet_boards import Wanted, fleet

from dsmrctl import __version__

OLD = "0.0.9"


@pytest.mark.soak
def test_the_script_runs_and_every_output_is_json(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    need("jq")
    (script,) = re.findall(
        r"^```bash\n(set -euo.*?)^```", (ROOT / "docs/scripting.md").read_text(), re.M | re.S
    )
    wanted = [
        Wanted("miniswitch", "boiler", version=OLD),
        Wanted("miniswitch", "pump", version=OLD),
        Wanted("monitor", "hall", version=OLD),
    ]
    with fleet(tmp_path, *wanted) as home:
        program = tmp_path / "bin" / "dsmrctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dsmrctl "$@"\n')
        program.chmod(0o755)
        environment = home.environment()
        environment["PATH"] = f"{program.parent}:{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True,
            timeout=400, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert f"boiler\t{OLD}\thttp://{home.address('boiler')}/" in lines
        changed = {"threshold_w": {"from": 1000, "to": 1500}}
        for name in ("boiler", "pump"):
            assert json.dumps([name, changed], separators=(",", ":")) in lines
        for name in ("boiler", "hall", "pump"):
            assert f"{name}\t{__version__}" in lines
            # Nothing differed: the update kept the settings.
            assert json.dumps([name, {}], separators=(",", ":")) in lines
        assert home.run("config", "pump", "threshold_w").out == "1500\n"
        assert home.found({"pump"})["pump"].version == __version__
        # A board that is not there, as the table of exit codes says.
        assert home.run("config", "nobody", "name", "--timeout", "1s").code == 3
