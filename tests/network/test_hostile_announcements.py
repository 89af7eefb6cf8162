"""Announcements that no board makes: an honest one beside them is found, in time, all the same."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from fleet_boards import Fleet, Wanted, fleet
from hostile_boards import ESCAPES, Act, Stand, by_call, drips, endless, says, silent, text
from ran import Ran

from dsmrctl.network import discovery

# Beside its --timeout: Python's start, and a second for each board that was found late.
MARGIN_S = 8.0
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# A name is bytes; the library takes none with the first 32 characters, and all the others.
NAMED = ESCAPES.replace("\ud800", "").replace(".", "")
BEYOND = "".join(letter for letter in NAMED if letter >= " " and letter != "\x7f")
OF = discovery.SERVICE
TTL_S = 120
DEBUG = {"DSMRCTL_DEBUG": "1"}


def texts(*entries: str | bytes) -> bytes:
    """A TXT record's bytes."""
    data = [entry.encode() if isinstance(entry, str) else entry for entry in entries]
    return b"".join(bytes([len(entry)]) + entry for entry in data)


TXT = texts("board=miniswitch", "hw=v1", "fw=1.0.0", "id=a1b2c3", "api=1")
# What a board says of itself when it means no good: each key at its longest.
EVIL = texts(*((f"{key}=" + NAMED * 30).encode()[:250] for key in ("board", "hw", "fw", "id")))
HUGE = texts(*(f"{key}{number}=".ljust(250, "x") for number in range(16) for key in ("id", "fw")))

# No DNS at all, a head without its records, and a name that is its own end for ever.
BROKEN = [
    bytes(range(256)) * 30,
    bytes.fromhex("0000 8400 ffff ffff ffff ffff"),
    bytes.fromhex("0000 8400 0000 0001 0000 0000 c00c 000c 0001 00000078 0002 c00c"),
]


def board(
    name: str, address: str | None, port: int, txt: bytes = TXT, host: str | None = None
) -> list[Any]:
    """The records of one announcement; without an address its host is never told."""
    from zeroconf._dns import DNSAddress, DNSPointer, DNSService, DNSText

    host = host or f"{name[:40]}.local."
    name = f"{name}.{OF}"
    found: list[Any] = [
        DNSPointer(OF, 12, 1, TTL_S, name),
        DNSService(name, 33, 0x8001, TTL_S, 0, 0, port, host),
        DNSText(name, 16, 0x8001, TTL_S, txt),
    ]
    if address is not None:
        found.append(DNSAddress(host, 1, 0x8001, TTL_S, socket.inet_aton(address)))
    return found


def datagrams(records: Iterable[Any]) -> list[bytes]:
    """An answer that nobody asked for; a record that is too long for one has its own."""
    from zeroconf._protocol.outgoing import DNSOutgoing

    out = DNSOutgoing(0x8400)
    for record in records:
        out.add_answer_at_time(record, 0)
    return out.packets()


@contextmanager
def announced(all_of_them: list[bytes], every: float = 0.4) -> Iterator[None]:
    """These datagrams to all who listen for boards, again and again."""
    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            for number, data in enumerate(all_of_them):
                out.sendto(data, ("224.0.0.251", 5353))
                if number % 20 == 19:
                    time.sleep(0.005)  # who listens has a buffer to drain
            ended.wait(every)

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as out:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            out.setsockopt(socket.SOL_SOCKET, option, 1)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        out.bind(("127.0.0.1", 5353))
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(5)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One honest board."""
    with fleet(tmp_path_factory.mktemp("home"), Wanted("miniswitch", "boiler")) as there:
        yield there


def judged(home: Fleet, *args: str, seconds: float = 3) -> Ran:
    """The program, of which nothing may drive a terminal; ended in time and without a fault."""
    began = time.monotonic()
    ran = home.run(*args, "--nic", "lo", "--timeout", f"{seconds:g}s", env=DEBUG)
    took = time.monotonic() - began
    assert not re.search("Traceback|Exception|unexpected", ran.err), ascii(ran.err)
    assert ran.code == 0, ran.err
    assert not CONTROL.search(ran.out), ascii(ran.out)
    assert not CONTROL.search(ran.err), ascii(ran.err)
    assert took < seconds + MARGIN_S, took
    return ran


def honest(home: Fleet, ran: Ran) -> dict[str, Any]:
    """All that was found by name; the honest board is one and answers."""
    (line,) = ran.out.splitlines()
    found = json.loads(line)["boards"]
    (ours,) = [one for one in found if one["name"] == "boiler"]
    assert ours["answers"], ours
    assert ours["address"] == home.address("boiler")
    return {one["name"]: one for one in found}


@pytest.mark.slow
def test_what_is_announced_is_made_harmless_and_only_hosts_are_asked(home: Fleet) -> None:
    sent = [*BROKEN]
    with ExitStack() as stack:
        evil = says({"error": ESCAPES}, 500)
        info = {"wifi": {"ssid": ESCAPES, "rssi_dbm": ESCAPES}, "uptime_s": ESCAPES}
        lying = by_call(info=info, status={"output": ESCAPES, "telegrams": 1, "mqtt": ESCAPES})
        one = stack.enter_context(Stand(evil))
        two = stack.enter_context(Stand(lying))
        away = stack.enter_context(Stand(says({}), "127.0.0.93"))
        there = f"Location: http://{away.address}:{away.port}/api/info"
        three = stack.enter_context(Stand(says({}, 302, there)))
        dead = "127.0.0.94"
        for announcement in (
            board(NAMED, one.address, one.port, EVIL),
            board(f"odd{BEYOND}", one.address, one.port, EVIL),
            board("lying", two.address, two.port, EVIL),
            board("sends on", three.address, three.port, HUGE),
            board("nowhere", "0.0.0.0", 80),
            board("everywhere", "224.0.0.1", 80),
            board("broadcast", "255.255.255.255", 80),
            board("portless", dead, 0),
            board("hostless", None, 80),
            board("named", None, 80, TXT, f"{NAMED}.local."),
            board("textless", one.address, one.port, b""),
            board("cut", one.address, one.port, b"\xffboard"),
        ):
            sent += datagrams(announcement)
        stack.enter_context(announced(sent))
        asked = [("discover", "--json"), ("discover",), ("status", "--json"), ("status",)]
        with ThreadPoolExecutor(len(asked)) as pool:
            told, plain, seen, screen = pool.map(lambda args: judged(home, *args), asked)
        assert one.asked
        assert two.asked
        assert three.asked
        assert away.asked == []
    for names in (honest(home, told), honest(home, seen)):
        assert {"lying", "sends on", "textless"} <= names.keys()
        assert any(name.startswith("odd[2J]") for name in names)
        assert not names.keys() & {"nowhere", "everywhere", "broadcast", "portless", "hostless"}
        assert not names["sends on"]["answers"]
    lines = [line for line in plain.out.splitlines() if line.startswith("boiler\t")]
    assert len(lines) == 1
    assert "boiler" in screen.out


def many(count: int, at: Stand) -> list[bytes]:
    """So many boards, each at an address of its own."""
    found = []
    for number in range(count):
        place = f"127.1.{number // 250}.{number % 250 + 1}"
        found += datagrams(board(f"b{number}", place, at.port, TXT, f"h{number}.local."))
    return found


@pytest.mark.soak
def test_three_hundred_boards_that_never_answer_hold_nobody_up(home: Fleet) -> None:
    with Stand(silent, "0.0.0.0") as mute, announced(many(300, mute), 0.05):
        found = honest(home, judged(home, "discover", "--json"))
    # One that is too many is still found by its kind's host name.
    assert 200 < len(found) <= discovery.MOST + 1


@pytest.mark.soak
def test_a_board_is_found_beside_two_hundred_that_never_answer(home: Fleet) -> None:
    with Stand(silent, "0.0.0.0") as mute, announced(many(200, mute), 1.0):
        found = honest(home, judged(home, "status", "--json", seconds=2))
    assert len(found) > 150


SLOW: dict[str, Act] = {
    "silent": silent,
    "drips": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
    "endless": endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05
    ),
    "huge": text(b"[" * 10_000_000),
}


@pytest.mark.slow
def test_boards_that_do_not_end_their_answers_hold_nobody_up(home: Fleet) -> None:
    with ExitStack() as stack:
        sent = []
        for name, act in SLOW.items():
            stand = stack.enter_context(Stand(act))
            sent += datagrams(board(name, stand.address, stand.port))
        stack.enter_context(announced(sent))
        found = honest(home, judged(home, "status", "--json", seconds=2))
    for name in SLOW:
        assert found[name]["frames"] == "no answer"


@pytest.mark.slow
def test_boards_that_change_all_the_time_hold_nobody_up(home: Fleet) -> None:
    with Stand(silent, "127.0.0.95") as mute:
        sent = []
        for turn in range(600):
            txt = texts("board=monitor", "hw=v1", f"fw=1.0.{turn}", f"id={turn % 3:06x}")
            sent += datagrams(board(f"b{turn % 3}", mute.address, mute.port, txt))
        with announced(sent, 0.0):
            found = honest(home, judged(home, "status", "--json", seconds=2))
        assert {"b0", "b1", "b2"} <= found.keys()
        assert len(mute.asked) < 20
