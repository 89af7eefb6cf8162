"""Frames of another's interface, for a broker or the log: the manual's own needs no flashing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dsmrctl import errors

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake, Received
    from dsmrctl.network.multicast import Receiver


def follow(
    receiver: Receiver,
    intake: Intake,
    timeout: float | None = None,
    on_note: Callable[[str], None] = lambda text: None,
    *,
    doing: str = "publishing",
    clocked: bool = False,
    duration: float | None = None,
) -> Iterator[dict[str, Any]]:
    """The quantities of every good frame of the first sender; others are told once each.

    clocked: their time is by the meter's clock, of which a frame says minute and second, nearest to
    when it came. Ends after `duration` seconds.

    Two meters in one stream of registers that only rise would look like a meter that was replaced,
    once a second. Raises NoAnswer after `timeout` seconds without a good frame.
    """
    from dsmrctl.network import frames

    began = heard = time.monotonic()
    first: str | None = None
    others: set[str] = set()
    while duration is None or time.monotonic() - began < duration:
        wait = 1.0 if timeout is None else max(0.0, min(1.0, heard + timeout - time.monotonic()))
        for datagram in receiver.receive(wait):
            received = intake.take(datagram)
            if received is None:
                continue
            sender = received.sender[0]
            if first is None:
                first = sender
                on_note(f"{doing} the frames of {sender}")
            if sender == first:
                heard = time.monotonic()
                found = frames.quantities(received)
                if clocked:
                    found["time"] = _by_the_meter(received)
                yield found
            elif sender not in others and len(others) < 16:
                others.add(sender)
                on_note(f"{sender} sends frames too; they are left out")
        if timeout is not None and time.monotonic() - heard >= timeout:
            raise errors.NoAnswer(
                f"no frame came for {timeout:g} s", hint="dsmrctl listen says more"
            )


def _by_the_meter(received: Received) -> str:
    """ISO 8601, local: the moment nearest to its arrival at which the meter's clock says so."""
    utc = received.time_ns // 10**9
    frame = received.frame
    if frame.minute is not None and frame.second is not None:
        utc += (frame.minute * 60 + frame.second - utc + 1800) % 3600 - 1800
    return datetime.fromtimestamp(utc).astimezone().isoformat()
