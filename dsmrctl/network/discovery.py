"""Boards on the network, as they announce themselves (mDNS, service `_dsmr._tcp`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dsmrctl.network import nics

if TYPE_CHECKING:
    from zeroconf import ServiceInfo

SERVICE = "_dsmr._tcp.local."
_ASK_MS = 2000


class Found(NamedTuple):
    """A board as it announces itself; what it says of itself is not fit to print as it is."""

    name: str
    address: str
    port: int
    board: str
    hardware: str
    version: str
    id: str

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://{self.address}{'' if self.port == 80 else f':{self.port}'}/"


def wait_for(ident: str, timeout: float, nic: str | None = None) -> Found | None:
    """The board with that id (last three bytes of its MAC, hex), as soon as it is heard.

    None when it was not within `timeout` seconds. nic: a network by name or address, all for None.
    Raises NotFound when there is no such network.
    """
    from zeroconf import InterfaceChoice, ServiceBrowser, ServiceListener, Zeroconf

    addresses: Sequence[str] | InterfaceChoice = InterfaceChoice.All
    if nic is not None:
        addresses = [each.address for each in nics.find([nic])]
    came = threading.Event()
    found: list[Found] = []

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            info = zc.get_service_info(type_, name, _ASK_MS)
            board = read(info) if info else None
            if board is not None and board.id.lower() == ident.lower():
                found.append(board)
                came.set()

        update_service = add_service

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

    heard = Zeroconf(interfaces=addresses)
    try:
        ServiceBrowser(heard, SERVICE, Listener())
        came.wait(timeout)
    finally:
        heard.close()
    return found[0] if found else None


def read(info: ServiceInfo) -> Found | None:
    """What a service says; None when it is no board's."""
    texts: dict[str, Any] = info.decoded_properties
    addresses = info.parsed_addresses()
    if not addresses or info.port is None:
        return None
    said = [texts.get(key) or "" for key in ("board", "hw", "fw", "id")]
    return Found(info.name.removesuffix(f".{SERVICE}"), addresses[0], info.port, *said)
