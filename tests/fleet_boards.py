"""Many boards at once, in real time, booted from flash images; and the program beside them.

with fleet(folder, Wanted("miniswitch", "boiler"), Wanted("monitor", "hall")) as boards:
    ran = boards.run("config", "boiler", "threshold_w=1500")
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ran import Ran, clean_environment
from world import KEY, SSID, bundle

from dsmrctl import boards
from dsmrctl.flashing import image
from dsmrctl.network import discovery
from dsmrctl.network.discovery import Found
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard

_BOOT_S = 60.0
# Names that many boards want are settled by asking and giving way, each a second.
_FOUND_S = 90.0


@dataclass(frozen=True)
class Wanted:
    """One board: its kind, its name, and how it is flashed."""

    kind: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    hardware: str | None = None
    version: str = "1.0.0"


@dataclass
class Fleet:
    """Boards by their names, on 127.0.0.x of this network; `air` is the WiFi they are in."""

    folder: Path
    air: Air
    boards: dict[str, VirtualBoard] = field(default_factory=dict)

    def address(self, name: str) -> str:
        """Where its page is, on port 80."""
        return self.boards[name].address

    def environment(self) -> dict[str, str]:
        """The program's: nobody's preferences, its files here, this network."""
        return clean_environment(self.folder) | {
            "DSMRCTL_CACHE": str(self.folder / "cache"),
            "DSMRCTL_DATA": str(self.folder / "data"),
            "DSMRCTL_NIC": "lo",
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        }

    def run(
        self,
        *args: object,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> Ran:
        """The real program."""
        done = subprocess.run(
            [sys.executable, "-m", "dsmrctl", *map(str, args)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=self.environment() | (env or {}),
            cwd=self.folder,
            timeout=timeout,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def begin(self, *args: str) -> subprocess.Popen[str]:
        """The real program, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", *args],
            env=self.environment(), cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def found(self, names: set[str], timeout: float = _FOUND_S) -> dict[str, Found]:
        """These boards as mDNS tells of them, once it tells of all."""
        heard = discovery.browse(
            timeout,
            "lo",
            enough=lambda now: names <= {one.name for one in now.boards.values()},
        )
        there = {one.name: one for one in heard.boards.values()}
        logs = {name: self.boards[name].log[-300:] for name in names - there.keys()}
        assert not logs, logs
        return there

    def again(self, name: str, timeout: float = _BOOT_S, *, since: int | None = None) -> Found:
        """Waits until a board that was switched on, or restarts, is back in the network.

        since: how often it had reset itself before it was asked to; without it, a board that
        restarts has begun to.
        """
        board = self.boards[name]
        end = time.monotonic() + timeout
        while (since is not None and len(board.resets) <= since) or board.wifi != 5:
            assert time.monotonic() < end, board.log[-2000:]
            time.sleep(0.05)
        return self.found({name}, timeout)[name]


@cache
def _image(kind: str, hardware: str | None, version: str, settings: str, name: str) -> Any:
    board = boards.find(kind)
    chosen = board.kind(hardware) if hardware else board.hardware[0]
    content = image.Content({"name": name, **json.loads(settings)}, (SSID, KEY))
    return image.make(bundle(kind, version), board, chosen, content)


@contextmanager
def fleet(folder: Path, *wanted: Wanted, group: str = "239.255.61.8:18662") -> Iterator[Fleet]:
    """Boards that are switched on and found; all listen to `group`. One fleet at a time."""
    air = Air()
    air.on(SSID, KEY, -55)
    air.on("NEIGHBOUR", "someone else's", -80)
    made = Fleet(folder, air)
    with ExitStack() as stack:
        for number, one in enumerate(wanted, 2):
            settings = json.dumps({"frame_group": group} | one.settings)
            data, place = _image(one.kind, one.hardware, one.version, settings, one.name)
            flash = folder / f"flash{number}.bin"
            flash.write_bytes(data)
            mac = bytes([0x5C, 0xCF, 0x7F, 0xF1, 0xEE, number])
            board = VirtualBoard(flash, place, address=f"127.0.0.{number}", mac=mac, air=air)
            stack.enter_context(board)
            made.boards[one.name] = board
        for board in made.boards.values():
            board.power_on()
        made.found(set(made.boards))
        yield made


@contextmanager
def named(host: str, address: str) -> Iterator[None]:
    """The manual's module: it answers to that host name and has a page; no service of ours.

    The page is the same whatever is asked for, with 200.
    """
    from zeroconf import IPVersion, ServiceInfo, Zeroconf

    zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    info = ServiceInfo(
        "_http._tcp.local.", f"{host}._http._tcp.local.", 80,
        addresses=[socket.inet_aton(address)], server=f"{host}.local.",
    )  # fmt: skip
    with socket.create_server((address, 80)) as door:
        page = threading.Thread(target=_page, args=(door,))
        page.start()
        try:
            zeroconf.register_service(info)
            yield
        finally:
            zeroconf.close()
            door.shutdown(socket.SHUT_RDWR)
            page.join()


def _page(door: socket.socket) -> None:
    body = b"<html><title>DSMR mini switch</title><h1>Relay: OFF</h1></html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        with client, suppress(OSError):
            client.settimeout(5)
            client.recv(4096)
            client.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
