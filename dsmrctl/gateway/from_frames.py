"""Frames of another's interface, for a broker or the log: the manual's own needs no flashing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dsmrctl import errors

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake, Received
    from dsmrctl.network.multicast import Datagram, Receiver
    from dsmrctl.recordings.item import Item

_MOST_OTHERS = 16


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
    began = heard = time.monotonic()
    first = _First(intake, on_note, doing, clocked)
    while duration is None or time.monotonic() - began < duration:
        wait = 1.0 if timeout is None else max(0.0, min(1.0, heard + timeout - time.monotonic()))
        for datagram in receiver.receive(wait):
            found = first.take(datagram)
            if found is not None:
                heard = time.monotonic()
                yield found
        if timeout is not None and time.monotonic() - heard >= timeout:
            raise errors.NoAnswer(
                f"no frame came for {timeout:g} s", hint="dsmrctl listen says more"
            )


def recorded(
    items: Iterable[Item], intake: Intake, on_note: Callable[[str], None] = lambda text: None
) -> Iterator[dict[str, Any]]:
    """The same of a recording of frames, `clocked`: the hour is that of when they came."""
    from dsmrctl.network.multicast import Datagram

    first = _First(intake, on_note, "reading", clocked=True)
    for item in items:
        host, _, port = item.sender.rpartition(":")
        sender = (host, int(port) if port.isascii() and port.isdigit() else 0)
        found = first.take(Datagram(item.data, sender, item.time_ns))
        if found is not None:
            yield found


class _First:
    """Takes the good frames of the sender that was first, and tells of others once each."""

    def __init__(
        self, intake: Intake, note: Callable[[str], None], doing: str, clocked: bool
    ) -> None:
        self._intake = intake
        self._note = note
        self._doing = doing
        self._clocked = clocked
        self._first: str | None = None
        self._others: set[str] = set()

    def take(self, datagram: Datagram) -> dict[str, Any] | None:
        from dsmrctl.network import frames
        from dsmrctl.terminal.output import safe

        received = self._intake.take(datagram)
        if received is None:
            return None
        sender = received.sender[0]
        if self._first is None:
            self._first = sender
            self._note(f"{self._doing} the frames of {safe(sender, 60)}")
        if sender != self._first:
            if sender not in self._others and len(self._others) < _MOST_OTHERS:
                self._others.add(sender)
                self._note(f"{safe(sender, 60)} sends frames too; they are left out")
            return None
        found = frames.quantities(received)
        if self._clocked:
            found["time"] = _by_the_meter(received)
        return found


def _by_the_meter(received: Received) -> str:
    """ISO 8601, local: the moment nearest to its arrival at which the meter's clock says so."""
    utc = received.time_ns // 10**9
    frame = received.frame
    if frame.minute is not None and frame.second is not None:
        utc += (frame.minute * 60 + frame.second - utc + 1800) % 3600 - 1800
    return datetime.fromtimestamp(utc).astimezone().isoformat()
