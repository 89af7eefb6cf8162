"""Every example in the help, the README and the docs is run, as a stranger would type it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BELGIAN, CAPTURES, ROOT, clean_environment
from test_cli import COMMANDS, leaf
from world import bundle

# Those that need a serial port, or a server, have a test of their own; here only their spelling.
HARDWARE = ("/dev/tty", "tcp://", "--nic eth", "mqtt://", "firmware fetch", "--host", "--portal")
GROUP = "239.255.61.7:18661"


def examples() -> list[tuple[str, str]]:
    """(where, command line) of every example in the commands' help."""
    found = []
    for path, command in COMMANDS.items():
        for line in (command.help or "").splitlines():  # type: ignore[attr-defined]
            if line.startswith("  dsmrctl "):
                found.append((" ".join(path), line.strip()))
    return found


def documented() -> list[tuple[str, str]]:
    """(file, command line) of every `dsmrctl …` in a ```sh block of README and docs."""
    found = []
    for file in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```", file.read_text(), re.S | re.M):
            found += [
                (file.name, line.split("  #")[0].strip())
                for line in block.splitlines()
                if line.startswith("dsmrctl ")
            ]
    return found


ALL = [*examples(), *documented()]
# Each line once, wherever it stands.
ONCE = {line: (where, line) for where, line in reversed(ALL)}
RUNNABLE = [each for each in ONCE.values() if not any(word in each[1] for word in HARDWARE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    telegram = BELGIAN.read_bytes()
    (folder / "telegram.txt").write_bytes(telegram)
    (folder / "meter.raw").write_bytes(b"\xff\x00noise" + telegram * 3 + telegram[:200])
    (folder / "month.raw.gz").write_bytes(gzip.compress(telegram * 5))
    recorded = {"dsmrctl_recording": 1, "kind": "frames", "started": "2026-11-24T07:30:00+00:00"}
    data = '{"dsmr":[1,2,0,0,1,30,1]}'
    sent = [{"t": n, "from": "10.0.0.1:5", "data": data} for n in range(9)]
    (folder / "frames.ndjson").write_text("".join(json.dumps(x) + "\n" for x in (recorded, *sent)))
    kept_by = ["log", "record", "meter.raw", "--log", "meter.db"]
    subprocess.run(
        [sys.executable, "-m", "dsmrctl", *kept_by],
        cwd=folder,
        check=True,
        env=clean_environment(folder) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    # A board of the household's, as it was.
    kept = {"board": "monitor", "id": "d51405", "fw": "0.1.0", "settings": {"max_export_w": 6000}}
    (folder / "before.json").write_text(json.dumps({"dsmrctl_backup": 1} | kept))
    (folder / "bundles").mkdir()
    (folder / "bundles" / "blink-1.2.3.zip").write_bytes(bundle("blink", "1.2.3").pack())
    (folder / "bin").mkdir()
    program = folder / "bin" / "dsmrctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dsmrctl "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return clean_environment(folder) | {
        "DSMRCTL_GROUP": GROUP,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def household(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """`dsmrctl demo` in another terminal, as the docs say, for the examples that listen."""
    demo = subprocess.Popen(
        ["dsmrctl", "demo", "--json"],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert demo.stdout
    assert demo.stdout.readline().startswith(b"{")
    yield
    demo.terminate()
    demo.stdout.close()
    demo.wait(10)


@pytest.mark.parametrize("name", [name for name in map(" ".join, COMMANDS) if leaf(name)])
def test_every_command_has_an_example(name: str) -> None:
    assert any(where == name for where, _ in examples())


@pytest.mark.slow
@pytest.mark.parametrize(("where", "line"), RUNNABLE, ids=[f"{w}: {x}" for w, x in RUNNABLE])
def test_the_example_runs(
    where: str, line: str, folder: Path, environment: dict[str, str], household: None
) -> None:
    # Without an end of its own an example runs as long as it takes to show that it works.
    endless = shlex.split(line)[1] in ("listen", "serve", "demo") and "--" not in line
    command = f"timeout --signal=INT 6 {line}" if endless else line
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in ((0, 124, 130) if endless else (0,)), done.stderr
    # Where no bundle is released yet, their list is empty and says so on stderr.
    nothing = line == "dsmrctl firmware list" and "no bundles here" in done.stderr
    files = any(word in line for word in (">", "--parquet", "--record", "--svg", "--output"))
    quiet = shlex.split(line)[1] in ("serve", "replay") or "log record" in line
    assert done.stdout or nothing or files or quiet
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("where", "line"), ALL, ids=[f"{w}: {x}" for w, x in ALL])
def test_the_example_names_real_commands_and_options(where: str, line: str) -> None:
    words = shlex.split(line.split(" | ")[0].split(" > ")[0])[1:]
    path: tuple[str, ...] = ()
    while words and (*path, words[0]) in COMMANDS:
        path = (*path, words.pop(0))
    known = {o for p in COMMANDS[path].params for o in p.opts}  # type: ignore[attr-defined]
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known | {"--help"}


def test_the_library_example_of_the_readme_runs_and_says_what_it_says(
    folder: Path, tmp_path: Path
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    manual = CAPTURES / "manual_emucs-1.4_no-crc.txt"
    (tmp_path / "telegram.txt").write_bytes(manual.read_bytes())
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    comments = re.findall(r"# (.*)$", code, re.M)
    # The manual's meter is older than quarter peaks; what the example claims is from it.
    assert comments[0] == said[0]
    assert comments[1] == "Decimal('234.7')"
    assert said[2] == "234.7"
