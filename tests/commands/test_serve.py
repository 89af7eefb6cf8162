"""`dsmrctl serve` and `dsmrctl listen` as two real programs, telegrams between them and a pty."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from brokers import Listener, Mosquitto, free_port, until
from conftest import CAPTURES, ROOT, Run, clean_environment

from dsmrctl.telegram import Framer
from dsmrctl.virtual.household import Household
from dsmrctl.virtual.meter import Meter, Registers

STREAM = CAPTURES / "stream_dsmr50_lf-only.raw"
REAL = list((ROOT.parent / "shared" / "captures" / "p1").glob("*stream_dsmr50.raw"))


@contextlib.contextmanager
def program(home: Path, *args: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A dsmrctl in the background; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=clean_environment(home) | environment,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()  # the block's end waits for it


def joined(group: str) -> bool:
    """Whether a program here listens to the group: the kernel's list, in its byte order."""
    address = int.from_bytes(socket.inet_aton(group.partition(":")[0]), sys.byteorder)
    return f"{address:08X}" in Path("/proc/net/igmp").read_text()


def clocks(raw: bytes) -> list[tuple[int, int]]:
    """(minute, second) of every whole telegram in a capture, by a way of our own."""
    whole = re.findall(rb"/[^/!]*![0-9A-F]{4}\r?\n", raw)
    stamps = [re.search(rb"0-0:1\.0\.0\(\d{8}(\d\d)(\d\d)[SW]\)", one) for one in whole]
    return [(int(stamp[1]), int(stamp[2])) for stamp in stamps if stamp]


@pytest.mark.slow
@pytest.mark.parametrize("capture", [STREAM, *REAL], ids=lambda path: path.name)
def test_a_serial_capture_through_a_pty_gives_a_frame_for_each_whole_telegram_in_order(
    capture: Path, tmp_path: Path
) -> None:
    group = "239.255.70.1:17001" if capture == STREAM else "239.255.70.2:17002"
    raw = capture.read_bytes()
    expected = clocks(raw)
    master, slave = pty.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    listening = ["listen", "--json", "--group", group, "--count", len(expected), "--timeout", "20s"]
    serving = ["serve", os.ttyname(slave), "--group", group]
    with program(tmp_path, *listening) as listen, program(tmp_path, *serving) as serve:
        assert serve.stderr
        assert "frames to" in serve.stderr.readline()
        until(lambda: joined(group))
        feeder = threading.Thread(target=feed, args=(master, raw))
        feeder.start()
        out, err = listen.communicate(timeout=40)
        feeder.join()
        assert listen.returncode == 0, err
    frames = [json.loads(line)["frame"] for line in out.splitlines()]
    assert [(frame["minute"], frame["second"]) for frame in frames] == expected
    os.close(master)
    os.close(slave)


def feed(master: int, raw: bytes) -> None:
    """All of it, as fast as the line takes it."""
    while raw:
        raw = raw[os.write(master, raw[:4096]) :]


def read_one(stream: BinaryIO) -> bytes:
    """One telegram, up to and with the line of its CRC."""
    lines = []
    while not lines or not lines[-1].startswith(b"!"):
        lines.append(stream.readline())
    return b"".join(lines)


def telegrams(tmp_path: Path, n: int) -> Path:
    """So many telegrams of the virtual meter, a second apart."""
    file = tmp_path / "meter.raw"
    household = Household(datetime(2026, 6, 21, 12, 0, tzinfo=UTC))
    meter = Meter(household, registers=Registers(import_t1_wh=34_000))
    file.write_bytes(b"".join(meter.telegram(second) for second in range(n)))
    return file


def test_raw_telegrams_reach_many_readers_over_tcp(tmp_path: Path) -> None:
    file, port = telegrams(tmp_path, 500), free_port()
    whole = [one.raw for one in Framer().feed(file.read_bytes())]
    serving = ["serve", file, "--group", "239.255.70.3:17003", "--tcp", port, "--speed", "20"]
    with program(tmp_path, *serving) as serve:
        assert serve.stderr
        assert any(f"tcp://127.0.0.1:{port}" in line for line in serve.stderr)
        readers = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(3)]
        for reader in readers:
            with reader, reader.makefile("rb") as stream:
                first = whole.index(read_one(stream))
                assert read_one(stream) == whole[first + 1]


def test_the_broker_gets_quantities_and_home_assistants_discovery(
    tmp_path: Path, broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    subscriber = listen(broker.port)
    url = f"mqtt://127.0.0.1:{broker.port}"
    serving = ["serve", telegrams(tmp_path, 300), "--group", "239.255.70.4:17004", "--mqtt", url]
    with program(tmp_path, *serving, "--speed", "20"):
        until(lambda: any(topic.endswith("/state") for topic, _, _ in subscriber.came))
        until(lambda: any(topic.endswith("/config") for topic, _, _ in subscriber.came))
    by_end = {topic.rsplit("/", 1)[1]: text for topic, text, _ in subscriber.came}
    assert json.loads(by_end["state"])["import_t1_wh"] >= 34_000
    assert json.loads(by_end["config"])["origin"]["name"] == "dsmrctl"


@pytest.mark.slow
def test_frames_of_another_interface_reach_the_broker_and_none_are_sent(
    tmp_path: Path, broker: Mosquitto, listen: Callable[..., Listener]
) -> None:
    group = "239.255.70.6:17006"
    subscriber = listen(broker.port)
    url = f"mqtt://127.0.0.1:{broker.port}"
    bridging = ["serve", "frames", "--group", group, "--mqtt", url, "--timeout", "20s"]
    serving = ["serve", telegrams(tmp_path, 300), "--group", group, "--speed", "20"]
    listening = ["listen", "--json", "--group", group, "--duration", "4s"]
    with program(tmp_path, *bridging), program(tmp_path, *serving, "--frame-version", "1"):
        until(lambda: any(topic.endswith("/state") for topic, _, _ in subscriber.came))
        with program(tmp_path, *listening) as heard:
            out, _ = heard.communicate(timeout=20)
    state = next(text for topic, text, _ in subscriber.came if topic.endswith("/state"))
    assert json.loads(state)["import_t1_wh"] >= 34_000
    assert len({json.loads(line)["frame"]["sender"] for line in out.splitlines()}) == 1


def test_signed_frames_are_told_apart_by_their_counter(tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    key.write_text("an invented key, for tests only\n")
    group = "239.255.70.5:17005"
    listening = ["listen", "--json", "--group", group, "--count", "1", "--timeout", "20s"]
    serving = ["serve", telegrams(tmp_path, 300), "--group", group, "--speed", "20"]
    with (
        program(tmp_path, *listening) as listen,
        program(tmp_path, *serving, "--frame-key-file", key),
    ):
        out, _ = listen.communicate(timeout=40)
    assert json.loads(out)["frame"]["n"] > 0


def test_frames_as_a_source_need_somewhere_to_go(dsmrctl: Run) -> None:
    ran = dsmrctl("serve", "frames")
    assert ran.code == 2
    assert "--mqtt" in ran.err


def test_an_invented_household_never_reaches_a_real_network_unasked(dsmrctl: Run) -> None:
    ran = dsmrctl("serve", "household", "--nic", "eth0")
    assert ran.code == 2
    assert "real relays" in ran.err
    assert "--yes" in ran.err


def test_a_password_in_the_url_is_refused_and_not_repeated(dsmrctl: Run) -> None:
    ran = dsmrctl("serve", "x.raw", "--mqtt", "mqtt://me:sesame-open@broker")
    assert ran.code == 2
    assert "sesame" not in ran.out + ran.err


def test_key_in_a_file_that_is_too_short_is_refused_and_not_repeated(
    dsmrctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("sesame")
    ran = dsmrctl("serve", "x.raw", "--frame-key-file", tmp_path / "key")
    assert ran.code == 2
    assert "sesame" not in ran.out + ran.err


@pytest.mark.parametrize("args", [["--speed", "fast"], ["--tcp", "nowhere"], ["--group", "host"]])
def test_what_cannot_be_is_a_usage_error_with_an_example(args: list[str], dsmrctl: Run) -> None:
    ran = dsmrctl("serve", "x.raw", *args)
    assert ran.code == 2
    assert len(ran.err.splitlines()) >= 2
