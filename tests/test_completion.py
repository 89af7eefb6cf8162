"""What the shell offers: boards of the last discovery, settings and choices, and nothing evil."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import clean_environment

# Names as anybody may announce them; the last is long.
EVIL = [
    "$(touch evil)", "`touch evil`", "a b", "a;b", "a|b", "x\x1b[31m", "quote'", 'quote"', "co:lon",
    "new\nline", "*", "--all", "-y", "\u202eright", "\ud800", "x" * 64,
]  # fmt: skip
HEAVY = ("zeroconf", "asyncio", "rich", "esptool", "serial", "socket", "dsmrctl.network")


def board(name: str, number: int, kind: str = "miniswitch", host: str = "") -> dict[str, object]:
    return {
        "name": name, "address": f"127.0.0.{number}", "port": 80, "board": kind,
        "hardware": "esp01-relay", "version": "1.0.0", "id": f"{number:06x}", "host": host,
    }  # fmt: skip


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the boards of a discovery."""
    found = [board(name, number) for number, name in enumerate(["boiler", "pool-pump", *EVIL])]
    found.append(board("The bath's", 90, "switcher", "dsmr-switcher-2.local"))
    found.append(board("cellar stairs", 91, "monitor", "$(touch evil).local"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "boards.json").write_text(json.dumps(found))
    return clean_environment(tmp_path) | {"DSMRCTL_CACHE": str(tmp_path / "cache")}


def asked(shell: str, words: str) -> dict[str, str]:
    """What the shell tells the program; bash takes = for a word of its own."""
    inner = re.split(r" |(?<=[^=@ ])(?=[=@])|(?<=[=@])(?=[^=@ ])", words)
    return {
        "_DSMRCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": "\n".join(inner),
        "COMP_CWORD": str(len(inner) - 1),
    }


def offered(environment: dict[str, str], shell: str, words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl"],
        env=environment | asked(shell, words), capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.stderr == ""
    if shell != "zsh":
        return done.stdout.splitlines() if done.stdout.strip() else []
    return re.findall(r'^(?:_arguments \'\*: :\(\()?"([^"]*)"', done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_boards_settings_and_choices(environment: dict[str, str], shell: str) -> None:
    def complete(words: str) -> list[str]:
        return offered(environment, shell, f"dsmrctl {words}")

    kinds = ["blink", "interface", "miniswitch", "monitor", "switcher"]
    names = ["boiler", "dsmr-switcher-2", "pool-pump"]
    # A name that is no plain word stands back for the host's, or is not offered.
    assert sorted(complete("config ")) == sorted([*kinds, *names])
    assert complete("output bo") == ["boiler"]
    assert complete("update --all poo") == ["pool-pump"]
    keys = complete("config boiler ")
    assert {"mode=", "threshold_w=", "admin_password="} < set(keys)
    assert all(key.endswith("=") for key in keys)
    assert "load_w=" not in keys
    # Two of them, so that no blank follows the =.
    assert complete("config boiler thr") == ["threshold_w=", "threshold_w=1000"]
    assert complete("config dsmr-switcher-2 load") == ["load_w=", "load_w=1500"]
    assert complete("config interface mqtt_e") == ["mqtt_enabled=on", "mqtt_enabled=off"]
    assert complete("config boiler adm") == ["admin_password=", "admin_password=@"]
    # `flash` asks for a secret at its KEY alone.
    assert complete("flash miniswitch adm") == ["admin_password", "admin_password=@"]
    assert complete("config boiler load") == []
    # Bash puts what is offered behind the =, the others in the place of the word.
    before = "" if shell == "bash" else "mode="
    assert complete("config boiler mode=") == [f"{before}tariff", f"{before}injection"]
    assert complete("config boiler mode=in") == [f"{before}injection"]
    assert complete("config boiler name=x mode=in") == [f"{before}injection"]
    assert complete("config boiler name=") == complete("config boiler name=@mo") == []
    assert complete("config boiler nosuch=") == []
    # Where no board is named the first word is a setting.
    assert complete("config --all lang") == ["language=nl", "language=en", "language=fr"]
    assert complete("config --host 127.0.0.2 load") == ["load_w=", "load_w=1500"]
    assert complete("update --all lang") == []
    assert complete("output boiler ") == ["on", "off", "auto", "25%", "50%", "75%"]
    hardware = ["dimmer-v1", "dimmer-v1-d2", "dimmer-v2"]
    assert complete("flash switcher --hardware d") == hardware
    assert complete("flash mini") == ["miniswitch"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1, {}]", '[{"name": 3, "board": [], "host": ""}]', "[" * 9999, '"\xff"', "3"],
)
def test_a_broken_file_of_boards_costs_only_their_names(
    environment: dict[str, str], content: str
) -> None:
    (Path(environment["DSMRCTL_CACHE"]) / "boards.json").write_bytes(content.encode("latin-1"))
    assert offered(environment, "bash", "dsmrctl config m") == ["miniswitch", "monitor"]


@pytest.mark.parametrize("words", ["dsmrctl config ", "dsmrctl config boiler mode="])
def test_nothing_is_loaded_that_a_board_is_found_with(
    environment: dict[str, str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dsmrctl"],
        env=environment | asked("bash", words), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "dsmrctl.completing" in loaded
    assert not loaded & set(HEAVY)


class Bash:
    """A person's bash with the completion as it is installed: lines are typed, and TAB."""

    def __init__(self, program: str, environment: dict[str, str], folder: Path) -> None:
        self._master, line = pty.openpty()
        self._bash = subprocess.Popen(
            [program, "--norc", "--noprofile", "-i"],
            env=environment | {"TERM": "dumb", "PS1": "", "HISTFILE": ""},
            cwd=folder, stdin=line, stdout=line, stderr=line, start_new_session=True,
        )  # fmt: skip
        os.close(line)
        self._do("bind 'set bell-style none'; bind 'set enable-bracketed-paste off'")
        self._do('eval "$(_DSMRCTL_COMPLETE=source_bash dsmrctl)"')

    def words(self, line: str) -> list[str]:
        """The words that stand there after `line` and TAB, and what is typed then: a |."""
        # Ctrl-A: what shall be done with them is put before them.
        said = self._do(f"{line}\t'|'\x01printf '<%s>' ")
        return re.findall("<([^<>]*)>", said.rpartition("printf")[2].partition("\n")[2])

    def _do(self, line: str) -> str:
        os.write(self._master, f"{line}\n".encode())
        os.write(self._master, b"echo do''ne\n")
        said = ""
        end = time.monotonic() + 20
        while "done" not in said:
            assert time.monotonic() < end, said
            if select.select([self._master], [], [], 1)[0]:
                said += os.read(self._master, 65536).decode("utf-8", "replace")
        return said

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._master)


@pytest.mark.slow
def test_in_a_real_bash(
    environment: dict[str, str], need: Callable[[str], str], tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "dsmrctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dsmrctl "$@"\n')
    program.chmod(0o755)
    (tmp_path / "here").mkdir()
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    bash = Bash(need("bash"), environment | path, tmp_path / "here")
    try:
        for line, last in {
            "dsmrctl config poo": ["pool-pump", "|"],
            "dsmrctl config boiler thr": ["threshold_w=|"],
            "dsmrctl config boiler mod": ["mode=|"],
            "dsmrctl config boiler mode=": ["mode=|"],
            "dsmrctl config boiler mode=in": ["mode=injection", "|"],
            "dsmrctl config --all language=f": ["language=fr", "|"],
            "dsmrctl config --all adm": ["admin_password=|"],
            "dsmrctl output boiler 5": ["50%", "|"],
            # Names that would do something, and the beginning of one.
            "dsmrctl config ": ["config", "|"],
            "dsmrctl config quo": ["quo|"],
            "dsmrctl update --al": ["--all", "|"],
        }.items():
            assert bash.words(line)[-len(last) :] == last, line
    finally:
        bash.close()
    assert list((tmp_path / "here").iterdir()) == []
