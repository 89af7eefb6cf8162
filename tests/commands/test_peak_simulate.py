"""dsmrctl peak simulate: telegrams, the log and the household; the real program."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ran import Run

from dsmrctl import belgian_time
from dsmrctl.commands.peak_sources import household
from dsmrctl.peak.simulation import simulate
from dsmrctl.virtual.household import Event, Household
from dsmrctl.virtual.meter import Meter

START = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)


def telegrams(folder: Path, seconds: range, watts: int = 3600) -> Path:
    """An archive of a meter with a constant load, from 18:00 local time on."""
    meter = Meter(Household.scripted(START, [Event(-(10**9), "load", watts)]))
    path = folder / "meter.raw"
    path.write_bytes(b"".join(meter.telegram(second) for second in seconds))
    return path


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_hour_of_telegrams_is_four_quarters_and_the_first_is_a_peak(
    dsmrctl: Run, tmp_path: Path
) -> None:
    path = telegrams(tmp_path, range(0, 3601, 10))
    done = dsmrctl("peak", "simulate", path, "--json")
    assert done.code == 0, done.err
    found = records(done.out)
    assert [one["time"] for one in found] == [
        f"2026-11-24T18:{minute:02}:00+01:00" for minute in (0, 15, 30, 45)
    ]
    assert [one["demand_w"] for one in found] == [3600] * 4
    assert all(len(one["forecast_w"]) == 10 for one in found)
    # 3600 W is above 2500 W; the quarter after it is no higher than the month's peak.
    assert [one["warned_minute"] for one in found] == [5, None, None, None]
    assert found[1]["threshold_w"] == 3600


def test_the_log_says_what_the_telegrams_say(dsmrctl: Run, tmp_path: Path) -> None:
    path = telegrams(tmp_path, range(0, 2701, 5))
    direct = dsmrctl("peak", "simulate", path, "--json")
    assert dsmrctl("log", "record", path, "--log", "log.db").code == 0
    kept = dsmrctl("peak", "simulate", "log.db", "--json")
    assert kept.code == 0, kept.err
    assert records(kept.out) == records(direct.out)
    # Without a SOURCE it is the user's log, and the first line says so.
    own = dsmrctl("peak", "simulate", env={"DSMRCTL_LOG": str(tmp_path / "log.db")})
    assert own.out.splitlines()[0] == f"the log {tmp_path / 'log.db'}, until 2026-11-24"


def test_rows_of_months_as_csv_and_a_picture(dsmrctl: Run, tmp_path: Path) -> None:
    path = telegrams(tmp_path, range(0, 1801, 10))
    done = dsmrctl("peak", "simulate", path, "--months", "--csv", "--svg", "peaks.svg")
    assert done.code == 0, done.err
    assert list(csv.DictReader(io.StringIO(done.out))) == [
        {
            "month": "2026-11", "peak_w": "3600", "peak_time": "2026-11-24T18:00:00+01:00",
            "import_wh": "1800", "quarters": "2", "of": "2880", "warned": "1",
        }
    ]  # fmt: skip
    assert ElementTree.parse(tmp_path / "peaks.svg").getroot().tag.endswith("svg")
    each = dsmrctl("peak", "simulate", path, "--csv")
    rows = list(csv.DictReader(io.StringIO(each.out)))
    assert [row["forecast_14_w"] for row in rows] == ["3600", "3600"]


def test_a_gap_is_told_and_not_guessed(dsmrctl: Run, tmp_path: Path) -> None:
    meter = Meter(Household.scripted(START, [Event(-(10**9), "load", 3600)]))
    seconds = [*range(0, 901, 10), *range(4500, 6301, 10)]
    (tmp_path / "holes.raw").write_bytes(b"".join(meter.telegram(second) for second in seconds))
    done = dsmrctl("peak", "simulate", "holes.raw", "--json")
    assert [one["demand_w"] for one in records(done.out)] == [3600, None, 3600, 3600]
    assert "2026-11-24 18:15 to 2026-11-24 19:15: 4 quarters are not known" in done.err


def test_a_meter_that_is_replaced_is_told(dsmrctl: Run, tmp_path: Path) -> None:
    first = Meter(Household.scripted(START, [Event(-(10**9), "load", 9000)]))
    other = Meter(Household.scripted(START, [Event(-(10**9), "load", 3600)]))
    # Both count from their first second on: at the thousandth the other has less.
    raw = [first.telegram(second) for second in range(0, 1000, 10)]
    raw += [other.telegram(second) for second in range(1000, 2701, 10)]
    (tmp_path / "both.raw").write_bytes(b"".join(raw))
    done = dsmrctl("peak", "simulate", "both.raw", "--json")
    assert done.code == 0, done.err
    assert [one["demand_w"] for one in records(done.out)] == [9000, None, 3600]
    assert "another meter" in done.err


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("frames", 2, "dsmrctl log record keeps what it says"),
        ("tcp://127.0.0.1:8088", 2, "tells of now"),
        ("nowhere.raw", 3, "nowhere.raw"),
        ("noise.raw", 6, "no valid telegram in noise.raw"),
    ],
)
def test_what_is_no_past_is_refused_with_the_next_step(
    dsmrctl: Run, tmp_path: Path, source: str, code: int, said: str
) -> None:
    (tmp_path / "noise.raw").write_bytes(b"nothing that is a telegram\n" * 50)
    done = dsmrctl("peak", "simulate", source)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(("day", "quarters"), [((2026, 3, 29), 92), ((2026, 10, 25), 100)])
def test_the_two_nights_have_their_own_number_of_quarters(
    day: tuple[int, int, int], quarters: int
) -> None:
    ordinal = datetime(*day).toordinal()
    begin, end = belgian_time.midnight(ordinal), belgian_time.midnight(ordinal + 1)
    blocks = list(household(1, begin, end))
    done = simulate(blocks)
    assert len(done.rows.utc) == quarters
    assert (done.rows.demand_w >= 0).all()
    assert not done.gaps()
    # Quarters add up to the register, Wh for Wh.
    register = blocks[-1].import_wh[-1] - blocks[0].import_wh[0]
    assert int(done.rows.demand_w.sum()) // 4 == register
    assert int(np.diff(blocks[0].utc).max()) == 1
