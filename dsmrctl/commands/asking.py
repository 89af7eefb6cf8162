"""Who runs a command that asks: told on stderr, asked on a terminal, events with --json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsmrctl import errors, keys
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.boards import Board, Hardware
    from dsmrctl.terminal.progress import Progress


class Asked:
    """The person at the terminal, or the script; sure: --yes was given."""

    def __init__(self, terminal: Terminal, sure: bool) -> None:
        self.terminal, self._sure = terminal, sure
        self.interactive = prompt.possible(terminal)

    def tell(self, text: str) -> None:
        """A sentence on stderr; with --json the events say it."""
        if not self.terminal.json:
            for line in text.splitlines():
                self.terminal.note(safe(line, 1000))

    def line(self, text: str) -> None:
        """A result on stdout."""
        if not self.terminal.json:
            self.terminal.line(safe(text, 1000), flush=True)

    def event(self, name: str, /, **values: Any) -> None:
        """One JSON line with --json."""
        if self.terminal.json:
            self.terminal.record({"event": name, **values})

    def progress(self, title: str, total: int) -> Progress:
        """One bar; events with --json."""
        from dsmrctl.terminal.progress import Progress

        return Progress(self.terminal, title, total, events=self.terminal.json)

    def sure(self, reasons: list[str]) -> bool:
        """See install.Person. Raises UsageError."""
        if self._sure:
            return True
        if not self.interactive:
            raise errors.UsageError("; ".join(reasons), hint="--yes says that this is meant")
        for reason in reasons:
            self.terminal.note(safe(reason))
        return prompt.yes(self.terminal, "Go on?")

    def which(self, kinds: tuple[Hardware, ...]) -> Hardware:
        """See install.Person. Raises UsageError."""
        names = " or ".join(kind.name for kind in kinds)
        if not self.interactive:
            raise errors.UsageError(
                "which hardware is it? that decides its pins", hint=f"--hardware {names}"
            )
        rows = [(kind.name, kind.title) for kind in kinds]
        return kinds[prompt.choose(self.terminal, "Which hardware is it?", rows)]

    def port(self) -> str:
        """The serial port: the only one, or the one that is chosen. Raises NotFound, UsageError."""
        from dsmrctl.telegram import ports
        from dsmrctl.telegram.sources import SeveralPorts

        try:
            found = ports.find_port()
        except SeveralPorts as several:
            if not self.interactive:
                self.terminal.table(several.rows, several.COLUMNS, stderr=True)
                names = ", ".join(row[0] for row in several.rows)
                raise errors.UsageError(
                    f"there are {len(several.rows)} serial ports: {names}",
                    hint=f"which one has the board? --port {several.rows[0][0]}",
                ) from None
            return several.rows[prompt.choose(self.terminal, "Which port?", several.rows)][0]
        except ports.PortAbsent:
            raise ports.PortAbsent(
                "there is no serial port",
                hint="plug the board or its programmer in; some need a driver (CP210x, CH340). "
                "Nothing bought yet? dsmrctl demo --flash",
            ) from None
        if not ports.on_usb(found):
            # One that is soldered in leads nowhere, most often: not without being named.
            raise ports.PortAbsent(
                "there is no serial port on USB",
                hint="plug the board or its programmer in; some need a driver (CP210x, CH340). "
                f"Is it on the port there is? --port {found}",
            )
        return found


def changes(terminal: Terminal, board: Board, words: list[str]) -> dict[str, Any]:
    """KEY=VALUE words as that board keeps them. Raises UsageError, with the board's own rule.

    A secret never stands among them, where everybody on the computer could read it: KEY alone
    asks for it, KEY=@FILE reads a file.
    """
    from dsmrctl.firmware.core import setting

    found: dict[str, Any] = {}
    for word in words:
        key, given, text = word.partition("=")
        if key not in board.settings:
            raise errors.UsageError(
                f"{board.name} has no setting {safe(key)!r}",
                hint=f"it has {', '.join(board.settings)}",
            )
        rule = setting.rule(board.name, key)
        value: Any = text
        if rule["secret"]:
            value = _secret(terminal, key, given, text)
        elif not given:
            raise errors.UsageError(
                f"{key} wants a value", hint=f"for example {key}={rule['default']}"
            )
        elif rule["type"] == "int" and re.fullmatch("-?[0-9]{1,9}", text):
            value = int(text)
        elif rule["type"] == "bool" and text.lower() in _TRUTH:
            value = _TRUTH[text.lower()]
        try:
            found[key] = setting.checked(board.name, key, value)
        except setting.SettingError as error:
            raise errors.UsageError(str(error), hint=_range(key, rule)) from None
    return found


_TRUTH = {"true": True, "on": True, "yes": True, "1": True} | {
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip


def _secret(terminal: Terminal, key: str, given: str, text: str) -> str:
    if not given:
        return prompt.secret(terminal, key)
    if not text.startswith("@"):
        raise errors.UsageError(
            f"{key} is a secret: on a command line everybody on this computer can read it",
            hint=_SECRETLY.format(key=key),
        )
    return keys.read_text(text[1:], "", key) or ""


def _range(key: str, rule: dict[str, Any]) -> str | None:
    if rule["secret"]:
        return _SECRETLY.format(key=key)
    if rule["choices"]:
        return f"{key}={rule['choices'][0]}"
    unit = f" ({rule['unit']})" if rule["unit"] else ""
    return f"for example {key}={rule['default']}{unit}" if rule["default"] != "" else None


_SECRETLY = "{key} alone asks for it, {key}=@FILE reads it from a file, @- from the input"
