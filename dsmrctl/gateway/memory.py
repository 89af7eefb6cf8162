"""What must survive a restart of `serve`: quarter and month peaks that an old meter does not say.

One small JSON file a meter, written at most once a quarter, to a new file first and then renamed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsmrctl.firmware.core.demand import Demand

_FORMAT = 2
# A format's whole numbers of a quarter; those of 1 end with the month's peak, which its peaks have.
_STATES = {1: 7, _FORMAT: 4}


def folder() -> Path:
    """Where state is kept: systemd's StateDirectory, else the user's own."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    from platformdirs import user_state_path

    return user_state_path("dsmrctl", appauthor=False)


class Memory:
    """Keeps a Demand over a restart. A file that cannot be read starts anew, and that is told."""

    def __init__(
        self, where: Path | None = None, on_note: Callable[[str], None] = lambda text: None
    ) -> None:
        self._where = where
        self._note = on_note
        self._failed = False

    def _file(self, serial: str | None) -> Path:
        name = re.sub(r"[^0-9A-Za-z]", "", serial or "")[:40] or "meter"
        return (self._where or folder()) / f"quarters-{name}.json"

    def recall(self, demand: Demand, serial: str | None) -> None:
        """Give `demand` what was kept for this meter; without a file it stays as it is."""
        file = self._file(serial)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            state, peaks = _checked(kept)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._note(f"{file} cannot be used ({error}): quarters and peaks start anew")
            return
        demand.load(peaks)
        demand.restore(state)

    def keep(self, demand: Demand, serial: str | None) -> None:
        """Write what a restart needs. A disk that refuses is told once; frames go on."""
        file = self._file(serial)
        kept = {"format": _FORMAT, "state": demand.state(), "peaks": demand.peaks()}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(kept), encoding="utf-8")
            fresh.replace(file)
            self._failed = False
        except OSError as error:
            if not self._failed:
                self._note(f"cannot keep the month peak in {file}: {error.strerror or error}")
            self._failed = True


def _checked(kept: Any) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The state and the peaks of a file. Raises ValueError for what `keep` never writes."""

    def whole(values: Any, length: int) -> tuple[Any, ...]:
        if not isinstance(values, list) or len(values) != length:
            raise ValueError("another form")
        if any(value is not None and type(value) is not int for value in values):
            raise ValueError("not whole numbers")
        return tuple(values)

    if not isinstance(kept, dict) or kept.get("format") not in (1, _FORMAT):
        raise ValueError("another format")
    peaks = kept.get("peaks")
    if not isinstance(peaks, list):
        raise ValueError("another form")
    found = [whole(peak, 3) for peak in peaks]
    if any(month is None or demand_w is None for month, _, demand_w in found):
        raise ValueError("a peak without its month")
    state = whole(kept.get("state"), _STATES[kept["format"]])[:4]
    if state[0] is None or state[1] is None:
        raise ValueError("no time in it")
    return state, found
