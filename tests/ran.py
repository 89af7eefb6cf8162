"""The real program in a process of its own: what it said, and what it is started in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Ran(NamedTuple):
    """What a finished command said. `out` keeps its bytes where they matter."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without anybody's preferences or colours in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DSMRCTL_", "XDG_", "_TYPER"))
        and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    }
    return kept | {"HOME": str(home), "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
