"""The program's front door: help, exit codes, pipes, and what is not imported."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
import typer
from conftest import BELGIAN, ROOT, Run, clean_environment

from dsmrctl import __version__, cli, errors, preferences

HEAVY = ["rich", "asyncio", "zeroconf", "esptool", "serial", "numpy", "pydantic", "polars"]


def commands(
    app: object = None, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], object]]:
    """Every command there is, loaded: [(("telegram", "parse"), its click command), …]."""
    import importlib

    found: list[tuple[tuple[str, ...], object]] = []
    if app is None:
        for name in cli.COMMANDS:
            module = importlib.import_module(f"dsmrctl.commands.{name}")
            found += commands(typer.main.get_command(module.app), (name,))
        return found
    below = getattr(app, "commands", None)
    found.append((path, app))
    for name, each in (below or {}).items():
        found += commands(each, (*path, name))
    return found


COMMANDS = dict(commands())
NAMES = [" ".join(path) for path in COMMANDS]


def leaf(name: str) -> bool:
    return not hasattr(COMMANDS[tuple(name.split())], "commands")


def test_help_answered_early_equals_the_help_of_typer(dsmrctl: Run) -> None:
    # One more word before --help takes the long way, through typer.
    long_way = subprocess.run(
        [sys.executable, "-c", "from dsmrctl import cli; cli._invoke(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert dsmrctl("--help").out == long_way.stdout == cli.help_text()
    assert dsmrctl("-h").out == dsmrctl().out == cli.help_text()


def test_every_option_typer_knows_stands_in_the_root_help() -> None:
    root = cli._root()
    context = root.make_context("dsmrctl", ["telegram"], resilient_parsing=True)
    for parameter in root.get_params(context):
        assert all(option in cli.help_text() for option in parameter.opts)


def test_version(dsmrctl: Run) -> None:
    assert dsmrctl("--version").out == f"dsmrctl {__version__}\n"


@pytest.mark.parametrize("args", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(args: list[str]) -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dsmrctl", *args],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    imported = {line.rsplit("|", 1)[1].strip() for line in listing.splitlines() if "|" in line}
    assert "dsmrctl.cli" in imported
    assert not [name for name in [*HEAVY, "typer"] if name in imported]


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    program = (
        "import sys; from dsmrctl.cli import main; main(sys.argv[1:]);"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *name.split(), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_the_root_help_says_of_a_command_what_its_own_help_says(name: str) -> None:
    command = COMMANDS[(name,)]
    own = (command.help or "").split("\n\n")[0].replace("\n", " ")  # type: ignore[attr-defined]
    assert own == cli.COMMANDS[name][1]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_short_help_flag(name: str, dsmrctl: Run) -> None:
    long, short = dsmrctl(*name.split(), "--help"), dsmrctl(*name.split(), "-h")
    assert long.code == 0
    assert long.out == short.out
    assert long.out.startswith(f"Usage: dsmrctl {name}")


@pytest.mark.parametrize("name", [name for name in NAMES if leaf(name)])
def test_every_command_can_speak_json_and_stands_in_the_docs(name: str) -> None:
    parameters = COMMANDS[tuple(name.split())].params  # type: ignore[attr-defined]
    assert any("--json" in parameter.opts for parameter in parameters)
    docs = "".join(file.read_text() for file in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    assert f"dsmrctl {name}" in docs


def test_an_option_name_means_one_thing_in_the_whole_program() -> None:
    meanings: dict[str, set[tuple[str, str]]] = {}
    for command in COMMANDS.values():
        for parameter in command.params:  # type: ignore[attr-defined]
            for option in parameter.opts:
                if option.startswith("-"):
                    meaning = (parameter.type.name, getattr(parameter, "help", "") or "")
                    meanings.setdefault(option, set()).add(meaning)
    assert {option: each for option, each in meanings.items() if len(each) > 1} == {}


def test_unknown_command_is_a_usage_error_that_suggests(dsmrctl: Run) -> None:
    ran = dsmrctl("listem")
    assert ran.code == errors.USAGE
    assert "Did you mean 'listen'?" in ran.err
    assert ran.out == ""


def test_a_group_of_commands_alone_shows_its_help(dsmrctl: Run) -> None:
    ran = dsmrctl("telegram")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == dsmrctl("telegram", "--help").out


def test_failure_with_json_is_one_object_on_stderr(dsmrctl: Run) -> None:
    ran = dsmrctl("telegram", "parse", "--json", "absent.txt")
    assert ran.code == errors.NOT_FOUND
    assert ran.out == ""
    error = json.loads(ran.err)["error"]
    assert error["code"] == "not_found"
    assert "absent.txt" in error["message"]
    assert error["hint"]


def test_a_broken_pipe_ends_quietly_with_141(tmp_path: Path) -> None:
    capture = BELGIAN
    many = tmp_path / "many.txt"
    many.write_bytes(capture.read_bytes() * 2000)
    reader = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "telegram", "parse", "--json", many],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert reader.stdout
    assert reader.stderr
    assert reader.stdout.readline().startswith(b"{")
    reader.stdout.close()
    assert reader.wait(30) == errors.BROKEN_PIPE
    assert reader.stderr.read() == b""
    reader.stderr.close()


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "telegram", "read", fifo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    capture = BELGIAN.read_bytes()
    with fifo.open("wb") as writer:
        writer.write(capture)
        writer.flush()
        assert reader.stdout
        assert reader.stdout.readline().startswith(b"/")  # it is at work, and waits for more
        reader.send_signal(signal.SIGINT)
        _, err = reader.communicate(timeout=30)
    assert reader.returncode == errors.INTERRUPTED
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "encoding",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
@pytest.mark.slow
def test_output_that_is_not_in_utf_8_costs_a_letter_at_most(
    encoding: dict[str, str], tmp_path: Path
) -> None:
    message = "Ω 4 – 𝄞"
    body = f"/XXX5\r\n\r\n0-0:96.13.0({message.encode().hex()})\r\n!\r\n"
    (tmp_path / "one.txt").write_text(body, encoding="ascii", newline="")

    def run(*args: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            [sys.executable, "-m", "dsmrctl", *args],
            capture_output=True,
            env=clean_environment(tmp_path) | encoding,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = run("telegram", "decode", "one.txt")
    assert (code, err) == (0, b"")
    assert b"? 4 " in out
    assert run("telegram", "decode", "--help")[0] == 0
    assert run("serve", "--help")[0] == 0
    code, out, err = run("telegram", "parse", "--json", "one.txt")
    assert (code, err) == (0, b"")
    assert json.loads(out.decode("ascii"))["objects"][0]["text"] == message
    code, out, err = run("telegram", "parse", "--json", "Ω.txt")
    assert (code, out) == (errors.NOT_FOUND, b"")
    assert "Ω.txt" in os.fsencode(json.loads(err.decode("ascii"))["error"]["message"]).decode()


def on_a_terminal(args: list[str], home: Path, **environment: str) -> bytes:
    """What the command writes to a terminal of 80 columns."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", *args],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=clean_environment(home) | {"TERM": "xterm-256color", "COLUMNS": "80"} | environment,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    process.wait(30)
    return shown


@pytest.mark.slow
def test_no_color_is_obeyed_and_a_terminal_is_needed_for_colour(
    tmp_path: Path, dsmrctl: Run
) -> None:
    capture = BELGIAN
    decode = ["telegram", "decode", str(capture)]
    assert b"\x1b[" in on_a_terminal(decode, tmp_path)
    colours = on_a_terminal(decode, tmp_path, NO_COLOR="1")
    assert b"\x1b[3" not in colours
    assert b"\x1b[9" not in colours
    assert b"\x1b[" not in on_a_terminal(decode, tmp_path, TERM="dumb", NO_COLOR="1")
    assert "\x1b" not in dsmrctl(*decode).out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.slow
def test_completion_offers_commands_and_options(shell: str, tmp_path: Path) -> None:
    def complete(words: str) -> str:
        environment = {
            "_DSMRCTL_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
        }
        return subprocess.run(
            [sys.executable, "-m", "dsmrctl"],
            env=clean_environment(tmp_path) | environment,
            capture_output=True,
            text=True,
        ).stdout

    assert "listen" in complete("dsmrctl li")
    assert "parse" in complete("dsmrctl telegram p")
    assert "--strict" in complete("dsmrctl telegram parse --st")


def test_preferences_stand_between_environment_and_default(dsmrctl: Run, tmp_path: Path) -> None:
    capture = BELGIAN
    file = tmp_path / "mine.toml"
    file.write_text(f'port = "{capture}"\nlanguage = "nl"\n')
    mine = {"DSMRCTL_CONFIG": str(file)}
    assert "Datum/tijd" in dsmrctl("telegram", "decode", env=mine).out
    assert "Datum/tijd" not in dsmrctl("telegram", "decode", "--language", "en", env=mine).out
    english = dsmrctl("telegram", "decode", env=mine | {"DSMRCTL_LANGUAGE": "en"})
    assert "Datum/tijd" not in english.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 'red'", "there is no preference 'colour'"),
        ("port = 3", "wants text in quotes"),
        ("port = ", "is not TOML"),
    ],
)
def test_wrong_preferences_are_named_with_their_file(
    text: str, said: str, dsmrctl: Run, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    ran = dsmrctl("telegram", "decode", "x", env={"DSMRCTL_CONFIG": str(file)})
    assert ran.code == errors.USAGE
    assert str(file) in ran.err
    assert said in ran.err


@pytest.mark.parametrize("given", [None, "", "/somewhere/else"])
def test_the_preferences_lie_where_platformdirs_says(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DSMRCTL_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if given is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", given)
    folder = platformdirs.user_config_path("dsmrctl", appauthor=False)
    assert preferences.path() == folder / "dsmrctl.toml"


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 3), (">&- 2>&-", 3), ("<&-", 0)])
def test_a_closed_stream_changes_no_exit_code(closed: str, code: int, tmp_path: Path) -> None:
    source = BELGIAN if code == 0 else "absent.txt"
    line = f"{sys.executable} -W ignore -m dsmrctl telegram parse {source} {closed}"
    environment = clean_environment(tmp_path) | {"PYTHONWARNINGS": "ignore"}
    assert subprocess.run(["sh", "-c", line], env=environment, cwd=tmp_path).returncode == code
