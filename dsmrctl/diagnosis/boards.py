"""The boards on the network, each asked how it is: who is ill, and what holds frames back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dsmrctl.diagnosis.finding import Finding, note, ok, trouble
from dsmrctl.network import household
from dsmrctl.terminal.output import safe

if TYPE_CHECKING:
    from dsmrctl.network.census import Census
    from dsmrctl.network.discovery import Found
    from dsmrctl.network.household import Member

WAIT_S = 4.0
# A meter may send every 10 s: who just started has had no chance yet.
_YOUNG_S = 15


def check(
    census: Census,
    heard: bool,
    before: Sequence[Found] = (),
    newest: Callable[[str], str | None] | None = None,
) -> Iterator[Finding]:
    """What boards say of themselves. heard: whether frames reach this computer.

    before: boards that were found earlier. newest: the version of a kind's newest bundle.
    """
    members = household.of(census).members
    yield isolated(members, heard)
    yield _answers(members)
    yield absent(census, before)
    yield _telegrams(members)
    yield _key(members)
    yield _frames(members)
    yield _names(census)
    yield _trial(census)
    yield _version(census, newest or _newest)


def _listed(members: list[Member]) -> str:
    names = [safe(one.seen.board.name, 40) for one in members]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _ids(members: list[Member]) -> list[str]:
    return [safe(one.seen.board.id, 20) for one in members]


def _young(member: Member) -> bool:
    return member.seen.uptime_s is not None and member.seen.uptime_s < _YOUNG_S


def _answers(members: list[Member]) -> Finding:
    mute = [one for one in members if one.frames == "no answer"]
    if not mute:
        told = f"{len(members)} boards answer" if members else "no board was found"
        return ok("board-answers", told, boards=len(members))
    first = mute[0].seen
    why = safe(first.fault.message, 120) if first.fault is not None else ""
    return trouble(
        "board-answers",
        f"{_listed(mute)}: {why}",
        f"unplug it for ten seconds; is it nearer to the access point then? "
        f"dsmrctl console shows what it says; its page is {first.board.url}",
        boards=_ids(mute),
    )


def absent(census: Census, before: Sequence[Found]) -> Finding:
    """Which boards of the last discovery are not there now."""
    there = {seen.board.id for seen in census.boards}
    gone = [board for board in before if board.id not in there]
    if not gone:
        return ok("board-absent", "none that was found before is missing")
    return note(
        "board-absent",
        f"found before, and not now: {', '.join(safe(one.name, 40) for one in gone[:6])}",
        "has it power, and is it in this network? dsmrctl discover (which forgets what is gone)",
        boards=[safe(one.id, 20) for one in gone],
    )


def _telegrams(members: list[Member]) -> Finding:
    from dsmrctl.telegram.sources import NOTHING_CAME

    ill = [one for one in members if one.frames == "no telegrams" and not _young(one)]
    if not ill:
        return ok("board-telegrams", "each interface reads its meter")
    return trouble(
        "board-telegrams", f"{_listed(ill)} reads no telegrams", NOTHING_CAME, boards=_ids(ill)
    )


def _key(members: list[Member]) -> Finding:
    ill = [one for one in members if one.frames == "refused"]
    if not ill:
        return ok("board-key", "no board refuses frames")
    return trouble(
        "board-key",
        f"{_listed(ill)}: frames come and are refused",
        "one key for all: dsmrctl config --all frame_key=@FILE",
        boards=_ids(ill),
    )


def _frames(members: list[Member]) -> Finding:
    ill = [one for one in members if one.frames in ("none", "late") and not _young(one)]
    if not ill:
        readers = sum(one.frames == "ok" for one in members)
        return ok("board-frames", f"{readers} boards hear frames", boards=readers)
    ages = [
        f"the last {household.minutes(one.seen.frame_age_s)} ago"
        for one in ill[:1]
        if one.seen.frame_age_s is not None
    ]
    what = f"{_listed(ill)}: no frames" + (f" ({ages[0]})" if ages else "")
    return trouble("board-frames", what, ill[0].advice or "dsmrctl status", boards=_ids(ill))


def isolated(members: list[Member], heard: bool) -> Finding:
    """Whether boards answer, one of them sends, and its frames stay away from here or from all."""
    sending = [one for one in members if one.frames == "sends"]
    readers = [one for one in members if one.frames in ("ok", "none", "late")]
    some_hear = any(one.frames == "ok" for one in readers)
    if not sending or (heard and (some_hear or not readers)):
        return ok("isolated", "nothing speaks for it")
    if heard:
        return ok("isolated", "frames reach this computer")
    name = safe(sending[0].seen.board.name, 40)
    where = "no board" if readers and not some_hear else "this computer does not"
    what = f"{name} answers here and sends frames, and they do not arrive"
    if where == "no board":
        what += ", nor at any board"
    return trouble(
        "isolated",
        what,
        "in the access point or router: switch client isolation off, and IGMP snooping on only "
        "with a querier. Or by one address instead of the group: dsmrctl config interface "
        "frame_target=ADDRESS, and dsmrctl listen --group ADDRESS there",
        interface=safe(sending[0].seen.board.address, 40),
    )


def _names(census: Census) -> Finding:
    """Two boards of one name or host, or one of ours and a module with the manual's firmware."""
    places: dict[str, set[str]] = defaultdict(set)
    for seen in census.boards:
        board = seen.board
        for name in {board.host.lower().removesuffix(".local"), board.name.lower()} - {""}:
            places[name].add(board.address if board.port == 80 else f"{board.address}:{board.port}")
    for other in census.foreign:
        places[other.host.lower().removesuffix(".local")].add(other.address)
    twice = {safe(name, 40): sorted(where) for name, where in places.items() if len(where) > 1}
    idents = Counter(seen.board.id for seen in census.boards if seen.board.id)
    for ident, count in idents.items():
        if count > 1:
            twice[safe(ident, 20)] = sorted(
                safe(seen.board.address, 40) for seen in census.boards if seen.board.id == ident
            )
    if not twice:
        return ok("board-names", "each has its own name")
    name, where = next(iter(twice.items()))
    return note(
        "board-names",
        f"{name} is claimed by {' and '.join(where)}",
        f"name one anew: dsmrctl config --host {where[-1]} name=another",
        names=twice,
    )


def _trial(census: Census) -> Finding:
    trying = [safe(seen.board.name, 40) for seen in census.boards if seen.unconfirmed]
    if not trying:
        return ok("board-trial", "none is on trial")
    return note(
        "board-trial",
        f"{', '.join(trying)}: a new version is on trial",
        "wait half a minute and run this again; when it went back: dsmrctl console shows the crash",
        boards=trying,
    )


def _version(census: Census, newest: Callable[[str], str | None]) -> Finding:
    from dsmrctl.errors import BadData
    from dsmrctl.flashing.bundle import parse_version

    old = {}
    for seen in census.boards:
        here = newest(seen.board.board)
        try:
            if here is not None and parse_version(seen.board.version) < parse_version(here):
                old[safe(seen.board.name, 40)] = [safe(seen.board.version, 20), here]
        except BadData:
            continue  # its own builder's version: nothing to compare
    if not old:
        return ok("board-version", "none is older than the bundles here")
    told = ", ".join(f"{name} has {has}, {there} is here" for name, (has, there) in old.items())
    return note("board-version", told, "dsmrctl update --all", versions=old)


def _newest(kind: str) -> str | None:
    from dsmrctl.boards import BOARDS
    from dsmrctl.flashing import build

    return build.version_here(BOARDS[kind]) if kind in BOARDS else None
