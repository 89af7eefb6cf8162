"""Frames of another's interface to a broker: the manual's own reaches Home Assistant unflashed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dsmrctl import errors

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake
    from dsmrctl.network.multicast import Receiver


def follow(
    receiver: Receiver,
    intake: Intake,
    timeout: float | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Iterator[dict[str, Any]]:
    """The quantities of every good frame of the first sender; others are told once each.

    Two meters in one stream of registers that only rise would look like a meter that was replaced,
    once a second. Raises NoAnswer after `timeout` seconds without a good frame.
    """
    from dsmrctl.network import frames

    heard = time.monotonic()
    first: str | None = None
    others: set[str] = set()
    while True:
        wait = 1.0 if timeout is None else max(0.0, min(1.0, heard + timeout - time.monotonic()))
        for datagram in receiver.receive(wait):
            received = intake.take(datagram)
            if received is None:
                continue
            sender = received.sender[0]
            if first is None:
                first = sender
                on_note(f"publishing the frames of {sender}")
            if sender == first:
                heard = time.monotonic()
                yield frames.quantities(received)
            elif sender not in others and len(others) < 16:
                others.add(sender)
                on_note(f"{sender} sends frames too; they are not published")
        if timeout is not None and time.monotonic() - heard >= timeout:
            raise errors.NoAnswer(
                f"no frame came for {timeout:g} s", hint="dsmrctl listen says more"
            )
