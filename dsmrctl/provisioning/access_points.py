"""The open access points of boards in the air, told apart; and how a person joins one.

A board's access point has no name of its own: several are told apart by their BSSID, whose last
three bytes are the board's id (on this chip an access point has the station's address, with the
bit for "locally administered" set).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import NamedTuple

from dsmrctl.provisioning.portal import ACCESS_POINT

_WAIT_S = 20.0
_FIELDS = "ACTIVE,SSID,BSSID,SIGNAL,SECURITY"


class AccessPoint(NamedTuple):
    """One in the air: its BSSID, its signal (0 to 100 %), and whether this computer is on it."""

    bssid: str
    signal: int
    joined: bool

    @property
    def id(self) -> str:
        """The id of the board whose it most likely is."""
        return self.bssid.replace(":", "").lower()[6:]


def in_the_air() -> list[AccessPoint] | None:
    """Those that are heard, the strongest first; None where this computer cannot tell."""
    program = shutil.which("nmcli")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-t", "-f", _FIELDS, "dev", "wifi", "list"],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told(done.stdout)


def told(listing: str) -> list[AccessPoint]:
    """The boards' access points in what nmcli lists; other lines are passed over."""
    found = []
    for line in listing.splitlines():
        # A colon within a field has a backslash before it, and so has a backslash.
        fields = [re.sub(r"\\(.)", r"\1", field) for field in re.split(r"(?<!\\):", line)]
        if len(fields) < 4 or fields[1] != ACCESS_POINT:
            continue
        if re.fullmatch("(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", fields[2]) and fields[3].isdigit():
            found.append(AccessPoint(fields[2], min(100, int(fields[3])), fields[0] == "yes"))
    return sorted(found, key=lambda one: -one.signal)


def steps(one: AccessPoint | None, system: str = sys.platform) -> list[str]:
    """How a person joins a board's access point on this system, a step a line."""
    if system == "darwin":
        return [
            "hold Option, click the WiFi sign in the menu bar" if one else "click the WiFi sign",
            f"choose {ACCESS_POINT}" + (f" ({one.bssid})" if one else ""),
            "a window may open by itself: close it, and stay on that network",
        ]
    if system == "win32":
        return [
            f"in a terminal: netsh wlan connect name={ACCESS_POINT} ssid={ACCESS_POINT}",
            "or click the network sign in the corner, and choose it there",
            "'no internet' is right: stay connected",
        ]
    bssid = f" bssid {one.bssid}" if one else ""
    return [
        f"nmcli dev wifi connect {ACCESS_POINT}{bssid}",
        "or choose it in the network menu; 'no internet' is right: stay connected",
    ]


def steps_back(ssid: str, system: str = sys.platform) -> str:
    """How to be back in one's own network."""
    if system == "linux":
        return "choose your own network again (nmcli con up NAME), if that does not go by itself"
    return f"choose {ssid} again, if that does not go by itself"
