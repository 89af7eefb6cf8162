"""`listen --raw` in a process of its own: the numbers of frames that nobody else would take."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import Run
from test_listen import BAD, LO, Screen, sending, start

from dsmrctl import errors

_numbers = iter(range(1, 250))

# Two more elements than anybody knows, and a register where a power would be: refused else.
FOREIGN = [
    json.dumps({"dsmr": [7000000 + n, 5, 83125000, 1, 40 + n, 11, 250, 9, 3]}).encode()
    for n in range(3)
]


@pytest.fixture
def group() -> str:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    number = next(_numbers)
    return f"239.255.{140 + worker}.{number}:{31000 + worker * 300 + number}"


def test_a_pipe_gets_a_table_and_what_to_give_to_layout(dsmrctl: Run, group: str) -> None:
    with sending(group, BAD, *FOREIGN):
        ran = dsmrctl("listen", "--raw", "--group", group, *LO, "--timeout", "20s", "-n", 6)
    assert ran.code == 0, ran.err
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert rows[0] == ["#", "value", "change", "since start", "least", "most", "what it may be"]
    assert [row[0] for row in rows[1:]] == [str(n) for n in range(1, 10)]
    assert rows[3][1:6] == ["83125000", "", "", "83125000", "83125000"]
    assert rows[1][2] in ("+1", "-2")
    assert rows[1][4:6] == ["7000000", "7000002"]
    # Six frames in a fraction of a second name nothing, and it says how long it takes.
    assert "--layout -,-,-,-,-,-,-,-,-\n" in ran.err
    assert "after three minutes" in ran.err
    assert "without an array of whole numbers were left out" in ran.err
    assert "\x1b" not in ran.err


def test_json_is_one_record_a_frame(dsmrctl: Run, group: str) -> None:
    with sending(group, BAD, *FOREIGN, b'{"v":7,"dsmr":[-1]}'):
        ran = dsmrctl("listen", "--raw", "--json", "--group", group, *LO, "--timeout", "20s",
                      "--count", 9)  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert len(records) == 9
    assert all(each["sender"].startswith("127.0.0.1:") for each in records)
    assert {each["version"] for each in records} == {None, 7}
    for one, other in pairwise(records):
        if len(one["elements"]) == len(other["elements"]):
            found = [b - a for a, b in zip(one["elements"], other["elements"], strict=True)]
            assert other["changes"] == found
        else:
            assert set(other["changes"]) == {0}  # another array: begun anew


@pytest.mark.slow
def test_silence_and_too_few_are_no_answer(dsmrctl: Run, group: str) -> None:
    ran = dsmrctl("listen", "--raw", "--group", group, *LO, "--timeout", "0.3s")
    assert (ran.code, ran.out) == (errors.NO_ANSWER, "")
    assert "nothing with numbers came" in ran.err
    with sending(group, *[BAD] * 9, FOREIGN[0]):
        ran = dsmrctl("listen", "--raw", "--group", group, *LO, "--duration", "1s", "-n", 500)
    assert ran.code == errors.NO_ANSWER
    assert "of 500 frames with numbers came" in ran.err
    assert len(ran.out.splitlines()) == 10  # what there was is shown all the same


@pytest.mark.parametrize("more", [["--layout", "-,-"], ["--frame-key-file", "/nowhere"]])
def test_names_and_keys_do_not_go_with_it(dsmrctl: Run, more: list[str]) -> None:
    ran = dsmrctl("listen", "--raw", *more)
    assert ran.code == errors.USAGE
    assert "leave --layout and --frame-key-file out" in ran.err


@pytest.mark.slow
def test_ctrl_c_in_a_pipe_gives_the_table_and_130(tmp_path: Path, group: str) -> None:
    with sending(group, *FOREIGN), start(tmp_path, "--raw", "--group", group, *LO) as running:
        assert running.stderr
        assert b"listening" in running.stderr.readline()
        time.sleep(1)  # frames come, and nothing tells of one before the end
        running.send_signal(signal.SIGINT)
        out, told = running.communicate(timeout=20)
    assert running.returncode == errors.INTERRUPTED
    assert len(out.splitlines()) == 10
    assert b"--layout " in told
    assert b"Traceback" not in told


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_live_table_gives_the_terminal_back_and_stays_below(
    tmp_path: Path, group: str, number: int, code: int
) -> None:
    with Screen(tmp_path, "--raw", "--group", group, *LO) as screen:
        screen.read_until("waiting for frames")
        with sending(group, *FOREIGN):
            screen.read_until("83125000")
            assert screen.end(number) == code
    seen = screen.seen
    assert seen.count("\x1b[?1049h") == seen.count("\x1b[?1049l") == 1
    below = seen[seen.rindex("\x1b[?1049l") :]
    assert "83125000" in below
    assert "--layout -,-" in below
    assert "Traceback" not in seen
    assert screen.after == screen.before
