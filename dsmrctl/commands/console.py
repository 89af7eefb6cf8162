"""dsmrctl console: what a board says on its serial line, and a person's keys to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from dsmrctl import errors, options
from dsmrctl.commands import asking
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.terminal.serial_log import Said

Times = Annotated[
    bool, typer.Option("--timestamps", help="Before each line the seconds since the start.")
]
Raw = Annotated[
    bool, typer.Option("--raw", help="As it comes, whatever it is; nothing is made of it.")
]
Interact = Annotated[
    bool, typer.Option("--interact", help="Your keys go to the board, Ctrl-C too; Ctrl-] leaves.")
]

_SLICE_S = 0.5
# Of a line that does not end, what came is shown when for so long nothing more does.
_PATIENCE_S = 1.0
# How soon a key is sent.
_KEYS_S = 0.03
_LEAVES = b"\x1d"
_NOISE = "noise: another rate, as the chip's first words"


def console(
    port: options.Port = None,
    baud: options.Baud = 115200,
    timestamps: Times = False,
    raw: Raw = False,
    interact: Interact = False,
    count: options.Count = None,
    duration: options.Duration = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> int:
    """Show a board's serial log, its crash log first.

    It only listens, so it disturbs no board: plug the board in without its button
    while this runs. A board of ours says at its start what it is and how it crashed
    last, if it did; then its line is the meter's, and it is silent. The chip's very
    first words come at another rate, and are told as noise.

    With --interact what you type goes to the board: Ctrl-C within 2 s of its start
    stops it for 10 minutes and gives MicroPython's prompt; without it ends this.

    \b
    Examples:
      dsmrctl console --port /dev/ttyUSB0
      dsmrctl console --port /dev/ttyUSB0 --timestamps --duration 30s
    """
    terminal = Terminal(as_json)
    if raw and as_json:
        raise errors.UsageError("--raw or --json", hint="leave one of them out")
    if raw and (count or timestamps):
        raise errors.UsageError("--raw has no lines", hint="leave --count and --timestamps out")
    if interact:
        _may_interact(terminal, timestamps or raw or bool(count) or timeout is not None)
    named = port or asking.Asked(terminal, sure=False).port()
    if interact:
        return _interact(terminal, named, baud, duration)
    shown = _Shown(terminal, timestamps, raw, count)
    _listen(terminal, named, baud, shown, duration, timeout)
    return errors.DONE


app = options.command(console)


def _listen(
    terminal: Terminal, named: str, baud: int, shown: _Shown,
    duration: float | None, timeout: float | None,
) -> None:  # fmt: skip
    from dsmrctl.telegram.ports import SerialSource

    with SerialSource(named, baud=baud) as line:
        if not terminal.json:
            terminal.note(f"listening on {named} at {baud} baud; Ctrl-C ends")
        start = heard = time.monotonic()
        while not shown.full:
            data = line.read(_SLICE_S)
            now = time.monotonic()
            if data:
                heard = now
                shown.take(data, now - start)
            elif now - heard > _PATIENCE_S:
                shown.rest(now - start)
            if duration is not None and now - start >= duration:
                break
            if timeout is not None and now - heard >= timeout:
                shown.rest(now - start, over=True)
                if not shown.enough:
                    raise shown.too_little(named, baud, timeout)
                return
        shown.rest(time.monotonic() - start, over=True)


class _Shown:
    """What came, as it was asked for: bytes, lines or records."""

    def __init__(self, terminal: Terminal, times: bool, raw: bool, most: int | None) -> None:
        from dsmrctl.terminal.serial_log import SerialLog

        self._terminal, self._times, self._raw, self._most = terminal, times, raw, most
        self._log = SerialLog()
        self._lines = self._bytes = 0
        self._noise = False

    @property
    def full(self) -> bool:
        """As many lines as were asked for."""
        return self._most is not None and self._lines >= self._most

    @property
    def enough(self) -> bool:
        """Something came, or all that was asked for."""
        if self._most is not None:
            return self.full
        return self._bytes > 0 if self._raw else self._lines > 0

    def too_little(self, named: str, baud: int, timeout: float) -> errors.NoAnswer:
        """What to say, and to try, when it was not enough."""
        if self._lines:
            return errors.NoAnswer(
                f"only {self._lines} of {self._most} lines came from {named}",
                hint="a board of ours speaks at its start only: plug it in anew",
            )
        if self._noise:
            return errors.NoAnswer(
                f"only noise came from {named}",
                hint=f"does it speak at {baud} baud? was its button held, so that it is in its "
                "bootloader? plug it in anew without",
            )
        return errors.NoAnswer(
            f"nothing came from {named} for {timeout:g} s",
            hint="is its programmer in UART mode, and the board plugged in without its "
            "button? a board of ours speaks at its start only: plug it in anew",
        )

    def take(self, data: bytes, at_s: float) -> None:
        """Bytes that came, so many seconds after the start."""
        self._bytes += len(data)
        if self._raw:
            self._terminal.raw(data)
            return
        self._show(self._log.take(data), at_s)

    def rest(self, at_s: float, over: bool = False) -> None:
        """What came of a line that did not end."""
        self._show(self._log.rest(over), at_s)

    def _show(self, said: Iterable[Said], at_s: float) -> None:
        for text, noise in said:
            if self.full:
                return
            if noise:
                self._noise = True
                self._note()
                continue
            self._lines += 1
            if self._terminal.json:
                self._terminal.record({"time_s": round(at_s, 3), "text": text})
            else:
                stamp = f"{at_s:8.3f}  " if self._times else ""
                self._terminal.line(stamp + text, flush=True)

    def _note(self) -> None:
        terminal = self._terminal
        if terminal.json:
            terminal.record_note({"note": _NOISE})
        elif terminal.err.isatty():
            terminal.console(stderr=True).print(f"({_NOISE})", style="dim")
        else:
            terminal.note(f"({_NOISE})")


def _may_interact(terminal: Terminal, lines: bool) -> None:
    """Raises UsageError."""
    if terminal.json or lines:
        raise errors.UsageError(
            "--interact shows what comes as it comes",
            hint="leave --json, --raw, --timestamps, --count and --timeout out",
        )
    if not terminal.interactive:
        raise errors.UsageError("--interact needs a terminal", hint="leave it out to listen only")
    try:
        import termios  # noqa: F401
    except ImportError:
        raise errors.UsageError("--interact is not for Windows", hint="use WSL, or PuTTY") from None


def _interact(terminal: Terminal, named: str, baud: int, duration: float | None) -> int:
    """A person at the board's line, until Ctrl-] or for so many seconds. Raises PortLost."""
    import termios

    from dsmrctl.telegram.ports import PortLost, open_port
    from dsmrctl.terminal.serial_log import Keys, Typescript

    shown = Typescript()
    start = time.monotonic()
    line = open_port(named, baud)
    try:
        line.timeout = _KEYS_S
        terminal.note(f"on {named} at {baud} baud; Ctrl-] leaves")
        with Keys() as keys:
            while duration is None or time.monotonic() - start < duration:
                if data := line.read(max(1, line.in_waiting)):
                    terminal.raw(shown.take(data).encode(terminal.out.encoding, "replace"))
                pressed = keys.pressed()
                if pressed is None or _LEAVES in pressed:
                    break
                if pressed:
                    line.write(pressed)
    except (OSError, termios.error) as error:
        raise PortLost(
            f"the connection to {named} was lost",
            hint="is the cable still in? plug it in and run again",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            line.close()
    terminal.note("")
    return errors.DONE
