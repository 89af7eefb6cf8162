"""What was looked at, line by line under headings: a sign, a word, and what to do next."""

from __future__ import annotations

from typing import NamedTuple

from dsmrctl.terminal.output import Terminal, safe

# Severity -> (sign, the same in ASCII, colour); the word itself always stands beside it.
_SIGNS = {
    "ok": ("✓", "+", "green"),
    "note": ("!", "!", "yellow"),
    "trouble": ("✗", "x", "bold red"),
}
_MOST = 600


class Line(NamedTuple):
    """One finding as it is shown."""

    subject: str
    severity: str
    what: str
    why: str
    next: str


class Findings:
    """Shows findings as they come; a heading where the subject changes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._console = terminal.console() if terminal.out.isatty() else None
        self._subject = ""
        encoding = getattr(terminal.out, "encoding", None) or "utf-8"
        try:
            "".join(sign for sign, _, _ in _SIGNS.values()).encode(encoding)
            self._ascii = False
        except (UnicodeError, LookupError):
            self._ascii = True

    def show(self, line: Line) -> None:
        """One more."""
        if line.subject != self._subject:
            self._write(("\n" if self._subject else "") + line.subject, "bold")
            self._subject = line.subject
        sign, plain, colour = _SIGNS[line.severity]
        sign = plain if self._ascii else sign
        self._write(f"  {sign} {line.severity:<7}  {safe(line.what, _MOST)}", colour)
        if line.severity != "ok":
            self._write(f"             why:  {line.why}")
            self._write(f"             next: {safe(line.next, _MOST)}")

    def _write(self, text: str, style: str = "") -> None:
        if self._ascii:
            text = text.encode("ascii", "replace").decode()
        if self._console is None:
            self._terminal.line(text, flush=True)
            return
        from rich.text import Text

        # No line is broken here: what a person copies stays in one piece.
        self._console.print(Text(text, style=style), soft_wrap=True)

    def end(self, text: str) -> None:
        """The last line of all."""
        self._write(f"\n{text}", "bold")
