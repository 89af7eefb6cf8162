"""dsmrctl doctor: the real program in a network that is well, and in ones that are not."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from conftest import BELGIAN
from ran import Run, clean_environment
from test_cli import on_a_terminal

from dsmrctl.diagnosis.finding import KINDS
from dsmrctl.firmware.core import frame as core
from dsmrctl.network.multicast import Receiver, Sender

GROUP, PORT = "239.255.62.7", 18671
# As long as it takes to hear one who sends five times a second.
SOON = ("--group", f"{GROUP}:{PORT}", "--nic", "lo", "--timeout", "200ms")


@contextmanager
def frames_come() -> Iterator[None]:
    """Somebody sends frames, with this computer's minute and second."""
    ended = threading.Event()

    def send() -> None:
        with Sender(GROUP, PORT, ttl=0) as sender:
            while not ended.wait(0.1):
                now = datetime.now()
                values = [301548, 270014, 338, 0, 1, now.minute, now.second, 2589, 1320, 1500]
                sender.send(core.build(values))

    thread = threading.Thread(target=send)
    with Receiver(GROUP, PORT, ["lo"]) as receiver:
        thread.start()
        try:
            assert receiver.receive(10)
            yield
        finally:
            ended.set()
            thread.join()


@pytest.mark.slow
def test_where_nothing_stands_in_the_way_it_ends_with_0(dsmrctl: Run) -> None:
    with frames_come():
        ran = dsmrctl("doctor", "--json", "household", *SOON[:-1], "1s")
    assert ran.code == 0, ran.out
    (line,) = ran.out.splitlines()
    whole = json.loads(line)
    assert whole["well"] is True
    assert {each["name"] for each in whole["findings"]} == set(KINDS)
    assert whole["counts"]["trouble"] == 0
    assert sum(whole["counts"].values()) == len(KINDS)
    for each in whole["findings"]:
        assert list(each) == ["name", "subject", "severity", "what", "why", "next", "data"]
        assert (each["why"] is None) == (each["severity"] == "ok")
    # The next time it knows that there were frames.
    ran = dsmrctl("doctor", *SOON)
    assert f"frames stopped: the last was heard at {datetime.now():%Y-%m-%d}" in ran.out
    assert ran.code == 1


@pytest.mark.slow
def test_what_stands_in_the_way_has_a_sign_a_word_a_reason_and_a_step(dsmrctl: Run) -> None:
    ran = dsmrctl("doctor", *SOON)
    assert (ran.code, ran.err) == (1, "")
    why = KINDS["frames"].why
    assert re.search(
        rf"^the frames\n  ✗ trouble  no frame came in 0\.2 s on {GROUP}:{PORT}\n"
        rf"             why:  {why}\n             next: has the interface board power",
        ran.out,
        re.M,
    )
    assert re.search(r"\n\n1 in the way; \d+ notes?, \d+ ok\n\Z", ran.out)
    subjects = re.findall(r"^(\S.*)$", ran.out, re.M)[:-1]
    assert subjects == list(dict.fromkeys(kind.subject for kind in KINDS.values() if
                                          kind.subject != "the meter"))  # fmt: skip
    assert "\x1b" not in ran.out


@pytest.mark.slow
def test_a_wrong_preferences_file_is_a_finding_and_no_end(dsmrctl: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("nick = 'eth0'\n")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    ran = dsmrctl("doctor", *SOON, env=ascii_only | {"DSMRCTL_CONFIG": str(file)})
    # Where there are no other signs they are ASCII.
    assert f"  x trouble  {file}: there is no preference 'nick'" in ran.out
    assert "  + ok       " in ran.out
    assert ran.out.isascii()
    assert "2 in the way" in ran.out


@pytest.mark.slow
def test_a_source_is_listened_to_and_what_is_wrong_with_it_told(
    dsmrctl: Run, tmp_path: Path
) -> None:
    broken = BELGIAN.read_bytes().replace(b"*kWh", b"*kWi", 1)
    (tmp_path / "meter.raw").write_bytes(broken)
    ran = dsmrctl("doctor", "--json", "meter.raw", *SOON)
    told = {each["name"]: each for each in json.loads(ran.out)["findings"]}
    assert told["meter-crc"]["severity"] == "trouble"
    assert told["source"]["severity"] == "ok"
    ran = dsmrctl("doctor", "--json", "/dev/ttyNOWHERE7", *SOON)
    told = {each["name"]: each for each in json.loads(ran.out)["findings"]}
    assert "no port /dev/ttyNOWHERE7" in told["source"]["what"]


def test_a_network_that_is_not_there_is_told(dsmrctl: Run) -> None:
    ran = dsmrctl("doctor", "--nic", "eth77")
    assert (ran.code, ran.out) == (3, "")
    assert "no network 'eth77'" in ran.err


@pytest.mark.slow
def test_on_a_terminal_colour_is_never_alone_and_may_be_absent(tmp_path: Path) -> None:
    plain = on_a_terminal(["doctor", *SOON], tmp_path, NO_COLOR="1").decode()
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", plain)
    assert "✗ trouble" in plain
    # A step stays in one piece, to be copied.
    (step,) = re.findall(r"next: (has the interface.*)\r\n", plain)
    assert step.endswith("in another terminal")


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.3])
def test_ctrl_c_ends_it_at_once(tmp_path: Path, after_s: float) -> None:
    command = [sys.executable, "-m", "dsmrctl", "doctor", *SOON[:-1], "60s"]
    with subprocess.Popen(
        command, env=clean_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as doctor:
        assert doctor.stdout is not None
        assert doctor.stderr is not None
        assert b"this computer" in doctor.stdout.readline()
        time.sleep(after_s)
        doctor.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert doctor.wait(10) == 130
        assert time.monotonic() - begun < 3
        assert b"Traceback" not in doctor.stderr.read()
