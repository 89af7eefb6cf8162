"""Our client of captive portals, with the portal of the real firmware, in real time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from world import KEY, SSID, address, flash

from dsmrctl.errors import UsageError
from dsmrctl.provisioning.portal import Portal
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard


@pytest.mark.slow
def test_it_lists_the_networks_and_hands_one_over(tmp_path: Path) -> None:
    air = Air()
    air.on(SSID, KEY, -55)
    air.on('<b>"near" & dear</b>', "", -40)
    path, place = flash(tmp_path, wifi=None)
    with VirtualBoard(path, place, address=address(202), air=air) as board:
        board.power_on()
        end = time.monotonic() + 10
        while board.access_point is None and time.monotonic() < end:
            time.sleep(0.05)
        assert board.access_point == "AutoConnectAP"
        time.sleep(0.5)
        portal = Portal(board.address)
        networks = portal.networks()
        assert [(one.ssid, one.secure) for one in networks] == [
            ('<b>"near" & dear</b>', False),
            (SSID, True),
        ]
        assert -60 <= (networks[1].rssi_dbm or 0) <= -50
        assert "blink" in str(portal.info())
        with pytest.raises(UsageError):
            portal.save(SSID, "short")
        assert SSID in portal.save(SSID, KEY)
        end = time.monotonic() + 15
        while board.wifi != 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert board.wifi == 5
        assert [cause for _, cause in board.resets] == ["SOFT"]
        assert KEY not in board.log
