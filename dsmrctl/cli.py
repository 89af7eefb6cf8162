"""The table of commands, each loaded only when it is used; errors become exit codes here.

`dsmrctl --help` and `--version` are answered before typer is imported: 18 ms rather than 80.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from dsmrctl import __version__, errors

if TYPE_CHECKING:
    from typer.core import TyperGroup

# Command -> (its group in the help, its one line; a test holds it equal to the command's own).
COMMANDS: dict[str, tuple[str, str]] = {
    "telegram": ("The meter", "Read, parse and explain what the meter sends."),
    "serve": ("The meter", "This computer as the interface: telegrams in, frames out."),
    "log": ("The meter", "Keep what the meter says, and show days, months and years."),
    "listen": ("The network", "Show the frames on the network as they come."),
    "replay": ("The network", "Send a recording onto the network again, at its own times."),
    "discover": ("The network", "Find the boards on the network."),
    "status": ("The network", "The household at a glance: every board's live state."),
    "doctor": ("The network", "What stands in the way, and what to do next."),
    "flash": ("The boards", "Put a board's firmware onto it, over a serial port."),
    "firmware": (
        "The boards",
        "The boards' firmware: bundles, what is in them, and making them.",
    ),
    "config": ("The boards", "Show and change the settings of boards."),
    "wifi": ("The boards", "Hand a board its WiFi network, or show which it hears."),
    "update": ("The boards", "Put newer firmware onto boards over WiFi."),
    "output": ("The boards", "Switch a board's output by hand, then back to its rule."),
    "identify": ("The boards", "Let a board's light blink for ten seconds: which one is it?"),
    "console": ("The boards", "Show a board's serial log, its crash log first."),
    "peak": ("The peaks", "Quarter-hour peaks: what they were, and what the boards said of them."),
    "demo": ("Try it", "A household on this computer: meter, frames and a live view."),
}

_OPTIONS = (
    ("--version", "Show the version and exit."),
    ("--install-completion", "Install completion for the current shell."),
    ("--show-completion", "Show completion for the current shell, to copy it or customise it."),
    ("-h, --help", "Show this message and exit."),
)

_HEAD = """\
Usage: dsmrctl [OPTIONS] COMMAND [ARGS]...

  The digital electricity meter's P1 port: telegrams, multicast frames and the
  boards that act on them. Nothing bought yet? Start with: dsmrctl demo
"""


def help_text() -> str:
    """The root's help: commands by what they are about."""
    lines = [_HEAD]
    width = max(len(name) for name in COMMANDS)
    for group in dict.fromkeys(group for group, _ in COMMANDS.values()):
        lines.append(f"{group}:")
        lines += [
            f"  {name:<{width}}  {text}"
            for name, (its_group, text) in COMMANDS.items()
            if its_group == group
        ]
        lines.append("")
    width = max(len(option) for option, _ in _OPTIONS)
    lines.append("Options:")
    lines += [f"  {option:<{width}}  {text}" for option, text in _OPTIONS]
    lines += ["", "Each command: dsmrctl COMMAND -h, with an example."]
    return "\n".join(lines) + "\n"


def _root() -> TyperGroup:
    import importlib

    import typer
    from typer.core import TyperCommand, TyperGroup

    class LazyCommand(TyperCommand):
        """Stands for a command until it is used; invoking and completing both come through here."""

        def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
            from dsmrctl import preferences

            module = importlib.import_module(f"dsmrctl.commands.{self.name}")
            loaded: Any = typer.main.get_command(module.app)
            loaded.name = self.name
            try:
                wanted = preferences.defaults()
            except errors.UsageError:
                if self.name != "doctor":  # which tells of that, and of what else is wrong
                    raise
                wanted = {}
            extra.setdefault("default_map", _by_command(loaded, wanted))
            return loaded.make_context(info_name, args, parent=parent, **extra)

    class Root(TyperGroup):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            formatter.write(help_text())

    app = typer.Typer(
        cls=Root,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
    )

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", help=_OPTIONS[0][1], is_eager=True),
    ) -> None:
        if version:
            sys.stdout.write(f"dsmrctl {__version__}\n")
            raise typer.Exit

    group: Any = typer.main.get_command(app)
    for name, (_, text) in COMMANDS.items():
        group.add_command(LazyCommand(name, help=text), name)
    return group


def _by_command(command: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Preferences as click's default_map: the same value for an option wherever it stands."""
    known = {parameter.name for parameter in command.params}
    below = getattr(command, "commands", {})
    return {name: value for name, value in values.items() if name in known} | {
        name: _by_command(each, values) for name, each in below.items()
    }


def _invoke(args: list[str]) -> int:
    import typer
    from typer.exceptions import TyperException

    root = _root()
    if "_DSMRCTL_COMPLETE" in os.environ:
        root.main(args, prog_name="dsmrctl")
    try:
        with root.make_context("dsmrctl", args) as context:
            return root.invoke(context) or errors.DONE
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        return errors.INTERRUPTED
    except TyperException as wrong:
        refused: Any = wrong
        if not refused.format_message():  # no arguments: the help was the answer
            raise
        path = refused.ctx.command_path if getattr(refused, "ctx", None) else "dsmrctl"
        raise errors.UsageError(refused.format_message(), hint=f"see {path} --help") from None


def _foreseen(error: OSError) -> errors.DsmrError | None:
    """Files and sockets fail in a few well-known ways; the system's words are enough."""
    where = f"{error.filename}: " if error.filename else ""
    what = f"{where}{(error.strerror or str(error)).lower()}"
    if isinstance(error, FileNotFoundError):
        return errors.NotFound(what, hint="check the name, or the folder you are in")
    if isinstance(error, PermissionError):
        return errors.Refused(what, hint="choose another place, or ask for the permission")
    return errors.DsmrError(what) if error.errno else None


def _fail(error: errors.DsmrError, args: list[str]) -> int:
    from dsmrctl.terminal.output import Terminal

    Terminal(json="--json" in args).error(error)
    return error.exit_code


def _interrupted() -> int:
    """Ctrl-C. A second one (timeout(1) sends two) ends what is left, without a traceback."""
    import contextlib
    import signal

    with contextlib.suppress(OSError, ValueError, KeyboardInterrupt):
        sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return errors.INTERRUPTED


def main(args: list[str]) -> int:
    """Run one command line; returns the exit code. Never a traceback for what can be foreseen."""
    try:
        if "_DSMRCTL_COMPLETE" in os.environ:
            code = _invoke(args)
        # These two write themselves: the terminal's module would be one more to load, and all of
        # their text is our own.
        elif args in ([], ["--help"], ["-h"]):
            sys.stdout.write(help_text())
            code = errors.DONE
        elif args == ["--version"]:
            sys.stdout.write(f"dsmrctl {__version__}\n")
            code = errors.DONE
        else:
            code = _invoke(args)
        sys.stdout.flush()
        return code
    except errors.DsmrError as error:
        return _fail(error, args)
    except BrokenPipeError:
        # `dsmrctl … | head`: the reader is gone; Python's own flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.BROKEN_PIPE
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if os.environ.get("DSMRCTL_DEBUG"):
            raise
        foreseen = _foreseen(error) if isinstance(error, OSError) else None
        return _fail(
            foreseen
            or errors.DsmrError(
                f"unexpected {type(error).__name__}",
                hint="this is a fault in dsmrctl: DSMRCTL_DEBUG=1 shows where; please report it",
            ),
            args,
        )


def run() -> None:
    """The console script."""
    import gc
    import io

    # Loading a command makes some 40 000 objects that all stay: looking for garbage among them
    # every 700 costs 6 ms of the start.
    gc.set_threshold(50_000)
    # A service manager, or >&-, may start it with a stream closed: what goes there goes nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # A pipe may be in cp1252 (Windows) or ASCII (LANG=C): a letter it lacks becomes a question
        # mark there. (In JSON an escape: the terminal sees to that.)
        if isinstance(stream, io.TextIOWrapper):  # pythonw has none
            stream.reconfigure(errors="replace")
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # it came while another was answered
        code = _interrupted()
    sys.exit(code)
