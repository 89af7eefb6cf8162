"""What the Linux kernel tells beside a datagram: when it came, by which interface, what was lost.

Numbers of linux/in.h and asm-generic/socket.h; Python names only some of them.
"""

from __future__ import annotations

import socket
import struct
import time

_IP_PKTINFO = 8
_IP_MULTICAST_ALL = 49
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40

# A timespec, an in_pktinfo and a counter, each behind its header, rounded up.
_ROOM = 128
_TIMESPEC = struct.Struct("@ll")
_INDEX = struct.Struct("@i")
_COUNTER = struct.Struct("@I")


class KernelSource:
    """Reads a non-blocking UDP socket, and what the kernel knows; OSError where it cannot."""

    def __init__(self, sock: socket.socket, multicast: bool, longest: int) -> None:
        if multicast:
            # Else every group that any program here has joined would come too.
            sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        self.dropped = 0
        self._recvmsg = sock.recvmsg
        self._longest = longest

    def read(self) -> tuple[bytes, tuple[str, int], int, int]:
        """(data, sender, time in ns, interface index); BlockingIOError when there is none."""
        data, extras, _, sender = self._recvmsg(self._longest, _ROOM)
        time_ns = nic = 0
        for level, kind, value in extras:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                (nic,) = _INDEX.unpack_from(value)
            elif level != socket.SOL_SOCKET:
                continue
            elif kind == _SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                time_ns = seconds * 1_000_000_000 + nanoseconds
            elif kind == _SO_RXQ_OVFL:
                # The socket's total so far; the kernel leaves it out while it is 0.
                (self.dropped,) = _COUNTER.unpack(value)
        return data, sender, time_ns or time.time_ns(), nic
