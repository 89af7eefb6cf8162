"""What listen keeps beside showing: a recording of all that comes, statistics of how it comes."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsmrctl.recordings.item import Item
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake
    from dsmrctl.network.multicast import Datagram, Receiver

COLUMNS = ("sender", "frames", "per s", "longest s", "gaps", "missing", "p50 ms", "p99 ms")
_RIGHT = COLUMNS[1:]
_MOST_NICS = 256
# Where so many come at once, they go into the file together.
_MANY = 4


class Recorder:
    """Every datagram that comes, good or not, into a file; a context manager.

    At the end it says how many it kept. Raises as `recordings.writing.create`.
    """

    def __init__(self, terminal: Terminal, path: Path, receiver: Receiver, nic: str | None) -> None:
        from dsmrctl.recordings import writing

        self._terminal = terminal
        self._path = path
        self._nic = nic or ""
        self._nics: dict[int, str] = {}
        self._writer = writing.create(
            path, "frames", started_ns=time.time_ns(), group=(receiver.group, receiver.port)
        )

    def take(self, datagram: Datagram) -> None:
        """Raises DsmrError when the disk is full."""
        data, (address, port), time_ns, nic = datagram
        name = self._nics.get(nic)
        if name is None:
            name = self._name(nic)
        self._writer.write(Item(time_ns, f"{address}:{port}", data), name)

    def _name(self, nic: int) -> str:
        """An interface's name by its number; where the system does not tell it, what was asked."""
        name = self._nic
        if nic and len(self._nics) < _MOST_NICS:
            try:
                name = socket.if_indextoname(nic)
            except OSError:
                pass  # it is gone already
            self._nics[nic] = name
        return name

    def idle(self) -> None:
        """Whoever reads the file meanwhile sees what came so far."""
        self._writer.flush()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            self._writer.__exit__(*raised)
        finally:
            items, path = self._writer.items, safe(self._path)
            if self._terminal.json:
                self._terminal.record_note({"recorded": items, "file": path})
            else:
                self._terminal.note(f"{items} recorded in {path}")


class Arriving:
    """What arrives, of `only` one address when one is named, and recorded on the way."""

    def __init__(self, receiver: Receiver, recorder: Recorder | None, only: str | None) -> None:
        self._receiver = receiver
        self._recorder = recorder
        self._only = only
        self.others = 0

    def receive(self, timeout: float) -> Iterator[Datagram]:
        """As the receiver's, one by one: what nobody takes is not recorded either."""
        recorder, only = self._recorder, self._only
        if recorder is not None:
            recorder.idle()
        datagrams = self._receiver.receive(timeout)
        for datagram in datagrams:
            if only is not None and datagram.sender[0] != only:
                self.others += 1
                continue
            if recorder is not None:
                recorder.take(datagram)
                if len(datagrams) < _MANY:
                    recorder.idle()  # what is shown is in the file
            yield datagram

    def tell(self, terminal: Terminal) -> None:
        """What other senders sent, on stderr."""
        if self.others and terminal.json:
            terminal.record_note({"left_out": self.others})
        elif self.others:
            terminal.note(f"{self.others} from other senders left out")


@contextlib.contextmanager
def until_terminated() -> Iterator[None]:
    """SIGTERM ends as the end does: the file is closed, the statistics are told."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Counted:
    """How frames came, and what did not become one."""

    def __init__(self, receiver: Receiver, intake: Intake) -> None:
        from dsmrctl.network.statistics import Statistics, uptime_ns

        self._receiver = receiver
        self._intake = intake
        self._uptime_ns = uptime_ns
        self._statistics = Statistics()

    def take(self, datagram: Datagram) -> None:
        """A datagram that was a good frame."""
        host = datagram.sender[0]
        self._statistics.take(host, datagram.time_ns, time.time_ns(), self._uptime_ns())

    def document(self) -> dict[str, Any]:
        """The figures by name; `lost` is None where the system cannot say."""
        intake = self._intake
        found = self._statistics.document()
        found["lost"] = self._receiver.dropped
        found["refused"] = {
            reason: {
                "count": count,
                "sender": intake.first_refused[reason].sender,
                "first": intake.first_refused[reason].text,
            }
            for reason, count in intake.refused.most_common()
        }
        return found

    def lines(self, fancy: bool) -> list[str]:
        """At most four lines for the live view; they are ASCII anyhow."""
        found = self._statistics.document()
        each = list(found["senders"].values())
        if not found["frames"]:
            return []
        gaps, missing = (sum(one.get(name, 0) for one in each) for name in ("gaps", "missing"))
        longest = max((one.get("longest_s") or 0 for one in each), default=0)
        lines = [
            f"{_said(found['per_s'], 3)} frames a second; uneven by "
            f"{_said(each[0]['jitter_p50_ms'], 1)} ms, 1 in 100 by more than "
            f"{_said(each[0]['jitter_p99_ms'], 1)}",
            f"{gaps} gaps, {missing} frames missing in them; longest {longest:.2f} s",
        ]
        if len(found["senders"]) > 1:
            shown = [f"{name} {one['frames']}" for name, one in found["senders"].items()]
            lines.append(f"from {', '.join(shown)}")
        if found["clock_jumps"]:
            lines.append(_jumps(found))
        return lines

    def tell(self, terminal: Terminal) -> None:
        """All of it as data: one document with --json, else a table and lines."""
        found = self.document()
        if terminal.json:
            terminal.record(found)
            return
        rate = "" if found["per_s"] is None else f", {_said(found['per_s'], 3)} a second"
        terminal.line(f"{found['frames']} frames in {found['duration_s']:.1f} s{rate}")
        if found["senders"]:
            terminal.table(map(_row, found["senders"].items()), COLUMNS, right=_RIGHT)
        lost = found["lost"]
        terminal.line(
            "lost by this computer: " + ("not known on this system" if lost is None else f"{lost}")
        )
        for line in self._intake.explain_refused() or ["nothing"]:
            terminal.line(f"refused: {line}")
        if found["clock_jumps"]:
            terminal.line(_jumps(found))


def _jumps(found: dict[str, Any]) -> str:
    often = "once" if found["clock_jumps"] == 1 else f"{found['clock_jumps']} times"
    return f"this computer's clock was set {often}, by {found['clock_largest_jump_s']:+.1f} s"


def _row(sender: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    name, found = sender
    return (
        safe(name), f"{found['frames']}", _said(found.get("per_s"), 3),
        _said(found.get("longest_s"), 3), _said(found.get("gaps")), _said(found.get("missing")),
        _said(found.get("jitter_p50_ms"), 2), _said(found.get("jitter_p99_ms"), 2),
    )  # fmt: skip


def _said(value: float | None, places: int = 0) -> str:
    return "-" if value is None else f"{value:.{places}f}"
