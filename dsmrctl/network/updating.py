"""New firmware onto a board over WiFi: what it lacks is sent, and then watched till it holds.

Broken off at any point the board runs its old version, and the next try goes on where this ended.
docs/protocol.md, "Update over WiFi".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Protocol

from dsmrctl import errors
from dsmrctl.flashing import release
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.network import discovery, fleet
from dsmrctl.network.board_client import BoardClient, BoardGone, BoardRefused, NoBoard
from dsmrctl.network.discovery import Found

LIST_S = 60.0
"""The board compares and copies a whole version, on its own flash, before it answers."""
HOLDS_S = 180.0
"""Restart, WiFi, and half a minute of running; falling back takes three starts more."""
_GET_S = 4.0
# Between a board's clock and ours, and of whole seconds.
_SLACK_S = 2.0
_ROUNDS = 4
_TRIES = 3
_ASK_S = 1.0
_SEARCH_S = 10.0
_FELL_BACK = "did not confirm itself"


class Bar(Protocol):
    """Who is told how far it is; terminal.progress.Progress is one. `total` in bytes."""

    total: int

    def stage(self, name: str) -> None: ...
    def to(self, done: int) -> None: ...


class Sent(NamedTuple):
    """What travelled: the paths of the files, and their bytes."""

    files: list[str]
    bytes: int


class Outcome(NamedTuple):
    """How it ended: the new version holds, or the board took its old one again; `log` says why."""

    end: Literal["holds", "fell back"]
    version: str
    log: str = ""


class CutShort(errors.NoAnswer):
    """The board went away in the midst of it; `open_end`: perhaps when it had all already."""

    def __init__(self, who: str, where: str, open_end: bool = False) -> None:
        runs = "it goes on with its old version"
        if open_end:
            runs = "it goes on with its old version, or with the new one when it had all of it"
        super().__init__(
            f"{who} does not answer any more ({where})",
            hint=f"{runs}; when it is back, run this again: what it has got already is not sent "
            "twice",
        )


class NotBack(errors.NoAnswer):
    """It has the new version, and was not seen again, or not seen to hold."""


def check(board: Found, bundle: Bundle) -> None:
    """Raises UsageError when the bundle is not for that board; before the board is touched."""
    if bundle.board != board.board:
        raise errors.UsageError(
            f"{bundle.board} {bundle.version} is not for a {board.board}",
            hint=f"another --bundle, or name a {bundle.board}",
        )
    if board.hardware not in bundle.hardware:
        raise errors.UsageError(
            f"{bundle.board} {bundle.version} is for {', '.join(bundle.hardware)}, and this board "
            f"is a {board.hardware}",
            hint="dsmrctl firmware list shows the others",
        )


def send(client: BoardClient, bundle: Bundle, bar: Bar) -> Sent:
    """Hands a board what it lacks of the new version; it then restarts into it by itself.

    Raises CutShort, BoardRefused (no room, not confirmed yet, a password), NoBoard.
    """
    sent: list[str] = []
    bar.stage("comparing")
    again = False
    offers = True
    try:
        for _ in range(_ROUNDS):
            offers = True
            missing = _offer(client, bundle, again=again)
            if missing is None:
                return Sent(sent, sum(len(bundle.files[path]) for path in sent))
            again, offers = True, False
            bar.stage("sending")
            bar.total = sum(len(bundle.files[path]) for path in {*sent, *missing})
            for path in missing:
                _put(client, path, bundle.files[path])
                sent.append(path)
                bar.to(sum(len(bundle.files[each]) for each in set(sent)))
            bar.stage("comparing")
    except BoardGone as error:
        # A list that it heard may have been the last thing it wanted.
        where = "while comparing" if offers else "while sending files"
        raise CutShort(client.who, where, open_end=offers and error.heard) from error
    raise errors.DsmrError(
        f"{client.who} loses the files that it is sent",
        hint="its flash may be worn, or full: dsmrctl flash over the cable makes it anew",
    )


def _offer(client: BoardClient, bundle: Bundle, *, again: bool) -> list[str] | None:
    """The files the board lacks; None when it has all, and restarts. Raises what `send` does."""
    for whole in (False, True) if again else (True,):
        try:
            client.begin_update(bundle.listing(), again=not whole)
            return None
        except BoardRefused as refused:
            missing = refused.answer.get("missing")
            if isinstance(missing, list):
                found = [path for path in missing if isinstance(path, str) and path in bundle.files]
                if len(found) < len(missing) or not found:
                    raise NoBoard(client.who, "it asks for files that were not named") from None
                return found
            # A list that it has not: firmware of before, or another update came between.
            if whole:
                raise
    return None


def _put(client: BoardClient, path: str, data: bytes) -> None:
    for left in reversed(range(_TRIES)):
        try:
            return client.send(path, data, hashlib.sha256(data).hexdigest())
        except BoardRefused as refused:
            # Spoilt on the way.
            if refused.status != 409 or not left or "X-SHA256" not in str(refused):
                raise
    return None


def watch(
    board: Found,
    bundle: Bundle,
    before: dict[str, Any],
    *,
    nic: str | None = None,
    timeout: float = HOLDS_S,
    told: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Waits until the new version holds, or the board took its old one again.

    before: `state` of it, from before; {} when it is on trial already. It is looked for at its
    address, and by its id: a restart may bring another address. Nobody is told a password: what is
    read is free. timeout: so long it may be silent. Raises NotBack.
    """
    began = heard = searched = clock()
    restarted = not before
    told("on trial" if restarted else "restarting")
    while clock() - began < max(timeout, HOLDS_S):
        if clock() - heard >= timeout:
            raise NotBack(
                f"{board.name} did not come back within {timeout:g} s",
                hint="a version that does not hold gives way to the old one after three starts: "
                "wait some minutes, then dsmrctl discover; or plug it in anew",
            )
        sleep(_ASK_S)
        client = fleet.client(board, timeout=min(_GET_S, timeout))
        try:
            info = client.info()
            if info.get("id") != board.id:
                raise NoBoard(client.who, "another board is there now")
        except errors.DsmrError:
            if clock() - searched > _SEARCH_S:
                searched = clock()
                board = discovery.wait_for(board.id, min(2.0, timeout), nic) or board
            continue
        heard = searched = clock()
        version = str(info.get("fw"))
        if not restarted and _anew(info, before, heard - began):
            restarted = True
            told("on trial")
        if not restarted:
            continue
        if version != bundle.version:
            return Outcome("fell back", version, _reason(_log(client), before))
        if info.get("unconfirmed") is not False:
            continue
        if version == before.get("fw"):
            # Both have that version (it is still being made): only the log tells them apart.
            log = _log(client)
            if before.get("log") is not None and log is None:
                continue
            if _FELL_BACK in "".join(_new(log, before)):
                return Outcome("fell back", version, _reason(log, before))
        return Outcome("holds", version)
    raise NotBack(
        f"{board.name} has not confirmed {bundle.version} within {max(timeout, HOLDS_S):g} s",
        hint="run this again: it goes on waiting; or dsmrctl discover, which tells its version",
    )


def _anew(info: dict[str, Any], before: dict[str, Any], passed: float) -> bool:
    """Whether it has started since: it runs another version, or for less time than it would.

    That an answer was lost does not say so: the air loses some.
    """
    if info.get("fw") != before.get("fw"):
        return True
    return _whole(info.get("uptime_s")) < _whole(before.get("uptime_s")) + passed - _SLACK_S


def state(client: BoardClient) -> dict[str, Any]:
    """What `watch` wants to know of a board from before; "log" is None when it did not tell it."""
    found = client.info()
    found["log"] = _log(client)
    return found


def _log(client: BoardClient) -> str | None:
    with suppress(errors.DsmrError):
        return client.log()
    return None


def _new(log: str | None, before: dict[str, Any]) -> list[str]:
    """The lines its log has more than before; it may have lost its first ones (firmware/lib/info).

    None of them when it was not told before or now: then nobody knows which are new.
    """
    known = before.get("log")
    if log is None or known is None:
        return []
    now, then = log.splitlines(), known.splitlines()
    gone = next(n for n in range(len(then) + 1) if now[: len(then) - n] == then[n:])
    return now[len(then) - gone :]


def _reason(log: str | None, before: dict[str, Any]) -> str:
    """What its log has more than before, its last lines; all of it when that is not known."""
    new = _new(log, before) if before.get("log") is not None else (log or "").splitlines()
    return "\n".join([line for line in new if line.strip()][-8:])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def order(wanted: list[tuple[Found, Bundle]]) -> list[tuple[Found, Bundle]]:
    """The order in which a household is updated: who reads frames before who sends them.

    A new reader understands the old sender's frames, for ever (docs/protocol.md); an old reader
    need not understand the new sender's. What a bundle `needs` of another board goes before it,
    also when that is the sender; where they need each other, the first rule alone counts.
    """
    left = sorted(
        wanted, key=lambda one: (one[0].board == release.SENDER, one[0].board, one[0].name)
    )
    found = []
    while left:
        kinds = {board.board for board, _ in left}
        free = (
            one for one in left if not (kinds - {one[0].board}) & one[1].manifest["needs"].keys()
        )
        one = next(free, left[0])
        left.remove(one)
        found.append(one)
    return found
