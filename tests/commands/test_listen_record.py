"""listen --record, --stats and --sender: the real command, and what is in its files afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Run, clean_environment
from test_listen import BAD, GOOD, LO, Screen, group, sending, start  # noqa: F401

from dsmrctl import errors
from dsmrctl.recordings.opening import open_recording

Need = Callable[[str], str]


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".pcapng"])
@pytest.mark.slow
def test_all_that_comes_is_recorded_as_it_came(
    dsmrctl: Run,
    tmp_path: Path,
    group: str,  # noqa: F811
    suffix: str,
) -> None:
    path = tmp_path / f"frames{suffix}"
    before = time.time_ns()
    with sending(group, GOOD, BAD, b"\xff\x00", b"x" * 900):
        ran = dsmrctl("listen", "--json", "-n", 3, "--record", path, "--timeout", "20s", "--group",
                      group, *LO)  # fmt: skip
    assert ran.code == 0, ran.err
    shown = [json.loads(line) for line in ran.out.splitlines()]
    told = [json.loads(line) for line in ran.err.splitlines()]
    notes: list[str] = []
    port = int(group.split(":")[1])
    with open_recording(path, port=port, group=group.split(":")[0], on_note=notes.append) as found:
        items = list(found)
    assert notes == []
    assert {"recorded": len(items), "file": str(path)} in told
    assert [item.data for item in items].count(GOOD) == len(shown) == 3
    assert items[-1].data == GOOD  # and nothing behind what was asked for
    order = [GOOD, BAD, b"\xff\x00", b"x" * 900]
    first = order.index(items[0].data)
    assert [item.data for item in items] == [order[(first + n) % 4] for n in range(len(items))]
    assert {item.sender for item in items} == {shown[0]["frame"]["sender"]}
    times = [item.time_ns for item in items]
    assert times == sorted(times)
    assert before < times[0] <= times[-1] < time.time_ns()
    # The kernel's time, to the last digit the form keeps.
    if "pcapng" in suffix:
        assert any(each % 1000 for each in times)


@pytest.mark.slow
def test_tshark_reads_what_listen_recorded(
    dsmrctl: Run,
    tmp_path: Path,
    group: str,  # noqa: F811
    need: Need,
) -> None:
    path = tmp_path / "frames.pcapng"
    with sending(group, GOOD):
        assert dsmrctl("listen", "-n", 2, "--record", path, "--group", group, *LO).code == 0
    address, port = group.split(":")
    command = [need("tshark"), "-r", str(path), "-d", f"udp.port=={port},json", "-T", "fields"]
    command += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    for field in ("frame.interface_name", "ip.dst", "udp.checksum.status", "ip.checksum.status",
                  "frame.time_epoch", "json.value.number"):  # fmt: skip
        command += ["-e", field]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[:4] for row in rows] == [["lo", address, "1", "1"]] * 2
    assert all(re.fullmatch(r"\d{10}\.\d{9}", row[4]) for row in rows)
    assert rows[0][5].split(",")[1:] == [str(each) for each in json.loads(GOOD)["dsmr"]]


@pytest.mark.slow
def test_statistics_come_instead_of_frames(dsmrctl: Run, group: str) -> None:  # noqa: F811
    with sending(group, GOOD, GOOD, GOOD, BAD):
        ran = dsmrctl("listen", "--stats", "--json", "-n", 20, "--timeout", "20s", "--group", group,
                      *LO)  # fmt: skip
        plain = dsmrctl("listen", "--stats", "-n", 10, "--timeout", "20s", "--group", group, *LO)
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["frames"] == 20
    assert found["lost"] == 0
    assert 5 <= found["refused"]["not-json"]["count"] <= 8
    assert found["refused"]["not-json"]["sender"].startswith("127.0.0.1:")
    assert "owned" in found["refused"]["not-json"]["first"]
    assert "\x1b" not in ran.out + plain.out
    one = found["senders"]["127.0.0.1"]
    assert one["frames"] == 20
    assert 0.01 < one["interval_s"] < 0.06
    assert one["jitter_p50_ms"] <= one["jitter_p99_ms"]
    assert (plain.code, plain.err) == (0, "")
    lines = plain.out.splitlines()
    assert re.fullmatch(r"10 frames in \d\.\d s, [\d.]+ a second", lines[0])
    assert lines[1].startswith("sender\tframes\tper s\t")
    assert lines[2].startswith("127.0.0.1\t10\t")
    assert lines[3] == "lost by this computer: 0"
    assert "not a JSON object (from 127.0.0.1" in lines[4]


def test_without_a_frame_the_statistics_say_so(dsmrctl: Run, group: str) -> None:  # noqa: F811
    ran = dsmrctl("listen", "--stats", "--json", "--timeout", "0.2s", "--group", group, *LO)
    assert ran.code == errors.NO_ANSWER
    found = json.loads(ran.out)
    assert (found["frames"], found["per_s"], found["senders"]) == (0, None, {})


def test_only_one_senders_frames_when_it_is_named(
    dsmrctl: Run,
    tmp_path: Path,
    group: str,  # noqa: F811
) -> None:
    path = tmp_path / "one.ndjson"
    address, port = group.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        other.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        other.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        other.connect((address, int(port)))
        with start(tmp_path, "--group", group, *LO, "-n", "2", "--sender", "127.0.0.2",
                   "--record", str(path), "--json") as running, sending(group, GOOD):  # fmt: skip
            while running.poll() is None:
                other.send(GOOD)
                time.sleep(0.02)
            out, err = running.communicate()
    assert running.returncode == 0
    senders = [json.loads(line)["frame"]["sender"] for line in out.splitlines()]
    assert [sender.split(":")[0] for sender in senders] == ["127.0.0.2"] * 2
    told = [json.loads(line) for line in err.splitlines()]
    assert any(note.get("left_out", 0) > 0 for note in told)
    with open_recording(path) as found:
        assert [item.sender for item in found] == senders


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--record", "there.ndjson"], errors.REFUSED, "nothing is written over"),
        (["--record", "frames.txt"], errors.USAGE, ".ndjson.gz"),
        (["--record", "none/frames.ndjson"], errors.NOT_FOUND, "no folder none"),
        (["--sender", "board"], errors.USAGE, "'board' is no IPv4 address"),
        (["--raw", "--stats"], errors.USAGE, "--raw has no --stats"),
    ],
)
def test_what_cannot_be_recorded_is_told_at_once(
    dsmrctl: Run, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    (tmp_path / "there.ndjson").write_text("mine")
    ran = dsmrctl("listen", *options, "--group", "239.255.85.1:18501", *LO)
    assert ran.code == code
    assert words in ran.err
    assert (tmp_path / "there.ndjson").read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "there.ndjson"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "suffix"), [(signal.SIGTERM, ".ndjson.gz"), (signal.SIGINT, ".pcapng")]
)
def test_ended_from_outside_the_file_is_whole(
    tmp_path: Path,
    group: str,  # noqa: F811
    suffix: str,
    number: int,
) -> None:
    path = tmp_path / f"frames{suffix}"
    with sending(group, GOOD), start(tmp_path, "--group", group, *LO, "--record", str(path)) as run:
        assert run.stdout
        for _ in range(5):
            assert run.stdout.readline()
        run.send_signal(number)
        _, told = run.communicate(timeout=20)
    assert run.returncode == 128 + number
    assert b"Traceback" not in told
    notes: list[str] = []
    with open_recording(path, port=int(group.split(":")[1]), on_note=notes.append) as found:
        count = len(list(found))
    assert notes == []
    assert count >= 5
    assert f"{count} recorded in {path}" in told.decode()


@pytest.mark.soak
@pytest.mark.parametrize("suffix", [".ndjson.gz", ".pcapng"])
def test_killed_at_once_all_but_the_last_second_is_there(
    tmp_path: Path,
    group: str,  # noqa: F811
    suffix: str,
) -> None:
    path = tmp_path / f"frames{suffix}"
    with sending(group, GOOD), start(tmp_path, "--group", group, *LO, "--record", str(path)) as run:
        assert run.stdout
        assert run.stdout.readline()
        shown = [time.monotonic()]
        while shown[-1] - shown[0] < 1.4:
            assert run.stdout.readline()
            shown.append(time.monotonic())
        run.kill()
    with open_recording(path, port=int(group.split(":")[1])) as found:
        count = len(list(found))
    if suffix.endswith(".gz"):
        assert count >= sum(at < shown[-1] - 1.2 for at in shown) > 5
    else:
        assert count >= len(shown)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".ndjson.gz", ".pcapng"])
def test_a_full_disk_ends_it_and_what_was_whole_stays(
    tmp_path: Path,
    group: str,  # noqa: F811
    suffix: str,
    need: Need,
) -> None:
    """A file system of three blocks, in a mount namespace of the command's own."""
    disk, copy = tmp_path / "disk", tmp_path / f"copy{suffix}"
    disk.mkdir()
    options = f"--group {group} {' '.join(LO)} --record {disk}/frames{suffix} --json"
    script = f"""
        mount -t tmpfs -o size=12k none {disk}
        {sys.executable} -m dsmrctl listen {options} > {tmp_path}/shown
        echo "exit $?"
        cp {disk}/frames{suffix} {copy}
    """
    noise = [os.urandom(900) for _ in range(20)]  # what cannot be packed
    with sending(group, GOOD, *noise):
        done = subprocess.run(
            [need("unshare"), "-rm", "sh", "-c", script],
            cwd=ROOT, env=clean_environment(tmp_path), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert "exit 1\n" in done.stdout, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    (error,) = [note["error"] for note in told if "error" in note]
    said = re.search(r"the disk is full: \S+ ends here, with (at least )?the first (\d+)",
                     error["message"])  # fmt: skip
    assert said, error
    assert "into another file" in error["hint"]
    notes: list[str] = []
    with open_recording(copy, port=int(group.split(":")[1]), on_note=notes.append) as found:
        items = list(found)
    assert {item.data for item in items} <= {GOOD, *noise}
    if said[1]:
        assert len(items) >= int(said[2])
    else:
        assert len(items) == int(said[2]) > 5
        assert notes == []


@pytest.mark.slow
def test_the_live_view_shows_statistics_and_leaves_them_behind(
    tmp_path: Path,
    group: str,  # noqa: F811
) -> None:
    path = tmp_path / "frames.ndjson"
    options = ("--group", group, *LO, "--stats", "--record", str(path))
    with Screen(tmp_path, *options) as screen, sending(group, GOOD, BAD):
        screen.read_until("frames a second")
        assert screen.end(signal.SIGTERM) == 143
    after = screen.seen[screen.seen.rindex("\x1b[?1049l") :]
    assert "lost by this computer: 0" in after
    assert "recorded in" in after
    assert "frames missing" in screen.seen
    assert "Traceback" not in screen.seen
    assert screen.after == screen.before
