"""Giving a board its network: over its serial line (improv) or at its access point (portal)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from dsmrctl import errors

MOST_NETWORKS = 100
"""More are not read: a board hears a few tens, so what says more is no board."""


class Network(NamedTuple):
    """A WiFi network as a board hears it; `ssid` is its name, unchanged, so not fit to print."""

    ssid: str
    rssi_dbm: int | None
    secure: bool


def strongest_first(networks: Iterable[Network]) -> list[Network]:
    """Every name once, by its strongest access point; those of unknown strength come last."""

    def strength(network: Network) -> int:
        return -1000 if network.rssi_dbm is None else network.rssi_dbm

    best: dict[str, Network] = {}
    for network in networks:
        known = best.get(network.ssid)
        if known is None or strength(network) > strength(known):
            best[network.ssid] = network
    return sorted(best.values(), key=strength, reverse=True)


def dbm(text: str) -> int | None:
    """The signal (dBm) a board wrote; None when it is none that a radio could hear."""
    number = int(text) if re.fullmatch(r"-?[0-9]{1,3}", text) else 0
    return number if -120 <= number < 0 else None


def check(ssid: str, password: str) -> None:
    """Raise UsageError when no network can have this name or password; never shows the latter.

    IEEE 802.11: 1 to 32 bytes; 8 to 63 characters, 64 hexadecimal digits, or none.
    """
    if not 1 <= _length(ssid, "the name of a network (SSID)") <= 32:
        raise errors.UsageError("the name of a network (SSID) has 1 to 32 bytes")
    check_password(password)


def check_password(password: str) -> None:
    """The same for a password alone."""
    length = _length(password, "a WiFi password")
    if 0 < length < 8:
        raise errors.UsageError(
            "a WiFi password has at least 8 characters", hint="leave it empty for an open network"
        )
    if length > 63 and not re.fullmatch(r"[0-9A-Fa-f]{64}", password):
        raise errors.UsageError("a WiFi password has at most 63 characters")


def _length(text: str, what: str) -> int:
    """In bytes; what a command line has that is no UTF-8 comes as lone surrogates."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise errors.UsageError(f"{what} must be UTF-8 text") from None
