"""A switch that snoops, for real: frames reach who is a member, and nobody else.

Two namespaces on one bridge with a querier. Of the one whose IGMP reports are lost on the way the
bridge knows nothing: there the board is found and answers, and its frames stay away.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import ROOT
from patient import cleared, on_a_network, provoked

from dsmrctl.diagnosis.finding import Finding

GROUP, PORT = "239.255.140.9", 28609
HERE = ROOT / "tests" / "diagnosis"

# Ours is the cable `eth7`; the board's is in another namespace, held open by a sleeper.
SWITCH = """
ip link add sw0 type bridge mcast_snooping 1 mcast_query_response_interval 30 \
  mcast_startup_query_interval 30
ip link set sw0 type bridge mcast_querier 1
ip link set sw0 up
ip link add eth7 type veth peer name port1
ip link add eth0 type veth peer name port2
ip link set port1 master sw0 up
ip link set port2 master sw0 up
ip addr add 10.77.0.1/24 dev eth7
ip link set eth7 up
mkfifo "$HOLD"
unshare -n sh -c 'echo > "$HOLD"; exec sleep 60' &
inner=$!
read _ < "$HOLD"
export INNER=$inner
ip link set eth0 netns $inner
nsenter -t $inner -n sh -c 'ip link set lo up; ip addr add 10.77.0.2/24 dev eth0; \
  ip link set eth0 up'
"""

LOOK = f"""
import os, subprocess, time
board = subprocess.Popen(
    ["nsenter", "-t", os.environ["INNER"], "-n", sys.executable,
     {str(HERE / "board_behind_a_switch.py")!r}, "eth0", "10.77.0.2", {GROUP!r}, "{PORT}"],
    stdin=-1, stdout=-1)
assert board.stdout.readline() == b"ready\\n"
from dsmrctl.diagnosis import whole
time.sleep(1)  # until the querier has asked
found = list(whole.look(whole.Asked(({GROUP!r}, {PORT}), "eth7", 4.0)))
board.kill()
board.communicate()
os.kill(int(os.environ["INNER"]), 9)
tell(found)
"""


def behind(setup: str, folder: Path) -> list[Finding]:
    """What is found on `eth7`, the switch made and then spoilt as `setup` says."""
    return on_a_network(
        SWITCH + setup,
        LOOK,
        HOLD=str(folder / "hold"),
        PYTHONPATH=os.pathsep.join([str(ROOT), str(HERE), str(HERE.parent)]),
        DSMRCTL_CACHE=str(folder),
        DSMRCTL_DATA=str(folder),
    )


@pytest.mark.soak
def test_who_is_a_member_hears_the_board(tmp_path: Path) -> None:
    found = behind("", tmp_path)
    assert "10.77.0.2" in cleared("frames", found).what
    cleared("isolated", found)
    cleared("membership", found)
    cleared("multicast", found)


@pytest.mark.soak
def test_whose_reports_are_lost_finds_the_board_and_hears_no_frames(tmp_path: Path) -> None:
    # What a bad access point does: it drops IGMP.
    lost = """
nft add table netdev lost
nft 'add chain netdev lost in { type filter hook ingress device port1 priority 0; }'
nft add rule netdev lost in ip protocol igmp drop
"""
    found = behind(lost, tmp_path)
    provoked("frames", found)
    cleared("board-answers", found)
    one = provoked("isolated", found)
    assert "meter answers here and sends frames, and they do not arrive" in one.what
    assert one.data["interface"] == "10.77.0.2"
