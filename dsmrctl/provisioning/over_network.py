"""A board that is on the network moves to another WiFi, or comes back to the one it had."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from dsmrctl import errors
from dsmrctl.network import discovery, fleet
from dsmrctl.network.board_client import BoardClient, BoardGone, Password
from dsmrctl.network.discovery import Found
from dsmrctl.provisioning import Network, check, strongest_first
from dsmrctl.provisioning.improv import CannotJoin

TRIAL_S = 60.0
"""So long a board tries the new network before it takes the old one again."""
PATIENCE_S = 120.0
_LOOK_S = 2.0
_MARGIN_S = 5.0


class Moved(NamedTuple):
    """Where it is now."""

    board: Found
    ssid: str


class NotSeen(errors.NoAnswer):
    """It went, and this computer does not see it."""

    def __init__(self, name: str, ssid: str) -> None:
        super().__init__(
            f"{name} went to {ssid!r}, and is not seen from here",
            hint="is this computer in that network? join it, then: dsmrctl discover. A board that "
            "could not join is back in its old network two minutes later",
        )


def networks(client: BoardClient) -> list[Network]:
    """The networks that a board hears, the strongest first. It looks for 2 s."""
    found = []
    for one in client.networks()[:100]:
        if isinstance(one, dict) and isinstance(one.get("ssid"), str) and one["ssid"]:
            rssi = one.get("rssi_dbm")
            good = isinstance(rssi, int) and -120 <= rssi < 0
            found.append(Network(one["ssid"], rssi if good else None, one.get("secure") is True))
    return strongest_first(found)


def move(
    board: Found,
    client: BoardClient,
    ssid: str,
    password: str,
    *,
    nic: str | None = None,
    admin: Password | None = None,
    timeout: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Moved:
    """Hands it the network and waits until it is seen, there or back where it was.

    Raises CannotJoin (it is back), NotSeen, UsageError, and what BoardClient raises.
    """
    check(ssid, password)
    before = client.info()
    old = _wifi(before).get("ssid")
    began = clock()
    try:
        client.call("PUT", "wifi", {"ssid": ssid, "password": password})
    except BoardGone as gone:
        if not gone.heard:
            raise
    while clock() - began < timeout:
        sleep(_LOOK_S)
        info = _look(board, admin)
        if info is None:
            board = discovery.wait_for(board.id, _LOOK_S, nic) or board
            info = _look(board, admin)
        if info is None:
            continue
        restarted = _uptime(info) < _uptime(before) + clock() - began - _MARGIN_S
        if not restarted:
            continue
        now = _wifi(info).get("ssid")
        # The same network with another password: only who had to wait for the trial is back.
        in_time = clock() - began < TRIAL_S
        if now == ssid and (ssid != old or in_time):
            return Moved(board, ssid)
        raise CannotJoin(ssid)
    raise NotSeen(client.who, ssid)


def _look(board: Found, admin: Password | None) -> dict[str, Any] | None:
    try:
        info = fleet.client(board, timeout=3.0, password=admin).info()
    except errors.DsmrError:
        return None
    return info if info.get("id") == board.id else None


def _wifi(info: dict[str, Any]) -> dict[str, Any]:
    found = info.get("wifi")
    return found if isinstance(found, dict) else {}


def _uptime(info: dict[str, Any]) -> float:
    value = info.get("uptime_s")
    return float(value) if isinstance(value, int) else 0.0
