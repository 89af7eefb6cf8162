"""A network of its own that is not loopback, with a board on it; replay in front of a terminal.

`python real_network.py FILE`, as root of a namespace; prints what happened as JSON lines.
"""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from isolated import bring_loopback_up

from dsmrctl.network.multicast import Receiver

GROUP, PORT = "239.255.84.5", 18430
ADDRESS = "10.77.0.1"


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        sys.exit(77)


@contextmanager
def board(name: str) -> Iterator[None]:
    """One that announces itself; nothing else is asked of it."""
    from zeroconf import IPVersion, ServiceInfo, Zeroconf

    zeroconf = Zeroconf(interfaces=[ADDRESS], ip_version=IPVersion.V4Only)
    service = "_dsmr._tcp.local."
    info = ServiceInfo(
        service, f"{name}.{service}", 80, addresses=[socket.inet_aton(ADDRESS)],
        properties={"board": "miniswitch", "id": "d51405"}, server=f"{name}.local.",
    )  # fmt: skip
    try:
        zeroconf.register_service(info)
        yield
    finally:
        zeroconf.close()


def replay(file: str, *more: str, answer: bytes | None = None) -> tuple[int, str]:
    """(exit code, what it said); `answer`: on a terminal, where somebody types that."""
    command = [sys.executable, "-m", "dsmrctl", "replay", file, "--speed", "max", "--nic", "d0"]
    command += ["--group", f"{GROUP}:{PORT}", *more]
    if answer is None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stderr
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(master, 65536)
        os.write(master, answer)
        while True:
            said += os.read(master, 65536)
    except OSError:  # the other side is closed
        pass
    os.close(master)
    return process.wait(20), said.decode()


def main(file: str) -> None:
    bring_loopback_up()
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("addr", "add", f"{ADDRESS}/24", "dev", "d0")
    ip("link", "set", "d0", "up")
    ip("link", "set", "d1", "up")
    with Receiver(GROUP, PORT, ["d0"]) as receiver:

        def told(what: str, code: int, said: str) -> None:
            heard = 0
            while batch := receiver.receive(0.1):
                heard += len(batch)
            line = {"what": what, "code": code, "said": said, "heard": heard}
            sys.stdout.write(json.dumps(line) + "\n")

        told("nobody to ask", *replay(file))
        with board("pump"):
            told("nobody to ask, a board", *replay(file))
            told("no", *replay(file, answer=b"n\n"))
            told("yes", *replay(file, answer=b"y\n"))
            told("--yes", *replay(file, "--yes"))


if __name__ == "__main__":
    main(*sys.argv[1:])
