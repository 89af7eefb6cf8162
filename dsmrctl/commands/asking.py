"""Who runs a command that asks: told on stderr, asked on a terminal, events with --json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsmrctl import errors
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.boards import Hardware
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


def wifi_password(terminal: Terminal, ssid: str, file: str | None, is_open: bool) -> str:
    """The password of that network; empty for an open one. Raises UsageError."""
    from dsmrctl import keys

    password = "" if is_open else keys.read_text(file, "DSMRCTL_WIFI_PASSWORD", "WiFi password")
    if password is None:
        if not prompt.possible(terminal):
            raise errors.UsageError(
                f"no password for the WiFi network {safe(ssid)}",
                hint="--password-file FILE (- for standard input), DSMRCTL_WIFI_PASSWORD, or "
                "--no-password for an open network",
            )
        password = prompt.secret(terminal, f"Password of {safe(ssid)}")
    return password
