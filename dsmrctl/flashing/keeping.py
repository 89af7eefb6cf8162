"""What a board keeps when it is flashed: its settings, its WiFi, its months of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsmrctl.boards import Board
from dsmrctl.firmware.core import setting
from dsmrctl.flashing.image import Content
from dsmrctl.flashing.present import Present

# What may be said of a file that stays.
_CALLED = {"history.json": "its months of history", "crash.txt": "its crash log"}


@dataclass(frozen=True)
class Kept:
    """What goes onto the flash besides the bundle, and sentences on what stays and what goes."""

    content: Content
    told: tuple[str, ...]


def merge(
    present: Present,
    board: Board,
    changes: dict[str, Any],
    wifi: tuple[str, str] | None,
    *,
    reset: bool = False,
) -> Kept:
    """The content of a flash: what is there, as far as it fits this board, and what is asked.

    changes: settings as `setting.changes` gave them. wifi: (network, password), None keeps what
    is there. reset: no setting stays. No sentence holds a secret.
    """
    told: list[str] = []
    same = present.board == board.name
    before = {} if reset else present.settings
    settings, dropped = _fitting(before, board, same)
    if reset and present.settings:
        told.append(f"its settings go: {', '.join(sorted(present.settings))}")
    if settings:
        told.append(f"keeps its settings: {', '.join(sorted(settings))}")
    if dropped:
        told.append(f"drops what {board.name} does not have: {', '.join(sorted(dropped))}")
    more = {path: data for path, data in present.kept.items() if same or path not in _OWN}
    more.pop("settings.json", None)
    for path, called in _CALLED.items():
        if path in more:
            told.append(f"keeps {called}")
    as_is = present.kept.get("settings.json", b"")
    if settings == present.settings and not changes and (settings or as_is == b"{}"):
        # To the byte as the board wrote it: then nothing needs writing.
        more["settings.json"] = as_is
        settings = {}
    if changes:
        told.append(f"sets {', '.join(_shown(key, value) for key, value in changes.items())}")
    if wifi is not None:
        more.pop("wifi.json", None)
        told.append(f"joins the WiFi network {wifi[0]!r}")
    elif present.wifi:
        told.append(f"keeps its WiFi network: {present.wifi!r}")
    else:
        more.pop("wifi.json", None)
    content = Content({**settings, **changes}, wifi, present.port, more)
    return Kept(content, tuple(told))


# Of one kind of board only: another has no use for it.
_OWN = {"history.json", "signed.json"}


def _fitting(before: dict[str, Any], board: Board, same: bool) -> tuple[dict[str, Any], list[str]]:
    """(settings this board has, keys of those it has not). Another kind takes no name over."""
    found, dropped = {}, []
    for key, value in before.items():
        try:
            if key == "name" and not same:
                raise setting.SettingError
            found[key] = setting.checked(board.name, key, value)
        except setting.SettingError:
            dropped.append(str(key))
    return found, dropped


def _shown(key: str, value: Any) -> str:
    return key if setting.secret(key) else f"{key}={value}"
