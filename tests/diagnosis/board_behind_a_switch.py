"""An interface board's stand-in: it announces itself, answers, and sends frames to the group.

python board_behind_a_switch.py NIC ADDRESS GROUP PORT, in the network namespace it is to be in.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from datetime import datetime

from patient import board_that_says
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from dsmrctl.firmware.core import frame as core
from dsmrctl.network.multicast import Receiver, Sender

NIC, ADDRESS, GROUP, PORT = sys.argv[1:]
STATUS = {"telegrams": 5, "telegrams_bad": 0, "telegram_age_s": 0}
TEXTS = {"board": "interface", "hw": "esp01s", "fw": "99.0.0", "id": "0f0f0f"}


def send() -> None:
    with Sender(GROUP, int(PORT), nic=NIC) as sender:
        while True:
            now = datetime.now()
            values = [301548, 270014, 338, 0, 1, now.minute, now.second, 2589, 1320, 1500]
            sender.send(core.build(values))
            time.sleep(0.2)


# Of a group without any member a bridge knows nothing, and floods it.
with (
    Receiver(GROUP, int(PORT), [NIC]),
    board_that_says(address=ADDRESS, info={"wifi": {}}, status=STATUS) as (_, port),
):
    zeroconf = Zeroconf(interfaces=[ADDRESS], ip_version=IPVersion.V4Only)
    info = ServiceInfo(
        "_dsmr._tcp.local.", "meter._dsmr._tcp.local.", port,
        addresses=[socket.inet_aton(ADDRESS)], server="dsmr_if.local.", properties=TEXTS,
    )  # fmt: skip
    zeroconf.register_service(info)
    threading.Thread(target=send, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    zeroconf.close()
