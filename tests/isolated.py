"""Run a command in a network namespace of its own, with only loopback in it.

`python tests/isolated.py pytest …`: where user namespaces are allowed, no datagram of a test can
leave; where they are not (a container without them), the command runs as it is and says so.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

INSIDE = "DSMRCTL_TESTS_ISOLATED"


def bring_loopback_up() -> None:
    """A new namespace has `lo`, but down; the ioctl saves needing iproute2."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def main(command: list[str]) -> None:
    if os.environ.get(INSIDE) == "entering":
        bring_loopback_up()
        os.environ[INSIDE] = "yes"
        os.execvp(command[0], command)
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0:
        os.environ[INSIDE] = "entering"
        os.execv(unshare, [unshare, "-rn", sys.executable, __file__, *command])
    sys.stderr.write("no network namespace here: tests keep to loopback by themselves\n")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
