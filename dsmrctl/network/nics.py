"""This computer's networks: their names, their IPv4 addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dsmrctl import errors


class Nic(NamedTuple):
    """One IPv4 address on one interface; an interface with two addresses stands twice."""

    name: str
    address: str
    number: int


def present() -> list[Nic]:
    """What there is now. Interfaces come and go: never keep this for long."""
    import ifaddr

    return [
        Nic(adapter.nice_name, str(ip.ip), adapter.index or 0)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if ip.is_IPv4
    ]


def choose(wanted: Sequence[str] | None, there: Iterable[Nic]) -> list[Nic]:
    """Those of `there` that `wanted` names, by name or address; all of them for None."""
    if wanted is None:
        return list(there)
    lowered = {each.lower() for each in wanted}
    return [nic for nic in there if nic.address in lowered or nic.name.lower() in lowered]


def find(wanted: Sequence[str] | None) -> list[Nic]:
    """`choose` among those present; NotFound names the first that is missing and what there is."""
    there = present()
    for each in wanted or ():
        if not choose([each], there):
            listed = ", ".join(f"{nic.name} ({nic.address})" for nic in there) or "none"
            raise errors.NotFound(
                f"no network '{each}' with an IPv4 address here", hint=f"there are: {listed}"
            )
    return choose(wanted, there)
