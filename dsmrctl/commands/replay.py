"""dsmrctl replay: a recording onto the network again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import reading
from dsmrctl.commands.replay_range import Range
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.reframing import Reframer
    from dsmrctl.network.replaying import Replay, Report
    from dsmrctl.recordings.item import Item
    from dsmrctl.recordings.opening import Recording

_LOOK_S = 2.0

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A recording: NDJSON, pcap or pcapng, gzipped or not; - for standard input.",
    ),
]
Loop = Annotated[bool, typer.Option("--loop", help="Again and again, until Ctrl-C.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MOMENT",
        help="Begin there: so long after the start (90s, 2h), a local time (07:30), or ISO 8601.",
    ),
]
To = Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="End there, as --from.")]
LongestGap = Annotated[
    float | None,
    typer.Option(
        "--longest-gap",
        parser=options.seconds,
        metavar="TIME",
        help="Cut longer pauses in the recording to this.",
    ),
]
CapturedPort = Annotated[
    int,
    typer.Option(
        "--captured-port", min=1, max=65535, metavar="N",
        help="Of a capture (pcap, pcapng): the UDP port its frames were sent to.",
    ),
]  # fmt: skip
Now = Annotated[
    bool, typer.Option("--now", help="Minute and second in the frames become the current ones.")
]
Sign = Annotated[
    bool, typer.Option("--sign", help="Sign the frames, with the key of --frame-key-file.")
]
Onto = Annotated[
    str | None,
    typer.Option(
        "--onto",
        metavar="PLACE",
        help="Where telegrams go: pty, tcp://[ADDR:]PORT, or a serial port.",
    ),
]


def replay(
    file: File,
    speed: options.Speed = "1",
    loop: Loop = False,
    begin: From = None,
    end: To = None,
    longest_gap: LongestGap = None,
    captured_port: CapturedPort = 8266,
    now: Now = False,
    sign: Sign = False,
    frame_key_file: options.FrameKeyFile = None,
    group: options.Group = None,
    nic: options.Nic = None,
    onto: Onto = None,
    baud: options.Baud = 115200,
    count: options.Count = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> int:
    """Send a recording onto the network again, at its own times.

    Frames stay on this computer unless --nic names a network: there they switch
    real relays, so it asks when boards are on it. Telegrams go --onto a pseudo
    terminal, TCP or a serial port instead. At the end it says how late they were.

    \b
    Examples:
      dsmrctl replay frames.ndjson --speed 60
      dsmrctl replay evening.pcapng --now --nic eth0
      dsmrctl replay telegrams.ndjson.gz --onto tcp://8088 --loop
    """
    from dsmrctl.gateway.service import parse_speed
    from dsmrctl.recordings.opening import open_recording

    terminal = Terminal(as_json)
    times = parse_speed(speed)
    span = Range(begin, end)
    if loop and file == "-":
        raise errors.UsageError("standard input comes only once", hint="--loop needs a file")
    key = _key(sign, frame_key_file)
    path = None if file == "-" else Path(file)

    def opened(note: Callable[[str], None] = lambda _: None) -> Recording:
        return open_recording(path, on_note=note, port=captured_port)

    signal.signal(signal.SIGTERM, _terminated)
    with ExitStack() as stack:
        first = stack.enter_context(opened(terminal.note))
        if first.kind == "telegrams":
            if sign or now or nic or group:
                raise errors.UsageError(
                    f"{safe(first.name)} is a recording of telegrams, not of frames",
                    hint="leave out --sign, --now, --nic and --group; dsmrctl serve makes frames",
                )
            send: Callable[[bytes], Any] = _outlet(terminal, stack, onto, baud)
            reframer = None
        else:
            if onto is not None:
                raise errors.UsageError(
                    f"{safe(first.name)} is a recording of frames: they go onto the network",
                    hint="leave out --onto; --group and --nic say where",
                )
            send, reframer = _network(terminal, stack, group, nic, yes, now, key, times)
        player = _player(terminal, send, times, longest_gap)
        sent = _Sent(first, span, count)
        try:
            player.run(sent.items(first))
            while loop and sent.any and not sent.enough:
                if reframer is not None:
                    reframer.again()
                with opened() as again:
                    player.run(sent.items(again))
        finally:
            _tell(terminal, player.report, first, reframer)
        return _outcome(player.report, first, span)


app = options.command(replay)


class _Sent:
    """Which items are meant, and whether there are enough."""

    def __init__(self, recording: Recording, span: Range, count: int | None) -> None:
        self.any = False
        self._left = count
        self._from_ns, self._to_ns = span.of(recording.started_ns)

    @property
    def enough(self) -> bool:
        return self._left == 0

    def items(self, recording: Recording) -> Iterator[Item]:
        for item in recording:
            if not self._from_ns <= item.time_ns < self._to_ns:
                continue
            if self._left is not None:
                if self._left == 0:
                    return
                self._left -= 1
            self.any = True
            yield item


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _key(sign: bool, file: str | None) -> bytes | None:
    if not sign:
        if file is not None:
            raise errors.UsageError("the key is for --sign", hint="add --sign, or leave it out")
        return None
    key = reading.frame_key(file)
    if key is None:
        raise errors.UsageError(
            "which key shall sign?", hint="--frame-key-file FILE (- for standard input), or "
            "DSMRCTL_FRAME_KEY",
        )  # fmt: skip
    return key


def _player(
    terminal: Terminal, send: Callable[[bytes], Any], speed: float | None, longest: float | None
) -> Replay:
    from dsmrctl.network.replaying import Replay

    def pause(seconds: float) -> None:
        terminal.note(
            f"nothing was recorded for a while: {seconds:.0f} s of waiting (--longest-gap cuts it)"
        )

    return Replay(send, speed=speed, longest_s=longest, on_pause=pause)


def _network(
    terminal: Terminal,
    stack: ExitStack,
    group: tuple[str, int] | None,
    nic: str | None,
    sure: bool,
    current: bool,
    key: bytes | None,
    speed: float | None,
) -> tuple[Callable[[bytes], Any], Reframer]:
    """Where frames go, and what is changed in them. Asks before real relays switch."""
    from dsmrctl.network import multicast
    from dsmrctl.network.reframing import Reframer

    address, port = group or (multicast.GROUP, multicast.PORT)
    here = nic is None and (multicast.is_multicast(address) or address.startswith("127."))
    if not here:
        _ask_before_switching(terminal, address, nic, sure)
    sender = stack.enter_context(multicast.Sender(address, port, nic, ttl=0 if here else 1))
    where = " on this computer only; --nic NAME sends them on a network" if here else ""
    terminal.note(f"frames to {address}:{port}{where or (f' on {nic}' if nic else '')}")
    if key is not None and speed != 1 and not here:
        terminal.note(
            "signed faster than the clock: afterwards boards refuse their interface's frames for "
            "as long as was sent ahead"
        )
    reframer = Reframer(current=current, key=key)
    return lambda data: sender.send(reframer(data)), reframer


def _ask_before_switching(terminal: Terminal, address: str, nic: str | None, sure: bool) -> None:
    """A recording switches real relays. Raises UsageError where nobody can be asked, Refused."""
    if sure:
        return
    from dsmrctl.commands import asking
    from dsmrctl.network import discovery

    where = nic or f"the way to {address}"
    heard = discovery.browse(_LOOK_S, nic, foreign=True)
    names = [one.name for one in heard.boards.values()]
    names += [f"{one.board} at {one.address}" for one in heard.foreign.values()]
    if not names:
        terminal.note(f"no board was found on {where}; who hears the frames switches by them")
        return
    shown = ", ".join(safe(name, 40) for name in sorted(names)[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    person = asking.Asked(terminal, sure)
    if not person.sure([f"real boards on {where} switch by what is recorded: {shown}{more}"]):
        raise errors.Refused("nothing was sent")


def _outlet(
    terminal: Terminal, stack: ExitStack, onto: str | None, baud: int
) -> Callable[[bytes], Any]:
    """Where telegrams go. Raises UsageError, Refused, NotFound."""
    if onto is None:
        raise errors.UsageError(
            "telegrams go where?",
            hint="--onto pty, tcp://8088 or a serial port; dsmrctl serve FILE makes frames of them",
        )
    if onto == "pty":
        from dsmrctl.virtual.meter_outlets import PtyOutlet

        pty = stack.enter_context(PtyOutlet())
        terminal.note(f"telegrams on {pty.path}")
        return pty.send
    if onto.startswith("tcp://"):
        from dsmrctl.gateway.tcp_feed import TelegramFeed, parse_address

        host, port = parse_address(onto.removeprefix("tcp://"))
        feed = stack.enter_context(TelegramFeed(host, port))
        terminal.note(f"telegrams on tcp://{host}:{feed.port}")
        return feed.send
    from dsmrctl.virtual.meter_outlets import SerialOutlet

    line = stack.enter_context(SerialOutlet(onto, baud))
    terminal.note(f"telegrams to {onto} at {baud} bits/s")
    return line.send


def _tell(
    terminal: Terminal, report: Report, recording: Recording, reframer: Reframer | None
) -> None:
    """At the end, however it came: what was sent, how late, and what was not."""
    from dsmrctl.network import reframing

    late = [report.late_ms(part) for part in (0.5, 0.99)]
    if terminal.json:
        told = {"kind": recording.kind, "sent": report.sent}
        told["late_p50_ms"], told["late_p99_ms"] = (
            None if each is None else round(each, 3) for each in late
        )
        told |= {"not_sent": {safe(why): n for why, n in report.not_sent.items()}}
        told |= {"skipped": dict(recording.skipped)}
        told |= {"unchanged": dict(reframer.kept) if reframer else {}}
        terminal.record(told | {"set_back": report.set_back, "held_up": report.held_up})
        return
    line = f"{report.sent} {recording.kind} sent"
    if late[0] is not None:
        line += f", late: half of them under {late[0]:.3f} ms, 99 % under {late[1]:.3f} ms"
    terminal.note(line)
    for why, number in report.not_sent.most_common():
        terminal.note(f"  {number} not sent: {safe(why)}")
    if report.held_up:
        terminal.note(f"  {report.held_up} times this computer was held up, or slept")
    if report.set_back:
        terminal.note(f"  {report.set_back} times the clock was set back in the recording")
    if reframer is not None:
        for why, number in reframer.kept.most_common():
            terminal.note(f"  {number} {reframing.REASONS[why]}")
        if reframer.ahead_s > 1:
            terminal.note(
                f"  boards refuse frames signed by the clock for {reframer.ahead_s} s now"
            )


def _outcome(report: Report, recording: Recording, span: Range) -> int:
    """The exit code. Raises BadData when nothing was in it, UsageError when all was left out."""
    if report.sent:
        return errors.DONE
    if report.not_sent:
        raise errors.DsmrError("nothing could be sent", hint="dsmrctl doctor looks at the network")
    if recording.started_ns and span.given:
        raise errors.UsageError(
            "nothing was recorded between --from and --to",
            hint=f"the recording begins at {span.text(recording.started_ns)}",
        )
    raise errors.BadData(
        f"no {recording.kind} are in {safe(recording.name)}",
        hint="--captured-port names another port of a capture" if recording.ports else None,
    )
