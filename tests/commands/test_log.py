"""dsmrctl log: recorded, shown, drawn, exported; the real program."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import BELGIAN, clean_environment
from ran import Run

from dsmrctl.firmware.core import frame
from dsmrctl.quantities import NAMES, PERIOD
from dsmrctl.recordings.item import Item
from dsmrctl.recordings.writing import create
from dsmrctl.telegram.crc import crc16
from dsmrctl.virtual.household import Event, Household
from dsmrctl.virtual.meter import Meter


def stream(start: datetime, seconds: range, watts: int = 3600) -> bytes:
    """What a virtual meter with a constant load says at those seconds."""
    meter = Meter(Household.scripted(start, [Event(-(10**9), "load", watts)]))
    return b"".join(meter.telegram(second) for second in seconds)


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of an hour and a quarter of 24 November 2026, from 18:00 on."""
    folder = tmp_path_factory.mktemp("evening")
    raw = stream(datetime(2026, 11, 24, 17, 0, tzinfo=UTC), range(0, 4501, 5))
    (folder / "meter.raw").write_bytes(raw)
    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl", "log", "record", "meter.raw", "--log", "log.db"],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == "901 seconds in log.db\n"
    return folder / "log.db"


def rows(path: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as log:
        return log.execute(question).fetchall()


def test_a_day_as_json_is_its_quarters(dsmrctl: Run, evening: Path) -> None:
    done = dsmrctl("log", "show", "day", "--log", evening, "--json")
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert found[:5] == [
        {
            "time": f"2026-11-24T{18 + n // 4}:{n % 4 * 15:02}:00+01:00",
            "import_wh": 900,
            "export_wh": 0,
            "peak_w": 3600,
            "peak_time": f"2026-11-24T{18 + n // 4}:{n % 4 * 15:02}:00+01:00",
            "seen_s": 900,
        }
        for n in range(5)
    ]
    assert found[5]["import_wh"] is None
    assert len(found) == 6


@pytest.mark.parametrize(
    ("span", "date", "time"),
    [
        ("month", "2026-11", "2026-11-24T00:00:00+01:00"),
        ("year", "2026", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_a_month_and_a_year_add_up(
    dsmrctl: Run, evening: Path, span: str, date: str, time: str
) -> None:
    done = dsmrctl("log", "show", span, date, "--log", evening, "--json")
    assert json.loads(done.out) == {
        "time": time,
        "import_wh": 4500,
        "export_wh": 0,
        "peak_w": 3600,
        "peak_time": "2026-11-24T18:00:00+01:00",
        "seen_s": 4500,
    }


def test_csv_has_the_names_and_what_json_has(dsmrctl: Run, evening: Path) -> None:
    done = dsmrctl("log", "show", "day", "--csv", env={"DSMRCTL_LOG": str(evening)})
    header, *found = csv.reader(io.StringIO(done.out))
    assert header == [one.name for one in PERIOD]
    assert found[0] == [
        "2026-11-24T18:00:00+01:00", "900", "0", "3600", "2026-11-24T18:00:00+01:00", "900",
    ]  # fmt: skip
    assert found[-1][1] == ""


@pytest.mark.slow
def test_seconds_are_as_the_meter_said_them(dsmrctl: Run, evening: Path) -> None:
    said = dsmrctl("log", "show", "day", "--by", "second", "--log", evening, "--json")
    seconds = [json.loads(line) for line in said.out.splitlines()]
    assert len(seconds) == 901
    assert set(seconds[0]) <= set(NAMES)
    decoded = dsmrctl("telegram", "parse", evening.with_name("meter.raw"), "--json")
    first = json.loads(decoded.out.splitlines()[0])
    assert seconds[0] == {name: first[name] for name in seconds[0]}


@pytest.mark.slow
def test_parquet_has_the_same_rows(dsmrctl: Run, evening: Path, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    done = dsmrctl("log", "show", "day", "--log", evening, "--parquet", "day.parquet")
    assert (done.code, done.out) == (0, ""), done.err
    frame = polars.read_parquet(tmp_path / "day.parquet")
    assert frame.columns == [one.name for one in PERIOD]
    assert frame["import_wh"].to_list() == [900] * 5 + [None]
    assert frame["time"].dtype == polars.Datetime("us", "UTC")
    assert frame["peak_time"].to_list()[-1] is None
    assert frame["time"].to_list()[0] == datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    done = dsmrctl(
        "log", "show", "day", "--by", "second", "--log", evening, "--parquet", "s.parquet"
    )
    frame = polars.read_parquet(tmp_path / "s.parquet")
    assert frame.height == 901
    assert frame["import_w"].to_list() == [3600] * 901
    dsmrctl("telegram", "parse", evening.with_name("meter.raw"), "--parquet", "t.parquet")
    telegrams = polars.read_parquet(tmp_path / "t.parquet")
    # The same columns of the same types, and the same values.
    assert frame.equals(telegrams.select(frame.columns))
    assert frame.schema == telegrams.select(frame.columns).schema


def test_a_picture_stands_alone(dsmrctl: Run, evening: Path, tmp_path: Path) -> None:
    done = dsmrctl("log", "show", "day", "--log", evening, "--svg", "day.svg")
    assert (done.code, done.out) == (0, ""), done.err
    text = (tmp_path / "day.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    bars = [one for one in root.iter(f"{space}rect") if one.get("class") in ("up", "peak")]
    bars = [one for one in bars if one.get("height") != "12"]  # that is the legend
    assert len(bars) == 5


def test_a_pipe_gets_a_table(dsmrctl: Run, evening: Path) -> None:
    done = dsmrctl("log", "show", "--log", evening)
    head, first, *_ = done.out.splitlines()
    assert head == "time\timport Wh\texport Wh\tpeak W\tseen s"
    assert first == "2026-11-24 18:00\t900\t0\t3600\t900"
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("day", "2026-11-23"), 3, "the last day in it is 2026-11-24"),
        (("day", "2026-02-30"), 2, "is no date"),
        (("day", "24/11/2026"), 2, "for example 2026-11-24"),
        (("day", "9999-12-31"), 2, "is no date"),
        (("day", "--by", "month"), 2, "a day has no months"),
        (("day", "--json", "--csv"), 2, "exclude"),
        (("day", "--by", "second", "--svg", "x.svg"), 2, "seconds are no picture"),
        (("week",), 2, "week"),
    ],
)
def test_what_cannot_be_shown_says_why(
    dsmrctl: Run, evening: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = dsmrctl("log", "show", *arguments, "--log", evening)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


def test_without_a_log_show_says_how_to_make_one(dsmrctl: Run) -> None:
    done = dsmrctl("log", "show")
    assert done.code == 3
    assert "dsmrctl log record makes one" in done.err
    # In the user's own place, and nothing was made there.
    assert ".local/share/dsmrctl/log.db" in done.err


@pytest.mark.slow
def test_an_archive_and_the_same_by_one_are_the_same_log(
    dsmrctl: Run, evening: Path, tmp_path: Path
) -> None:
    raw = evening.with_name("meter.raw").read_bytes()
    (tmp_path / "meter.raw.gz").write_bytes(gzip.compress(raw))
    for source, stdin in (("meter.raw.gz", None), ("-", raw)):
        done = dsmrctl("log", "record", source, "--log", "other.db", stdin=stdin)
        assert done.code == 0, done.err
        other = tmp_path / "other.db"
        for table in ("seconds", "quarters"):
            question = f"SELECT * FROM {table} ORDER BY utc"
            assert rows(other, question) == rows(evening, question)
        other.unlink()


@pytest.mark.slow
def test_the_same_file_again_is_told_and_doubles_nothing(dsmrctl: Run, tmp_path: Path) -> None:
    (tmp_path / "t.raw").write_bytes(BELGIAN.read_bytes())
    dsmrctl("log", "record", "t.raw", "--log", "log.db")
    done = dsmrctl("log", "record", "t.raw", "--log", "log.db")
    assert done.err == "1 seconds in log.db, 0 of them new\n"
    done = dsmrctl("log", "record", "t.raw", "--log", "log.db", "--json")
    assert json.loads(done.out) == {"log": "log.db", "taken": 1, "written": 0, "lost": 0}


def test_a_file_without_telegrams_is_bad_data(dsmrctl: Run, tmp_path: Path) -> None:
    (tmp_path / "noise.raw").write_bytes(b"\xff\x00noise" * 100)
    done = dsmrctl("log", "record", "noise.raw", "--log", "log.db")
    assert done.code == 6
    assert "no valid telegram" in done.err


def test_a_meter_that_sends_totals_has_them_as_tariff_1(dsmrctl: Run, tmp_path: Path) -> None:
    from conftest import CAPTURES

    swedish = next(CAPTURES.glob("*swed*"))
    done = dsmrctl("log", "record", swedish, "--log", "log.db")
    assert done.code == 0, done.err
    ((total, second),) = rows(tmp_path / "log.db", "SELECT import_t1_wh, import_t2_wh FROM seconds")
    assert re.search(rb"1-0:1\.8\.0\(0*%d\.%03d" % divmod(total, 1000), swedish.read_bytes())
    assert second is None


@pytest.mark.slow
def test_frames_are_kept_by_the_meters_clock(dsmrctl: Run, tmp_path: Path) -> None:
    """Two senders: the first is followed, the other told; the hour is the computer's."""
    group, port = "239.255.61.9", 18669
    program = subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "log", "record", "--log", "log.db", "--count", "5",
         "--group", f"{group}:{port}", "--timeout", "20"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    begun = int(time.time()) // 60 * 60
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        n = 0
        while program.poll() is None and n < 150:
            at = begun + n
            dsmr = [83125000 + n, 27689000, 500, 0, 1, at // 60 % 60, at % 60]
            out.sendto(json.dumps({"dsmr": dsmr}).encode(), (group, port))
            n += 1
            time.sleep(0.1)
    _, err = program.communicate(timeout=10)
    assert program.returncode == 0, err
    found = rows(tmp_path / "log.db", "SELECT utc, import_t1_wh, import_w FROM seconds")
    assert len(found) == 5
    for utc, wh, watts in found:
        assert (utc, watts) == (begun + wh - 83125000, 500)


@pytest.mark.soak
def test_a_kill_in_the_midst_costs_the_last_batch_alone(tmp_path: Path) -> None:
    """kill -9 while it writes; the file is whole, the same again makes it complete."""
    telegram = stream(datetime(2026, 11, 24, 17, 0, tzinfo=UTC), range(1))
    head, tail = re.split(rb"(?<=0-0:1\.0\.0\()\d{12}", telegram)
    many = [
        head
        + b"2611%02d1%d%02d%02d" % (n // 36000 + 1, n // 3600 % 10, n // 60 % 60, n % 60)
        + tail
        for n in range(7000)
    ]
    many = [re.sub(rb"!\w{4}\r\n", b"!%04X\r\n" % crc16(each[:-6]), each) for each in many]
    command = [sys.executable, "-m", "dsmrctl", "log", "record", "-", "--log", "log.db"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as program:
        assert program.stdin
        path = tmp_path / "log.db"
        program.stdin.write(b"".join(many))
        program.stdin.flush()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if path.exists() and path.with_name("log.db-wal").exists():
                try:
                    if rows(path, "SELECT count(*) FROM seconds")[0][0]:
                        break
                except sqlite3.OperationalError:
                    pass
            time.sleep(0.05)
        program.kill()
        program.stdin.close()
    ((count,),) = rows(path, "SELECT count(*) FROM seconds")
    assert count == 5000  # a batch; what came after it waits for the next
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    (tmp_path / "all.raw").write_bytes(b"".join(many))
    subprocess.run(
        [*command[:5], "all.raw", *command[6:]],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    assert rows(path, "SELECT count(*) FROM seconds") == [(7000,)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_came_before_a_signal_is_kept(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "log", "record", "-", "--log", "log.db"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=False,
    ) as program:
        assert program.stdin
        assert program.stderr
        program.stdin.write(stream(datetime(2026, 11, 24, 17, 0, tzinfo=UTC), range(20)))
        program.stdin.flush()
        path = tmp_path / "log.db"
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        program.send_signal(number)
        err = program.stderr.read().decode()
        program.wait(10)
    assert "20 seconds in log.db" in err
    assert "Traceback" not in err
    assert rows(path, "SELECT count(*) FROM seconds") == [(20,)]


def test_options_of_frames_are_refused_where_there_are_none(dsmrctl: Run, tmp_path: Path) -> None:
    (tmp_path / "t.raw").write_bytes(BELGIAN.read_bytes())
    wrong = dsmrctl("log", "record", "t.raw", "--log", "log.db", "--group", "239.1.1.1:9")
    assert (wrong.code, "are for frames" in wrong.err) == (2, True)
    # What stands in the environment is for the commands that want it.
    right = dsmrctl(
        "log", "record", "t.raw", "--log", "log.db", env={"DSMRCTL_GROUP": "239.1.1.1:9"}
    )
    assert right.code == 0, right.err


@pytest.mark.slow
def test_a_recording_of_frames_is_kept_by_when_they_came(dsmrctl: Run, tmp_path: Path) -> None:
    began = 1_795_000_490  # 11:14:50 UTC
    for name in ("evening.ndjson", "evening.pcapng"):
        with create(tmp_path / name, "frames", started_ns=began * 10**9) as writer:
            for n in range(930):
                # The computer's clock is two seconds ahead of the meter's.
                clock = began + n
                data = frame.build((n, 5, 351, 0, 1, clock // 60 % 60, clock % 60), 1)
                writer.write(Item((clock + 2) * 10**9, "10.0.0.1:5", data))
        log = f"{name}.db"
        done = dsmrctl("log", "record", name, "--log", log)
        assert done.code == 0, done.err
        assert f"930 seconds in {log}" in done.err
        out = dsmrctl("log", "show", "day", "--json", "--log", log, env={"TZ": "UTC"}).out
        shown = [json.loads(line) for line in out.splitlines()]
        told = [(row["import_wh"], row["peak_w"], row["seen_s"]) for row in shown]
        assert told == [(None, None, 10), (900, 3600, 900), (None, None, 19)]
    head = (tmp_path / "evening.ndjson").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "none.ndjson").write_bytes(head)
    done = dsmrctl("log", "record", "none.ndjson", "--log", "none.db")
    assert done.code == 6
    assert "no good frame is in none.ndjson" in done.err
