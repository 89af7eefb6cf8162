"""dsmrctl replay: a recording onto the network again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import reading, replay_places
from dsmrctl.commands.replay_range import Range
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.commands.replay_meter import MeterFile
    from dsmrctl.network.reframing import Reframer
    from dsmrctl.network.replaying import Replay, Report
    from dsmrctl.recordings.item import Item
    from dsmrctl.recordings.opening import Recording

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A recording: NDJSON, pcap or pcapng, gzipped or not; - for standard input. With "
        "--onto also a file of telegrams as they are.",
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
        help="Where telegrams go: pty, tcp://[ADDR:]PORT, or a serial port, 8N1 (UNPROVEN: to a "
        "real interface board, through a programmer in UART mode).",
    ),
]


def replay(
    context: typer.Context,
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
    real relays, so it names the boards on it, and asks. Telegrams go --onto a
    pseudo terminal, TCP or a serial port instead. At the end it says how late
    they were, and what was not sent.

    \b
    Examples:
      dsmrctl replay frames.ndjson --speed 60
      dsmrctl replay evening.pcapng --now --nic eth0
      dsmrctl replay telegrams.ndjson.gz --onto tcp://8088 --loop
    """
    from dsmrctl.gateway.service import parse_speed

    terminal = Terminal(as_json)
    times = parse_speed(speed)
    span = Range(begin, end)
    if loop and file == "-":
        raise errors.UsageError("standard input comes only once", hint="--loop needs a file")
    key = _key(sign, frame_key_file)
    signal.signal(signal.SIGTERM, _terminated)
    with ExitStack() as stack:
        first = stack.enter_context(_opened(file, captured_port, onto, terminal.note))
        wanted = _Wanted(first, span, count)
        reframer = None
        if first.kind == "telegrams":
            if sign or now or _typed(context, "nic", "group"):
                raise errors.UsageError(
                    f"{safe(first.name)} is a recording of telegrams, not of frames",
                    hint="leave out --sign, --now, --nic and --group; dsmrctl serve makes frames",
                )
            send, finish = replay_places.outlet(terminal, stack, onto, baud)
        else:
            if onto is not None:
                raise errors.UsageError(
                    f"{safe(first.name)} is a recording of frames: they go onto the network",
                    hint="leave out --onto; --group and --nic say where",
                )
            send, finish, reframer = _network(terminal, stack, group, nic, yes, now, key, times)
        player = _player(terminal, send, times, longest_gap)
        try:
            player.run(wanted.items(first))
            while loop and wanted.any and not wanted.enough:
                if reframer is not None:
                    reframer.again()
                with _opened(file, captured_port, onto) as again:
                    player.run(wanted.items(again))
            finish()
        finally:
            _tell(terminal, player.report, first, reframer)
        return _outcome(player.report, first, span)


app = options.command(replay)


def _opened(
    file: str, port: int, onto: str | None, note: Callable[[str], None] = lambda text: None
) -> Recording | MeterFile:
    """The recording; where telegrams have a place to go to, also a file of them as they are."""
    from dsmrctl.recordings.opening import open_recording

    path = None if file == "-" else Path(file)
    try:
        return open_recording(path, on_note=note, port=port)
    except errors.BadData as reason:
        if path is None or onto is None:
            raise
        from dsmrctl.commands.replay_meter import MeterFile

        found = MeterFile(path, note)
        if found.started_ns:
            return found
        found.close()
        raise reason from None


class _Wanted:
    """Which items are meant, and whether there are enough."""

    def __init__(self, recording: Recording | MeterFile, span: Range, count: int | None) -> None:
        self.any = False
        self._left = count
        self._from_ns, self._to_ns = span.of(recording.started_ns)

    @property
    def enough(self) -> bool:
        return self._left == 0

    def items(self, recording: Recording | MeterFile) -> Iterator[Item]:
        for item in recording:
            if not self._from_ns <= item.time_ns < self._to_ns:
                continue
            self.any = True
            yield item
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    return


def _typed(context: typer.Context, *names: str) -> bool:
    """Whether one was given here; what an environment or preferences say is for all commands."""
    sources = [context.get_parameter_source(name) for name in names]
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


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
) -> tuple[replay_places.Send, replay_places.Finish, Reframer]:
    """Where frames go, and what is changed in them."""
    from dsmrctl.network.reframing import Reframer

    sender, here = replay_places.network(terminal, stack, group, nic, sure)
    if key is not None and speed != 1 and not here:
        terminal.note(
            "signed faster than the clock: afterwards boards refuse their interface's frames for "
            "as long as was sent ahead"
        )
    reframer = Reframer(current=current, live=speed == 1, key=key)
    told = key is not None

    def send(data: bytes) -> None:
        nonlocal told
        sender.send(reframer(data))
        if not told and (reframer.kept["signed"] or reframer.kept["old-counter"]):
            told = True
            terminal.note(
                "its frames are signed: boards with a key refuse them, as their counters are old; "
                "--sign signs anew"
            )

    return send, lambda: None, reframer


def _tell(
    terminal: Terminal, report: Report, recording: Recording | MeterFile, reframer: Reframer | None
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


def _outcome(report: Report, recording: Recording | MeterFile, span: Range) -> int:
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
