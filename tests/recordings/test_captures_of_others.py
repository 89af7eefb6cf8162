"""tshark reads what we write; we read what tcpdump and editcap write."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import create

GROUP, PORT = "239.255.84.1", 18411
START_NS = 1_795_000_000_123_456_789
Need = Callable[[str], str]


def frame(number: int) -> bytes:
    return json.dumps({"v": 2, "dsmr": [number, 0, 351, 0, 1, 11, number % 60, 0, 0, 0]}).encode()


FOUND = [
    Item(START_NS + n * 1_000_000_007, f"192.168.1.{n + 1}:{49152 + n}", frame(n)) for n in range(5)
]
ODD = [Item(START_NS, "10.0.0.1:1", data) for data in (b"", b"\0", b"odd", b"\xff" * 1400)]


@pytest.mark.slow
def test_tshark_reads_our_pcapng(tmp_path: Path, need: Need) -> None:
    path = tmp_path / "ours.pcapng"
    with create(path, "frames", started_ns=START_NS, group=(GROUP, PORT)) as writer:
        for number, item in enumerate(FOUND):
            writer.write(item, "eth0" if number % 2 else "wlan0")
        for item in ODD:
            writer.write(item, "eth0")
    fields = [
        "frame.interface_name",
        "frame.time_epoch",
        "ip.src",
        "udp.srcport",
        "ip.dst",
        "udp.dstport",
        "ip.checksum.status",
        "udp.checksum.status",
        "json.path_with_value",
        "udp.payload",
    ]
    command = [need("tshark"), "-r", str(path), "-d", f"udp.port=={PORT},json", "-T", "json"]
    command += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [each["_source"]["layers"] for each in json.loads(out)]
    assert len(rows) == len(FOUND) + len(ODD)
    for number, (item, row) in enumerate(zip(FOUND + ODD, rows, strict=True)):
        seconds, nanoseconds = divmod(item.time_ns, 10**9)
        assert row["frame.time_epoch"] == [f"{seconds}.{nanoseconds:09d}"]
        ours = number < len(FOUND)
        assert row["frame.interface_name"] == ["eth0" if number % 2 or not ours else "wlan0"]
        assert [f"{row['ip.src'][0]}:{row['udp.srcport'][0]}"] == [item.sender]
        assert (row["ip.dst"], row["udp.dstport"]) == ([GROUP], [str(PORT)])
        assert row["ip.checksum.status"] == row["udp.checksum.status"] == ["1"]  # good
        assert bytes.fromhex(row.get("udp.payload", [""])[0]) == item.data
        if ours:
            assert "/v:2" in row["json.path_with_value"]
            assert f"/dsmr/[]:{number}" in row["json.path_with_value"]


@pytest.mark.slow
@pytest.mark.parametrize("link", ["lo", "any"])
def test_we_read_what_tcpdump_caught(tmp_path: Path, need: Need, link: str) -> None:
    caught = tmp_path / "theirs.pcap"
    wanted = [frame(n) for n in range(3)] + [b"", b"\0\xffthe last one"]
    alone = [need("unshare"), "-Un", "--map-user=1000", "--map-group=1000", "--keep-caps"]
    command = [sys.executable, str(Path(__file__).with_name("catch.py")), need("tcpdump"), link]
    command += [str(caught), GROUP, str(PORT), *(data.hex() for data in wanted)]
    tmp_path.chmod(0o777)
    before = time.time_ns()
    done = subprocess.run([*alone, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sender = done.stdout.strip()
    with open_recording(caught, port=PORT, group=GROUP) as recording:
        found = [item for item in recording if item.data != b"end"]
    # Loopback shows some systems' datagrams twice: going and coming.
    found = [item for n, item in enumerate(found) if n == 0 or found[n - 1].data != item.data]
    assert [item.data for item in found] == wanted
    assert {item.sender for item in found} == {sender}
    assert all(before - 10**9 < item.time_ns < time.time_ns() for item in found)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_we_read_what_wiresharks_tools_make_of_ours(tmp_path: Path, need: Need, form: str) -> None:
    ours, theirs = tmp_path / "ours.pcapng", tmp_path / "theirs"
    with create(ours, "frames", started_ns=START_NS, group=(GROUP, PORT)) as writer:
        for item in FOUND:
            writer.write(item, "eth0")
    subprocess.run([need("editcap"), "-F", form, str(ours), str(theirs)], check=True)
    with open_recording(theirs, port=PORT) as recording:
        found = list(recording)
    kept = 1000 if form == "pcap" else 1
    assert found == [item._replace(time_ns=item.time_ns // kept * kept) for item in FOUND]


def _ip(data: bytes, protocol: int = 17, fragment: int = 0x4000, options: bytes = b"") -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x40 | (5 + len(options) // 4), 0, 20 + len(options) + len(data), 1, fragment, 1),
        *(protocol, 0, bytes([10, 0, 0, 7]), socket.inet_aton(GROUP)),
    )
    return head + options + data


def _udp(data: bytes, port: int = PORT) -> bytes:
    return struct.pack("!HHHH", 5000, port, 8 + len(data), 0) + data


_DATAGRAM = _ip(_udp(b"hello"))
_ETHERNET = bytes(12) + b"\x08\x00"
_IPV6 = struct.pack("!IHBB", 6 << 28, 8 + 13, 0, 1) + bytes(15) + b"\x01" + bytes(15) + b"\x02"


@pytest.mark.parametrize(
    ("link", "caught", "expected"),
    [
        (101, _DATAGRAM, b"hello"),
        (1, _ETHERNET + _DATAGRAM + bytes(30), b"hello"),  # a card fills short ones up
        (1, bytes(12) + b"\x81\x00\x00\x07\x08\x00" + _DATAGRAM, b"hello"),
        (113, bytes(14) + b"\x08\x00" + _DATAGRAM, b"hello"),
        (276, b"\x08\x00" + bytes(18) + _DATAGRAM, b"hello"),
        (0, b"\x02\0\0\0" + _DATAGRAM, b"hello"),
        (101, _ip(_udp(b"hello"), options=bytes(8)), b"hello"),
        (101, _IPV6 + b"\x11\0" + bytes(6) + _udp(b"hello"), b"hello"),
        (101, _ip(_udp(b"hello"), fragment=0x2000), "fragment"),
        (101, _ip(b"hello", fragment=3), "fragment"),
        (101, _ip(_udp(b"hello"), protocol=6), "not-udp"),
        (1, bytes(12) + b"\x08\x06" + bytes(28), "not-udp"),
        (101, _DATAGRAM[:-2], "cut"),
        (1, _ETHERNET[:13], "cut"),
        (105, _DATAGRAM, "link"),
        (101, _ip(_udp(b"hello", port=5353)), "other-port"),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_every_kind_of_network_card_and_byte_order(
    tmp_path: Path, link: int, caught: bytes, expected: bytes | str, order: str
) -> None:
    path = tmp_path / "made.pcap"
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    record = struct.pack(order + "IIII", 1_795_000_000, 123456, len(caught), len(caught)) + caught
    path.write_bytes(head + record)
    notes: list[str] = []
    with open_recording(path, port=PORT, on_note=notes.append) as recording:
        found = list(recording)
    if isinstance(expected, bytes):
        assert [(item.time_ns, item.data) for item in found] == [
            (1_795_000_000_123_456_000, expected)
        ]
    else:
        assert found == []
        assert recording.skipped == {expected: 1}
        assert notes
    if expected == "other-port":
        assert "its datagrams go to 5353 (1)" in notes[-1]


def test_units_and_offsets_of_time_and_several_sections(tmp_path: Path) -> None:
    def block(order: str, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack(order + "I", 12 + len(body))
        return struct.pack(order + "I", kind) + size + body + size

    def section(order: str, resolution: int, offset: int, units: int) -> bytes:
        options = struct.pack(order + "HHBxxx", 9, 1, resolution)
        options += struct.pack(order + "HHq", 14, 8, offset) + bytes(4)
        size = len(_DATAGRAM)
        enhanced = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, size, size)
        return (
            block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
            + block(order, 1, struct.pack(order + "HHI", 101, 0, 0) + options)
            + block(order, 0x99, b"of some other program")
            + block(order, 6, enhanced + _DATAGRAM)
        )

    path = tmp_path / "made.pcapng"
    path.write_bytes(
        section("<", 3, 0, 1_795_000_000_123)
        + section(">", 0x80 | 10, 1_795_000_000, 512)
        + section("<", 10, 0, 1_795_000_000 * 10**10 + 9)
    )
    with open_recording(path, port=PORT) as recording:
        found = [item.time_ns for item in recording]
    assert found == [
        1_795_000_000_123_000_000,
        1_795_000_000_500_000_000,
        1_795_000_000_000_000_000,
    ]
