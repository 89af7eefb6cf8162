"""Every board on the network and how it is: found by mDNS, each asked as soon as it is heard."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from dsmrctl.errors import DsmrError
from dsmrctl.network import discovery, fleet, known
from dsmrctl.network.discovery import Foreign, Found

if TYPE_CHECKING:
    from concurrent.futures import Future

# What a board is given at least, however late it was found.
_LEAST_S = 1.0


class Seen(NamedTuple):
    """A board and what it says of itself; `fault` when it did not answer, or not as a board does.

    rssi_dbm: how loud it hears its access point. frame_age_s: since its last good frame; None also
    for a board that sends them.
    """

    board: Found
    rssi_dbm: int | None = None
    ssid: str | None = None
    uptime_s: int | None = None
    frame_age_s: int | None = None
    sends: bool = False
    unconfirmed: bool = False
    fault: DsmrError | None = None
    status: dict[str, Any] = {}  # noqa: RUF012 - as the board said it: any JSON


class Census(NamedTuple):
    """What there is: boards by name, and the modules that are not ours."""

    boards: list[Seen]
    foreign: list[Foreign]


def look(board: Found, timeout: float) -> Seen:
    """How a board is. Never raises: what went wrong is its `fault`."""
    end = time.monotonic() + timeout
    try:
        info = fleet.client(board, timeout=timeout).info()
        status = fleet.client(board, timeout=max(_LEAST_S, end - time.monotonic())).status()
    except DsmrError as error:
        return Seen(board, fault=error)
    found = info.get("wifi")
    wifi: dict[str, Any] = found if isinstance(found, dict) else {}
    ssid = wifi.get("ssid")
    return Seen(
        board,
        whole(wifi.get("rssi_dbm"), -120, 0),
        ssid if isinstance(ssid, str) else None,
        whole(info.get("uptime_s"), 0, 1 << 40),
        whole(status.get("frame_age_s"), 0, 1 << 40),
        "telegrams" in status,
        info.get("unconfirmed") is True,
        status=status,
    )


def take(
    timeout: float,
    nic: str | None = None,
    *,
    fits: Callable[[Found], bool] = lambda _: True,
    count: int | None = None,
) -> Census:
    """What is found within `timeout` seconds, or until `count` boards were; a second more for one
    that was found late. Raises NotFound when there is no such network."""
    from concurrent.futures import ThreadPoolExecutor

    end = time.monotonic() + timeout
    # By place: who announces one under many names, or anew all the time, has it asked once.
    asked: dict[tuple[str, int], Future[Seen]] = {}

    def left() -> float:
        return max(_LEAST_S, end - time.monotonic())

    # As many threads as boards: behind silent ones nobody waits for a turn.
    with ThreadPoolExecutor(discovery.MOST) as pool:

        def ask(board: Found) -> Future[Seen]:
            place = (board.address, board.port)
            if place not in asked:
                asked[place] = pool.submit(look, board, left())
            return asked[place]

        def told(board: Found | str) -> None:
            if isinstance(board, Found) and fits(board) and len(asked) < discovery.MOST:
                ask(board)

        def enough(heard: discovery.Heard) -> bool:
            return count is not None and sum(map(fits, heard.boards.values())) >= count

        heard = discovery.browse(timeout, nic, enough=enough, told=told, foreign=True)
        there = [board for board in heard.boards.values() if fits(board)]
        foreign = []
        # One of ours whose announcement was lost answers as ours does.
        for other, one in fleet.each(
            heard.foreign.values(), lambda one: fleet.at(one.address, timeout=left())
        ):
            if isinstance(one, Found):
                if fits(one):
                    there.append(one)
            else:
                foreign.append(other)
        known.remember(heard.boards.values(), all_of_them=bool(heard.boards) and count is None)
        there.sort(key=lambda board: (board.name.lower(), board.id))
        # Who was one too many above, or is at another place by now, is asked here.
        coming = [(board, ask(board)) for board in there]
        return Census([each.result()._replace(board=board) for board, each in coming], foreign)


def whole(value: object, least: int, most: int) -> int | None:
    """A number in that range, else None: boards may say anything."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    return None
