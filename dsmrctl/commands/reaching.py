"""How a command reaches boards: which are meant, and the admin password when they want it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from dsmrctl import errors, keys
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.board_client import BoardClient
    from dsmrctl.network.discovery import Found

VARIABLE = "DSMRCTL_ADMIN_PASSWORD"


class Way(NamedTuple):
    """How boards are looked for and asked; `timeout` in seconds, None for each part's own."""

    terminal: Terminal
    host: str | None = None
    nic: str | None = None
    timeout: float | None = None
    admin_file: str | None = None

    def board(self, wanted: str | None) -> Found:
        """The one board that is meant. Raises UsageError (several fit: told in a table)."""
        from dsmrctl.network import discovery, fleet

        if self.host is not None:
            return fleet.at(self.host, wanted, **self._times())
        if wanted is None:
            raise errors.UsageError(
                "which board?", hint="its kind or name, or --host; dsmrctl discover shows them"
            )
        try:
            return fleet.one(wanted, nic=self.nic, timeout=self.timeout or discovery.WAIT_S)
        except fleet.Several as several:
            if not self.terminal.json:
                self.terminal.table(several.rows, fleet.COLUMNS, stderr=True)
            raise

    def boards(self, wanted: str | None = None) -> list[Found]:
        """All that are meant, every board there is for None; by name. Raises NotFound."""
        from dsmrctl.network import discovery, fleet

        if self.host is not None:
            return [fleet.at(self.host, wanted, **self._times())]
        return fleet.find(wanted, nic=self.nic, timeout=self.timeout or discovery.WAIT_S)

    def password(self) -> Password:
        """Who tells the admin password; one for all the boards of a command."""
        return Password(self.terminal, self.admin_file)

    def client(self, board: Found, password: Password | None = None) -> BoardClient:
        """The way to ask a board; `password` when several share it."""
        from dsmrctl.network import fleet

        return fleet.client(board, password=password or self.password(), **self._times())

    def _times(self) -> dict[str, float]:
        return {} if self.timeout is None else {"timeout": self.timeout}


class Password:
    """The admin password: from a file or the environment, else asked for, once for all boards."""

    def __init__(self, terminal: Terminal, file: str | None) -> None:
        self._terminal, self._file = terminal, file
        self._lock = threading.Lock()
        self._known: str | None = None
        self._read = False

    def __call__(self, wrong: bool) -> str | None:
        """See board_client.Password; None when there is none to tell."""
        with self._lock:
            if not self._read:
                self._read = True
                self._known = keys.read_text(self._file, VARIABLE, "admin password")
                if self._known is not None:
                    return self._known
            if not wrong and self._known is not None:
                return self._known
            if not prompt.possible(self._terminal):
                return None
            if wrong:
                self._terminal.note("that password is wrong")
            self._known = prompt.secret(self._terminal, "admin password")
            return self._known


def worst(results: list[tuple[Found, object]]) -> errors.DsmrError | None:
    """What a command over several boards ends with: its first error, the others counted."""
    wrong = [(board, each) for board, each in results if isinstance(each, errors.DsmrError)]
    if not wrong:
        return None
    first = wrong[0][1]
    if len(wrong) == 1:
        return first
    names = ", ".join(safe(one.name, 40) for one, _ in wrong)
    several = errors.DsmrError(f"{len(wrong)} of {len(results)} boards: {names}", hint=first.hint)
    several.exit_code = first.exit_code
    several.code = first.code
    return several
