"""fleet: twenty boards found, asked, and one of them updated over WiFi.

The boards are virtual ones, booted from their flash images, in real time on this computer's
loopback network (`make bench` runs in a network namespace). They are found by our discovery and by
zeroconf's own browser and resolver, in turn. For settings each stands at the end of a line that
takes as long as a WiFi does; what an update costs is counted on such a line without a wait: what
hands the version over, not the questions after it, one a second, whether it holds.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.runner import Result
from dsmrctl import boards
from dsmrctl.flashing import build, image
from dsmrctl.flashing.bundle import Bundle, manifest
from dsmrctl.network import discovery, fleet, updating
from dsmrctl.network.board_client import BoardClient
from dsmrctl.network.discovery import Found
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard

COUNT = 20
KINDS = (boards.INTERFACE, boards.MINISWITCH, boards.MONITOR, boards.SWITCHER)
WIFI = ("HOME", "an invented key")
NIC = "127.0.0.1"
# Twenty boards have twenty processors, and their WiFi between: each answers after so long, most
# of which it is not this computer that works.
LINE_S = 0.05
# A module of middling size changes.
MODULE = "info.mpy"
_WAIT_S = 90.0


def measure(quick: bool) -> Iterator[Result]:
    rounds = 4 if quick else 10
    with _household() as found:
        ours, theirs = _best(rounds, _ours, _theirs)
        yield Result("fleet.discover_20_s", ours, "s")
        yield Result("fleet.zeroconf_browse_20_s", theirs, "s")
        yield Result("fleet.discover_20_vs_zeroconf_browse", ours / theirs, "x", 1.5, "lower")
        # As they are, all of them on this computer's few processors: shown only.
        all_, one = _best(rounds, lambda: _settings(found), lambda: _settings(found[:1]))
        yield Result("fleet.config_20_vs_1_without_lines", all_ / one, "x")
        with _far_away(found) as far:
            all_, one = _best(rounds, lambda: _settings(far), lambda: _settings(far[:1]))
        yield Result("fleet.config_20_s", all_, "s")
        yield Result("fleet.config_20_vs_1", all_ / one, "x", 4, "lower")
        interface = next(each for each in found if each.board == "interface")
        count, size = _update(interface)
        yield Result("fleet.update_one_module_bytes", count, "bytes")
        name = "fleet.update_one_module_vs_bundle_bytes"
        yield Result(name, count / size, "x", 0.1, "lower")


def _best(rounds: int, *jobs: Callable[[], None]) -> list[float]:
    """The best of several rounds of each, in turn; seconds."""
    best = [float("inf")] * len(jobs)
    for _ in range(rounds):
        for number, job in enumerate(jobs):
            start = time.perf_counter()
            job()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def _ours() -> None:
    heard = discovery.browse(_WAIT_S, NIC, enough=lambda now: len(now.boards) == COUNT)
    if len(heard.boards) != COUNT:
        raise RuntimeError(f"our discovery found {len(heard.boards)} of {COUNT}")


def _theirs() -> None:
    """As zeroconf's documentation shows it: a browser, and get_service_info of each."""
    from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

    found: set[str] = set()
    all_there = threading.Event()

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            info = zc.get_service_info(type_, name)
            if info is not None and info.parsed_addresses():
                found.add(name)
            if len(found) == COUNT:
                all_there.set()

        update_service = add_service

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

    zeroconf = Zeroconf(interfaces=[NIC], ip_version=IPVersion.V4Only)
    try:
        ServiceBrowser(zeroconf, discovery.SERVICE, Listener())
        if not all_there.wait(_WAIT_S):
            raise RuntimeError(f"zeroconf found {len(found)} of {COUNT}")
    finally:
        zeroconf.close()


def _settings(found: list[Found]) -> None:
    for board, answer in fleet.each(found, lambda one: fleet.client(one).settings()):
        if isinstance(answer, Exception):
            raise RuntimeError(f"{board.name}: {answer}")


def _update(board: Found) -> tuple[int, int]:
    """The bytes both ways of an update in which one module is another; the bundle's bytes."""
    new = _with_a_changed_module()
    with _Line((board.address, board.port)) as line:
        client = BoardClient(
            *line.address, host=board.address, who=board.name, timeout=updating.LIST_S
        )
        sent = updating.send(client, new, _NoBar())
    if sent.files != [MODULE]:
        raise RuntimeError(f"one module was changed, and sent were {sent.files}")
    return line.count, len(new.pack())


def _with_a_changed_module() -> Bundle:
    old = build.build(boards.INTERFACE, "1.0.0")
    # What stands behind the last function is not read.
    files = old.files | {MODULE: old.files[MODULE] + b"\0"}
    variants = list(dict.fromkeys(kind.variant for kind in boards.INTERFACE.hardware))
    return Bundle(manifest(old.board, old.hardware, variants, "1.0.1", {}, files), files)


class _NoBar:
    total = 0

    def stage(self, name: str) -> None:
        pass

    def to(self, done: int) -> None:
        pass


@contextmanager
def _far_away(found: list[Found]) -> Iterator[list[Found]]:
    """The same boards, each at the end of a line of its own."""
    with ExitStack() as stack:
        lines = [stack.enter_context(_Line((one.address, one.port), LINE_S)) for one in found]
        yield [
            one._replace(address=line.address[0], port=line.address[1])
            for one, line in zip(found, lines, strict=True)
        ]


class _Line:
    """A line to a board, which holds a connection up so long; counts what goes through."""

    def __init__(self, board: tuple[str, int], hold_s: float = 0) -> None:
        self.count = 0
        self._board, self._hold_s = board, hold_s
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._door.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> _Line:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            time.sleep(self._hold_s)
            with client, socket.create_connection(self._board) as board:
                back = threading.Thread(target=self._pass_on, args=(board, client))
                back.start()
                self._pass_on(client, board)
                back.join()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.count += len(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def _household() -> Iterator[list[Found]]:
    """Twenty boards, five of each kind, once all of them are found."""
    air = Air()
    air.on(*WIFI, -55)
    made = {kind.name: build.build(kind, "1.0.0") for kind in KINDS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number in range(COUNT):
            kind = KINDS[number % len(KINDS)]
            content = image.Content({"name": f"board {number}"}, WIFI)
            data, place = image.make(made[kind.name], kind, kind.hardware[0], content)
            flash = folder / f"{number}.bin"
            flash.write_bytes(data)
            mac = bytes([0x5C, 0xCF, 0x7F, 0xBE, 0xEE, number])
            board = VirtualBoard(flash, place, address=f"127.0.0.{number + 2}", mac=mac, air=air)
            stack.enter_context(board)
            board.power_on()
        heard = discovery.browse(_WAIT_S, NIC, enough=lambda now: len(now.boards) == COUNT)
        found = sorted(heard.boards.values(), key=lambda each: each.id)
        if len(found) != COUNT:
            raise RuntimeError(f"only {len(found)} of {COUNT} boards came into the network")
        time.sleep(3)  # names that several boards wanted are settled
        yield found
