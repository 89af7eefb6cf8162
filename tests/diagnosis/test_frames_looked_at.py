"""Frames on loopback: none, lost, of two, refused, foreign, signed, late; a group each."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from patient import cleared, on_a_network, provoked

from dsmrctl.diagnosis import frames, network
from dsmrctl.diagnosis.finding import Finding
from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core import signature
from dsmrctl.network.multicast import Receiver, Sender

KEY = b"an invented key of signed frames"
VALUES = [301548, 270014, 338, 0, 1]
LATER = [2589, 1320, 1500]
_numbers = iter(range(1, 250))


def frame(when: datetime | None = None, version: int = 2) -> bytes:
    """A frame whose minute and second are the clock's."""
    when = when or datetime.now()
    return core.build([*VALUES, when.minute, when.second, *LATER], version)


@pytest.fixture
def where() -> tuple[str, int]:
    """A group and a port nobody else here uses."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    number = next(_numbers)
    return f"239.255.{130 + worker}.{number}", 29000 + worker * 300 + number


@contextmanager
def listening(where: tuple[str, int]) -> Iterator[tuple[Receiver, Sender]]:
    with Receiver(*where, ["127.0.0.1"]) as receiver, Sender(*where, ttl=0) as sender:
        yield receiver, sender


def heard(
    where: tuple[str, int],
    sent: Sequence[bytes],
    key: bytes | None = None,
    last: datetime | None = None,
    layout: tuple[str, ...] | None = None,
) -> list[Finding]:
    """What is found when these datagrams came."""
    with listening(where) as (receiver, sender):
        for each in sent:
            sender.send(each)
        found = frames.listen(receiver, 0.03, layout, key)
        return list(frames.judge(found, where[0], key is not None, last))


def test_when_no_frame_comes_it_says_what_to_look_at(where: tuple[str, int]) -> None:
    one = provoked("frames", heard(where, []))
    assert where[0] in one.what
    assert "dsmrctl demo" in one.next


def test_frames_that_stopped_are_told_with_their_last_time(where: tuple[str, int]) -> None:
    last = datetime(2026, 6, 18, 16, 49).astimezone()
    one = provoked("frames", heard(where, [], last=last))
    assert "stopped: the last was heard at 2026-06-18 16:49" in one.what


def test_frames_that_come_are_well(where: tuple[str, int]) -> None:
    found = heard(where, [frame()])
    assert "127.0.0.1" in cleared("frames", found).what
    assert {each.severity for each in found} == {"ok"}


def test_what_the_kernel_threw_away_is_counted(where: tuple[str, int]) -> None:
    with listening(where) as (receiver, sender):
        with socket.fromfd(receiver.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        provoked("buffer", network.buffer(receiver), "note")
        for _ in range(500):
            sender.send(frame())
        while receiver.receive(0):
            pass
        sender.send(frame())  # the kernel tells of the loss with the next one
        found = list(frames.judge(frames.listen(receiver, 0.03), where[0], False, None))
    one = provoked("frames-lost", found, "note")
    assert 0 < one.data["lost"] < 501
    assert "rmem_max" in one.next


def test_when_none_was_lost_all_is_well(where: tuple[str, int]) -> None:
    with listening(where) as (receiver, _):
        cleared("buffer", network.buffer(receiver))
    cleared("frames-lost", heard(where, [frame()]))


def test_two_senders_on_a_group_are_told(where: tuple[str, int]) -> None:
    with listening(where) as (receiver, sender), socket.socket(type=socket.SOCK_DGRAM) as other:
        sender.send(frame())
        other.bind(("127.0.0.7", 0))
        loopback = socket.inet_aton("127.0.0.1")
        other.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        other.sendto(frame(), where)
        found = list(frames.judge(frames.listen(receiver, 0.03), where[0], False, None))
    one = provoked("frames-senders", found)
    assert one.data["senders"] == ["127.0.0.1", "127.0.0.7"]
    assert "frame_group" in one.next


def test_one_sender_is_well(where: tuple[str, int]) -> None:
    cleared("frames-senders", heard(where, [frame(), frame()]))


REGISTERS = b'{"dsmr":[301548,270014,1234567,7654321,1,12,30]}'


@pytest.mark.parametrize(
    ("data", "told", "step"),
    [
        (b"\x1b[2Jno frame", "not a JSON object", "frame_group"),
        (b'{"dsmr":[1,2]}', "7 or more", "frame_group"),
        (REGISTERS, "looks like registers", "--layout"),
        (b'{"v":9,"dsmr":[1,2,3,4,1,6,7]}', "version", "pipx upgrade"),
    ],
)
def test_frames_that_are_refused_are_told_with_the_reason(
    where: tuple[str, int], data: bytes, told: str, step: str
) -> None:
    found = heard(where, [data])
    one = provoked("frames-refused", found)
    assert told in one.what
    assert step in one.next
    assert "\x1b" not in one.what
    assert "refused" in provoked("frames", found).what
    # Beside good ones it hinders nobody.
    provoked("frames-refused", heard(where, [data, frame()]), "note")


def test_good_frames_are_well(where: tuple[str, int]) -> None:
    cleared("frames-refused", heard(where, [frame(version=1), frame()]))


def test_a_foreign_order_wants_its_layout(where: tuple[str, int]) -> None:
    foreign = frame(version=1)[:-2] + b",77,88]}"
    one = provoked("frames-layout", heard(where, [foreign]), "note")
    assert "--layout" in one.next
    names = ("import_t1_wh", "import_t2_wh", "import_w", "export_w", "tariff")
    cleared("frames-layout", heard(where, [foreign], layout=names))


def test_signed_frames_want_their_key(where: tuple[str, int]) -> None:
    signed = signature.sign(frame(), KEY, 1000)
    assert "--frame-key-file" in provoked("frames-signed", heard(where, [signed]), "note").next
    cleared("frames-signed", heard(where, [signed], key=KEY))
    cleared("frames-signed", heard(where, [frame()]))
    one = provoked("frames-refused", heard(where, [signed], key=KEY[::-1]))
    assert "not signed with our key" in one.what


def elsewhere_sent(off_s: int) -> list[Finding]:
    """What is found when another computer's frames have a clock that is behind by so much."""
    cable = """
ip link add eth7 type veth peer name far
ip addr add 10.77.0.1/24 dev eth7
ip link set eth7 up; ip link set far up
"""
    code = f"""
from datetime import datetime, timedelta
from dsmrctl.diagnosis import frames
from dsmrctl.firmware.core import frame as core
from dsmrctl.network.multicast import Receiver, Sender
when = datetime.now() - timedelta(seconds={off_s})
with Receiver("239.255.140.3", 28603) as receiver:
    with Sender("239.255.140.3", 28603, nic="eth7") as sender:
        sender.send(core.build({VALUES} + [when.minute, when.second] + {LATER}))
    tell(frames.judge(frames.listen(receiver, 0.03), "239.255.140.3", False, None))
"""
    return on_a_network(cable, code)


def test_a_clock_that_differs_from_the_frames_is_told() -> None:
    behind = provoked("frames-clock", elsewhere_sent(300))
    assert "5 min behind this" in behind.what
    assert "timedatectl" in behind.next
    ahead = provoked("frames-clock", elsewhere_sent(-30), "note")
    assert re.search("(29|30|31) s ahead of this", ahead.what)
    cleared("frames-clock", elsewhere_sent(0))


def test_frames_of_a_demo_on_this_computer_may_have_a_time_of_their_own(
    where: tuple[str, int],
) -> None:
    one = provoked(
        "frames-clock", heard(where, [frame(datetime.now() - timedelta(hours=0.2))]), "note"
    )
    assert "from this computer itself" in one.what


def test_the_same_clock_is_well(where: tuple[str, int]) -> None:
    cleared("frames-clock", heard(where, [frame()]))


def test_when_frames_were_heard_last_is_kept_by_group(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "heard.json"
    assert frames.last_heard("224.0.1.3", file) is None
    when = datetime(2026, 6, 18, 16, 49, 5).astimezone()
    frames.remember("224.0.1.3", when, file)
    frames.remember("239.1.1.1", when + timedelta(hours=1), file)
    assert frames.last_heard("224.0.1.3", file) == when
    assert [each.name for each in file.parent.iterdir()] == ["heard.json"]


@pytest.mark.parametrize("kept", [b"", b"[", b"[1]", b'{"a": 3}', b'{"a": "no"}', b"[" * 9999])
def test_what_is_kept_and_is_nothing_is_nothing(tmp_path: Path, kept: bytes) -> None:
    file = tmp_path / "heard.json"
    file.write_bytes(kept)
    assert frames.last_heard("a", file) is None
    when = datetime(2026, 6, 18).astimezone()
    frames.remember("b", when, file)
    assert frames.last_heard("b", file) == when


def test_where_nothing_can_be_kept_nothing_is_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    frames.remember("a", datetime.now().astimezone(), tmp_path / "file" / "heard.json")
