"""dsmrctl log: history kept and shown."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import log_show, reading
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.history.recorder import Recorder
    from dsmrctl.recordings.opening import Recording
    from dsmrctl.telegram.archive import Block
    from dsmrctl.telegram.sources import Source

app = options.new_app("Keep what the meter says, and show days, months and years.")

LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        envvar="DSMRCTL_LOG",
        help="The log; without it the user's own.",
    ),
]
FromWhere = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]",
        help="frames (those on the network), or telegrams: a serial port, tcp://host:port, a file, "
        "- or household; or a recording of either. Without it: frames.",
    ),
]


@app.command()
def record(
    context: typer.Context,
    source: FromWhere = "frames",
    log: LogFile = None,
    group: options.Group = None,
    nic: options.Nic = None,
    frame_key_file: options.FrameKeyFile = None,
    count: options.Count = None,
    timeout: options.Timeout = None,
    duration: options.Duration = None,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    as_json: options.Json = False,
) -> int:
    """Keep every second for 30 days, and quarters for ever, in one SQLite file.

    Written twice a minute and once more at the end: a power cut costs half a minute.
    Frames carry no export registers, and say only minute and second: the hour is
    that of when they came. Telegrams have all of it. A file may be read again: no
    second counts twice.

    \b
    Examples:
      dsmrctl log record --duration 3s --log frames.db
      dsmrctl log record meter.raw --log meter.db
      dsmrctl log record frames.ndjson --log evening.db
      dsmrctl log record /dev/ttyUSB0
    """
    from dsmrctl.history import schema
    from dsmrctl.history.recorder import Recorder

    terminal = Terminal(as_json)
    signal.signal(signal.SIGTERM, _terminated)
    path = log or schema.default_path()
    with ExitStack() as stack:
        finish: Callable[[], int] = lambda: errors.DONE  # noqa: E731
        blocks: Iterator[Block] | None = None
        found: Iterator[dict[str, Any]] = iter(())
        recording = None if source == "frames" else _recorded(terminal, stack, source, group)
        if source == "frames":
            key = reading.frame_key(frame_key_file)
            found = _frames(terminal, stack, group, nic, key, timeout, duration)
        elif recording is not None:
            from dsmrctl.gateway import from_frames
            from dsmrctl.network.frames import Intake

            intake = Intake(key=reading.frame_key(frame_key_file))
            found = from_frames.recorded(recording, intake, terminal.note)
        else:
            if _typed(context, "group", "nic", "frame_key_file"):
                raise errors.UsageError(
                    "--group, --nic and --frame-key-file are for frames",
                    hint="leave them out, or SOURCE",
                )
            opened = stack.enter_context(
                reading.open_telegrams(
                    source, terminal, dsmr2=dsmr2, key=reading.meter_key(meter_key_file)
                )
            )
            tally = reading.Tally()
            finish = partial(tally.finish, terminal, opened.name)
            if source and not opened.live and opened.key is None and count is None:
                blocks = _blocks(source, opened, tally)
            found = _live(opened, tally, timeout, duration)
        recorder = stack.enter_context(Recorder(path, on_note=terminal.note))
        try:
            _keep(recorder, found, blocks, count)
        finally:
            try:
                recorder.close()
            finally:
                _tell(terminal, recorder, path)
        if not recorder.taken:
            if source == "frames":
                raise errors.NoAnswer("no frame came", hint="dsmrctl listen says more")
            if recording is not None:
                raise errors.BadData(
                    f"no good frame is in {source}", hint="dsmrctl replay it, and dsmrctl listen"
                )
            finish()
            raise errors.BadData(
                "no telegram had a time that could be kept", hint="dsmrctl telegram decode shows it"
            )
        if count is not None and recorder.taken < count:
            raise errors.NoAnswer(f"only {recorder.taken} of {count} came")
        return finish()


app.command()(log_show.show)


def _typed(context: typer.Context, *names: str) -> bool:
    """Whether one was given here; what an environment or preferences say is for all commands."""
    sources = [context.get_parameter_source(name) for name in names]
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _keep(
    recorder: Recorder,
    found: Iterator[dict[str, Any]],
    blocks: Iterator[Block] | None,
    count: int | None,
) -> None:
    """All that is found, or as fast as it goes an archive's blocks."""
    if blocks is not None:
        from dsmrctl.history.telegrams import of_block

        for block in blocks:
            for utc, offset_s, values in of_block(block):
                recorder.take_row(utc, offset_s, values)
        return
    for one in found:
        recorder.take(one)
        if count is not None and recorder.taken >= count:
            return


def _blocks(source: str, opened: Source, tally: reading.Tally) -> Iterator[Block] | None:
    """A file by the block, when numpy is there and its meter is of the usual kind."""
    from dsmrctl.telegram import columns

    if source == "-" or not _by_tariff(source):
        return None
    blocks = columns.blocks_of(opened)
    return None if blocks is None else tally.watch_blocks(blocks)


def _tell(terminal: Terminal, recorder: Recorder, path: Path) -> None:
    if terminal.json:
        terminal.record(
            {
                "log": str(path),
                "taken": recorder.taken,
                "written": recorder.written,
                "lost": recorder.lost,
            }
        )
        return
    new = "" if recorder.written == recorder.taken else f", {recorder.written} of them new"
    terminal.note(f"{recorder.taken} seconds in {path}{new}")
    if recorder.lost:
        terminal.note(f"  {recorder.lost} were lost while the disk was full")


def _frames(
    terminal: Terminal,
    stack: ExitStack,
    group: tuple[str, int] | None,
    nic: str | None,
    key: bytes | None,
    timeout: float | None,
    duration: float | None,
) -> Iterator[dict[str, Any]]:
    """The quantities of the first sender's frames, with the hour of this computer's clock."""
    from dsmrctl.gateway.from_frames import follow
    from dsmrctl.network import frames, multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    receiver = stack.enter_context(multicast.Receiver(address, port, [nic] if nic else None))
    intake = frames.Intake(key=key)
    return follow(
        receiver, intake, timeout, terminal.note, doing="recording", duration=duration, clocked=True
    )


def _recorded(
    terminal: Terminal, stack: ExitStack, source: str | None, group: tuple[str, int] | None
) -> Recording | None:
    """A file that is a recording or a capture of frames; anything else is None."""
    from dsmrctl.network.multicast import PORT
    from dsmrctl.recordings.opening import open_recording

    if source is None or not Path(source).is_file():
        return None
    port = group[1] if group else PORT
    try:
        found = open_recording(Path(source), port=port, on_note=terminal.note)
    except errors.DsmrError:
        return None  # whoever reads telegrams says what is wrong with it
    if found.kind == "frames":
        return stack.enter_context(found)
    found.close()
    return None


def _live(
    opened: Source, tally: reading.Tally, timeout: float | None, duration: float | None
) -> Iterator[dict[str, Any]]:
    """The quantities of telegrams as they come."""
    import time
    from datetime import datetime

    from dsmrctl.history.telegrams import of_telegram
    from dsmrctl.telegram.sources import telegrams

    ends = None if duration is None else time.monotonic() + duration
    stop = None if ends is None else lambda: time.monotonic() >= ends
    now = (lambda: datetime.now().astimezone()) if opened.live else None
    for telegram in tally.watch(telegrams(opened, timeout=timeout, stop=stop)):
        yield of_telegram(telegram, now)


def _by_tariff(source: str) -> bool:
    """Whether the first telegram of a file has its registers by tariff."""
    from dsmrctl.history.telegrams import by_tariff
    from dsmrctl.telegram import Reject
    from dsmrctl.telegram.sources import open_source, telegrams

    with open_source(source) as opened:
        found = (item for item in telegrams(opened) if not isinstance(item, Reject))
        first = next(found, None)
    return first is not None and by_tariff(first)
