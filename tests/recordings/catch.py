"""In a network of its own, without root: tcpdump catches datagrams that are sent here.

`python catch.py tcpdump LINK FILE GROUP PORT HEX…`; prints who sent them. tcpdump run as root would
give up its rights, which it cannot where only root exists.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from isolated import bring_loopback_up


def main(tcpdump: str, link: str, path: str, group: str, port: str, *wanted: str) -> None:
    bring_loopback_up()
    # It has room for eight of any length there may be, and drops the others; so no longer ones.
    command = [tcpdump, "-i", link, "-U", "-w", path, "--immediate-mode", "-s", "2000"]
    command += ["udp", "port", port]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE) as catching,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        assert catching.stderr is not None
        while b"listening on" not in (line := catching.stderr.readline()):
            assert line, "tcpdump ended"
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sending.bind(("127.0.0.1", 0))
        print(f"127.0.0.1:{sending.getsockname()[1]}")
        for data in map(bytes.fromhex, wanted):
            sending.sendto(data, (group, int(port)))
        deadline = time.monotonic() + 10
        # On `any` it holds the newest back until another comes.
        last = bytes.fromhex(wanted[-1])
        while last not in Path(path).read_bytes() and time.monotonic() < deadline:
            sending.sendto(b"end", (group, int(port)))
            time.sleep(0.02)
        catching.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
