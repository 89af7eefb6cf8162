"""A serial line on a screen: its lines, what is noise among them, and a person's keys."""

from __future__ import annotations

import codecs
import os
import re
import select
import sys
from typing import Any, NamedTuple, Self

from dsmrctl.terminal.output import safe

# A line that does not end is cut after so many bytes.
LONGEST = 400
# Behind noise: what reads well up to the line's end. Where noise ends no line's end says.
_READABLE = re.compile(rb"[\x20-\x7e\t]*$")
# So many bad characters are noise; a few are a letter in another encoding, or a colour. Where
# nothing else stands, fewer are.
_NOISE, _ONLY_NOISE = 6, 3
# Right behind noise fewer are, and so short a piece that reads well is chance.
_CHANCE = 4
_BAD = "\N{REPLACEMENT CHARACTER}"


class Said(NamedTuple):
    """A line, safe to show; or that noise began, however much of it comes."""

    text: str
    noise: bool = False


class SerialLog:
    """Lines of what comes, the same however it comes in pieces."""

    def __init__(self) -> None:
        self._held = b""
        self._noisy = False

    def take(self, data: bytes) -> list[Said]:
        """The lines that end with these bytes."""
        said: list[Said] = []
        *whole, last = (self._held + data).split(b"\n")
        for line in whole:
            while line:
                line = self._cut(line, said)
        while len(last) > LONGEST:
            last = self._cut(last, said)
        self._held = last
        return said

    def rest(self, over: bool = False) -> list[Said]:
        """What came of a line that did not end; a letter of which half came waits until `over`."""
        said: list[Said] = []
        held = self._held
        end = len(held) if over else _whole(held)
        self._held = held[end:]
        if end:
            self._line(held[:end], said)
        return said

    def _cut(self, line: bytes, said: list[Said]) -> bytes:
        end = len(line) if len(line) <= LONGEST else _whole(line[:LONGEST])
        self._line(line[:end], said)
        return line[end:]

    def _line(self, line: bytes, said: list[Said]) -> None:
        # A line at rest, or without power, reads as zeros.
        line = line.strip(b"\r\0")
        if not line:
            return
        readable = _READABLE.search(line)
        start = readable.start() if readable else len(line)
        bad = _shown(line[:start]).count(_BAD)
        most = _ONLY_NOISE if bad == len(line) else _NOISE
        if bad * 4 > start and (bad >= most or self._noisy):
            if not self._noisy:
                said.append(Said("", noise=True))
            self._noisy = True
            line = line[start:]
        if self._noisy and len(line.strip()) < _CHANCE:
            return
        self._noisy = False
        said.append(Said(_shown(line)))


class Typescript:
    """What comes as it comes, for a person who types: lines may be edited, nothing more."""

    # Back, to the line's start and end; the moves of a prompt's line, and wiping the rest of it.
    _KEPT = re.compile(r"([\r\n\b\t]|\x1b\[\d{0,3}[CDK])")
    _BEGUN = re.compile(r"\x1b(\[\d{0,3})?$")

    def __init__(self) -> None:
        self._letters = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def take(self, data: bytes) -> str:
        """The text to show for these bytes; a move of which half came waits."""
        text = self._held + self._letters.decode(data)
        begun = self._BEGUN.search(text)
        self._held = text[begun.start() :] if begun else ""
        pieces = self._KEPT.split(text[: begun.start()] if begun else text)
        shown = (
            piece if index % 2 else re.sub(f"{_BAD}+", _BAD, safe(piece, len(piece)))
            for index, piece in enumerate(pieces)
        )
        return "".join(shown)


class Keys:
    """A context manager: each key as it is pressed, Ctrl-C too. Only where there is termios."""

    def __enter__(self) -> Self:
        import termios

        self._number = sys.stdin.fileno()
        self._was = termios.tcgetattr(self._number)
        now: list[Any] = termios.tcgetattr(self._number)
        now[0] &= ~(termios.ICRNL | termios.IXON)
        now[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(self._number, termios.TCSANOW, now)
        return self

    def __exit__(self, *_: object) -> None:
        import termios

        termios.tcsetattr(self._number, termios.TCSADRAIN, self._was)

    def pressed(self) -> bytes | None:
        """What was pressed since; None when the terminal is gone."""
        if not select.select([self._number], [], [], 0)[0]:
            return b""
        try:
            return os.read(self._number, 256) or None
        except OSError:
            return None


def _shown(data: bytes) -> str:
    return safe(data.decode("utf-8", "replace").expandtabs(), LONGEST * 8)


def _whole(data: bytes) -> int:
    """How many of these bytes are whole letters; the last may be begun only."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < length else len(data)
        if byte < 0x80:
            break
    return len(data)
