"""Who asks for a flash: told, shown how far it is, and asked. `commands` has the one there is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from dsmrctl.boards import Hardware


class Bar(Protocol):
    """How far it is, for whoever watches (terminal.progress)."""

    def stage(self, name: str) -> None:
        """What is done from now on."""

    def to(self, done: int) -> None:
        """Bytes done of the total."""


class Person(Protocol):
    """Who asked for it: is told, shown the progress, and asked where there is a choice."""

    interactive: bool

    def tell(self, text: str) -> None:
        """One sentence."""

    def event(self, name: str, /, **values: Any) -> None:
        """The same for a program."""

    def sure(self, reasons: list[str]) -> bool:
        """Whether it should go on in spite of these. Raises UsageError when nobody can say."""
        ...

    def which(self, kinds: tuple[Hardware, ...]) -> Hardware:
        """The hardware that is there. Raises UsageError when nobody can say."""
        ...

    def progress(self, title: str, total: int) -> AbstractContextManager[Bar]:
        """One bar for the whole; total in bytes."""
        ...
