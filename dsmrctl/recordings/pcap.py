"""tcpdump's and Wireshark's files: pcap and pcapng, read piece by piece.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Any byte may be wrong; a block is
bounded, and what was whole before a torn one is used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from dsmrctl import errors

LONGEST = 1 << 20
"""Bytes of one block. A jumbo frame has 9 KiB, the largest IP datagram 64."""

_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_RESOLUTION, _OFFSET = 9, 14
_MOST_INTERFACES = 1 << 16


class Caught(NamedTuple):
    """What was caught: its time (ns since 1970; None: not said), link type, bytes."""

    time_ns: int | None
    link: int
    data: bytes


class _Interface(NamedTuple):
    link: int
    # A unit of time is multiplied / divided ns; offset in ns.
    multiplied: int
    divided: int
    offset_ns: int
    snapped: int


def is_capture(head: bytes) -> bool:
    """Whether a file with these first four bytes is a pcap or a pcapng file."""
    return head[:4] in _PCAP or head[:4] == _SECTION


class CaptureReader:
    """Bytes of a capture in, in any slices; what was caught out.

    Raises BadData where its structure ends; all before was given.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._offset = 0  # in the file, of what is in _rest
        self._order = ""
        self._unit_ns = 0  # of a pcap file; 0: it is pcapng, or not known yet
        self._link = 0
        self._interfaces: list[_Interface] = []
        self._beyond = 0  # bytes still to come of a block nobody needs
        self._torn = False

    def feed(self, data: bytes) -> Iterator[Caught]:
        """What is whole now."""
        if self._torn:
            return
        if self._beyond:
            over = min(self._beyond, len(data))
            self._beyond -= over
            self._offset += over
            data = data[over:]
        self._rest += data
        at = 0
        try:
            while (taken := self._next(at)) is not None:
                size, caught = taken
                at += size
                if caught is not None:
                    yield caught
        finally:
            self._rest = self._rest[at:]
            self._offset += at

    def close(self) -> bool:
        """At the end: whether a torn block was left over."""
        torn, self._rest = bool(self._rest or self._torn or self._beyond), b""
        return torn

    def _next(self, at: int) -> tuple[int, Caught | None] | None:
        """(bytes taken, what was caught); None when more bytes are needed."""
        have = len(self._rest) - at
        if have < 12:
            return None
        if not self._order and not self._starts_section(at):
            return self._begin_pcap(at) if have >= 24 else None
        if self._unit_ns:
            return self._record(at, have)
        return self._block(at, have)

    def _starts_section(self, at: int) -> bool:
        return self._rest.startswith(_SECTION, at)

    def _zeros(self, have: int) -> tuple[int, None]:
        """A computer that lost its power leaves zeros where the end was not on the disk yet."""
        self._torn = True
        return have, None

    def _begin_pcap(self, at: int) -> tuple[int, None]:
        self._order, self._unit_ns = _PCAP[self._rest[at : at + 4]]
        # The upper bits say whether check sums follow; the link type is below.
        (link,) = struct.unpack_from(self._order + "I", self._rest, at + 20)
        self._link = link & 0x03FFFFFF
        return 24, None

    def _record(self, at: int, have: int) -> tuple[int, Caught | None] | None:
        if have < 16:
            return None
        seconds, part, length, full = struct.unpack_from(self._order + "IIII", self._rest, at)
        if not (seconds or part or length or full):
            return self._zeros(have)
        if length > LONGEST:
            raise self._damaged(at)
        if have < 16 + length:
            return None
        data = self._rest[at + 16 : at + 16 + length]
        time_ns = seconds * 10**9 + part * self._unit_ns
        return 16 + length, Caught(time_ns, self._link, data)

    def _block(self, at: int, have: int) -> tuple[int, Caught | None] | None:
        if self._starts_section(at):
            order = _ORDERS.get(self._rest[at + 8 : at + 12])
            if order is None:
                raise self._damaged(at)
            self._order = order
            self._interfaces = []
        kind, length = struct.unpack_from(self._order + "II", self._rest, at)
        if not kind and not length:
            return self._zeros(have)
        if length < 12 or length % 4:
            raise self._damaged(at)
        if length > LONGEST:
            if kind in (_INTERFACE, _OLD, _SIMPLE, _ENHANCED) or self._starts_section(at):
                raise self._damaged(at)
            self._beyond = max(0, length - have)
            return min(length, have), None
        if have < length:
            return None
        (again,) = struct.unpack_from(self._order + "I", self._rest, at + length - 4)
        if again != length:
            raise self._damaged(at)
        body = self._rest[at + 8 : at + length - 4]
        try:
            return length, self._content(kind, body)
        except (struct.error, IndexError):
            raise self._damaged(at) from None

    def _content(self, kind: int, body: bytes) -> Caught | None:
        order = self._order
        if kind == _INTERFACE:
            if len(self._interfaces) >= _MOST_INTERFACES:
                raise IndexError
            self._interfaces.append(_interface(order, body))
        elif kind in (_OLD, _ENHANCED):
            number, high, low, length, _ = struct.unpack_from(
                order + ("HxxIIII" if kind == _OLD else "IIIII"), body
            )
            interface = self._interfaces[number]
            units = high << 32 | low
            time_ns = units * interface.multiplied // interface.divided + interface.offset_ns
            if 20 + length > len(body):
                raise IndexError
            return Caught(time_ns, interface.link, body[20 : 20 + length])
        elif kind == _SIMPLE:
            (full,) = struct.unpack_from(order + "I", body)
            interface = self._interfaces[0]
            length = min(full, len(body) - 4, interface.snapped or full)
            return Caught(None, interface.link, body[4 : 4 + length])
        return None

    def _damaged(self, at: int) -> errors.BadData:
        return errors.BadData(
            f"{self._name} is damaged at byte {self._offset + at}: no block of a capture is there",
            hint="all before it was used; Wireshark's pcapfix or editcap may save the rest",
        )


def _interface(order: str, body: bytes) -> _Interface:
    link, _, snapped = struct.unpack_from(order + "HHI", body)
    multiplied, divided, offset_ns = 1000, 1, 0
    at = 8
    while at + 4 <= len(body):
        option, length = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if option == 0:
            break
        if option == _RESOLUTION and len(value) == 1:
            power = value[0] & 0x7F
            if value[0] & 0x80:
                multiplied, divided = 10**9, 1 << power
            else:
                multiplied, divided = (
                    (10 ** (9 - power), 1) if power <= 9 else (1, 10 ** (power - 9))
                )
        elif option == _OFFSET and len(value) == 8:
            (seconds,) = struct.unpack(order + "q", value)
            offset_ns = seconds * 10**9
        at += 4 + (length + 3 & ~3)
    return _Interface(link, multiplied, divided, offset_ns, snapped)
