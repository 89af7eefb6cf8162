"""telegram read --record and telegram anonymise: the real command, and what is in its files."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import BELGIAN, CAPTURES, Run, clean_environment

from dsmrctl import errors
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.opening import open_recording
from dsmrctl.telegram import parse
from dsmrctl.telegram.document import quantities

TELEGRAM = BELGIAN.read_bytes()
LUXEMBOURG = (CAPTURES / "luxembourg_smarty.txt").read_bytes()
STREAM = b"noise" + TELEGRAM + TELEGRAM[:300] + b"\r\n" + LUXEMBOURG


def recorded(path: Path) -> list[Item]:
    with open_recording(path) as recording:
        assert recording.kind == "telegrams"
        return list(recording)


@pytest.mark.parametrize("suffix", [".ndjson", ".ndjson.gz"])
def test_the_telegrams_of_a_file_are_recorded_at_the_meters_times(
    dsmrctl: Run, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "meter.raw").write_bytes(STREAM)
    path = tmp_path / f"kept{suffix}"
    ran = dsmrctl("telegram", "read", "meter.raw", "--record", path)
    assert ran.code == 0, ran.err
    assert f"2 recorded in {path}" in ran.err
    assert ran.out.encode() == TELEGRAM + LUXEMBOURG
    found = recorded(path)
    assert [item.data for item in found] == [TELEGRAM, LUXEMBOURG]
    assert {item.sender for item in found} == {"meter.raw"}
    for item in found:
        when = parse(item.data).time
        assert when is not None
        assert item.time_ns == int(when.timestamp()) * 10**9
    # And is a SOURCE as any other, also for another recording.
    again = dsmrctl("telegram", "read", path, "--record", "again.ndjson", "--json")
    assert json.loads(again.err) == {"recorded": 2, "file": "again.ndjson"}
    assert [item.data for item in recorded(tmp_path / "again.ndjson")] == [TELEGRAM, LUXEMBOURG]


def test_nothing_is_written_over_and_telegrams_are_no_pcapng(dsmrctl: Run, tmp_path: Path) -> None:
    (tmp_path / "meter.raw").write_bytes(TELEGRAM)
    ran = dsmrctl("telegram", "read", "meter.raw", "--record", "meter.raw")
    assert ran.code == errors.USAGE
    (tmp_path / "there.ndjson").write_text("mine")
    ran = dsmrctl("telegram", "read", "meter.raw", "--record", "there.ndjson")
    assert (ran.code, ran.out) == (errors.REFUSED, "")
    assert (tmp_path / "there.ndjson").read_text() == "mine"
    ran = dsmrctl("telegram", "read", "meter.raw", "--record", "kept.pcapng")
    assert ran.code == errors.USAGE
    assert ".ndjson.gz" in ran.err
    assert not (tmp_path / "kept.pcapng").exists()


@pytest.mark.slow
def test_of_a_port_all_that_comes_is_recorded_when_it_comes(tmp_path: Path) -> None:
    """A real pseudo-terminal; and SIGTERM ends it with a whole file."""
    master, slave = pty.openpty()
    path = tmp_path / "port.ndjson.gz"
    command = [sys.executable, "-m", "dsmrctl", "telegram", "read", os.ttyname(slave)]
    with subprocess.Popen(
        [*command, "--record", str(path)], env=clean_environment(tmp_path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout
        before = time.time_ns()
        deadline = time.monotonic() + 20
        while not path.exists():  # opening a port throws away what came before
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)
        os.write(master, TELEGRAM + TELEGRAM[:100] + b"\r\n" + LUXEMBOURG)
        got = b""
        while len(got) < len(TELEGRAM) + len(LUXEMBOURG):
            got += os.read(running.stdout.fileno(), 65536)
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=20)
    os.close(master)
    os.close(slave)
    assert running.returncode == 143
    assert b"3 recorded in" in told
    assert b"Traceback" not in told
    found = recorded(path)
    assert [found[0].data, found[-1].data] == [TELEGRAM, LUXEMBOURG]
    assert b"".join(item.data for item in found[1:-1]).startswith(TELEGRAM[:100])
    assert {item.sender for item in found} == {command[-1]}
    assert all(before - 10**9 < item.time_ns <= time.time_ns() for item in found)


def test_anonymous_telegrams_say_the_same_and_name_nobody(dsmrctl: Run, tmp_path: Path) -> None:
    secret = b"3153414731313030303939303031"
    assert secret in STREAM
    (tmp_path / "meter.raw").write_bytes(STREAM)
    ran = dsmrctl("telegram", "anonymise", "meter.raw", "--record", "shared.ndjson")
    assert ran.code == 0, ran.err
    text = (tmp_path / "shared.ndjson").read_text()
    for each in (secret.decode(), "1SAG1100099001", "253769484", "53414731303330373030303939303031",
                 "meter.raw", "noise"):  # fmt: skip
        assert each not in text
        assert each not in ran.out
    found = recorded(tmp_path / "shared.ndjson")
    assert len(found) == 2
    for item, before in zip(found, (TELEGRAM, LUXEMBOURG), strict=True):
        again = parse(item.data)
        assert again.crc == "valid"
        assert quantities(again) == quantities(parse(before))
    plain = dsmrctl("telegram", "anonymise", "meter.raw", "--json")
    assert [json.loads(line)["data"].encode() for line in plain.out.splitlines()] == [
        item.data for item in found
    ]
    notes = [json.loads(line) for line in plain.err.splitlines()]
    (replaced,) = [note["replaced"] for note in notes if "replaced" in note]
    assert replaced["0-0:96.1.1"] == 1
    assert "0-0:96.1.1" in ran.err
    assert "1SAG" not in ran.err + plain.err
    # Made anonymous again nothing changes but the numbers that were invented.
    twice = dsmrctl("telegram", "anonymise", "shared.ndjson", "--json")
    assert twice.code == 0
    assert len(twice.out) == len(plain.out)


def test_a_telegram_without_a_time_is_recorded_beside_the_one_before(
    dsmrctl: Run, tmp_path: Path
) -> None:
    """Else a replay would wait months for it."""
    unset = (CAPTURES / "time_632525252525S.txt").read_bytes()
    assert parse(unset).time is None
    (tmp_path / "meter.raw").write_bytes(TELEGRAM + unset + TELEGRAM)
    assert dsmrctl("telegram", "read", "meter.raw", "--record", "kept.ndjson").code == 0
    first, second, third = recorded(tmp_path / "kept.ndjson")
    assert first.time_ns == second.time_ns == third.time_ns


@pytest.mark.slow
def test_a_full_disk_ends_a_recording_of_telegrams_clearly(tmp_path: Path) -> None:
    import resource

    (tmp_path / "meter.raw").write_bytes(TELEGRAM * 50)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl", "telegram", "read", "meter.raw", "--record", "x.ndjson"],
        cwd=tmp_path, env=clean_environment(tmp_path), preexec_fn=small, capture_output=True,
    )  # fmt: skip
    assert done.returncode == errors.FAILED
    assert b"file too large: x.ndjson ends here, with the first" in done.stderr
    found = recorded(tmp_path / "x.ndjson")
    assert 5 < len(found) < 50
    assert all(item.data == TELEGRAM for item in found)
