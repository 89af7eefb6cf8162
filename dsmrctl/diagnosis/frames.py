"""Frames, listened to for a while: whether they come, from whom, and what is wrong with them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl.diagnosis import meter
from dsmrctl.diagnosis.finding import Finding, note, ok, trouble

if TYPE_CHECKING:
    from dsmrctl.network.frames import Intake
    from dsmrctl.network.multicast import Receiver

WAIT_S = 5.0
"""An interface sends every second."""
# So long after the first, so that a second sender is heard too.
_MORE_S = 3.0
_MOST_BYTES = 4096


class Heard(NamedTuple):
    """What came while we listened. clock: (minute, second, when it came), as ns since 1970."""

    intake: Intake
    lost: int | None
    seconds: float
    foreign: int = 0
    signed: int = 0
    clock: tuple[int, int, int] | None = None

    @property
    def long(self) -> str:
        """How long we listened, for a person."""
        return f"{round(self.seconds, 1):g} s"

    @property
    def senders(self) -> list[str]:
        """Their addresses, who sent most first."""
        return [name for name, _ in self.intake.senders.most_common()]


def listen(
    receiver: Receiver,
    timeout: float = WAIT_S,
    layout: tuple[str, ...] | None = None,
    key: bytes | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Heard:
    """Listen for `timeout` seconds, or until three after the first good frame."""
    from dsmrctl.network.frames import Intake

    intake = Intake(layout, key)
    started = clock()
    end = started + timeout
    foreign = signed = 0
    newest = None
    while (now := clock()) < end:
        for datagram in receiver.receive(end - now):
            received = intake.take(datagram)
            if received is None:
                continue
            if intake.good == 1:
                end = min(end, clock() + _MORE_S)
            frame = received.frame
            foreign += frame.version == 0 and layout is None
            signed += frame.n is not None
            if frame.minute is not None and frame.second is not None:
                newest = frame.minute, frame.second, received.time_ns
    return Heard(intake, receiver.dropped, clock() - started, foreign, signed, newest)


def judge(
    heard: Heard, group: str, key: bool, last: datetime | None, now: datetime | None = None
) -> Iterator[Finding]:
    """What that says. key: whether signatures were checked; last: when frames were heard before."""
    intake = heard.intake
    yield _come(heard, group, last)
    yield _lost(heard)
    if not intake.good and not intake.refused:
        return
    yield _senders(heard)
    yield _refused(heard)
    yield _layout(heard)
    yield _signed(heard, key)
    if heard.clock is not None:
        minute, second, came_ns = heard.clock
        came = datetime.fromtimestamp(came_ns / 1e9).astimezone()
        behind = meter.of_the_hour(minute, second, came)
        # A frame's second is over when it comes: half of it is nobody's fault.
        ours = all(each.startswith("127.") for each in heard.senders)
        yield meter.against_ours(
            "frames-clock", behind - 0.5, "the frames' minute and second", invented=ours
        )


def _come(heard: Heard, group: str, last: datetime | None) -> Finding:
    good = heard.intake.good
    if good:
        listed = ", ".join(heard.senders[:3])
        return ok("frames", f"{good} frames in {heard.long} from {listed}", frames=good)
    if heard.intake.refused:
        what = f"no good frame came in {heard.long}, only ones that are refused"
        return trouble("frames", what, "see what is refused, below", frames=0)
    if last is not None:
        what = f"frames stopped: the last was heard at {last:%Y-%m-%d %H:%M}, now none in "
        return trouble(
            "frames",
            f"{what}{heard.long}",
            "has the interface board power, and is it in the WiFi? dsmrctl status shows it; "
            "its LED blinks once a second while telegrams come",
            frames=0,
            last=last.isoformat(timespec="seconds"),
        )
    return trouble(
        "frames",
        f"no frame came in {heard.long} on {group}",
        "has the interface board power (its LED blinks once a second), and is it in this network? "
        "another group: --group; nothing bought yet: dsmrctl demo in another terminal",
        frames=0,
    )


def _lost(heard: Heard) -> Finding:
    if not heard.lost:
        return ok("frames-lost", "none was lost on this computer", lost=heard.lost)
    return note(
        "frames-lost",
        f"{heard.lost} were thrown away by this computer's kernel",
        "what keeps it busy? top shows it; a larger buffer: sudo sysctl -w "
        "net.core.rmem_max=4194304",
        lost=heard.lost,
    )


def _senders(heard: Heard) -> Finding:
    senders = heard.senders
    if len(senders) < 2:
        return ok("frames-senders", f"one sends: {senders[0] if senders else '-'}", senders=senders)
    return trouble(
        "frames-senders",
        f"{len(senders)} send on one group: {', '.join(senders[:4])}",
        "unplug one, stop dsmrctl serve or replay on one of these computers, or give one its own "
        "group: dsmrctl config interface frame_group=239.255.1.1",
        senders=senders,
    )


def _refused(heard: Heard) -> Finding:
    from dsmrctl.network.frames import REASONS

    intake = heard.intake
    if not intake.refused:
        return ok("frames-refused", "each was good", refused={})
    reason, count = intake.refused.most_common(1)[0]
    first = intake.first_refused[reason]
    what = f"{count} refused: {REASONS[reason]} (from {first.sender}: {first.text})"
    steps = {
        "looks-like-registers": "name its numbers: dsmrctl listen --raw shows them in order, then "
        "dsmrctl doctor --layout import_t1_wh,import_t2_wh,…",
        "signature": "is it the same key? dsmrctl doctor --frame-key-file FILE, and "
        "dsmrctl config --all frame_key on the boards",
        "replayed": "stop dsmrctl replay; when the interface was restarted without its counter, "
        "restart the boards",
        "version": "pipx upgrade dsmrctl",
    }
    step = steps.get(reason, f"what is at {first.sender.rpartition(':')[0]}? stop it, or give the "
    "boards another group: dsmrctl config --all frame_group=239.255.1.1")  # fmt: skip
    make = note if intake.good else trouble
    return make("frames-refused", what, step, refused=dict(intake.refused.most_common()))


def _layout(heard: Heard) -> Finding:
    if not heard.foreign:
        return ok("frames-layout", "what each number is, is known")
    return note(
        "frames-layout",
        f"{heard.foreign} frames say no version and have more numbers than the manual's",
        "dsmrctl listen --raw numbers them; then name them: dsmrctl listen --layout "
        "import_t1_wh,import_t2_wh,…",
        frames=heard.foreign,
    )


def _signed(heard: Heard, key: bool) -> Finding:
    if key or not heard.signed:
        told = "each is signed with the key" if key else "frames are not signed"
        return ok("frames-signed", told, signed=heard.signed)
    return note(
        "frames-signed",
        f"{heard.signed} frames are signed, and nobody checked by whom",
        "dsmrctl doctor --frame-key-file FILE (the key of the boards)",
        signed=heard.signed,
    )


def last_file() -> Path:
    """Where it is kept when frames were heard last."""
    from dsmrctl import preferences

    return preferences.found_boards().with_name("heard.json")


def last_heard(group: str, file: Path | None = None) -> datetime | None:
    """When frames were heard last on a group; None when never, or when nobody knows."""
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        with (file or last_file()).open("rb") as opened:
            kept = json.loads(opened.read(_MOST_BYTES))
        return datetime.fromisoformat(kept[group]).astimezone()
    return None


def remember(group: str, when: datetime, file: Path | None = None) -> None:
    """Keep that frames were heard. Never raises: the disk may be full or not ours."""
    file = file or last_file()
    kept: dict[str, str] = {}
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MOST_BYTES))
        kept = {k: v for k, v in list(found.items())[-15:] if isinstance(v, str)}
    kept[group] = when.isoformat(timespec="seconds")
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(kept))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
