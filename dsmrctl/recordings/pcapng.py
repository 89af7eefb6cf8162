"""Frames as a pcapng file, for Wireshark and tshark: whole IP datagrams with valid check sums.

draft-ietf-opsawg-pcapng; LINKTYPE_RAW, times in nanoseconds, the interface by its name.
"""

from __future__ import annotations

import socket
import struct

from dsmrctl import __version__, errors
from dsmrctl.recordings.item import Item
from dsmrctl.terminal.output import safe

_RAW = 101
_MOST_SENDERS = 1000


def section() -> bytes:
    """The head of a file."""
    options = _option(4, f"dsmrctl {__version__}".encode()) + bytes(4)
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(name: str) -> bytes:
    """An interface that items were received by; its number is how many came before."""
    options = _option(2, name.encode("utf-8", "replace")) if name else b""
    options += _option(9, b"\x09") + bytes(4)
    return _block(1, struct.pack("<HHI", _RAW, 0, 0) + options)


class Datagrams:
    """Makes blocks of items that were sent to one address and port."""

    def __init__(self, group: str, port: int) -> None:
        self._to = socket.inet_aton(group)
        self._port = port
        self._senders: dict[str, tuple[bytes, int]] = {}

    def block(self, item: Item, number: int) -> bytes:
        """An item as a block, received by interface `number`. Raises BadData for no ip:port."""
        source, from_port = self._senders.get(item.sender) or self._sender(item.sender)
        datagram = self._datagram(source, from_port, item.data)
        length = len(datagram)
        head = struct.pack(
            "<IIIII",
            number, item.time_ns >> 32 & 0xFFFFFFFF, item.time_ns & 0xFFFFFFFF, length, length,
        )  # fmt: skip
        return _block(6, head + datagram)

    def _sender(self, sender: str) -> tuple[bytes, int]:
        host, _, port = sender.rpartition(":")
        try:
            found = socket.inet_aton(host), int(port)
            if not 0 <= found[1] <= 0xFFFF:
                raise ValueError
        except (OSError, ValueError):
            raise errors.BadData(
                f"{safe(sender)} is no IPv4 address with a port, which pcapng needs",
                hint="record as .ndjson or .ndjson.gz",
            ) from None
        if len(self._senders) < _MOST_SENDERS:
            self._senders[sender] = found
        return found

    def _datagram(self, source: bytes, from_port: int, data: bytes) -> bytes:
        length = 8 + len(data)
        head = struct.pack("!HHH", from_port, self._port, length)
        # Of the pseudo header too (RFC 768); a sum of 0 is sent as its other form.
        udp_sum = _checked(source + self._to + struct.pack("!HH", 17, length) + head + data)
        ip_head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 1, 17)
        ip_sum = _checked(ip_head + source + self._to)
        return b"".join(
            (
                *(ip_head, ip_sum.to_bytes(2), source, self._to),
                *(head, (udp_sum or 0xFFFF).to_bytes(2), data),
            )
        )


def _checked(data: bytes) -> int:
    """The Internet's check sum (RFC 1071)."""
    # A number is its 16-bit digits' sum modulo 65535, as 18 is 1 + 8 modulo 9.
    return 0xFFFF - (int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF or 0xFFFF)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length
