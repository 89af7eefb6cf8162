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
from dsmrctl.network.board_client import BoardClient, BoardGone, BoardRefused, NoBoard, Password
from dsmrctl.network.discovery import Found

LIST_S = 60.0
"""The board compares and copies a whole version, on its own flash, before it answers."""
HOLDS_S = 180.0
"""Restart, WiFi, and half a minute of running; falling back takes three starts more."""
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
    """The board went away in the midst of it."""

    def __init__(self, who: str, where: str) -> None:
        super().__init__(
            f"{who} does not answer any more ({where})",
            hint="it goes on with its old version; when it is back, run this again: what it has "
            "got already is not sent twice",
        )


class NotBack(errors.NoAnswer):
    """It has the new version, and was not seen again."""


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
    try:
        for _ in range(_ROUNDS):
            missing = _offer(client, bundle, again=again)
            if missing is None:
                return Sent(sent, sum(len(bundle.files[path]) for path in sent))
            again = True
            bar.stage("sending")
            bar.total = sum(len(bundle.files[path]) for path in {*sent, *missing})
            for path in missing:
                _put(client, path, bundle.files[path])
                sent.append(path)
                bar.to(sum(len(bundle.files[each]) for each in set(sent)))
            bar.stage("comparing")
    except BoardGone as error:
        raise CutShort(client.who, f"while {'sending files' if sent else 'comparing'}") from error
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
                found = [path for path in missing if path in bundle.files]
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
    password: Password | None = None,
    timeout: float = HOLDS_S,
    told: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Waits until the new version holds, or the board took its old one again.

    before: what it said of itself before, with its log as "log". It is looked for at its address,
    and by its id: a restart may bring another address. Raises NotBack.
    """
    end = clock() + timeout
    searched = clock()
    restarted = False
    told("restarting")
    while clock() < end:
        sleep(_ASK_S)
        try:
            client = fleet.client(board, timeout=4.0, password=password)
            info = client.info()
            if info.get("id") != board.id:
                raise NoBoard(client.who, "another board is there now")
            log = client.log()
        except errors.DsmrError:
            restarted = True
            if clock() - searched > _SEARCH_S:
                searched = clock()
                board = discovery.wait_for(board.id, 2.0, nic) or board
            continue
        version = str(info.get("fw"))
        fell = log.count(_FELL_BACK) > before["log"].count(_FELL_BACK)
        restarted = (
            restarted
            or version != before.get("fw")
            or _whole(info.get("uptime_s")) < _whole(before.get("uptime_s"))
        )
        if fell or (restarted and version != bundle.version):
            return Outcome("fell back", version, _reason(log, before["log"]))
        if restarted and info.get("unconfirmed") is False:
            return Outcome("holds", version)
        if restarted:
            told("on trial")
    raise NotBack(
        f"{board.name} did not come back within {timeout:g} s",
        hint="a version that does not hold gives way to the old one after three starts: wait some "
        "minutes, then dsmrctl discover; or plug it in anew",
    )


def state(client: BoardClient) -> dict[str, Any]:
    """What `watch` wants to know of a board from before."""
    found = client.info()
    found["log"] = ""
    with suppress(errors.DsmrError):
        found["log"] = client.log()
    return found


def _reason(log: str, before: str) -> str:
    """What its log has more than before; its last lines, as they are."""
    new = log[len(before) :] if log.startswith(before) else log
    return "\n".join([line for line in new.splitlines() if line.strip()][-8:])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def order(wanted: list[tuple[Found, Bundle]]) -> list[tuple[Found, Bundle]]:
    """The order in which a household is updated: who reads frames before who sends them.

    A new reader understands the old sender's frames, for ever (docs/protocol.md); an old reader
    need not understand the new sender's. What a bundle `needs` of another board goes before it.
    """

    def rank(one: tuple[Found, Bundle]) -> tuple[int, int, str, str]:
        board, bundle = one
        kinds = {each.board for _, each in wanted}
        waits = sum(need in kinds for need in bundle.manifest["needs"])
        return (board.board == release.SENDER, waits, board.board, board.name)

    return sorted(wanted, key=rank)
