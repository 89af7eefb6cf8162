"""dsmrctl update: newer firmware onto boards, over WiFi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsmrctl import errors, options
from dsmrctl.commands import asking, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.flashing.bundle import Bundle
    from dsmrctl.network.discovery import Found


def update(
    board: options.BoardName = None,
    bundle: options.BundleChoice = None,
    every: options.Every = False,
    dry_run: options.DryRun = False,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> int:
    """Put newer firmware onto boards over WiFi.

    Only what a board lacks is sent. It restarts into the new version, which must
    hold for half a minute; else the board takes its old one again, and this says so.
    Broken off, run it again: it goes on. --all: one board after another, those that
    read frames before the interface, which sends them; the first failure ends it.

    \b
    Examples:
      dsmrctl update --all --dry-run
      dsmrctl update miniswitch --host 192.168.1.20
      dsmrctl update interface --bundle 0.1.0 --host 192.168.1.21
    """
    terminal = Terminal(as_json)
    person = asking.Asked(terminal, yes)
    way = reaching.Way(terminal, host, nic, timeout, admin_file)
    found = way.boards(board) if every else [way.board(board)]
    plan, older = _plan(person, found, bundle, every)
    if dry_run:
        for one, new in plan:
            _would(person, one, new)
        return errors.DONE
    if older and not person.sure(older):
        raise errors.DsmrError("nothing was changed")
    password = way.password()
    for number, (one, new) in enumerate(plan):
        try:
            _update(person, way, one, new, password)
        except errors.DsmrError as error:
            left = [safe(each.name, 40) for each, _ in plan[number + 1 :]]
            if left:
                person.tell(f"not begun: {', '.join(left)}")
                person.event("left", boards=left)
            raise error from None
    return errors.DONE


app = options.command(update)


def _plan(
    person: asking.Asked, found: list[Found], wanted: str | None, every: bool
) -> tuple[list[tuple[Found, Bundle]], list[str]]:
    """What each board gets, in their order, and what is asked about before.

    Those that have it already are told and left out. Raises NotFound, BadBundle, UsageError.
    """
    from dsmrctl import boards
    from dsmrctl.flashing import build, release
    from dsmrctl.flashing.bundle import parse_version
    from dsmrctl.network import updating

    made: dict[str, Bundle] = {}
    plan = []
    older = []
    for one in found:
        name = safe(one.name, 40)
        if one.board not in boards.BOARDS and every:
            person.tell(f"{name} is left out: nobody here knows a {safe(one.board, 40)}")
            continue
        if one.board not in boards.BOARDS:
            raise errors.UsageError(
                f"{name} is a board this version does not know: {safe(one.board, 40)}",
                hint="a newer dsmrctl, or --bundle FILE with a board that is named",
            )
        if one.board not in made:
            if every and wanted is not None and len({each.board for each in found}) > 1:
                _for_all(wanted)
            made[one.board] = build.chosen(boards.find(one.board), wanted)
        new = made[one.board]
        updating.check(one, new)
        if one.version == new.version and ".dev" not in new.version:
            person.line(f"{name} has {new.board} {new.version} already")
            person.event("current", name=name, id=safe(one.id), version=new.version)
            continue
        try:
            if parse_version(one.version) > parse_version(new.version):
                older.append(
                    f"{name} has {safe(one.version, 20)}, which is newer than {new.version}"
                )
        except errors.BadData:
            pass  # its own builder's version: nothing to compare
        plan.append((one, new))
    for misfit in release.misfits(made.values()):
        person.tell(f"warning: {misfit}")
    return updating.order(plan), older


def _for_all(wanted: str) -> None:
    """A file is one board's; a version may be that of all. Raises UsageError."""
    from pathlib import Path

    if Path(wanted).exists():
        raise errors.UsageError(
            f"{wanted} is one board's firmware, and there are several kinds here",
            hint="name a kind: dsmrctl update miniswitch --all --bundle FILE",
        )


def _would(person: asking.Asked, one: Found, new: Bundle) -> None:
    """What would travel. Which files a board has, only the bundle of its version tells."""
    from dsmrctl.flashing import bundle

    name = safe(one.name, 40)
    files, exact = dict(new.files), False
    path = bundle.images() / f"{new.board}-{one.version}.zip"
    if path in bundle.released():
        old = bundle.read(path).files
        files = {each: data for each, data in files.items() if old.get(each) != data}
        exact = True
    size = sum(map(len, files.values()))
    count = f"{len(files)} files, {size} bytes"
    most = "" if exact else "at most "
    person.line(f"{name}: {safe(one.version, 20)} -> {new.version}, {most}{count}")
    person.event(
        "would", name=name, id=safe(one.id), board=new.board, version=safe(one.version, 20),
        new=new.version, files=len(files), bytes=size, exact=exact,
    )  # fmt: skip


def _update(
    person: asking.Asked, way: reaching.Way, one: Found, new: Bundle, password: Any
) -> None:
    """One board, until the new version holds. Raises DsmrError, also when it did not."""
    from dsmrctl.network import fleet, updating

    name = safe(one.name, 40)
    person.event(
        "update", name=name, id=safe(one.id), board=new.board,
        version=safe(one.version, 20), new=new.version,
    )  # fmt: skip
    client = fleet.client(one, timeout=max(updating.LIST_S, way.timeout or 0), password=password)
    before = updating.state(client)
    with person.progress(name, 0) as bar:
        sent = updating.send(client, new, bar)
    person.tell(
        f"{name}: {len(sent.files)} files sent, {sent.bytes} bytes; it restarts, and must hold for "
        "half a minute"
    )
    outcome = updating.watch(
        one,
        new,
        before,
        nic=way.nic,
        password=password,
        timeout=way.timeout or updating.HOLDS_S,
        told=lambda stage: person.event("stage", stage=stage),
    )
    if outcome.end == "fell back":
        for line in outcome.log.splitlines():
            person.tell(f"  its log: {safe(line)}")
        person.event("fell_back", name=name, version=safe(outcome.version, 20))
        raise errors.DsmrError(
            f"{new.board} {new.version} did not hold on {name}: it runs "
            f"{safe(outcome.version, 20)} again",
            hint="its log says why; please report it",
        )
    person.line(f"{name} runs {new.board} {new.version} ({sent.bytes} bytes sent)")
    person.event(
        "updated", name=name, id=safe(one.id), version=new.version,
        files=len(sent.files), bytes=sent.bytes,
    )  # fmt: skip
