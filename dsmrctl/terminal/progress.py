"""How far something is: one bar on stderr for a person, or events on stdout for a program."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_REDRAW_S = 0.1


class Progress:
    """A context manager that tells how many of `total` bytes are done, and what is being done.

    It draws one bar on stderr, when that is a terminal that can be drawn on and `--json` was not
    asked; elsewhere nothing. `events`: JSON lines on stdout, at most one a percent. `total` may
    be changed on the way; 0 is not known yet.
    """

    def __init__(self, terminal: Terminal, title: str, total: int, *, events: bool = False) -> None:
        self.total = total
        self._terminal = terminal
        self._title = title
        self._events = events
        self._done = 0
        self._percent = -1
        self._drawn = 0.0
        self._bar: Bar | None = None
        self._restore: Callable[[], Any] = lambda: None

    @property
    def drawn(self) -> bool:
        """There is a bar to see: it is drawn on stderr."""
        terminal = self._terminal
        return terminal.err.isatty() and os.environ.get("TERM") != "dumb" and not terminal.json

    def __enter__(self) -> Progress:
        if self.drawn:
            self._bar = self._new_bar()
            if threading.current_thread() is threading.main_thread():
                # A killed command must not leave a terminal without a cursor.
                before = signal.signal(signal.SIGTERM, _terminated)
                self._restore = lambda: signal.signal(signal.SIGTERM, before)
            self._bar.start()
        return self

    def _new_bar(self) -> Bar:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(compact=True),
            console=self._terminal.console(stderr=True),
            # No thread: it is drawn when there is something new. What others write stays theirs.
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
        )
        bar.add_task(safe(self._title), total=self.total or None)
        return bar

    def stage(self, name: str) -> None:
        """What is being done from now on."""
        if self._events:
            self._terminal.record({"event": "stage", "stage": name})
        if self._bar:
            self._bar.update(self._bar.task_ids[0], description=f"{self._title}: {safe(name)}")
            self._draw()

    def to(self, done: int) -> None:
        """So much of `total` is done; less than before when something had to begin anew."""
        self._done = done
        if self._events and self.total:
            percent = done * 100 // self.total
            if percent != self._percent:
                self._percent = percent
                self._terminal.record({"event": "progress", "done": done, "total": self.total})
        if self._bar and time.monotonic() - self._drawn >= _REDRAW_S:
            self._draw()

    def note(self, text: str) -> None:
        """A remark on stderr: above the bar when there is one."""
        if self._bar:
            self._bar.console.print(safe(text, 1000), markup=False, soft_wrap=True)
        else:
            self._terminal.note(text)

    def _draw(self) -> None:
        if self._bar:
            self._drawn = time.monotonic()
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._done, total=self.total or None, refresh=True)

    def __exit__(self, *raised: Any) -> None:
        if self._bar:
            self._draw()
            self._bar.stop()
            self._bar = None
            self._restore()


def _terminated(number: int, _: object) -> None:
    sys.exit(128 + number)
