"""The loop of `serve`: every valid telegram to frames, readers and broker, for months."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from dsmrctl import errors
from dsmrctl.gateway.frame_maker import FrameMaker, NoFrame
from dsmrctl.network.multicast import NetworkDown

if TYPE_CHECKING:
    from dsmrctl.gateway.mqtt import Publisher
    from dsmrctl.gateway.tcp_feed import TelegramFeed
    from dsmrctl.network.multicast import Sender
    from dsmrctl.telegram import Reject, Telegram
    from dsmrctl.telegram.sources import Source

# The boards' own watchdog: after this many seconds without a frame they switch off.
SILENCE_S = 10
# A file has no pace but the meter's clock; a hole in it is not waited for.
LONGEST_WAIT_S = 10


class Clock(Protocol):
    """What the loop asks of time; tests bring one that does not wait."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


class Gateway:
    """Takes telegrams; sends one frame for each, and passes on what else was asked for.

    `passed` counts telegrams, `sent` frames, `without_frame` why a telegram gave none.
    """

    def __init__(
        self,
        maker: FrameMaker,
        sender: Sender,
        feed: TelegramFeed | None = None,
        publisher: Publisher | None = None,
        on_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._maker = maker
        self._sender = sender
        self._feed = feed
        self._publisher = publisher
        self._note = on_note
        self._network_failed = False
        self.passed = 0
        self.sent = 0
        self.without_frame: Counter[str] = Counter()

    def take(self, telegram: Telegram) -> dict[str, Any] | None:
        """Pass one telegram on; its quantities, or None when no frame could be made of it."""
        self.passed += 1
        if self._feed is not None:
            self._feed.send(telegram.raw)
        try:
            found = self._maker.quantities(telegram)
            data = self._maker.frame(found)
        except NoFrame as reason:
            text = str(reason)
            if text not in self.without_frame:
                self._note(f"no frame for a telegram: {text}")
            self.without_frame[text] += 1
            return None
        self._send(data)
        if self._publisher is not None:
            self._publisher.publish(found)
        return found

    def _send(self, data: bytes) -> None:
        try:
            self._sender.send(data)
        except NetworkDown as error:
            # A network that is away for a while must not end a service of months.
            if not self._network_failed:
                self._note(f"frames are not sent: {error}")
            self._network_failed = True
            return
        if self._network_failed:
            self._note("frames are sent again")
        self._network_failed = False
        self.sent += 1


def follow(
    source: Source,
    timeout: float | None = None,
    key: bytes | None = None,
    speed: float | None = 1.0,
    on_note: Callable[[str], None] = lambda text: None,
    clock: Clock = time,
) -> Iterator[Telegram | Reject]:
    """Telegrams and rejects of a source at the meter's pace; silence is told, and its end.

    A file is paced by the clock in its telegrams, `speed` times as fast; None: as fast as can be.
    Raises NoAnswer after `timeout` seconds without a telegram.
    """
    from dsmrctl.telegram import Reject
    from dsmrctl.telegram.framing import Framer

    framer = Framer(key=key)
    wait = 1.0 if timeout is None else min(1.0, timeout)
    pace = None if source.live or speed is None else Pace(speed, clock)
    last = clock.monotonic()
    silent = False
    while True:
        data = source.read(wait)
        for item in framer.close() if data is None else framer.feed(data):
            if not isinstance(item, Reject):
                if silent:
                    on_note(f"telegrams again, after {clock.monotonic() - last:.0f} s")
                last, silent = clock.monotonic(), False
                if pace is not None:
                    pace.wait_for(item)
            yield item
        if data is None:
            return
        quiet = clock.monotonic() - last
        if timeout is not None and quiet >= timeout:
            raise errors.NoAnswer(
                f"no telegram from {source.name} for {timeout:g} s",
                hint="is the meter's port open and the cable in? dsmrctl telegram read shows more",
            )
        if quiet > SILENCE_S and source.live and not silent:
            on_note(f"no telegram for {SILENCE_S} s: boards switch their loads off now")
            silent = True


def parse_speed(text: str) -> float | None:
    """`1`, `60` or `0.5` times the clock; `max` as None: as fast as can be. Raises UsageError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 100_000:
        raise errors.UsageError(f"'{text}' is no speed", hint="for example 1, 60, or max")
    return speed


class Pace:
    """Waits as long as the meter did between two telegrams, by absolute deadlines."""

    def __init__(self, speed: float, clock: Clock) -> None:
        self._speed = speed
        self._clock = clock
        self._due: float | None = None
        self._before: Any = None

    def wait_for(self, telegram: Telegram) -> None:
        """Return when it is this telegram's turn."""
        when = telegram.time
        if self._due is None or when is None or self._before is None:
            step = 0.0 if self._due is None else 1.0
        else:
            step = (when - self._before).total_seconds()
            step = step if 0 < step <= LONGEST_WAIT_S else 1.0
        self._before = when or self._before
        now = self._clock.monotonic()
        due = (now if self._due is None else self._due) + step / self._speed
        self._due = due
        if due > now:
            self._clock.sleep(due - now)
