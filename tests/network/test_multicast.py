"""Real sockets on loopback, a group and a port for each test; TTL 0, so nothing leaves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.network import nics
from dsmrctl.network.multicast import (
    GROUP,
    LONGEST,
    PORT,
    Datagram,
    Receiver,
    Sender,
    format_group,
    parse_group,
)

LO = ["127.0.0.1"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells this")
BOTH_PATHS = pytest.mark.parametrize(
    "portable", [pytest.param(False, marks=LINUX), True], ids=["linux", "portable"]
)
_numbers = iter(range(1, 250))


@pytest.fixture
def where() -> tuple[str, int]:
    """A group and a port nobody else here uses, also not another worker of pytest-xdist."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    number = next(_numbers)
    return f"239.255.{100 + worker}.{number}", 21000 + worker * 300 + number


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def everything(receiver: Receiver, timeout: float = 0.2) -> list[Datagram]:
    found = []
    while batch := receiver.receive(timeout):
        found += batch
    return found


@BOTH_PATHS
def test_what_is_sent_to_the_group_comes_with_its_sender_and_its_time(
    where: tuple[str, int], portable: bool
) -> None:
    with Receiver(*where, LO, portable=portable) as receiver, Sender(*where, ttl=0) as sender:
        before = time.time_ns()
        sender.send(b'{"dsmr":[1]}')
        (datagram,) = receiver.receive(5)
        assert datagram.data == b'{"dsmr":[1]}'
        assert datagram.sender[0] == "127.0.0.1"
        # The kernel's stamp is taken from a clock that may run a tick behind.
        assert before - 20_000_000 <= datagram.time_ns <= time.time_ns()
        assert receiver.portable is portable
        assert receiver.dropped == (None if portable else 0)
        assert datagram.nic == (0 if portable else socket.if_nametoindex("lo"))


def test_the_system_decides_which_path_is_taken(where: tuple[str, int]) -> None:
    with Receiver(*where, LO) as receiver:
        assert receiver.portable is (sys.platform != "linux")


@BOTH_PATHS
def test_two_programs_hear_the_same_group(where: tuple[str, int], portable: bool) -> None:
    with (
        Receiver(*where, LO, portable=portable) as one,
        Receiver(*where, LO, portable=portable) as other,
        Sender(*where, nic="lo" if sys.platform == "linux" else None, ttl=0) as sender,
    ):
        sender.send(b"frame")
        assert [each.data for each in one.receive(5) + other.receive(5)] == [b"frame", b"frame"]


@LINUX
def test_another_group_on_the_same_port_is_not_heard(where: tuple[str, int]) -> None:
    group, port = where
    other = group.replace("239.255.", "239.254.")
    with (
        Receiver(group, port, LO) as receiver,
        Receiver(other, port, LO) as joined,
        Sender(other, port, ttl=0) as sender,
    ):
        sender.send(b"not for us")
        assert joined.receive(5)
        assert receiver.receive(0) == []


@BOTH_PATHS
def test_a_unicast_address_works_where_multicast_does_not(
    where: tuple[str, int], portable: bool
) -> None:
    port = where[1]
    with (
        Receiver("127.0.0.1", port, portable=portable) as receiver,
        Sender("127.0.0.1", port) as sender,
    ):
        sender.send(b"frame")
        assert [each.data for each in receiver.receive(5)] == [b"frame"]
        assert receiver.joined == frozenset()
        # Two on one address would steal from each other.
        with pytest.raises(errors.Refused, match="taken by another program"):
            Receiver("127.0.0.1", port, portable=portable)


@BOTH_PATHS
def test_a_port_another_program_keeps_to_itself_is_told(
    where: tuple[str, int], portable: bool
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("", where[1]))
        with pytest.raises(errors.Refused, match=f"{where[1]} is taken") as told:
            Receiver(*where, LO, portable=portable)
        assert told.value.hint
        assert "--group" in told.value.hint


def test_an_unknown_network_is_told_with_those_there_are(where: tuple[str, int]) -> None:
    for make in (lambda: Receiver(*where, ["wlan7"]), lambda: Sender(*where, nic="wlan7")):
        with pytest.raises(errors.NotFound, match="wlan7") as told:
            make()
        assert "127.0.0.1" in (told.value.hint or "")
        assert told.value.exit_code == errors.NOT_FOUND


def test_an_address_of_another_computer_is_told(where: tuple[str, int]) -> None:
    with pytest.raises(errors.NotFound, match="no address of this computer") as told:
        Receiver("198.51.100.7", where[1])
    assert "127.0.0.1" in (told.value.hint or "")


def test_a_network_is_known_by_name_and_by_address() -> None:
    loopback = next(nic for nic in nics.present() if nic.address == "127.0.0.1")
    assert loopback in nics.find([loopback.name.upper()])
    assert nics.find(["127.0.0.1"]) == [loopback]
    assert nics.find(None) == nics.present()


@BOTH_PATHS
def test_silence_ends_with_the_timeout(where: tuple[str, int], portable: bool) -> None:
    with Receiver(*where, LO, portable=portable) as receiver:
        start = time.monotonic()
        assert receiver.receive(0.1) == []
        assert 0.09 <= time.monotonic() - start < 5
        assert receiver.receive(0) == []


@pytest.mark.slow
@BOTH_PATHS
def test_a_slow_caller_loses_nothing(where: tuple[str, int], portable: bool) -> None:
    """More than the kernel's buffer holds, handed out far slower than it comes."""
    with Receiver(*where, LO, portable=portable) as receiver, Sender(*where, ttl=0) as sender:
        found: list[Datagram] = []
        for start in range(0, 20_000, 200):
            for number in range(start, start + 200):
                sender.send(b"%d" % number)
            found += receiver.receive(0)
        assert len(found) < 2_000
        found += everything(receiver)
        assert [int(each.data) for each in found] == list(range(20_000))
        assert not receiver.dropped


@pytest.mark.slow
@LINUX
def test_what_the_kernel_drops_is_counted(where: tuple[str, int]) -> None:
    with Receiver(*where, LO) as receiver, Sender(*where, ttl=0) as sender:
        sent = 60_000  # nobody reads: more than any buffer it may have got
        for _ in range(sent):
            sender.send(b"x" * 60)
        found = len(everything(receiver))
        sender.send(b"the next one tells")
        found += len(everything(receiver))
        assert receiver.dropped
        assert found + receiver.dropped == sent + 1


@pytest.mark.slow
@LINUX
def test_memory_is_bounded_and_the_rest_is_dropped_and_counted(where: tuple[str, int]) -> None:
    with (
        Receiver(*where, LO, most_held=100_000) as receiver,
        Sender(*where, ttl=0) as sender,
    ):
        found = 0
        for _ in range(600):
            for _ in range(100):
                sender.send(b"x" * 900)
            found += len(receiver.receive(0))  # it would empty the kernel's buffer, were it let
        found += len(everything(receiver))
        sender.send(b"the next one tells")
        found += len(everything(receiver))
        assert receiver.dropped
        assert found + receiver.dropped == 60_001


@BOTH_PATHS
def test_a_datagram_too_long_is_cut_but_still_shows_that_it_is(
    where: tuple[str, int], portable: bool
) -> None:
    with Receiver(*where, LO, portable=portable) as receiver, Sender(*where, ttl=0) as sender:
        sender.send(b"x" * 60_000)
        sender.send(b"")
        lengths = [len(each.data) for each in everything(receiver)]
        assert lengths == [LONGEST, 0]


@BOTH_PATHS
def test_a_forgotten_membership_is_renewed_after_five_silent_seconds(
    where: tuple[str, int], portable: bool
) -> None:
    """The membership is dropped behind the receiver's back, as an access point forgets it."""
    clock = Clock()
    with (
        Receiver(*where, LO, portable=portable, now=clock) as receiver,
        Sender(*where, ttl=0) as sender,
    ):
        for silent in (6, 61):  # once after 5 s, then once a minute
            _forget(receiver, where[0])
            if not portable:
                sender.send(b"nobody hears this")
                clock.now += 4
                assert receiver.receive(0) == []
                clock.now -= 4
            clock.now += silent
            receiver.receive(0)
            assert receiver.joined == {"127.0.0.1"}
            # Joined again by the receiver: a second join is an error.
            with pytest.raises(OSError, match="in use"):
                _set_membership(receiver, where[0], socket.IP_ADD_MEMBERSHIP)
        sender.send(b"frame")
        assert [each.data for each in receiver.receive(5)] == [b"frame"]


def _forget(receiver: Receiver, group: str) -> None:
    _set_membership(receiver, group, socket.IP_DROP_MEMBERSHIP)


def _set_membership(receiver: Receiver, group: str, option: int) -> None:
    with socket.socket(fileno=os.dup(receiver.fileno())) as same:
        request = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        same.setsockopt(socket.IPPROTO_IP, option, request)


NAMESPACE = """
import subprocess, sys
from pathlib import Path
from dsmrctl.network.multicast import NetworkDown, Receiver, Sender
def ip(*words):
    if subprocess.run(["ip", *words]).returncode:
        sys.exit(77)
ip("link", "set", "lo", "up")
clock = [0.0]
group = "239.255.9.9"
def told():
    return Path("/proc/net/igmp").read_text().count("0909FFEF")
with (
    Receiver(group, 9099, now=lambda: clock[0]) as receiver,
    Sender(group, 9099, ttl=0) as sender,
):
    assert receiver.joined == {"127.0.0.1"}, receiver.joined
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("addr", "add", "10.77.0.1/24", "dev", "d0")
    ip("link", "set", "d0", "up")
    ip("link", "set", "d1", "up")
    clock[0] += 61
    receiver.receive(0)
    assert receiver.joined == {"127.0.0.1", "10.77.0.1"}, receiver.joined
    assert told() == 2
    ip("link", "del", "d0")
    clock[0] += 61
    sender.send(b"no silence: nothing is joined anew")
    assert receiver.receive(1)
    assert receiver.joined == {"127.0.0.1"}, receiver.joined
    assert told() == 1
ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
ip("addr", "add", "10.77.0.1/24", "dev", "d0")
ip("link", "set", "d0", "up")
ip("link", "set", "d1", "up")
with (
    Receiver(group, 9098, ["d0"]) as receiver,
    Sender(group, 9098, "10.77.0.1") as by_address,
    Sender(group, 9098, "d0") as by_name,
    Sender("10.77.0.9", 9098) as unicast,
):
    ip("addr", "del", "10.77.0.1/24", "dev", "d0")
    ip("addr", "add", "10.77.0.2/24", "dev", "d0")
    # Named by an address that is gone, it cannot find the network again: it must not lose it.
    for sender in (by_address, by_name):
        sender.send(b"from the new address")
        (came,) = receiver.receive(5)
        assert came.sender[0] == "10.77.0.2", came
    unicast.send(b"routed, not bound to loopback")
    ip("link", "del", "d0")
    try:
        by_name.send(b"frame")
    except NetworkDown as down:
        assert down.hint
    else:
        assert False, "the interface is gone"
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("addr", "add", "10.77.0.3/24", "dev", "d0")
    ip("link", "set", "d0", "up")
    ip("link", "set", "d1", "up")
    by_name.send(b"the interface is back under another number")
for target in ("10.99.0.1", "255.255.255.255"):
    with Sender(target, 9099) as sender:
        try:
            sender.send(b"frame")
        except NetworkDown as down:
            assert "unreachable" in str(down) and down.hint
        else:
            assert False, target
"""


@LINUX
def test_networks_that_come_and_go_are_followed(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    if shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        pytest.skip("ip (iproute2) is not installed")
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-W", "error", "-c", NAMESPACE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    if done.returncode == 77:
        pytest.skip(f"no veth here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@given(st.ip_addresses(v=4).map(str), st.integers(1, 65535))
def test_a_group_written_and_read_is_the_same(address: str, port: int) -> None:
    assert parse_group(format_group(address, port)) == (address, port)


def test_a_group_without_a_port_has_the_frames_port() -> None:
    assert parse_group(GROUP) == (GROUP, PORT)
    assert format_group(GROUP, PORT) == GROUP


@given(st.text(max_size=20))
def test_any_text_is_a_group_or_a_clear_error(text: str) -> None:
    try:
        address, port = parse_group(text)
    except errors.UsageError:
        return
    assert socket.inet_aton(address)
    assert 0 < port < 65536


WRONG = ("", ":8266", "224.0.1", "224.0.1.3:", "224.0.1.3:0", "224.0.1.3:65536", "::1", "a:1")


@pytest.mark.parametrize("text", [*WRONG, "224.0.1.3:+1", "224.0.1.3:8 0", "224.0.1.003"])
def test_a_wrong_group_is_told_with_an_example(text: str) -> None:
    with pytest.raises(errors.UsageError) as told:
        parse_group(text)
    assert "224.0.1.3:8266" in (told.value.hint or "")


def test_a_sender_whose_socket_lost_its_network_opens_another() -> None:
    group, port = "239.255.62.201", 26201
    with (
        Receiver(group, port, ["127.0.0.1"]) as receiver,
        Sender(group, port, "127.0.0.1", ttl=0) as sender,
    ):
        # The edge: to the sender a vanished address and a closed socket are the same OSError.
        sender._socket.close()
        sender.send(b"still here")
        assert [datagram.data for datagram in receiver.receive(10)] == [b"still here"]
