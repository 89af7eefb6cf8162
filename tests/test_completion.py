"""What the shell offers: boards of the last discovery, settings and choices, and nothing evil."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import clean_environment

EVIL = ["$(touch evil)", "`id`", "a b", "a;b", "x\x1b[31m", "quote'", "co:lon"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the boards of a discovery."""
    board = {
        "address": "127.0.0.2", "port": 80, "hardware": "esp01-relay", "version": "1.0.0",
        "host": "dsmr-minisw.local",
    }  # fmt: skip
    found = [
        board | {"name": name, "board": "miniswitch", "id": f"{number:06x}"}
        for number, name in enumerate(["boiler", "pool-pump", *EVIL])
    ]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "boards.json").write_text(json.dumps(found))
    return clean_environment(tmp_path) | {"DSMRCTL_CACHE": str(tmp_path / "cache")}


def offered(environment: dict[str, str], shell: str, words: str) -> str:
    more = {
        "_DSMRCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
    }
    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl"],
        env=environment | more, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_boards_settings_and_choices(environment: dict[str, str], shell: str) -> None:
    names = offered(environment, shell, "dsmrctl config ")
    for word in ("miniswitch", "interface", "boiler", "pool-pump"):
        assert word in names
    for evil in EVIL:
        assert evil not in names
    assert "boiler" in offered(environment, shell, "dsmrctl output bo")
    keys = offered(environment, shell, "dsmrctl config boiler t")
    assert "threshold_w=" in keys
    assert "load_w" not in offered(environment, shell, "dsmrctl config boiler l")
    assert "mode=injection" in offered(environment, shell, "dsmrctl config boiler mode=")
    assert "auto" in offered(environment, shell, "dsmrctl output boiler ")
    assert "dimmer-v2" in offered(environment, shell, "dsmrctl flash switcher --hardware d")


@pytest.mark.parametrize("content", ["", "{", "[1, {}]", '[{"name": 3, "board": []}]', "[" * 9999])
def test_a_broken_file_of_boards_costs_only_their_names(
    environment: dict[str, str], content: str
) -> None:
    (Path(environment["DSMRCTL_CACHE"]) / "boards.json").write_text(content)
    assert "miniswitch" in offered(environment, "bash", "dsmrctl config ")


def test_in_a_real_bash(
    environment: dict[str, str], need: Callable[[str], str], tmp_path: Path
) -> None:
    bash = need("bash")
    program = tmp_path / "dsmrctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dsmrctl "$@"\n')
    program.chmod(0o755)
    script = (
        f'PATH="{tmp_path}:$PATH"; eval "$(_DSMRCTL_COMPLETE=source_bash dsmrctl)"\n'
        'COMP_WORDS=(dsmrctl config pool); COMP_CWORD=2; COMP_LINE="dsmrctl config pool"\n'
        "_dsmrctl_completion dsmrctl pool config; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(
        [bash, "-c", script], env=environment, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.split() == ["pool-pump"], done.stderr
