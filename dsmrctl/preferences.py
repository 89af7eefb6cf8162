"""The user's TOML file: defaults for options, so that a flag need not be typed every time.

    # ~/.config/dsmrctl/dsmrctl.toml (Linux); `DSMRCTL_CONFIG` names another
    port = "/dev/ttyUSB0"
    nic = "eth0"
    language = "nl"

Precedence: flag, then environment (`DSMRCTL_PORT` …), then this file, then the default.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from dsmrctl.errors import UsageError

# Preference -> the name its value has inside commands.
KEYS = {
    "port": "source",
    "group": "group",
    "nic": "nic",
    "layout": "layout",
    "language": "language",
    "frame_key_file": "frame_key_file",
    "meter_key_file": "meter_key_file",
    # The network that boards are given when they are flashed.
    "ssid": "ssid",
    "wifi_password_file": "password_file",
}


def path() -> Path:
    """Where the preferences file is looked for."""
    named = os.environ.get("DSMRCTL_CONFIG")
    if named:
        return Path(named)
    if sys.platform == "linux":
        # What platformdirs says too (a test asks it), without its 5 ms in every command.
        home = os.environ.get("XDG_CONFIG_HOME", "").strip()
        return Path(home or "~/.config").expanduser() / "dsmrctl" / "dsmrctl.toml"
    from platformdirs import user_config_path

    return user_config_path("dsmrctl", appauthor=False) / "dsmrctl.toml"


def found_boards() -> Path:
    """Where the boards of the last discovery are kept; DSMRCTL_CACHE names another folder."""
    named = os.environ.get("DSMRCTL_CACHE")
    if named:
        return Path(named) / "boards.json"
    if sys.platform == "linux":
        home = os.environ.get("XDG_CACHE_HOME", "").strip()
        return Path(home or "~/.cache").expanduser() / "dsmrctl" / "boards.json"
    from platformdirs import user_cache_path

    return user_cache_path("dsmrctl", appauthor=False) / "boards.json"


def defaults() -> dict[str, Any]:
    """The file's values by parameter name; empty without a file. Raises UsageError."""
    file = path()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except PermissionError:
        if "DSMRCTL_CONFIG" not in os.environ:
            return {}  # a service whose home is somebody else's, or hidden from it
        raise UsageError(f"cannot read the preferences in {file}: permission denied") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the preferences in {file}: {error}") from None

    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}", hint="correct it, or delete it") from None
    for key, value in found.items():
        if key not in KEYS:
            raise UsageError(
                f"{file}: there is no preference '{key}'", hint=f"known: {', '.join(KEYS)}"
            )
        if not isinstance(value, str):
            raise UsageError(f"{file}: {key} wants text in quotes, not {value!r}")
    return {KEYS[key]: value for key, value in found.items()}
