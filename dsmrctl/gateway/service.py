"""The loop of `serve`: every valid telegram to frames, readers and broker, for months."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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

HOUR_S = 3600.0
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


def paced(
    items: Iterable[Telegram | Reject],
    source: Source,
    speed: float | None = 1.0,
    clock: Clock = time,
) -> Iterator[Telegram | Reject]:
    """A stored source's telegrams by the clock in them, `speed` times as fast; None: at once.

    What is live comes at its own pace already.
    """
    from dsmrctl.telegram import Reject

    if source.live or speed is None:
        yield from items
        return
    pace = Pace(speed, clock)
    for item in items:
        if not isinstance(item, Reject):
            pace.wait_for(item)
        yield item


class Journal:
    """What a service of months says of its source: each trouble once, then how often it came.

    Use `silence` as `on_silence` of `telegrams`, and `rejected` for every Reject.
    """

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._note = note
        self._clock = clock
        self._waiting: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def silence(self, seconds: float, over: bool) -> None:
        """The meter fell silent, or is back after so many seconds."""
        if over:
            self._note(f"telegrams again, after {seconds:.0f} s")
        else:
            self._note(f"no telegram for {seconds:.0f} s: boards switch their loads off now")

    def rejected(self, reason: str, words: str) -> None:
        """A reject; its reason is told at once, and after that once an hour with its count."""
        self._waiting[reason] += 1
        now = self._clock()
        if now - self._told.get(reason, -HOUR_S) >= HOUR_S:
            count = self._waiting.pop(reason)
            self._note(f"{count} rejected: {words}" if count > 1 else f"rejected: {words}")
            self._told[reason] = now


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
