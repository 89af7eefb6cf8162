"""All checks, what must be waited for at the same time, and what the findings say of each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from dsmrctl import errors
from dsmrctl.diagnosis import boards, frames, meter, network, serial_ports, this_computer
from dsmrctl.diagnosis.finding import Finding, note, trouble
from dsmrctl.network import known

if TYPE_CHECKING:
    from dsmrctl.network.census import Census
    from dsmrctl.telegram.sources import Source

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What is to be looked at. timeout: seconds to wait for frames and telegrams, None: usual.

    source: opens the meter's source; port: its path, when it is a serial port. key: of frames.
    """

    group: tuple[str, int]
    nic: str | None = None
    timeout: float | None = None
    layout: tuple[str, ...] | None = None
    key: bytes | None = None
    source: Callable[[], Source] | None = None
    port: str | None = None
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")


class Later(Generic[T]):
    """Work in a thread that a Ctrl-C need not wait for; `result` gives or raises what it did."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._given: list[T] = []
        self._wrong: list[BaseException] = []

        def run() -> None:
            try:
                self._given.append(work())
            except BaseException as error:
                self._wrong.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Waits for it."""
        while self._thread.is_alive():
            self._thread.join(0.5)
        if self._wrong:
            raise self._wrong[0]
        return self._given[0]


def look(asked: Asked) -> Iterator[Finding]:
    """Every finding, those that need no waiting first. Raises NotFound for an unknown --nic."""
    from dsmrctl.network import nics
    from dsmrctl.network.multicast import Receiver

    wanted = None if asked.nic is None else [asked.nic]
    there = nics.find(wanted)
    with ExitStack() as stack:
        later_meter = later_frames = receiver = shut = None
        if asked.source is not None:
            opening, wait = asked.source, asked.timeout or meter.WAIT_S
            # Who uses the port is asked before we do.
            ports = list(serial_ports.check(proc=asked.proc, sys=asked.sys, asked=asked.port))
            later_meter = Later(lambda: list(meter.listen(opening, wait)))
        else:
            ports = list(serial_ports.check(proc=asked.proc, sys=asked.sys))
        try:
            receiver = stack.enter_context(Receiver(*asked.group, wanted))
        except errors.DsmrError as error:
            shut = error
        if receiver is not None:
            listening = receiver
            later_frames = Later(
                lambda: frames.listen(
                    listening, asked.timeout or frames.WAIT_S, asked.layout, asked.key
                )
            )
        before = known.read()
        later_census = Later(lambda: _census(asked))
        yield from this_computer.check()
        yield from ports
        here = list(network.check(there, receiver, asked.group, proc=asked.proc, sys=asked.sys))
        heard = later_frames.result() if later_frames is not None else None
        yield from (_beside(each, heard) for each in here)
        if shut is not None:
            yield trouble("membership", shut.message, shut.hint or "")
        if later_meter is not None:
            yield from later_meter.result()
        yield from _frames(asked, heard)
        try:
            census = later_census.result()
        except (errors.DsmrError, OSError) as error:
            yield trouble("board-answers", f"boards cannot be looked for: {error}", "see mdns")
            return
        yield from boards.check(census, heard is not None and heard.intake.good > 0, before)


def _census(asked: Asked) -> Census:
    from dsmrctl.network import census

    return census.take(min(boards.WAIT_S, asked.timeout or boards.WAIT_S), asked.nic)


def _frames(asked: Asked, heard: frames.Heard | None) -> Iterator[Finding]:
    from dsmrctl.network.multicast import format_group

    if heard is None:
        return
    group = format_group(*asked.group)
    yield from frames.judge(heard, group, asked.key is not None, frames.last_heard(group))
    if heard.intake.good:
        frames.remember(group, datetime.now().astimezone())


def _beside(finding: Finding, heard: frames.Heard | None) -> Finding:
    """A finding of the network in the light of what was heard: frames from others disprove it."""
    if heard is None or finding.severity != "trouble" or finding.name != "firewall":
        return finding
    if not any(not sender.startswith("127.") for sender in heard.senders):
        return finding
    return note(
        finding.name, f"{finding.what}, as it seems; yet frames come", finding.next, **finding.data
    )
