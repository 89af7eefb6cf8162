"""Where telegrams come from: `open_source` takes what a person writes as SOURCE, in every command.

A serial port or pyserial URL, `tcp://host:port`, a file (plain, gzip or a recording), a FIFO, `-`.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from dsmrctl import errors

if TYPE_CHECKING:
    from dsmrctl.telegram.framing import Reject
    from dsmrctl.telegram.telegram import Telegram

Kind = Literal["serial", "tcp", "file", "stdin", "frames", "household"]
Note = Callable[[str], None]
Silence = Callable[[float, bool], None]

SILENCE_S = 10.0
"""After so many seconds without a frame the boards switch their loads off."""
_STEP_S = 1.0
_HEAD = 4096  # bytes of a stream's beginning that are kept to say what it is

NOTHING_CAME = (
    "is the meter's P1 port activated (Belgium: mijn.fluvius.be)? does the cable have all 6 wires, "
    "the data request line (pin 2) at 5 V? a meter from before 2014 wants --dsmr2"
)
ONLY_NOISE = (
    "the baud rate may be wrong (a meter from before 2014 wants --dsmr2), or the line is not "
    "inverted: a P1 cable has to do that"
)


class SeveralPorts(errors.UsageError):
    """Several serial ports are there and none was named; `rows` are a table of them."""

    COLUMNS = ("port", "description", "serial number")

    def __init__(self, rows: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(
            f"there are {len(rows)} serial ports: {', '.join(row[0] for row in rows)}",
            hint=f"name the one with the meter, for example {rows[0][0]}",
        )
        self.rows = rows


class Source:
    """Something bytes come from; a context manager.

    `name` is what a person calls it. `live`: more may come at any time, so silence says something.
    """

    name: str = ""
    live: bool = False
    key: bytes | None = None

    def read(self, timeout: float | None = None) -> bytes | None:
        """The next bytes, as soon as there are some; b"" when none came in `timeout` seconds.

        None at the end. Raises DsmrError when nothing more can come and that is no usual end.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Give back what was opened; more than once does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def kind(spec: str | None) -> Kind:
    """What `spec` names, by its form; None is the serial port there is. Opens nothing."""
    if spec is None:
        return "serial"
    if spec == "-":
        return "stdin"
    if spec == "frames" or spec == "household":
        return spec
    if spec.startswith("tcp://"):
        return "tcp"
    if re.match(r"[a-z0-9]+://", spec) or re.fullmatch(r"(?i)(\\\\\.\\)?COM\d+", spec):
        return "serial"
    return "serial" if _is_port(spec) else "file"


def _is_port(path: str) -> bool:
    """By name and kind: opening it to ask would raise DTR, which resets some boards."""
    named = False
    try:
        named = re.match(r"/dev/(tty|cu|pts/|rfcomm|serial/)", os.path.realpath(path)) is not None
        return named and stat.S_ISCHR(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return named  # absent or forbidden: opening it as a port says what can be done


def open_source(
    spec: str | None = None,
    *,
    dsmr2: bool = False,
    baud: int | None = None,
    reconnect: bool = True,
    follow: bool = False,
    key: bytes | None = None,
    on_note: Note | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Source:
    """Open SOURCE for reading telegrams; None is the only serial port.

    `dsmr2`: 9600 baud 7E1 instead of 115200 8N1 (DSMR P1 5.0.2, chapter 5; 3.0, chapter 4).
    `reconnect`: tcp:// is connected again when it is lost, after 1 to 30 s by `clock` and `wait`.
    `follow`: at the end of a file wait for more. `key`: for `telegrams`. `on_note` is told what a
    person may want to know and needs no decision. Raises UsageError (SeveralPorts), NotFound,
    Refused, NoAnswer, BadData.
    """
    note = on_note or (lambda text: None)
    found = kind(spec)
    source: Source
    if found in ("frames", "household"):
        raise errors.UsageError(f"'{spec}' holds no telegrams that could be read here")
    if found == "tcp":
        from dsmrctl.telegram.tcp import TcpSource

        assert spec is not None
        source = TcpSource(spec, reconnect=reconnect, on_note=note, clock=clock, wait=wait)
    elif found == "serial":
        from dsmrctl.telegram.ports import SerialSource, find_port

        source = SerialSource(spec or find_port(), dsmr2=dsmr2, baud=baud)
    else:
        from dsmrctl.telegram.stored import StoredSource

        path = None if found == "stdin" else Path(spec or "")
        source = StoredSource(path, follow=follow, on_note=note, wait=wait)
    source.key = key
    return source


def telegrams(
    source: Source,
    *,
    timeout: float | None = None,
    count: int | None = None,
    on_silence: Silence | None = None,
    stop: Callable[[], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Telegram | Reject]:
    """Telegrams and rejects of a source, until its end or until `count` telegrams were given.

    `on_silence(seconds, over)` is called when a live source gave no telegram for 10 s, and with
    `over` when it does again. `stop` is asked at least once a second. Raises NoAnswer when a live
    source gives no telegram for `timeout` seconds (what came instead was given as rejects),
    BadData when it only idled, UsageError when the telegrams are encrypted and the source has no
    key, WrongKey.
    """
    from dsmrctl.telegram.framing import Framer, Reject

    framer = Framer(key=source.key)
    given = received = 0
    head = b""
    last = clock()
    silent = False
    while stop is None or not stop():
        left = None if timeout is None or not source.live else max(0.0, timeout + last - clock())
        if stop is not None or (on_silence is not None and source.live):
            left = _STEP_S if left is None else min(left, _STEP_S)
        data = source.read(left)
        if data and not given and len(head) < _HEAD:
            head += data[:_HEAD]
            refuse_without_key(source, head)
        received += len(data or b"")
        for item in framer.close() if data is None else framer.feed(data):
            if not isinstance(item, Reject):
                if silent and on_silence is not None:
                    on_silence(clock() - last, True)
                last, silent = clock(), False
                given += 1
            yield item
            if given == count:
                return
        if data is None:
            return
        quiet = clock() - last
        if timeout is not None and source.live and quiet >= timeout:
            break
        if quiet >= SILENCE_S and source.live and not silent:
            silent = True
            if on_silence is not None:
                on_silence(quiet, False)
    else:
        return
    rejected = False
    for item in framer.close():
        yield item
        rejected = True
    if not received:
        raise errors.NoAnswer(f"nothing came from {source.name} in {timeout:g} s", NOTHING_CAME)
    if not given and not rejected and not head.strip(b"\x00\xff\r\n"):
        raise errors.BadData(f"only idle bytes came from {source.name}", ONLY_NOISE)
    raise errors.NoAnswer(f"no telegram from {source.name} in {timeout:g} s", ONLY_NOISE)


def refuse_without_key(source: Source, head: bytes) -> None:
    """Raise UsageError when `head`, of the stream's beginning, is encrypted and no key is there."""
    if source.key is None and b"\xdb" in head:
        from dsmrctl.telegram import luxembourg

        if luxembourg.looks_encrypted(head):
            raise luxembourg.key_is_needed()


def standard_input() -> int:
    """The file descriptor of standard input. Raises UsageError when there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        raise errors.UsageError("there is no standard input to read from") from None
