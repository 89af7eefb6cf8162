"""Frames in and out by UDP multicast, or by unicast where a router blocks multicast.

`Receiver` loses nothing that reached this computer as long as memory is reasonable: it empties the
kernel's small buffer into a larger one of its own before it hands anything out.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dsmrctl import errors
from dsmrctl.network import nics as networks
from dsmrctl.network.membership import Membership

GROUP = "224.0.1.3"
PORT = 8266
LOOPBACK = "127.0.0.1"

# A frame has 512 bytes at most; of a longer datagram no more is kept than shows that it is one.
LONGEST = 1024
# Access points forget who joined: again after 5 s of silence, then once a minute.
SILENCE_S = 5.0
CHECK_S = 60.0

_DRAIN = 4096
_BATCH = 16
# What a held datagram costs beside its bytes.
_OVERHEAD = 320


class Datagram(NamedTuple):
    """`time_ns` since 1970: the kernel's stamp, else when it was read.

    `nic` is the index of the interface it came in by, 0 where the system does not tell.
    """

    data: bytes
    sender: tuple[str, int]
    time_ns: int
    nic: int = 0


class NetworkDown(errors.DsmrError):
    """Nothing can be sent just now; a sender that runs for months goes on."""

    code = "network_down"


def parse_group(text: str) -> tuple[str, int]:
    """`ADDR[:PORT]` as (address, port), an IPv4 address; the port is 8266 when absent."""
    import ipaddress

    address, colon, port = text.strip().partition(":")
    try:
        address = str(ipaddress.IPv4Address(address))
        number = int(port) if colon else PORT
        if (colon and not port.isdecimal()) or not 0 < number < 65536:
            raise ValueError
    except ValueError:
        raise errors.UsageError(
            f"'{text}' is no IPv4 address with a port",
            hint=f"for example {GROUP}, {GROUP}:{PORT}, 127.0.0.1:{PORT}",
        ) from None
    return address, number


def format_group(group: str, port: int) -> str:
    """The shortest text `parse_group` reads as the same."""
    return group if port == PORT else f"{group}:{port}"


def is_multicast(address: str) -> bool:
    """224.0.0.0 to 239.255.255.255."""
    return 224 <= int(address.split(".", 1)[0]) <= 239


class Receiver:
    """Everything sent to a multicast group, or to one address of this computer.

    nics: names or addresses; None joins on all, also those that appear later.
    portable: force (True) or forbid (False) the path without the Linux kernel's help; None: what
    the system can do. now: a clock in seconds, for tests. most_held: bytes kept for a slow caller.
    Raises NotFound (no such network or address), Refused (port in use).
    """

    def __init__(
        self,
        group: str = GROUP,
        port: int = PORT,
        nics: Sequence[str] | None = None,
        portable: bool | None = None,
        now: Callable[[], float] = time.monotonic,
        most_held: int = 64 << 20,
    ) -> None:
        self.group = group
        self.port = port
        self._now = now
        self._multicast = is_multicast(group)
        # Plain tuples: a hundred thousand of them cost the garbage collector nothing.
        self._backlog: deque[tuple[bytes, tuple[str, int], int, int]] = deque()
        self._held = 0
        self._most_held = most_held
        self._heard = now()
        self._armed = True
        self._check_at = self._heard + CHECK_S
        if nics is not None and self._multicast:
            networks.find(nics)
        self._open(portable)
        try:
            self._membership = Membership(self._socket, group, nics) if self._multicast else None
        except BaseException:
            self._socket.close()
            raise

    def _open(self, portable: bool | None) -> None:
        linux = sys.platform.startswith("linux") and hasattr(socket.socket, "recvmsg")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._enlarge()
            if portable or (portable is None and not linux):
                self._source = None
            else:
                from dsmrctl.network.multicast_linux import KernelSource

                try:
                    self._source = KernelSource(self._socket, self._multicast, LONGEST)
                except OSError:  # a kernel that only looks like Linux
                    if portable is False:
                        raise
                    self._source = None
            self._bind()
        except BaseException:
            self._socket.close()
            raise

    def _enlarge(self) -> None:
        for option in (33, socket.SO_RCVBUF):  # 33: SO_RCVBUFFORCE, for root beyond rmem_max
            try:
                if option != 33 or sys.platform.startswith("linux"):
                    self._socket.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
                    return
            except OSError:
                continue

    def _bind(self) -> None:
        if self._multicast:
            # Several programs may listen to one group. To one address never: they would
            # steal from each other, so there the system says that the port is taken.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform == "darwin" or "bsd" in sys.platform:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Windows cannot bind to a group; what else comes to the port then comes too.
        address = "" if self._multicast and self.portable else self.group
        try:
            self._socket.bind((address, self.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise errors.Refused(
                    f"UDP port {self.port} is taken by another program",
                    hint="stop it (ss -ulpn names it), or choose another port with --group",
                ) from None
            if error.errno == errno.EADDRNOTAVAIL:
                listed = ", ".join(nic.address for nic in networks.present())
                raise errors.NotFound(
                    f"{self.group} is no address of this computer", hint=f"there are: {listed}"
                ) from None
            if error.errno in (errno.EACCES, 10013):  # Windows: kept by another program
                raise errors.Refused(
                    f"this system does not let you listen on UDP port {self.port}",
                    hint="choose a port above 1023 with --group",
                ) from None
            raise

    @property
    def portable(self) -> bool:
        """Without kernel time stamps and without a count of what the system dropped."""
        return self._source is None

    @property
    def dropped(self) -> int | None:
        """How many the system threw away because nobody read in time; None: it cannot say."""
        return None if self._source is None else self._source.dropped

    @property
    def joined(self) -> frozenset[str]:
        """The addresses whose networks were told that we listen."""
        return frozenset(self._membership.joined if self._membership else ())

    def fileno(self) -> int:
        """For select: readable when something came. What `receive` holds back is not seen there."""
        return self._socket.fileno()

    def receive(self, timeout: float | None) -> list[Datagram]:
        """The oldest that came, at most 16; waits up to `timeout` seconds (None: for ever).

        Empty when nothing came in time. Call it again soon: each call empties the kernel's buffer.
        """
        now = self._now()
        deadline = None if timeout is None else now + timeout
        while True:
            self._drain()
            now = self._now()
            if self._backlog:
                self._heard, self._armed = now, True
            self._maintain(now)
            if self._backlog:
                return self._take()
            if deadline is not None and now >= deadline:
                return []
            wake = min(self._check_at, self._heard + SILENCE_S if self._armed else self._check_at)
            if deadline is not None:
                wake = min(wake, deadline)
            select.select([self._socket], [], [], max(0.0, wake - now))

    def _drain(self) -> None:
        read = self._read_portable if self._source is None else self._source.read
        for _ in range(_DRAIN):
            if self._held > self._most_held:
                return  # full: from here the kernel drops, and counts
            try:
                datagram = read()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # Windows' way to tell of an ICMP answer
            self._held += len(datagram[0]) + _OVERHEAD
            self._backlog.append(datagram)

    def _read_portable(self) -> tuple[bytes, tuple[str, int], int, int]:
        # All of it: Windows makes an error of a buffer too small.
        data, sender = self._socket.recvfrom(65536)
        return data[:LONGEST], sender, time.time_ns(), 0

    def _take(self) -> list[Datagram]:
        backlog = self._backlog
        batch = [Datagram._make(backlog.popleft()) for _ in range(min(_BATCH, len(backlog)))]
        self._held -= sum(len(datagram.data) + _OVERHEAD for datagram in batch)
        return batch

    def _maintain(self, now: float) -> None:
        silent = now - self._heard >= SILENCE_S
        if now >= self._check_at or (silent and self._armed):
            self._armed = not silent and self._armed
            self._check_at = now + CHECK_S
            if self._membership is not None:
                self._membership.join(again=silent)

    def close(self) -> None:
        """Leave the group."""
        self._socket.close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _interface(nic: networks.Nic) -> bytes:
    """What IP_MULTICAST_IF takes: the interface's number where it can, which outlives its address.

    Linux's struct ip_mreqn has no address then, else the old one stays the sender's.
    """
    if sys.platform.startswith("linux") and nic.number and not nic.address.startswith("127."):
        return struct.pack("@4s4si", bytes(4), bytes(4), nic.number)
    # Loopback too: its address is for this computer only, so the kernel would choose another.
    return socket.inet_aton(nic.address)


class Sender:
    """Sends to a multicast group, a broadcast or a unicast address.

    nic: a name or an address; None keeps multicast on this computer (loopback) and lets the system
    route anything else. ttl 1: never beyond the local network; 0: never beyond this computer.
    Raises NotFound, NetworkDown.
    """

    def __init__(
        self,
        group: str = GROUP,
        port: int = PORT,
        nic: str | None = None,
        ttl: int = 1,
        loop: bool = True,
    ) -> None:
        self.group = group
        self.port = port
        self._to = (group, port)
        self._nic, self._ttl, self._loop = nic, ttl, loop
        self._socket = self._open()

    def _open(self) -> socket.socket:
        """A socket on the network as it is now: its address may have changed since the last."""
        if self._nic is None:
            address, interface = LOOPBACK, socket.inet_aton(LOOPBACK)
        else:
            nic = networks.find([self._nic])[0]
            address, interface = nic.address, _interface(nic)
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if is_multicast(self.group):
                for option, value in (
                    (socket.IP_MULTICAST_IF, interface),
                    (socket.IP_MULTICAST_TTL, self._ttl),
                    (socket.IP_MULTICAST_LOOP, int(self._loop)),
                ):
                    opened.setsockopt(socket.IPPROTO_IP, option, value)
            elif self._nic is not None:
                opened.bind((address, 0))
        except OSError as error:
            opened.close()
            raise self._down(error) from None
        return opened

    def _down(self, error: OSError) -> NetworkDown:
        return NetworkDown(
            f"cannot send to {self.group}: {(error.strerror or str(error)).lower()}",
            hint="is the network up? --nic names it; a unicast address as --group goes round "
            "a router that blocks multicast",
        )

    def send(self, data: bytes) -> None:
        """One datagram. Raises NetworkDown; the next may succeed."""
        try:
            self._socket.sendto(data, self._to)
            return
        except OSError as error:
            first = error
        # This computer may have got another address: the old one is gone for good.
        try:
            fresh = self._open()
        except errors.NotFound:
            raise self._down(first) from None
        self._socket.close()
        self._socket = fresh
        try:
            fresh.sendto(data, self._to)
        except OSError as error:
            raise self._down(error) from None

    def close(self) -> None:
        """Nothing more is sent."""
        self._socket.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
