"""Frames of another's interface to a broker: the manual's own reaches Home Assistant unflashed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dsmrctl import errors
from dsmrctl.firmware.core.frame import FrameError

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake
    from dsmrctl.network.multicast import Receiver


def follow(
    receiver: Receiver, intake: Intake, key: bytes | None = None, timeout: float | None = None
) -> Iterator[dict[str, Any]]:
    """The quantities of every good frame; with a `key` only of signed, newer ones.

    Raises NoAnswer after `timeout` seconds without a good one.
    """
    from dsmrctl.firmware.core.signature import Gate
    from dsmrctl.network import frames

    gate = Gate(key)
    heard = time.monotonic()
    while True:
        wait = 1.0 if timeout is None else max(0.0, min(1.0, heard + timeout - time.monotonic()))
        for datagram in receiver.receive(wait):
            if key is not None:
                try:
                    gate.take(datagram.data)
                except FrameError as error:
                    intake.refused[error.reason] += 1
                    continue
            received = intake.take(datagram)
            if received is not None:
                heard = time.monotonic()
                yield frames.quantities(received)
        if timeout is not None and time.monotonic() - heard >= timeout:
            raise errors.NoAnswer(
                f"no frame came for {timeout:g} s", hint="dsmrctl listen says more"
            )
