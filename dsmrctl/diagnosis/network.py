"""What of this computer's network lets frames through, and what may hold them back."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from dsmrctl import errors
from dsmrctl.diagnosis import firewall
from dsmrctl.diagnosis.finding import Finding, note, ok, trouble
from dsmrctl.network import multicast
from dsmrctl.network.multicast import Receiver, Sender
from dsmrctl.network.nics import Nic

PROC, SYS = Path("/proc"), Path("/sys")

# Administratively scoped (RFC 2365), of no known use; with TTL 0 nothing leaves this computer.
_TEST_GROUP, _TEST_PORT = "239.255.82.66", 28266
_WAIT_S = 0.3
_LEAST_BUFFER = 128 << 10
_MDNS = 5353
_LOOPBACK = "127."
# By the names that such programs give; a tun says so itself, in its tun_flags.
_VIRTUAL = re.compile(r"(docker|br-[0-9a-f]{12}|veth|virbr|lxc|podman|cni|flannel|tailscale|zt)")
_TUNNEL = re.compile(r"(wg|ppp|tun|tap)")


def check(
    there: Sequence[Nic],
    receiver: Receiver | None,
    where: tuple[str, int],
    *,
    proc: Path = PROC,
    sys: Path = SYS,
) -> Iterator[Finding]:
    """All that can be seen without waiting for anybody; there: the networks that are meant.

    receiver: the one that listens for frames at `where`; None when it could not be opened.
    """
    group, port = where
    # Into a tunnel or to containers no board hangs: multicast need not work there.
    real = [nic for nic in there if _virtual(nic.name, sys) is None]
    yield networks(real)
    yield loop(real)
    if receiver is not None:
        yield membership(receiver, real, proc)
        yield buffer(receiver)
    yield bridges(sys)
    yield route(group, proc, sys)
    yield firewall.check(port)
    yield mdns(proc)


def networks(there: Sequence[Nic]) -> Finding:
    """Whether there is any but loopback."""
    real = [nic for nic in there if not nic.address.startswith(_LOOPBACK)]
    if real:
        return ok("network", _named(real), nics=[[nic.name, nic.address] for nic in real])
    return note(
        "network",
        "this computer is on no network, only on its own loopback",
        "plug in the cable or join the WiFi (nmcli device wifi connect NAME --ask)",
    )


def _named(there: Sequence[Nic]) -> str:
    return ", ".join(f"{nic.name} ({nic.address})" for nic in there)


def loop(
    there: Sequence[Nic], where: tuple[str, int] = (_TEST_GROUP, _TEST_PORT), wait: float = _WAIT_S
) -> Finding:
    """Whether what is sent to a group of our own is heard again, on each network."""
    deaf = {nic.address: why for nic in there if (why := _deaf(nic, where, wait))}
    if not deaf:
        return ok("multicast", f"what is sent is heard on {_named(there)}")
    names = {nic.address: nic.name for nic in there}
    return trouble(
        "multicast",
        "; ".join(f"on {names[address]} ({address}) {why}" for address, why in deaf.items()),
        f"ip link show {names[next(iter(deaf))]} (is it UP, and MULTICAST?); "
        "sudo nft list ruleset shows what a firewall drops",
        deaf=deaf,
    )


def _deaf(nic: Nic, where: tuple[str, int], wait: float) -> str:
    """Why nothing comes back; empty when it does."""
    mine = os.urandom(12).hex().encode()
    try:
        with (
            Receiver(*where, [nic.address]) as receiver,
            Sender(*where, nic=nic.address, ttl=0) as sender,
        ):
            sender.send(mine)
            while came := receiver.receive(wait):
                if any(each.data == mine for each in came):
                    return ""
    except (errors.DsmrError, OSError) as error:
        return f"it cannot be sent: {error}"
    return "what is sent to a group is not heard"


def membership(receiver: Receiver, there: Sequence[Nic], proc: Path = PROC) -> Finding:
    """Whether the kernel lists us in the group on each network while a receiver is open."""
    if not multicast.is_multicast(receiver.group):
        return ok("membership", f"{receiver.group} is no group: nothing to join")
    try:
        listed = members(receiver.group, (proc / "net/igmp").read_text())
    except OSError:
        return ok("membership", "this system does not list its memberships")
    lacking = sorted({nic.name for nic in there if nic.number and nic.number not in listed})
    if not lacking:
        return ok("membership", f"member of {receiver.group} on {len(listed)} interfaces")
    return trouble(
        "membership",
        f"not a member of {receiver.group} on {', '.join(lacking)}",
        f"ip link set {lacking[0]} multicast on (as root); ip maddress show {lacking[0]} lists "
        "the groups, at most net.ipv4.igmp_max_memberships of them",
        lacking=lacking,
    )


def members(group: str, text: str) -> set[int]:
    """The numbers of the interfaces on which /proc/net/igmp lists a group."""
    found = set()
    wanted = f"{int.from_bytes(socket.inet_aton(group), 'little'):08X}"
    number = 0
    for line in text.splitlines():
        if match := re.match(r"(\d+)\s", line):
            number = int(match[1])
        elif line.split()[:1] == [wanted]:
            found.add(number)
    return found


def buffer(receiver: Receiver) -> Finding:
    """What the kernel keeps for us while we are busy."""
    with socket.fromfd(receiver.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as held:
        size = held.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if size >= _LEAST_BUFFER:
        return ok("buffer", f"the kernel keeps {size >> 10} KB for us", bytes=size)
    return note(
        "buffer",
        f"the kernel keeps only {size} bytes for us",
        "sudo sysctl -w net.core.rmem_max=4194304 "
        "(for good: the same in /etc/sysctl.d/90-dsmrctl.conf)",
        bytes=size,
    )


def bridges(sys: Path = SYS) -> Finding:
    """Whether a bridge of this computer snoops, and nobody on it asks who is a member."""
    found = sorted(sys.glob("class/net/*/bridge"))
    mute = [
        each.parent.name
        for each in found
        # One of containers leads to no board, and every computer with Docker has one.
        if _virtual(each.parent.name, sys) is None
        and _flag(each / "multicast_snooping")
        and not _flag(each / "multicast_querier")
    ]
    if not mute:
        return ok("bridge", f"{len(found)} bridges, none snoops without a querier")
    return note(
        "bridge",
        f"the bridge {mute[0]} snoops on multicast and asks nobody who is a member",
        f"sudo ip link set {mute[0]} type bridge mcast_querier 1 (or mcast_snooping 0), unless a "
        "switch or router in that network asks",
        bridges=mute,
    )


def _flag(path: Path) -> bool:
    try:
        return path.read_text().strip() not in ("", "0")
    except OSError:
        return False


def route(group: str, proc: Path = PROC, sys: Path = SYS) -> Finding:
    """Where the kernel sends multicast of programs that name no network."""
    try:
        name = way(group, (proc / "net/route").read_text())
    except OSError:
        return ok("route", "this system does not tell its routes")
    if name is None:
        return ok("route", f"no route for {group}: each program names its network")
    kind = _virtual(name, sys)
    if kind is None:
        return ok("route", f"{group} goes out by {name}", nic=name)
    return note(
        "route",
        f"{group} goes out by {name}, {kind}",
        "dsmrctl listens on all networks; to send, name yours with --nic; for other programs: "
        "sudo ip route add 224.0.0.0/4 dev eth0 (your network's name)",
        nic=name,
    )


def way(group: str, text: str) -> str | None:
    """The interface of the route that /proc/net/route has for an address: the longest wins."""
    address = int.from_bytes(socket.inet_aton(group), "little")
    best: tuple[int, int, str] | None = None
    for line in text.splitlines()[1:]:
        words = line.split()
        try:
            target, flags, mask = (int(words[n], 16) for n in (1, 3, 7))
            metric = int(words[6])
        except (IndexError, ValueError):
            continue
        if flags & 1 and address & mask == target:
            fits = (mask.bit_count(), -metric, words[0])
            best = fits if best is None else max(best, fits)
    return None if best is None else best[2]


def _virtual(name: str, sys: Path) -> str | None:
    """What of a tunnel or of containers an interface is; None for a real network."""
    place = sys / "class/net" / name
    try:
        told = (place / "uevent").read_text()
    except OSError:
        told = ""
    if (place / "tun_flags").exists() or "DEVTYPE=wireguard" in told or _TUNNEL.match(name):
        return "a tunnel (VPN)"
    if _VIRTUAL.match(name):
        return "a network of containers or virtual machines"
    return None


def mdns(proc: Path = PROC, port: int = _MDNS) -> Finding:
    """Whether we may share the mDNS port with whoever has it."""
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        others = listeners(port, proc)
        try:
            probe.bind(("", port))
        except OSError as error:
            who = ", ".join(others) or "another program"
            return trouble(
                "mdns",
                f"UDP port {port} cannot be shared: {(error.strerror or '').lower()}, by {who}",
                f"sudo ss -ulpn 'sport = :{port}' names the program; stop it, or let it share "
                "the port (avahi: disallow-other-stacks=no)",
                others=others,
            )
    beside = f", beside {', '.join(others)}" if others else ""
    return ok("mdns", f"boards can be looked for{beside}", others=others)


def listeners(port: int, proc: Path = PROC) -> list[str]:
    """The programs that listen on a UDP port, as far as this user may see them."""
    wanted = set()
    for name in ("udp", "udp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        wanted |= {
            f"socket:[{words[9]}]"
            for words in map(str.split, lines)
            if words[1].endswith(f":{port:04X}")
        }
    found = set()
    for link in proc.glob("[0-9]*/fd/*") if wanted else ():
        try:
            if os.readlink(link) in wanted and link.parts[-3] != str(os.getpid()):  # noqa: PTH115
                found.add((link.parent.parent / "comm").read_text().strip())
        except OSError:
            continue
    return sorted(found)
