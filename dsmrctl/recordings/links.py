"""From what a network card caught to the UDP datagram in it.

Link types by their numbers of pcap-linktype(7); headers by RFC 791, 768, 8200 and IEEE 802.1Q.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN = (0x8100, 0x88A8, 0x9100)
_UDP = 17
# Headers of IPv6 that may stand before UDP's: hop by hop, routing, destination options.
_BEFORE = (0, 43, 60)

# Reason -> what a person should know.
REASONS = {
    "link": "caught on a kind of network that is not known here",
    "not-udp": "no UDP",
    "fragment": "pieces of a datagram",
    "cut": "cut short when they were caught (tcpdump -s 0 catches all)",
    "other-port": "to another port",
    "other-group": "to another address",
    "no-time": "without a time, or with an impossible one",
}


class Skipped(ValueError):
    """No whole UDP datagram; `args[0]` is one of REASONS."""


class Udp(NamedTuple):
    """A datagram: ip:port of who sent it, the address and port it was sent to, its bytes."""

    sender: str
    address: str
    port: int
    data: bytes


def udp(link: int, caught: bytes) -> Udp:
    """The datagram in what was caught. Raises Skipped."""
    if link in (1, 113, 276):
        kind, at = _ethernet(caught) if link == 1 else _cooked(link, caught)
        if kind not in (_IPV4, _IPV6):
            raise Skipped("not-udp")
    elif link in (0, 108):  # BSD's loopback: four bytes of address family
        at = 4
    elif link in (12, 14, 101, 228, 229):  # raw IP
        at = 0
    else:
        raise Skipped("link")
    if len(caught) <= at:
        raise Skipped("cut")
    version = caught[at] >> 4
    if version == 4:
        return _over_ipv4(caught, at)
    if version == 6:
        return _over_ipv6(caught, at)
    raise Skipped("not-udp")


def _ethernet(caught: bytes) -> tuple[int, int]:
    at = 12
    while len(caught) >= at + 2:
        kind = int.from_bytes(caught[at : at + 2])
        if kind not in _VLAN:
            return kind, at + 2
        at += 4
    raise Skipped("cut")


def _cooked(link: int, caught: bytes) -> tuple[int, int]:
    """Linux's form for `any` interface, versions 1 and 2."""
    at, length = (14, 16) if link == 113 else (0, 20)
    if len(caught) < length:
        raise Skipped("cut")
    return int.from_bytes(caught[at : at + 2]), length


def _over_ipv4(caught: bytes, at: int) -> Udp:
    if len(caught) < at + 20:
        raise Skipped("cut")
    head = (caught[at] & 15) * 4
    total, _, fragment, _, protocol = struct.unpack_from("!HHHBB", caught, at + 2)
    if protocol != _UDP or head < 20:
        raise Skipped("not-udp")
    if fragment & 0x3FFF:  # more fragments, or not the first
        raise Skipped("fragment")
    source = socket.inet_ntoa(caught[at + 12 : at + 16])
    to = socket.inet_ntoa(caught[at + 16 : at + 20])
    # A network card that divides what is sent writes no length.
    end = at + total if total else len(caught)
    return _of_udp(caught, at + head, end, source, to)


def _over_ipv6(caught: bytes, at: int) -> Udp:
    if len(caught) < at + 40:
        raise Skipped("cut")
    length, following = struct.unpack_from("!HB", caught, at + 4)
    source = f"[{socket.inet_ntop(socket.AF_INET6, caught[at + 8 : at + 24])}]"
    to = socket.inet_ntop(socket.AF_INET6, caught[at + 24 : at + 40])
    end = at + 40 + length
    at += 40
    while following in _BEFORE:
        if len(caught) < at + 8:
            raise Skipped("cut")
        following, at = caught[at], at + 8 + caught[at + 1] * 8
    if following == 44:
        raise Skipped("fragment")
    if following != _UDP:
        raise Skipped("not-udp")
    return _of_udp(caught, at, end, source, to)


def _of_udp(caught: bytes, at: int, end: int, source: str, to: str) -> Udp:
    if len(caught) < at + 8:
        raise Skipped("cut")
    from_port, port, length = struct.unpack_from("!HHH", caught, at)
    last = at + length if length else end
    if (length and length < 8) or last > end:
        raise Skipped("not-udp")
    if last > len(caught):
        raise Skipped("cut")
    return Udp(f"{source}:{from_port}", to, port, caught[at + 8 : last])
