"""dsmrctl console: what a board says on its serial line."""

from __future__ import annotations

import re
import time
from typing import Annotated

import typer

from dsmrctl import errors, options
from dsmrctl.commands import asking
from dsmrctl.terminal.output import Terminal, safe

Times = Annotated[
    bool, typer.Option("--timestamps", help="Before each line the seconds since the start.")
]
Raw = Annotated[bool, typer.Option("--raw", help="The bytes as they come, to a file or a pipe.")]

_SLICE_S = 0.5
# Behind noise: what reads well up to the line's end.
_READABLE = re.compile(rb"[\x20-\x7e\t]*$")
# A line that does not end is shown after so many bytes, or as long nothing more comes.
_LONGEST = 400
_PATIENCE_S = 1.0


def console(
    port: options.Port = None,
    baud: options.Baud = 115200,
    timestamps: Times = False,
    raw: Raw = False,
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

    \b
    Examples:
      dsmrctl console --port /dev/ttyUSB0
      dsmrctl console --port /dev/ttyUSB0 --timestamps --duration 30s
    """
    from dsmrctl.telegram.ports import SerialSource

    terminal = Terminal(as_json)
    if raw and as_json:
        raise errors.UsageError("--raw or --json", hint="leave one of them out")
    named = port or asking.Asked(terminal, sure=False).port()
    shown = _Shown(terminal, timestamps, raw, count)
    with SerialSource(named, baud=baud) as line:
        if not as_json:
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
                raise errors.NoAnswer(
                    f"nothing came from {named} for {timeout:g} s",
                    hint="is its programmer in UART mode, and the board plugged in without its "
                    "button? a board of ours speaks at its start only: plug it in anew",
                )
        shown.rest(time.monotonic() - start)
    return errors.DONE


app = options.command(console)


class _Shown:
    """Lines as they end, each safe to show."""

    def __init__(self, terminal: Terminal, times: bool, raw: bool, most: int | None) -> None:
        self._terminal, self._times, self._raw, self._most = terminal, times, raw, most
        self._held = b""
        self.lines = 0

    @property
    def full(self) -> bool:
        """As many lines as were asked for."""
        return self._most is not None and self.lines >= self._most

    def take(self, data: bytes, at_s: float) -> None:
        """Bytes that came, so many seconds after the start."""
        if self._raw:
            self._terminal.raw(data)
            return
        *whole, self._held = (self._held + data).split(b"\n")
        for line in whole:
            self._line(line, at_s)
        while len(self._held) > _LONGEST:
            self._line(self._held[:_LONGEST], at_s)
            self._held = self._held[_LONGEST:]

    def rest(self, at_s: float) -> None:
        """What came of a line that did not end."""
        if self._held:
            line, self._held = self._held, b""
            self._line(line, at_s)

    def _line(self, line: bytes, at_s: float) -> None:
        line = line.strip(b"\r")
        if not line or self.full:
            return
        readable = _READABLE.search(line)
        start = readable.start() if readable else len(line)
        text = safe(line.decode("utf-8", "replace"), _LONGEST)
        if text.count("\N{REPLACEMENT CHARACTER}") * 4 > len(text[: start or 1]):
            # Where the noise ended is not marked by a line's end.
            self._show(f"({start} bytes of noise: another rate, as the chip's first words)", at_s)
            text = line[start:].decode()
        if text and not self.full:
            self._show(text, at_s)

    def _show(self, text: str, at_s: float) -> None:
        self.lines += 1
        if self._terminal.json:
            self._terminal.record({"time_s": round(at_s, 3), "text": text})
        else:
            stamp = f"{at_s:8.3f}  " if self._times else ""
            self._terminal.line(stamp + text, flush=True)
