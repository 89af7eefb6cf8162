"""Improv over serial, the computer's end: our boards, and any other that speaks it.

A board of ours listens for the first 2 s after it starts, for 60 s more once it was asked anything,
and as long as its access point is open. https://www.improv-wifi.com/serial/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol

from dsmrctl import errors
from dsmrctl.firmware.core import improv
from dsmrctl.provisioning import MOST_NETWORKS, Network, check, dbm, strongest_first
from dsmrctl.telegram.ports import PULLED

BAUD = 115200
AGAIN = 1.0
"""Seconds after which a question is asked once more: the board may only just be starting."""
_SLICE = 0.1
_BLOCK = 4096
_QUIET = 0.5  # a datagram that stops for so long was cut off; a slow network may pause shorter
Name = Literal["stopped", "ready", "joining", "joined"]
_NAMES: dict[int, Name] = {
    0: "stopped",
    improv.READY: "ready",
    improv.JOINING: "joining",
    improv.JOINED: "joined",
}


class Port(Protocol):
    """What is used of a pyserial port, opened by the caller (at BAUD)."""

    timeout: float | None

    def read(self, size: int = 1, /) -> bytes: ...
    def write(self, b: bytes, /) -> int | None: ...
    @property
    def in_waiting(self) -> int: ...


class NoImprov(errors.NoAnswer):
    """Nothing on this line speaks Improv now."""

    def __init__(self, asked: str, heard: int) -> None:
        said = "only other things come" if heard else "nothing comes at all"
        super().__init__(
            f"the board does not answer when asked {asked}: {said} over the serial line",
            hint="it listens for 2 seconds after its start, and while its access point "
            "AutoConnectAP is open: unplug it, plug it in and run this at once, or again after "
            "20 seconds; firmware that is not ours may not know Improv: then flash it first",
        )


class CannotJoin(errors.Refused):
    """The board tried and did not come onto the network."""

    def __init__(self, ssid: str) -> None:
        super().__init__(
            f"the board cannot join the network {ssid!r}",
            hint="is the password right? is it a 2.4 GHz network, and within the board's reach?",
        )


class RequestRefused(errors.Refused):
    """The board answered that it cannot do what was asked."""


class LineLost(errors.DsmrError):
    """The port went away while it was used: usually the cable."""


class State(NamedTuple):
    """Where a board is on its way to a network; `url` is its page, once it is on one."""

    name: Name
    url: str | None


class Info(NamedTuple):
    """What a board says it is: plain text from the wire, without control characters."""

    firmware: str
    version: str
    chip: str
    name: str


class Improv:
    """Talks to the board on `port`, whose timeout it sets; times are in seconds by `clock`.

    Every call raises NoImprov, LineLost, RequestRefused, and what it names.
    """

    def __init__(self, port: Port, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._port = port
        self._clock = clock
        self._reader = improv.Reader()
        self._heard = 0

    def state(self, timeout: float = 10.0) -> State:
        """Asks every second until the board answers: also how a board that starts is caught."""
        joined = False
        for kind, data in self._ask(improv.CURRENT, (), timeout, AGAIN):
            self._refusal(kind, data, "whether it has a network")
            if kind == improv.STATE and data[:1] and data[0] in _NAMES:
                name = _NAMES[data[0]]
                # Its URL comes next; asked twice, and there was none, it has none.
                if name != "joined" or joined:
                    return State(name, None)
                joined = True
            elif kind == improv.RESULT and joined and data[:1] == bytes([improv.CURRENT]):
                return State("joined", _url(data))
        if joined:
            return State("joined", None)
        raise NoImprov("whether it has a network", self._heard)

    def info(self, timeout: float = 5.0) -> Info:
        """Firmware, version, chip and name. Raises BadData."""
        for kind, data in self._ask(improv.INFO, (), timeout, AGAIN):
            self._refusal(kind, data, "what it is")
            if kind == improv.RESULT and data[:1] == bytes([improv.INFO]):
                texts = improv.strings(data)
                if texts is None or len(texts) < 4:
                    raise errors.BadData(
                        "the board does not say what it is in Improv's form", hint="run it again"
                    )
                return Info(*map(_plain, texts[:4]))
        raise NoImprov("what it is", self._heard)

    def networks(self, timeout: float = 20.0) -> list[Network]:
        """The networks the board hears, the strongest first.

        A list whose end is lost is given as far as it came.
        """
        found: list[Network] = []
        for kind, data in self._ask(improv.SCAN, (), timeout):
            self._refusal(kind, data, "which networks there are")
            if kind != improv.RESULT or data[:1] != bytes([improv.SCAN]):
                continue
            texts = improv.strings(data)
            if texts == [] or len(found) == MOST_NETWORKS:
                return strongest_first(found)
            network = _network(texts or [])
            if network:
                found.append(network)
        if not found:
            raise NoImprov("which networks there are", self._heard)
        return strongest_first(found)

    def connect(self, ssid: str, password: str, timeout: float = 45.0) -> str | None:
        """Hand the board a network and wait until it is on it; its page's URL, if it has one.

        Raises CannotJoin, UsageError (no network can have this name or password).
        """
        check(ssid, password)
        joining = False
        # Asked by and by, since the one answer that counts may be lost in other noise.
        for kind, data in self._ask(improv.WIFI, (ssid, password), timeout, 5.0, improv.CURRENT):
            if kind == improv.ERROR and data == bytes([improv.NOT_JOINED]):
                raise CannotJoin(ssid)
            self._refusal(kind, data, "to join a network")
            if kind == improv.STATE:
                if data == bytes([improv.READY]) and joining:
                    raise CannotJoin(ssid)
                joining = joining or data == bytes([improv.JOINING])
            elif kind == improv.RESULT and (
                data[:1] == bytes([improv.WIFI])
                or (data[:1] == bytes([improv.CURRENT]) and joining)
            ):
                return _url(data)
        if joining:
            raise CannotJoin(ssid)
        raise NoImprov("to join a network", self._heard)

    def _ask(
        self,
        command: int,
        texts: tuple[str, ...],
        timeout: float,
        again: float | None = None,
        then: int | None = None,
    ) -> Iterator[tuple[int, bytes]]:
        """Send a request and give what comes until `timeout`.

        Every `again` seconds it is sent once more, or instead of it the request `then`.
        """
        self._heard = 0
        self._reader = improv.Reader()
        try:
            # What lies there is older than the question.
            for _ in range(64):
                waiting = self._port.in_waiting
                if not waiting:
                    break
                self._heard += len(self._port.read(min(waiting, _BLOCK)))
            now = self._clock()
            end = now + timeout
            next_time = None if again is None else now + again
            if self._port.timeout != _SLICE:
                self._port.timeout = _SLICE
            self._port.write(improv.result(command, texts, improv.RPC))
            last = now
            while now < end:
                data = self._port.read(1)
                if data and (waiting := self._port.in_waiting):
                    data += self._port.read(min(waiting, _BLOCK))
                now = self._clock()
                if data:
                    last = now
                    self._heard += len(data)
                    yield from self._reader.feed(data)
                elif now - last >= _QUIET:
                    yield from self._reader.quiet()
                if next_time is not None and again is not None and now >= next_time:
                    next_time = now + again
                    request = (command, texts) if then is None else (then, ())
                    self._port.write(improv.result(*request, improv.RPC))
        except PULLED:
            raise LineLost(
                "the connection to the board was lost",
                hint="is the cable still in? plug it in and run again",
            ) from None

    def _refusal(self, kind: int, data: bytes, what: str) -> None:
        if kind != improv.ERROR or data in (b"", bytes([improv.NONE])):
            return
        number = data[0]
        if number == improv.UNKNOWN:
            raise RequestRefused(
                f"the board's firmware cannot be asked {what} over the serial line",
                hint="use its access point AutoConnectAP, or flash it with our firmware",
            )
        if number == improv.BUSY:
            raise RequestRefused(
                "the board is busy with another network", hint="wait a minute and run again"
            )
        raise RequestRefused(
            f"the board did not understand what was asked (error {number})",
            hint="run it again; if it stays so, unplug the board and plug it in",
        )


def _network(texts: list[bytes]) -> Network | None:
    """A line of a scan; None for a name that Improv cannot give back, since it takes UTF-8."""
    if len(texts) < 3:
        return None
    try:
        ssid = texts[0].decode()
    except UnicodeDecodeError:
        return None
    if not 1 <= len(texts[0]) <= 32:
        return None
    return Network(ssid, dbm(texts[1].decode("ascii", "replace")), texts[2] != b"NO")


def _url(data: bytes) -> str | None:
    """The page's URL in a result, when it is one to hand on: http, printable, no odd letters."""
    texts = improv.strings(data) or [b""]
    text = texts[0].decode("ascii", "replace")
    good = text.startswith(("http://", "https://")) and text.isprintable() and text.isascii()
    return text if good and not set(text) & set(' "<>\\^`{|}') else None


def _plain(text: bytes) -> str:
    decoded = text.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in decoded)
