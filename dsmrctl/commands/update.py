"""dsmrctl update: newer firmware onto boards, over WiFi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsmrctl import errors, options
from dsmrctl.commands import asking, reaching
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.flashing.bundle import Bundle
    from dsmrctl.network.board_client import BoardClient
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
    plan, older, there = _plan(person, found, bundle, every)
    for one, new in there:
        _there(person, way, one, new, dry_run)
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
) -> tuple[list[tuple[Found, Bundle]], list[str], list[tuple[Found, Bundle]]]:
    """What each board gets, in their order; what is asked about before; who has it already.

    With --all, boards that it is not for are told and left out: anybody may announce one. Raises
    NotFound, BadBundle, UsageError (also when none is left).
    """
    from dsmrctl.flashing import release
    from dsmrctl.flashing.bundle import parse_version
    from dsmrctl.network import updating

    made: dict[str, Bundle] = {}
    plan, there = [], []
    older = []
    unfit: list[errors.UsageError] = []
    if every and wanted is not None and len({each.board for each in found}) > 1:
        _for_all(wanted)
    for one in found:
        name = safe(one.name, 40)
        try:
            new = _for(one, wanted, made)
            updating.check(one, new)
        except errors.UsageError as error:
            if not every:
                raise
            unfit.append(error)
            person.tell(f"{name} is left out: {error}")
            person.event("left_out", name=name, id=safe(one.id), why=safe(str(error), 300))
            continue
        if one.version == new.version and ".dev" not in new.version:
            there.append((one, new))
            continue
        try:
            if parse_version(one.version) > parse_version(new.version):
                older.append(
                    f"{name} has {safe(one.version, 20)}, which is newer than {new.version}"
                )
        except errors.BadData:
            pass  # its own builder's version: nothing to compare
        plan.append((one, new))
    if unfit and not plan and not there:
        raise unfit[0]
    # Of one kind alone: whether it fits those that came with it, as flash tells.
    alone = next(iter(made.values())) if len(made) == 1 else None
    for misfit in release.misfits_of(alone) if alone else release.misfits(made.values()):
        person.tell(f"warning: {misfit}")
    return updating.order(plan), older, there


def _for(one: Found, wanted: str | None, made: dict[str, Bundle]) -> Bundle:
    """The bundle for that kind of board, made once. Raises NotFound, BadBundle, UsageError."""
    from dsmrctl import boards
    from dsmrctl.flashing import build

    if one.board not in boards.BOARDS:
        raise errors.UsageError(
            f"this version does not know the board {safe(one.board, 40)}",
            hint="a newer dsmrctl, or --bundle FILE with a board that is named",
        )
    if one.board not in made:
        made[one.board] = build.chosen(boards.find(one.board), wanted)
    return made[one.board]


def _there(person: asking.Asked, way: reaching.Way, one: Found, new: Bundle, dry_run: bool) -> None:
    """A board that has it already; still on trial, it is waited for. Raises DsmrError."""
    name = safe(one.name, 40)
    on_trial = False
    if not dry_run:
        try:
            on_trial = _reader(way, one).info().get("unconfirmed") is True
        except errors.DsmrError:
            pass  # it announced that version, and nothing is to be done
    if on_trial:
        person.tell(f"{name} has {new.board} {new.version}, which must hold for half a minute")
        _hold(person, way, one, new, {})
    person.line(f"{name} has {new.board} {new.version} already")
    person.event("current", name=name, id=safe(one.id), version=new.version)


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
    # What is only read is answered at once, and wants no password.
    before = updating.state(_reader(way, one))
    client = fleet.client(one, timeout=way.timeout or updating.LIST_S, password=password)
    with person.progress(name, 0) as bar:
        sent = updating.send(client, new, bar)
    person.tell(
        f"{name}: {len(sent.files)} files sent, {sent.bytes} bytes; it restarts, and must hold for "
        "half a minute"
    )
    _hold(person, way, one, new, before)
    person.line(f"{name} runs {new.board} {new.version} ({sent.bytes} bytes sent)")
    person.event(
        "updated", name=name, id=safe(one.id), version=new.version,
        files=len(sent.files), bytes=sent.bytes,
    )  # fmt: skip


def _reader(way: reaching.Way, one: Found) -> BoardClient:
    """What asks a board only how it is; it tells no password to whoever wants one for that."""
    from dsmrctl.network import board_client, fleet

    return fleet.client(one, timeout=way.timeout or board_client.TIMEOUT)


def _hold(
    person: asking.Asked, way: reaching.Way, one: Found, new: Bundle, before: dict[str, Any]
) -> None:
    """Waits until it holds. Raises DsmrError when it did not."""
    from dsmrctl.network import updating

    outcome = updating.watch(
        one,
        new,
        before,
        nic=way.nic,
        timeout=way.timeout or updating.HOLDS_S,
        told=lambda stage: person.event("stage", stage=stage),
    )
    if outcome.end == "holds":
        return
    name = safe(one.name, 40)
    for line in outcome.log.splitlines():
        person.tell(f"  its log: {safe(line)}")
    person.event("fell_back", name=name, version=safe(outcome.version, 20))
    raise errors.DsmrError(
        f"{new.board} {new.version} did not hold on {name}: it runs "
        f"{safe(outcome.version, 20)} again",
        hint="its log says why; please report it",
    )
