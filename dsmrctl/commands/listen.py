"""dsmrctl listen: the frames on the network, as they come."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import listen_kept, listen_raw, reading
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsmrctl.network.frames import Intake, Received
    from dsmrctl.network.multicast import Receiver

# Without --timeout it waits for ever, but says once that nothing comes.
NOTE_S = 30.0
# The live view: drawn at most so often for frames, and at least once a second for the age.
_DRAW_S = 0.1
_TICK_S = 1.0
_HINTS_S = 5.0
_SILENT_S = 10.0  # a board that hears nothing for so long switches its outputs off


Raw = Annotated[
    bool, typer.Option("--raw", help="As it comes, whatever it is; nothing is made of it.")
]
Stats = Annotated[
    bool, typer.Option("--stats", help="How regularly they come, instead of each frame.")
]
From = Annotated[
    str | None,
    typer.Option("--sender", metavar="ADDR", help="Only what this address sends.", parser=str),
]


def listen(
    count: options.Count = None,
    timeout: options.Timeout = None,
    duration: options.Duration = None,
    group: options.Group = None,
    nic: options.Nic = None,
    layout: options.Layout = None,
    raw: Raw = False,
    frame_key_file: options.FrameKeyFile = None,
    record: options.Record = None,
    stats: Stats = False,
    sender: From = None,
    as_json: options.Json = False,
) -> int:
    """Show the frames on the network as they come.

    On a terminal a live view; into a pipe one line a frame. Quarter and forecast
    are computed where frames do not say them, once a whole quarter was followed.
    Exit 4 when nothing good came in time, or fewer than --count. --raw numbers the
    elements of frames in any order, so that it can be read off and named to --layout.
    --record keeps what came as it came, to show, replay or look at in Wireshark later.

    \b
    Examples:
      dsmrctl listen
      dsmrctl listen --raw --count 6 --timeout 10s
      dsmrctl listen --json --count 3 --timeout 10s
      dsmrctl listen --record frames.pcapng --duration 2s
      dsmrctl listen --stats --duration 2s
      dsmrctl listen --nic eth0
    """
    from dsmrctl.network import frames, multicast

    terminal = Terminal(as_json)
    if raw and stats:
        raise errors.UsageError("--raw has no --stats", hint="ask for one of them")
    if raw and (layout is not None or frame_key_file is not None):
        raise errors.UsageError(
            "--raw gives no element a name and checks no key",
            hint="leave --layout and --frame-key-file out",
        )
    names = None if layout is None else frames.parse_layout(layout)
    key = reading.frame_key(frame_key_file)
    address, port = group or (multicast.GROUP, multicast.PORT)
    only = None if sender is None else multicast.parse_group(sender)[0]
    with contextlib.ExitStack() as opened:
        receiver = opened.enter_context(multicast.Receiver(address, port, [nic] if nic else None))
        recorder = None
        if record is not None:
            recorder = opened.enter_context(listen_kept.Recorder(terminal, record, receiver, nic))
        if record is not None or stats:
            opened.enter_context(listen_kept.until_terminated())
        if raw:
            return listen_raw.follow(
                terminal, receiver, count=count, timeout=timeout, duration=duration,
                recorder=recorder, only=only,
            )  # fmt: skip
        return follow(
            terminal, receiver, layout=names, key=key, count=count, timeout=timeout,
            duration=duration, recorder=recorder, stats=stats, only=only,
        )  # fmt: skip


app = options.command(listen)


def follow(
    terminal: Terminal,
    receiver: Receiver,
    *,
    layout: tuple[str, ...] | None = None,
    key: bytes | None = None,
    count: int | None = None,
    timeout: float | None = None,
    duration: float | None = None,
    title: str = "dsmrctl listen",
    beside: Callable[[bool], list[str]] | None = None,
    recorder: listen_kept.Recorder | None = None,
    stats: bool = False,
    only: str | None = None,
) -> int:
    """Show what a receiver hears until `count`, silence of `timeout` or `duration`; exit code.

    beside: lines of what else is to be seen, for the live view; given False, in ASCII.
    recorder: takes all that comes; only: from this address. stats: their statistics at the end.

    Raises NoAnswer when no good frame came in time, or fewer than `count`.
    """
    from dsmrctl.network.frames import Intake

    intake = Intake(layout, key)
    counted = None
    if stats:
        counted = listen_kept.Counted(receiver, intake)
        beside = counted.lines
    view = (
        Live(terminal, receiver, intake, title, beside)
        if terminal.live
        else Lines(terminal, receiver, intake, silent=stats)
    )
    arriving = listen_kept.Arriving(receiver, recorder, only)
    try:
        with view:
            _follow(arriving, intake, view, counted, count, timeout, duration)
    finally:
        arriving.tell(terminal)
        if counted is not None:
            counted.tell(terminal)
        else:
            _tell(terminal, receiver, intake)
    if intake.good and (count is None or intake.good >= count):
        return errors.DONE
    shortest = min(each for each in (timeout, duration) if each is not None)
    what = f"no frame came for {shortest:g} s"
    if intake.good:
        what = f"only {intake.good} of {count} frames came"
    raise errors.NoAnswer(what, hint="\n".join(hints(receiver, intake)))


def _follow(
    arriving: listen_kept.Arriving, intake: Intake, view: Lines | Live,
    counted: listen_kept.Counted | None,
    count: int | None, timeout: float | None, duration: float | None,
) -> None:  # fmt: skip
    started = heard = time.monotonic()
    ends = started + duration if duration is not None else float("inf")
    gives_up = heard + timeout if timeout is not None else float("inf")
    while True:
        now = time.monotonic()
        if now >= ends or now >= gives_up:
            return
        view.idle(now - heard)
        for datagram in arriving.receive(min(_TICK_S, ends - now, gives_up - now)):
            received = intake.take(datagram)
            if received is None:
                continue
            if counted is not None:
                counted.take(datagram)
            heard = time.monotonic()
            if timeout is not None:
                gives_up = heard + timeout
            view.frame(received)
            if intake.good == count:
                return


def hints(receiver: Receiver, intake: Intake) -> list[str]:
    """What to look at when no frame comes, the likeliest first."""
    from dsmrctl.network.multicast import format_group

    found = [f"came, but no frame: {line}" for line in intake.explain_refused()]
    group = format_group(receiver.group, receiver.port)
    if receiver.joined:
        networks = sorted(receiver.joined)
        named = ", ".join(networks[:3]) + (f" and {len(networks) - 3} more" * (len(networks) > 3))
        found += [
            f"listening to {group} on {named}",
            "is the interface board in one of these networks? --nic names one",
            "does it have power, and does its LED blink once a second?",
            "a router or access point may block multicast: set the interface's",
            "frame_target to this computer's address, and listen --group ADDRESS",
        ]
    else:
        found.append(f"listening at {group}: is this the interface's frame_target?")
    found.append(f"a firewall here: let UDP port {receiver.port} in")
    found.append("nothing bought yet? run dsmrctl demo in another terminal")
    return found


def _tell(terminal: Terminal, receiver: Receiver, intake: Intake) -> None:
    """What was refused or lost, at the end on stderr; silent when all was well."""
    if not intake.refused and not receiver.dropped:
        return
    if terminal.json:
        refused = dict(intake.refused.most_common())
        told = {"frames": intake.good, "refused": refused, "lost": receiver.dropped}
        terminal.record_note(told)
        return
    if intake.refused:
        terminal.note(f"{intake.good} frames, {intake.refused.total()} refused:")
        for line in intake.explain_refused():
            terminal.note(f"  {line}")
    if receiver.dropped:
        terminal.note(f"{receiver.dropped} lost: this computer was too busy to read them")


class Lines:
    """One line a frame, or one JSON line, out at once; `silent`: none, only that nothing comes."""

    def __init__(
        self, terminal: Terminal, receiver: Receiver, intake: Intake, silent: bool = False
    ) -> None:
        self._silent = silent
        self._terminal = terminal
        self._receiver = receiver
        self._intake = intake
        self._noted = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def frame(self, received: Received) -> None:
        from dsmrctl.network import frames

        if self._silent:
            return
        if self._terminal.json:
            self._terminal.record(frames.document(received))
        else:
            self._terminal.line(line_of(received), flush=True)

    def idle(self, silent_s: float) -> None:
        if silent_s < NOTE_S or self._noted or self._intake.good:
            return
        self._noted = True
        lines = [f"no frame for {NOTE_S:g} s; still waiting", *hints(self._receiver, self._intake)]
        if self._terminal.json:
            self._terminal.record_note({"note": lines[0], "hint": "\n".join(lines[1:])})
        else:
            self._terminal.note("\n  ".join(lines))


def line_of(received: Received) -> str:
    """A frame in one line of aligned columns, `-` for unknown: made for grep and awk."""
    from dsmrctl.network import frames
    from dsmrctl.terminal.live import kwh

    found = frames.quantities(received)

    def watts(name: str) -> str:
        value = found[f"{name}_w"]
        return f"{'-' if value is None else value:>6} W"

    def register(name: str) -> str:
        return f"{kwh(found[f'{name}_wh'], '-').replace(' ', ''):>10} kWh"

    frame = received.frame
    clock = "-" if frame.minute is None else f"{frame.minute:02d}:{frame.second or 0:02d}"
    columns = (
        datetime.fromisoformat(found["time"]).isoformat(timespec="seconds"),
        f"import {watts('import')}",
        f"export {watts('export')}",
        f"tariff {found['tariff'] or '-'}",
        f"quarter {watts('quarter')}",
        f"forecast {watts('forecast')}",
        f"peak {watts('month_peak')}",
        f"t1 {register('import_t1')}",
        f"t2 {register('import_t2')}",
        f"clock {clock:>5}",
        f"from {received.sender[0]}",
    )
    return "  ".join(columns)


class Live:
    """The live view of the newest frame."""

    def __init__(
        self, terminal: Terminal, receiver: Receiver, intake: Intake, title: str,
        beside: Callable[[bool], list[str]] | None = None,
    ) -> None:  # fmt: skip
        from dsmrctl.terminal.live import LiveView

        self._screen = LiveView(terminal)
        self._title = title
        self._beside = beside
        self._receiver = receiver
        self._intake = intake
        self._newest: Received | None = None
        self._drawn = float("-inf")

    def __enter__(self) -> Live:
        self._screen.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._screen.__exit__(*raised)

    def frame(self, received: Received) -> None:
        self._newest = received
        if time.monotonic() - self._drawn >= _DRAW_S:
            self._draw(0.0)

    def idle(self, silent_s: float) -> None:
        if time.monotonic() - self._drawn >= _TICK_S * 0.9:
            self._draw(silent_s)

    def _draw(self, silent_s: float) -> None:
        self._drawn = time.monotonic()
        view = view_of(self._receiver, self._intake, self._newest, silent_s)
        view.title = self._title
        if self._beside is not None:
            view.beside = self._beside(self._screen.fancy)
        self._screen.show(view)


def view_of(receiver: Receiver, intake: Intake, newest: Received | None, silent_s: float) -> Any:
    """What the live view shows of the newest frame and the counts."""
    from dsmrctl.firmware.core.demand import LEAST_W
    from dsmrctl.network import frames
    from dsmrctl.network.multicast import format_group
    from dsmrctl.terminal.live import FrameView

    view = FrameView(
        where=format_group(receiver.group, receiver.port),
        age_s=silent_s,
        least_w=LEAST_W,
        silent_s=_SILENT_S,
        frames=intake.good,
        refused=intake.refused.total(),
        lost=receiver.dropped,
        senders=len(intake.senders),
    )
    if intake.refused:
        view.refused_why = frames.REASONS[intake.refused.most_common(1)[0][0]]
    if newest is None:
        view.hints = hints(receiver, intake) if silent_s >= _HINTS_S else ()
        return view
    frame = newest.frame
    view.sender = f"{newest.sender[0]}:{newest.sender[1]}"
    view.version, view.tail = frame.version, frame.tail
    view.minute, view.second = frame.minute, frame.second
    view.elapsed_s = frames.elapsed_s(frame)
    view.values = frames.quantities(newest)
    return view
