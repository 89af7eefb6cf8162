"""A source of telegrams, listened to for a while; and the meter's clock against this computer's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from dsmrctl import errors
from dsmrctl.diagnosis.finding import Finding, note, ok, trouble

if TYPE_CHECKING:
    from dsmrctl.telegram.sources import Source

WAIT_S = 11.0
"""Meters before DSMR 5 and those of Luxembourg send every 10 s."""
NOTE_S, TROUBLE_S = 2.0, 60.0
_ENOUGH = 3


def listen(
    opening: Callable[[], Source],
    timeout: float = WAIT_S,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> Iterator[Finding]:
    """What comes from a source within `timeout` seconds, or until three telegrams did.

    opening: opens it, or raises why not. clock: seconds; now: the time of day, for the meter's.
    """
    try:
        source = opening()
    except errors.DsmrError as error:
        if isinstance(error, errors.UsageError) and "key" in error.message:
            yield trouble("meter-key", error.message, error.hint or "")
            return
        yield trouble("source", error.message, error.hint or "is it the right source?")
        return
    with source:
        yield ok("source", f"{source.name} opens")
        yield from _heard(source, timeout, clock, now)


def _heard(
    source: Source,
    timeout: float,
    clock: Callable[[], float],
    now: Callable[[], datetime],
) -> Iterator[Finding]:
    from dsmrctl.telegram.framing import Reject
    from dsmrctl.telegram.luxembourg import WrongKey
    from dsmrctl.telegram.sources import telegrams

    good, bad = Counter[str](), Counter[str]()
    behind: list[float] = []
    end = clock() + timeout
    lost: errors.DsmrError | None = None
    key: errors.DsmrError | None = None
    try:
        # Without a telegram the end is the timeout's, which tells what came instead.
        for item in telegrams(
            source,
            timeout=timeout,
            count=_ENOUGH,
            stop=lambda: bool(good) and clock() >= end,
            clock=clock,
        ):
            if isinstance(item, Reject):
                bad[item.reason] += 1
                continue
            good["telegrams"] += 1
            time_of = item.time
            if source.live and time_of is not None:
                behind.append((now() - time_of).total_seconds())
    except (WrongKey, errors.UsageError) as error:
        key = error
    except errors.DsmrError as error:
        lost = error
    yield from judge(source.name, timeout, good.total(), bad, lost, key)
    if behind:
        # The first may have waited in a buffer: the newest is nearest.
        yield against_ours("meter-clock", min(behind, key=abs), "the telegram's time")


def judge(
    name: str,
    timeout: float,
    good: int,
    bad: Counter[str],
    lost: errors.DsmrError | None = None,
    key: errors.DsmrError | None = None,
) -> Iterator[Finding]:
    """What these counts of telegrams and rejects say."""
    from dsmrctl.telegram.sources import NOTHING_CAME, ONLY_NOISE

    if key is not None:
        yield trouble(
            "meter-key", key.message, key.hint or "name the key's file with --meter-key-file"
        )
        return
    came = good or bad.total() or isinstance(lost, errors.BadData)
    if not came:
        why = lost.message if lost is not None else f"nothing came from {name} in {timeout:g} s"
        yield trouble(
            "meter-silent",
            why,
            f"{NOTHING_CAME}; a splitter may give no power: try the cable alone",
        )
        return
    yield ok("meter-silent", f"something comes from {name}")
    yield ok("meter-key", "no key is missing")
    whole = bad["crc"] + bad["truncated"] + bad["overrun"]
    if not good and not bad["crc"]:
        told = f"no telegram came from {name} in {timeout:g} s, only noise"
        yield trouble("meter-noise", told, ONLY_NOISE, rejected=dict(bad))
        return
    yield ok("meter-noise", f"{good} telegrams came from {name}", telegrams=good)
    if not bad["crc"]:
        yield ok("meter-crc", f"{good} telegrams, each whole", rejected=dict(bad))
        return
    make = note if good else trouble
    yield make(
        "meter-crc",
        f"{whole} of {good + whole} telegrams were damaged (wrong CRC)",
        "a shorter or better cable, a pull-up of 1 to 10 kOhm on the data line, away from "
        "inverters; dsmrctl telegram explain shows where it breaks",
        telegrams=good,
        rejected=dict(bad),
    )


def against_ours(name: str, behind_s: float, by: str, invented: bool = False) -> Finding:
    """The meter's clock against ours, as `by` tells it; positive: the meter's is behind.

    invented: it comes from this computer itself, where a demo or a replay has a time of its own.
    """
    size = abs(behind_s)
    data = {"behind_s": round(behind_s, 1), "by": by}
    if size <= NOTE_S:
        return ok(name, f"this computer's clock is the meter's ({by})", **data)
    way = "behind" if behind_s > 0 else "ahead of"
    told = f"the meter's clock is {_long(size)} {way} this computer's ({by})"
    if invented:
        told += ", from this computer itself"
        return note(name, told, "a demo or a replay (--now makes it current)? then it may", **data)
    mend = (
        "timedatectl shows whether this computer's clock is set by the network; if not: "
        "sudo timedatectl set-ntp true. If it is right, the meter's is not: tell the grid operator"
    )
    return (note if size <= TROUBLE_S else trouble)(name, told, mend, **data)


def of_the_hour(minute: int, second: int, now: datetime) -> float:
    """How many seconds a frame's minute and second are behind `now`, whatever the hour.

    A frame says no hour: half an hour is the most that can be told, and summer time does not show.
    """
    ours = now.minute * 60 + now.second + now.microsecond / 1e6
    behind = (ours - (minute * 60 + second)) % 3600
    return behind - 3600 if behind > 1800 else behind


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
