"""Options many commands share, declared once: one name, one meaning, one help text.

Each is an `Annotated` type for typer. An environment variable named here is read after the flag
and before the preferences file (`preferences`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dsmrctl import completing
from dsmrctl.errors import UsageError


def seconds(text: str) -> float:
    """`90`, `90s`, `1.5m`, `2h`, `1d` as seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?", text.strip())
    if match is None:
        raise UsageError(f"'{text}' is no length of time", hint="for example 30, 30s, 10m, 2h, 1d")
    factor = {"ms": 0.001, None: 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
    return float(match[1]) * factor[match[2]]


def _group(text: str) -> tuple[str, int]:
    from dsmrctl.network.multicast import parse_group

    return parse_group(text)


def _duration(name: str, help_text: str, **more: Any) -> Any:
    return typer.Option(name, help=help_text, parser=seconds, metavar="TIME", **more)


Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON line a record.")]
Count = Annotated[int | None, typer.Option("--count", "-n", min=1, help="Stop after so many.")]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Keep all that comes in FILE: .ndjson, .ndjson.gz; frames also .pcapng.",
    ),
]
Timeout = Annotated[
    float | None,
    _duration("--timeout", "Give up when nothing comes for so long; exit 4 unless enough came."),
]
Duration = Annotated[float | None, _duration("--duration", "Stop after this long.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="At the end of a file wait for more.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 6 when anything was rejected, not only when all was.")
]
Dsmr2 = Annotated[
    bool, typer.Option("--dsmr2", help="A DSMR 2 or 3 meter on a serial port: 9600 baud, 7E1.")
]
MeterKeyFile = Annotated[
    str | None,
    typer.Option(
        "--meter-key-file",
        metavar="FILE",
        help="Key of an encrypted (Luxembourg) meter, 32 hex digits; - for standard input. "
        "Or DSMRCTL_METER_KEY.",
    ),
]
FrameKeyFile = Annotated[
    str | None,
    typer.Option(
        "--frame-key-file",
        metavar="FILE",
        help="Key of signed frames, 16 to 64 bytes; - for standard input. Or DSMRCTL_FRAME_KEY.",
    ),
]
Group = Annotated[
    Any,
    typer.Option(
        "--group",
        parser=_group,
        metavar="ADDR[:PORT]",
        envvar="DSMRCTL_GROUP",
        help="Where frames are: a multicast group, or an address of this computer.",
    ),
]
Nic = Annotated[
    str | None,
    typer.Option(
        "--nic",
        metavar="NAME|ADDR",
        envvar="DSMRCTL_NIC",
        help="The network, by its name (eth0) or this computer's address on it.",
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        "--layout",
        metavar="NAME,NAME,…",
        help="What each element of a foreign frame is; - for one that is not known.",
    ),
]
Language = Annotated[
    str, typer.Option("--language", envvar="DSMRCTL_LANGUAGE", help="en or nl.", metavar="LANG")
]
Seed = Annotated[int, typer.Option("--seed", help="Another seed, another household.")]
Speed = Annotated[
    str, typer.Option("--speed", metavar="N|max", help="Times as fast as the clock, or max.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        metavar="PORT",
        envvar="DSMRCTL_PORT",
        help="The board's serial port; without it: the one there is.",
    ),
]
Baud = Annotated[int, typer.Option("--baud", metavar="N", help="The line's speed in bits/s.")]
Base = Annotated[
    Path | None,
    typer.Option(
        "--base", metavar="FILE", help="MicroPython's image, from a file rather than fetched."
    ),
]
BoardName = Annotated[
    str | None,
    typer.Argument(
        metavar="[BOARD]",
        help="interface, miniswitch, monitor or switcher; or a board's name or id, when there are "
        "several.",
        autocompletion=completing.boards,
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="HOST[:PORT]",
        envvar="DSMRCTL_HOST",
        help="The board's address or name, asked without looking for it.",
    ),
]
Every = Annotated[bool, typer.Option("--all", help="All of them, not one.")]
AdminFile = Annotated[
    str | None,
    typer.Option(
        "--admin-password-file",
        metavar="FILE",
        help="The boards' admin password, when they have one; - for standard input. "
        "Or DSMRCTL_ADMIN_PASSWORD.",
    ),
]
Ssid = Annotated[
    str | None,
    typer.Option(
        "--ssid", metavar="NAME", envvar="DSMRCTL_WIFI_SSID", help="The WiFi network it joins."
    ),
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="The WiFi password; - for standard input. Or DSMRCTL_WIFI_PASSWORD; else it is asked.",
    ),
]
OpenNetwork = Annotated[
    bool, typer.Option("--no-password", help="That WiFi network is open: it has no password.")
]
BundleChoice = Annotated[
    str | None,
    typer.Option("--bundle", metavar="VERSION|FILE", help="This firmware, not the newest."),
]
Backup = Annotated[
    Path | None,
    typer.Option("--backup", metavar="FILE", help="Keep what a board has in this file."),
]
Restore = Annotated[
    Path | None,
    typer.Option("--restore", metavar="FILE", help="Put back what a backup has."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")]
Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]",
        envvar="DSMRCTL_PORT",
        show_envvar=False,
        help="A serial port or pyserial URL, tcp://host:port, a file or recording (.gz too), "
        "- for standard input, household for the virtual one. "
        "Without it: the serial port, when there is one.",
    ),
]


def new_app(help_text: str | None = None) -> typer.Typer:
    """A command's Typer: plain help, no pretty tracebacks (they could show a password)."""
    app = typer.Typer(
        help=help_text,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        invoke_without_command=help_text is not None,
    )
    if help_text is not None:

        @app.callback(help=help_text)
        def alone(context: typer.Context) -> None:
            if context.invoked_subcommand is None:
                typer.echo(context.get_help())

    return app


def command(function: Callable[..., Any]) -> typer.Typer:
    """The app of a file that is one command: `app = command(listen)`."""
    app = new_app()
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(function)
    return app
