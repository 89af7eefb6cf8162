"""A board handed its network at its access point: and whether it came onto it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from dsmrctl import errors
from dsmrctl.network import discovery
from dsmrctl.provisioning.portal import NoPortal, Portal

REOPENS_S = 25.0
"""A board that could not join has its access point open again by then: restart, and 15 s."""
PATIENCE_S = 120.0
_ASK_S = 2.0
_SEARCH_S = 3.0


class BackAtPortal(errors.Refused):
    """The access point is open again: the board could not join."""

    def __init__(self, ssid: str) -> None:
        super().__init__(
            f"the board opened its access point again: it could not join {ssid!r}",
            hint="is the password right? is it a 2.4 GHz network, and within the board's reach? "
            "run this again",
        )


class NotSeenYet(errors.NoAnswer):
    """Its access point is gone, and it was not seen on the network."""

    def __init__(self, ssid: str, back: str) -> None:
        super().__init__(
            f"the board's access point is gone, so it is on its way to {ssid!r}; this computer "
            "does not see it there",
            hint=f"is this computer in that network? {back}; then: dsmrctl discover",
        )


def wait(
    portal: Portal,
    timeout: float,
    told: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Until this computer is on an access point; what the board says of itself.

    told: called once, when it is not there at once. Raises NoPortal, NotAPortal.
    """
    end = clock() + timeout
    asked = False
    while True:
        try:
            return portal.info()
        except NoPortal:
            if not asked:
                asked = True
                told()
            if clock() >= end:
                raise
            sleep(_ASK_S)


def ident(info: dict[str, str]) -> str | None:
    """The id of a board of ours, by what it says of itself at its portal."""
    match = re.search(r"\b([0-9a-f]{6})$", info.get("board", ""))
    return match[1] if match else None


def came(
    portal: Portal,
    ssid: str,
    board: str | None,
    back: str,
    *,
    nic: str | None = None,
    timeout: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> discovery.Found | discovery.Foreign:
    """The board, once it is seen on the network after it was handed it.

    board: its id, None for other firmware than ours: of such a one its host name is looked for.
    Raises BackAtPortal, NotSeenYet.
    """
    began = clock()
    gone = False
    while clock() - began < timeout:
        if board is not None:
            if found := discovery.wait_for(board, _SEARCH_S, nic):
                return found
        elif gone and (others := discovery.browse(_SEARCH_S, nic, foreign=True).foreign):
            return next(iter(others.values()))
        try:
            portal.info()
            if clock() - began > REOPENS_S:
                raise BackAtPortal(ssid)
            if not gone:
                time.sleep(_ASK_S if board is None else 0)
        except errors.NoAnswer:
            gone = True
    raise NotSeenYet(ssid, back) if gone else BackAtPortal(ssid)
