"""dsmrctl replay, as a person or a script runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import BELGIAN, ROOT
from ran import Run

from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core import signature
from dsmrctl.network.multicast import Receiver
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.recordings.writing import create

START_NS = 1_795_000_000 * 10**9
GROUP = "239.255.84.3"


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """recorded("name.ndjson", [(second, data), …], kind) -> the file."""

    def make(name: str, found: list[tuple[float, bytes]], kind: str = "frames") -> Path:
        path = tmp_path / name
        with create(path, kind, started_ns=START_NS) as writer:  # type: ignore[arg-type]
            for at, data in found:
                writer.write(Item(START_NS + round(at * 1e9), "192.168.1.9:5000", data))
        return path

    return make


def frames(count: int) -> list[tuple[float, bytes]]:
    return [
        (n, core.build((n, 0, 351, 0, 1, n // 60, n % 60, 0, 0, 0), 2 if n % 2 else 1))
        for n in range(count)
    ]


def heard(receiver: Receiver) -> list[bytes]:
    found: list[bytes] = []
    while batch := receiver.receive(0.2):
        found += [datagram.data for datagram in batch]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "port"), [("ndjson", 18420), ("pcapng", 18421), ("ndjson.gz", 18422)]
)
def test_what_was_recorded_is_heard_again_byte_for_byte(
    dsmrctl: Run, recorded: Callable[..., Path], form: str, port: int
) -> None:
    wanted = frames(300)
    path = recorded(f"evening.{form}", wanted)
    with Receiver(GROUP, port, ["127.0.0.1"]) as receiver:
        done = dsmrctl("replay", path, "--speed", "1000", "--group", f"{GROUP}:{port}", "--json")
        assert heard(receiver) == [data for _, data in wanted]
    told = json.loads(done.out)
    assert done.code == 0
    assert told["sent"] == 300
    assert told["not_sent"] == told["skipped"] == {}
    assert 0 <= told["late_p50_ms"] <= told["late_p99_ms"] < 1000


@pytest.mark.slow
def test_a_part_of_it_made_current(dsmrctl: Run, recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(100))
    with Receiver(GROUP, 18423, ["127.0.0.1"]) as receiver:
        done = dsmrctl(
            *("replay", path, "--from", "60s", "--to", "1.5m", "--now", "--speed", "max"),
            *("--group", f"{GROUP}:18423", "--count", "20"),
            env={"TZ": "UTC"},
        )
        now = time.time()
        found = [core.read(data) for data in heard(receiver)]
    assert done.code == 0
    assert "20 frames sent\n" in done.err
    assert [f.import_t1_wh for f in found] == list(range(60, 80))
    first = (found[0].minute or 0) * 60 + (found[0].second or 0)
    assert (now - first) % 3600 < 10


@pytest.mark.slow
def test_from_a_local_time_and_standard_input(dsmrctl: Run, recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(100))
    with Receiver(GROUP, 18424, ["127.0.0.1"]) as receiver:
        done = dsmrctl(
            *("replay", "-", "--from", "12:07", "--to", "2026-11-18T12:07:05+01:00"),
            *("--speed", "max", "--group", f"{GROUP}:18424"),
            stdin=path.read_bytes(),
            env={"TZ": "Europe/Brussels"},
        )
        found = [core.read(data).import_t1_wh for data in heard(receiver)]
    assert done.code == 0, done.err
    assert found == [20, 21, 22, 23, 24]  # it began at 12:06:40


@pytest.mark.slow
def test_ctrl_c_ends_a_loop_with_what_was_sent(recorded: Callable[..., Path]) -> None:
    path = recorded("evening.ndjson", frames(3))
    command = [sys.executable, "-m", "dsmrctl", "replay", str(path), "--loop", "--speed", "100"]
    with (
        Receiver(GROUP, 18425, ["127.0.0.1"]) as receiver,
        subprocess.Popen(
            [*command, "--group", f"{GROUP}:18425"], stderr=subprocess.PIPE
        ) as running,
    ):
        count = 0
        while count < 10:
            count += len(receiver.receive(10.0)) or 1000
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=10)
    assert count < 1000
    assert running.returncode == 130
    assert b" frames sent, late: half of them under " in told


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["none.ndjson"], 3, "no file none.ndjson"),
        (["meter.raw"], 6, "dsmrctl serve reads it"),
        (["telegrams.ndjson"], 2, "--onto pty"),
        (["telegrams.ndjson", "--now", "--onto", "pty"], 2, "leave out --sign, --now"),
        (["telegrams.ndjson", "--nic", "lo", "--onto", "pty"], 2, "leave out --sign, --now"),
        (["frames.ndjson", "--onto", "pty"], 2, "leave out --onto"),
        (["frames.ndjson", "--sign"], 2, "which key shall sign?"),
        (["frames.ndjson", "--from", "yesterday"], 2, "90s or 2h after its start"),
        (["frames.ndjson", "--from", "1h"], 2, "begins at 2026-11-18"),
        (["frames.ndjson", "--speed", "0"], 2, "no speed"),
        (["-", "--loop"], 2, "--loop needs a file"),
        (["empty.ndjson"], 6, "no frames are in"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_what_to_do(
    dsmrctl: Run,
    recorded: Callable[..., Path],
    tmp_path: Path,
    args: list[str],
    code: int,
    words: str,
) -> None:
    recorded("frames.ndjson", frames(2))
    recorded("empty.ndjson", [])
    recorded("telegrams.ndjson", [(0, BELGIAN.read_bytes())], "telegrams")
    (tmp_path / "meter.raw").write_bytes(BELGIAN.read_bytes())
    done = dsmrctl("replay", *args, *(() if "--speed" in args else ("--speed", "max")), stdin="")
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_capture_of_tcpdump_is_heard_again_byte_for_byte(
    dsmrctl: Run, tmp_path: Path, need: Callable[[str], str]
) -> None:
    group, port = "239.255.84.4", 18427
    wanted = [data for _, data in frames(5)] + [b"\0\xff no frame", b"the last one"]
    caught = tmp_path / "theirs.pcap"
    tmp_path.chmod(0o777)
    alone = [need("unshare"), "-Un", "--map-user=1000", "--map-group=1000", "--keep-caps"]
    catch = ROOT / "tests" / "recordings" / "catch.py"
    command = [sys.executable, str(catch), need("tcpdump"), "lo", str(caught), group, str(port)]
    subprocess.run([*alone, *command, *(data.hex() for data in wanted)], check=True, timeout=30)
    with Receiver(group, port, ["127.0.0.1"]) as receiver:
        done = dsmrctl(
            *("replay", caught, "--captured-port", port, "--speed", "max", "--json"),
            *("--group", f"{group}:{port}"),
        )
        found = [data for data in heard(receiver) if data != b"end"]
    assert done.code == 0, done.err
    assert found == wanted
    other = dsmrctl("replay", caught, "--group", f"{group}:{port}")
    assert other.code == 6
    assert "--captured-port names" in other.err


@pytest.mark.slow
def test_listen_records_what_a_recording_replays(
    dsmrctl: Run, recorded: Callable[..., Path], tmp_path: Path
) -> None:
    sent = [data for _, data in frames(60)]
    sent[20:20] = [b"\0\xff no frame", b""]
    wanted = [(n / 50, data) for n, data in enumerate(sent)]
    path = recorded("first.pcapng", wanted)
    again = tmp_path / "again.ndjson.gz"
    listen = [sys.executable, "-m", "dsmrctl", "listen", "--raw", "--record", str(again)]
    listen += ["--group", f"{GROUP}:18428", "--count", "60", "--timeout", "20s"]
    with subprocess.Popen([*listen, "--nic", "lo"], stdout=subprocess.DEVNULL) as listening:
        deadline = time.monotonic() + 20
        while not any(":47FC" in line for line in sockets()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = dsmrctl("replay", path, "--speed", "20", "--group", f"{GROUP}:18428")
        assert listening.wait(20) == 0
    assert done.code == 0, done.err
    with open_recording(again) as recording:
        assert [item.data for item in recording] == sent


def sockets() -> list[str]:
    """The UDP sockets of this network; the port is in hex (18428: 47FC)."""
    return Path("/proc/net/udp").read_text().splitlines()


@pytest.mark.slow
def test_a_signed_recording_says_that_boards_refuse_it_and_signs_anew(
    dsmrctl: Run, recorded: Callable[..., Path], tmp_path: Path
) -> None:
    key = b"an invented frame key"
    (tmp_path / "key").write_bytes(key + b"\n")
    old = [
        (n, signature.sign(core.build((n, 0, 351, 0, 1, 5, n, 0, 0, 0)), key, 1000 + n))
        for n in range(9)
    ]
    path = recorded("signed.ndjson", old)
    where = ("--group", f"{GROUP}:18429", "--speed", "max")
    with Receiver(GROUP, 18429, ["127.0.0.1"]) as receiver:
        plain = dsmrctl("replay", path, *where)
        assert [data for _, data in old] == heard(receiver)
        anew = dsmrctl("replay", path, *where, "--sign", "--frame-key-file", "key")
        gate = signature.Gate(key, 2000)
        assert [gate.take(data).values[:1] for data in heard(receiver)] == [(n,) for n in range(9)]
    assert plain.err.count("boards with a key refuse them, as their counters are old") == 1
    assert "--sign signs anew" in plain.err
    assert anew.code == 0
    assert "refuse" not in anew.err.replace("boards refuse frames signed by the clock", "")
    assert key.decode() not in anew.err + anew.out


@pytest.mark.slow
def test_no_network_named_is_this_computer_and_loopback_needs_no_question(
    dsmrctl: Run, recorded: Callable[..., Path]
) -> None:
    path = recorded("frames.ndjson", frames(2))
    where = ("--speed", "max", "--group", f"{GROUP}:18426")
    here = dsmrctl("replay", path, *where)
    assert "on this computer only; --nic NAME sends them on a network" in here.err
    assert dsmrctl("replay", path, *where, "--nic", "lo").code == 0
    none = dsmrctl("replay", path, *where, "--nic", "nowhere0")
    assert none.code == 3
    assert "no network 'nowhere0'" in none.err
