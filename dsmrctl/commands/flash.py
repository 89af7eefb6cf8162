"""dsmrctl flash: from a bare board to a working one, over a serial port."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import completing, errors, options
from dsmrctl.commands import asking, changing
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.boards import Programmer
    from dsmrctl.flashing.chip import Chip
    from dsmrctl.flashing.install import Done, Wish

Kind = Annotated[
    str | None,
    typer.Argument(
        metavar="[KIND]",
        help="interface, miniswitch, monitor or switcher.",
        autocompletion=completing.kinds,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings it starts with; a secret's is asked for (KEY), or KEY=@FILE.",
        autocompletion=completing.settings,
    ),
]
HardwareName = Annotated[
    str | None,
    typer.Option(
        "--hardware",
        metavar="NAME",
        help="What it is soldered to, such as esp01s.",
        autocompletion=completing.hardware,
    ),
]
Erase = Annotated[
    bool,
    typer.Option("--erase", help="Erase all of it first, settings and WiFi too: for someone else."),
]
Reset = Annotated[
    bool, typer.Option("--reset-settings", help="Its settings go, a forgotten password too.")
]
NoBackup = Annotated[
    bool, typer.Option("--no-backup", help="Keep no copy of another firmware that is on it.")
]
Wait = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait", help="Wait to see it on the network; on a terminal it does anyway."
    ),
]

# A virtual board has no port 80 of its own where an ordinary program may not have it.
PagePort = Annotated[int | None, typer.Option("--page-port", hidden=True)]

_WAIT_S = 120.0


def flash(
    kind: Kind = None,
    change: Changes = None,
    port: options.Port = None,
    hardware: HardwareName = None,
    ssid: options.Ssid = None,
    password_file: options.PasswordFile = None,
    no_password: options.OpenNetwork = False,
    bundle: options.BundleChoice = None,
    base: options.Base = None,
    baud: options.Baud = 460800,
    erase: Erase = False,
    reset_settings: Reset = False,
    backup: options.Backup = None,
    restore: options.Restore = None,
    no_backup: NoBackup = False,
    dry_run: options.DryRun = False,
    wait: Wait = None,
    timeout: options.Timeout = None,
    nic: options.Nic = None,
    yes: options.Yes = False,
    page_port: PagePort = None,
    as_json: options.Json = False,
) -> int:
    """Put a board's firmware onto it, over a serial port.

    What the board has, its settings, WiFi and history, is read first and kept; only
    what differs is written, and verified. Another firmware is copied into a file
    first, which --restore puts back. Run it again after a pulled cable: it goes on.
    A line that is too fast for its adapter falls back to 115200 by itself.

    \b
    Examples:
      dsmrctl flash interface --port /dev/ttyUSB0 --ssid HOME
      dsmrctl flash miniswitch name=boiler threshold_w=1500 --port /dev/ttyUSB0
      dsmrctl flash --backup before.bin --port /dev/ttyUSB0
      dsmrctl flash --restore before.bin --port /dev/ttyUSB0
    """
    terminal = Terminal(as_json)
    person = asking.Asked(terminal, yes)
    if kind is None:
        return _whole(person, port, baud, backup, restore, change, erase)
    if restore is not None:
        raise errors.UsageError(
            "--restore puts back whatever was there: it wants no KIND", hint=f"leave out {kind}"
        )
    wish = _wish(
        person,
        kind,
        change or [],
        hardware=hardware,
        wifi=_wifi(terminal, ssid, password_file, no_password, yes),
        bundle=bundle,
        base=base,
        erase=erase,
        reset=reset_settings,
        backup=backup,
        no_backup=no_backup,
        dry_run=dry_run,
        page_port=page_port,
    )
    from dsmrctl.flashing import install

    programmer = (wish.board.kind(hardware) if hardware else wish.board.hardware[0]).programmer
    with _connected(person, port, programmer, baud) as chip:
        done = install.install(chip, wish, person)
        ident = chip.identity.mac.replace(":", "")[6:]
        chip.close(restart=done.written and done.hardware.programmer.restarts)
    _tell(person, wish, done, chip)
    if not done.written:
        return errors.DONE
    wanted = wait if wait is not None else prompt.possible(terminal)
    if wanted and done.wifi is not None:
        return _seen(person, wish, ident, timeout or _WAIT_S, nic, asked=bool(wait))
    return errors.DONE


app = options.command(flash)


def _wish(person: asking.Asked, kind: str, change: list[str], **more: Any) -> Wish:
    """What is asked for, every part of it checked before a port is opened."""
    from dsmrctl import boards
    from dsmrctl.flashing import backup, build, install, release
    from dsmrctl.network import board_settings

    board = boards.find(kind)
    if more["hardware"] is not None:
        board.kind(more["hardware"])
    if more["backup"] is not None:
        backup.check_place(more["backup"])
    if more["erase"] and more["reset"]:
        raise errors.UsageError("--erase takes the settings anyway", hint="leave one of them out")
    rules = board_settings.rules_here(board)
    changes = changing.changes(person.terminal, board.name, rules, change, asks="")
    found = build.chosen(board, more.pop("bundle"))
    for misfit in release.misfits_of(found):
        person.tell(f"warning: {misfit}")
    base = more.pop("base")

    def image(variant: str) -> bytes:
        from dsmrctl.flashing import base_image

        if base is not None or base_image.state(variant) == "ready":
            return base_image.find(variant, base=base)
        with person.progress("MicroPython", 0) as bar:
            return base_image.find(variant, progress=bar)

    return install.Wish(board=board, bundle=found, base=image, changes=changes, **more)


def _wifi(
    terminal: Terminal, ssid: str | None, file: str | None, is_open: bool, yes: bool
) -> tuple[str, str] | None:
    """(network, password), None when none was named. Raises UsageError."""
    from dsmrctl import provisioning

    if ssid is None:
        if file is not None:
            raise errors.UsageError("a WiFi password, but no network", hint="name it: --ssid NAME")
        return None
    password = asking.wifi_password(terminal, ssid, file, is_open)
    provisioning.check(ssid, password)
    return ssid, password


def _connected(person: asking.Asked, port: str | None, programmer: Programmer, baud: int) -> Chip:
    """The chip, its bootloader awake; a person is shown the way and asked to try again."""
    from dsmrctl.flashing import chip, trouble

    found = port or person.port()
    while True:
        try:
            connected = chip.connect(found, programmer.guide(), baud)
            break
        except (trouble.Silent, trouble.Running, trouble.TooFast) as error:
            if not person.interactive:
                raise
            if isinstance(error, trouble.TooFast):
                baud = chip.SLOW
            person.terminal.error(error)
            prompt.ask(person.terminal, "Enter when that is done, Ctrl-C to stop: ")
    identity = connected.identity
    size = trouble.flash_size(identity.flash_size)
    person.tell(f"{identity.chip}, {size} flash, {identity.mac} on {found}")
    person.event(
        "chip", port=found, chip=identity.chip, mac=identity.mac, flash_size=identity.flash_size
    )
    return connected


def _whole(
    person: asking.Asked,
    port: str | None,
    baud: int,
    copy: Path | None,
    back: Path | None,
    change: list[str] | None,
    erase: bool,
) -> int:
    """--backup or --restore of a whole flash, of whatever firmware."""
    from dsmrctl import boards
    from dsmrctl.flashing import backup, install

    if change or (copy is None) == (back is None):
        raise errors.UsageError(
            "which board?", hint=f"dsmrctl flash {' | '.join(boards.BOARDS)}, or -h for all of it"
        )
    if copy is not None:
        backup.check_place(copy)
    with _connected(person, port, boards.INTERFACE.hardware[0].programmer, baud) as chip:
        if copy is not None:
            size = chip.identity.flash_size
            with person.progress(copy.name, size) as bar:
                bar.stage("backup")
                backup.save(chip, copy, bar.to)
            person.line(f"{copy}: {size} bytes. It holds WiFi passwords: keep it to yourself.")
            person.event("backup", file=str(copy), size=size)
        elif back is not None:
            plan = install.restore(chip, back, person, erase=erase)
            person.line(f"{back} is on the board ({plan.flash_bytes} bytes written, verified).")
            person.event("done", written=plan.flash_bytes)
    return errors.DONE


def _tell(person: asking.Asked, wish: Wish, done: Done, chip: Chip) -> None:
    """What came of it, and what is to be done by hand."""
    name = f"{wish.board.name} {wish.bundle.version}"
    seconds = done.plan.seconds(chip.fast)
    if not done.written:
        person.line(f"{name}: nothing was written; it would take about {seconds:.0f} s.")
        person.event("done", written=0, seconds=round(seconds, 1))
        return
    if done.backup is not None:
        person.tell(f"the firmware that was on it is in {done.backup}; this puts it back:")
        person.tell(f"  dsmrctl flash --restore {shlex.quote(str(done.backup))}")
    what = (
        f"{done.plan.flash_bytes} bytes written, verified" if done.plan.runs else "it was already"
    )
    person.line(f"{name} is on the board ({what}).")
    person.event("done", written=done.plan.flash_bytes, seconds=round(done.seconds, 1))
    person.tell(f"now:\n{done.hardware.programmer.start()}")
    if done.wifi is None:
        person.tell(
            "then join its access point AutoConnectAP with a phone to give it your WiFi;\n"
            f"or run this again with --ssid (dsmrctl flash {wish.board.name} --ssid NAME)"
        )


def _seen(
    person: asking.Asked, wish: Wish, ident: str, patience: float, nic: str | None, *, asked: bool
) -> int:
    """Whether it came into the network. Exit 4 when that was asked for and it did not."""
    from dsmrctl.network import discovery

    try:
        person.tell("waiting to see it on the network (Ctrl-C: it is done, do not wait) …")
        found = discovery.wait_for(ident, patience, nic)
    except KeyboardInterrupt:
        if asked:
            raise
        return errors.DONE
    if found is None:
        error = errors.NoAnswer(
            f"the board did not come into the network within {patience:.0f} s",
            hint="is it plugged in without its button? is the WiFi's name and password right "
            "(then: --ssid)? 2.4 GHz? dsmrctl console shows what it says",
        )
        if asked:
            raise error
        person.terminal.error(error)
        return errors.DONE
    person.line(f"{safe(found.name)} is on the network: {found.url}")
    person.event(
        "seen", name=safe(found.name), url=found.url, board=wish.board.name, version=found.version
    )
    return errors.DONE
