"""What a recording is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["frames", "telegrams"]
KINDS: tuple[Kind, ...] = ("frames", "telegrams")

LONGEST = 65507
"""Bytes of one item: the largest datagram there is; a telegram has 16 KiB at most."""
TIMES_NS = range(1 << 63)
"""From 1970 to 2262. Whatever is beyond is damage, and no calendar would bear it."""


class Item(NamedTuple):
    """A datagram or a telegram as it came: its time (ns since 1970), who sent it, its bytes.

    `sender` is ip:port of a frame ([ip]:port for IPv6), the source's name of a telegram.
    """

    time_ns: int
    sender: str
    data: bytes
