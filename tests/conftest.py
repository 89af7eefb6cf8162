"""What every test may lean on: the real program in a process of its own, and what is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import bench  # noqa: F401 - a fixture
from brokers import broker, listen, locked_broker  # noqa: F401 - fixtures
from flashed import flash  # noqa: F401 - a fixture
from hypothesis import settings
from isolated import INSIDE, bring_loopback_up
from ran import Ran, Run, clean_environment
from virtual_boards import blinking, world  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[1]
CAPTURES = ROOT / "tests" / "captures" / "p1"
BELGIAN = CAPTURES / "belgium_emucs-1.7.1_gas_water_13-months.txt"

settings.register_profile("house", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)  # `make check`
settings.load_profile(os.environ.get("DSMRCTL_TESTS_PROFILE", "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--board-port", help="a real board's serial port, for the tests of flashing")
    parser.addoption("--hardware", default="esp01s", help="what that board is (esp01s)")


def pytest_configure() -> None:
    """Each worker in a network of its own: boards and frames of one are not heard by another."""
    if os.environ.get(INSIDE) == "yes" and "PYTEST_XDIST_WORKER" in os.environ:
        import ctypes

        new_network = 0x40000000  # CLONE_NEWNET
        if ctypes.CDLL(None, use_errno=True).unshare(new_network) == 0:
            bring_loopback_up()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured, told by `record_property("told", text)`: a worker cannot print."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.section(report.nodeid, sep="-")
                terminalreporter.write_line(text)


@pytest.fixture
def dsmrctl(tmp_path: Path) -> Run:
    """Run the real program: dsmrctl("telegram", "parse", file) -> Ran."""

    def run(
        *args: object,
        stdin: str | bytes | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "dsmrctl", *map(str, args)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=clean_environment(tmp_path) | (env or {}),
            cwd=tmp_path,
            timeout=timeout,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def need() -> Callable[[str], str]:
    """need("mosquitto") -> its path. Skips naming what is absent; with CI=true that fails."""

    def find(program: str) -> str:
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found is None:
            if os.environ.get("CI"):
                pytest.fail(f"{program} is absent; .ci/run installs it")
            pytest.skip(f"{program} is not installed")
        return found

    return find
