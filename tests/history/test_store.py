"""The log read: days of 92 and 100 quarters, months, years, gaps, and sums that agree."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from house_log import export_wh, import_wh, kept, said

from dsmrctl import belgian_time, errors
from dsmrctl.history.edges import QUARTER
from dsmrctl.history.recorder import Recorder
from dsmrctl.history.schema import KEPT, default_path
from dsmrctl.history.store import History
from dsmrctl.quantities import NAMES, PERIOD

DAY = dt.timedelta(days=1)


def midnight(day: dt.date) -> int:
    return belgian_time.midnight(day.toordinal())


def days(path: Path, first: dt.date, count: int, step: int = 10) -> int:
    """Record whole days, and the second after; how many seconds they have."""
    begin, end = midnight(first), midnight(first + count * DAY)
    kept(path, range(begin, end + 1, step))
    return end - begin


@pytest.mark.parametrize(
    ("day", "quarters"),
    [
        (dt.date(2026, 3, 28), 96),
        (dt.date(2026, 3, 29), 92),
        (dt.date(2026, 10, 25), 100),
        (dt.date(2026, 12, 31), 96),
        (dt.date(2028, 2, 29), 96),
    ],
)
@pytest.mark.slow
def test_a_day_has_its_quarters_and_its_energy(tmp_path: Path, day: dt.date, quarters: int) -> None:
    path = tmp_path / "log.db"
    seconds = days(path, day, 1)
    assert seconds == quarters * QUARTER
    with History(path) as history:
        found = history.periods(day, day + DAY, "quarter")
        (whole,) = history.periods(day, day + DAY, "day")
    assert len(found) == quarters
    assert {one.import_wh for one in found} == {225}
    assert {one.seen_s for one in found} == {QUARTER}
    assert whole.import_wh == sum(one.import_wh or 0 for one in found) == seconds // 4
    assert whole.export_wh == sum(one.export_wh or 0 for one in found)
    assert (whole.seen_s, whole.quarters, whole.peak_w) == (seconds, quarters, 900)
    assert found[0].time.isoformat() == whole.time.isoformat()
    assert whole.time.time() == dt.time(0)
    moments = [one.time for one in found]
    assert [b - a for a, b in pairwise(moments)] == [dt.timedelta(minutes=15)] * (quarters - 1)


@pytest.mark.slow
def test_days_and_months_and_years_agree_with_the_registers_to_the_watt_hour(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    first, last = dt.date(2026, 10, 20), dt.date(2027, 1, 5)
    begin, end = midnight(first), midnight(last)
    # At the quarters' edges alone: so far apart, and still the registers say all.
    kept(path, range(begin, end + 1, QUARTER))
    with History(path) as history:
        for each in ("quarter", "day", "month", "year"):
            periods = history.periods(first, last, each)
            assert sum(one.import_wh or 0 for one in periods) == import_wh(end) - import_wh(begin)
            assert sum(one.export_wh or 0 for one in periods) == export_wh(end) - export_wh(begin)
        months = history.periods(first, last, "month")
        years = history.periods(first, last, "year")
    assert [f"{one.time:%Y-%m-%d %H:%M %z}" for one in months] == [
        "2026-10-01 00:00 +0200",
        "2026-11-01 00:00 +0100",
        "2026-12-01 00:00 +0100",
        "2027-01-01 00:00 +0100",
    ]
    assert [one.time.year for one in years] == [2026, 2027]
    december = midnight(dt.date(2027, 1, 1)) - midnight(dt.date(2026, 12, 1))
    assert months[2].import_wh == december // 4


def test_a_gap_is_energy_of_the_day_and_demand_of_no_quarter(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    day = dt.date(2026, 11, 24)
    begin = midnight(day)
    gap = range(begin + 7 * 3600 + 400, begin + 9 * 3600 + 500)
    kept(path, (at for at in range(begin, begin + 86401, 10) if at not in gap))
    with History(path) as history:
        quarters = history.periods(day, day + DAY, "quarter")
        (whole,) = history.periods(day, day + DAY, "day")
    assert whole.import_wh == 86400 // 4
    assert whole.quarters == 96 - 9
    assert len(quarters) == 96 - 7  # seven were not seen at all, two in part
    unknown = [one for one in quarters if one.import_wh is None]
    assert [f"{one.time:%H:%M}" for one in unknown] == ["07:00", "09:00"]
    assert whole.seen_s == pytest.approx(86400 - len(gap), abs=20)


def test_a_gap_over_midnight_belongs_to_the_month_and_to_neither_day(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    day = dt.date(2026, 11, 24)
    begin = midnight(day)
    gap = range(begin + 23 * 3600 + 1, begin + 25 * 3600)
    kept(path, (at for at in range(begin, begin + 2 * 86400 + 1, 10) if at not in gap))
    with History(path) as history:
        first, second = history.periods(day, day + 2 * DAY, "day")
        (month,) = history.periods(day, day + 2 * DAY, "month")
    assert (first.import_wh, second.import_wh) == (23 * 900, 23 * 900)
    assert month.import_wh == 48 * 900


def test_a_replaced_meter_adds_up_on_both_its_sides(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    day = dt.date(2026, 11, 24)
    begin = midnight(day)
    with Recorder(path, now=lambda: 4e9) as recorder:
        for at in range(begin, begin + 86401, 10):
            found = said(at)
            if at >= begin + 12 * 3600 + 100:
                found |= {"import_t1_wh": import_wh(at) - import_wh(begin), "import_t2_wh": 0}
                found |= {"export_t1_wh": 10**9}
            recorder.take(found)
    with History(path) as history:
        (whole,) = history.periods(day, day + DAY, "day")
    # The quarter in which it was done is not known; all others are.
    assert whole.import_wh == 95 * 225
    assert whole.peak_w == 900
    assert whole.export_wh == export_wh(begin + 12 * 3600) - export_wh(begin)


def test_seconds_by_name_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    begin = midnight(dt.date(2026, 11, 24))
    kept(path, range(begin, begin + 100))
    with History(path) as history:
        found = list(history.seconds(("import_w", "export_t1_wh"), begin + 10, begin + 20))
        assert found == [(at, 900, export_wh(at)) for at in range(begin + 10, begin + 20)]
        assert (history.first, history.last) == (begin, begin + 99)
        with pytest.raises(KeyError):
            list(history.seconds(("utc; DROP TABLE seconds",)))
    assert set(KEPT) <= set(NAMES)


def test_periods_have_the_declared_names(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    day = dt.date(2026, 11, 24)
    days(path, day, 1, 900)
    with History(path) as history:
        (whole,) = history.periods(day, day + DAY, "day")
        assert history.periods(day + DAY, day + 2 * DAY, "day")[0].import_wh is None
        assert not history.periods(day - DAY, day, "day")
    assert list(whole.document()) == [one.name for one in PERIOD]


def test_without_a_log_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound) as caught:
        History(tmp_path / "none.db")
    assert "log record" in str(caught.value.hint)
    assert not (tmp_path / "none.db").exists()


def test_a_log_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    begin = midnight(dt.date(2026, 11, 24))
    with Recorder(path, now=lambda: 4e9) as recorder:
        for at in range(begin, begin + 1000):
            recorder.take(said(at))
        recorder.commit()
        with History(path) as history:
            assert len(list(history.seconds())) == 1000
            for at in range(begin + 1000, begin + 2000):
                recorder.take(said(at))
            recorder.commit()
            assert len(list(history.seconds())) == 2000


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="mounts, which only root may")
def test_a_log_on_a_medium_that_is_only_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    begin = midnight(dt.date(2026, 11, 24))
    kept(path, range(begin, begin + 1000))
    code = (
        "import sys; from pathlib import Path; from dsmrctl.history.store import History\n"
        "with History(Path(sys.argv[1])) as h: print(len(list(h.seconds())))\n"
        "from dsmrctl.history.recorder import Recorder; from dsmrctl import errors\n"
        "try: Recorder(Path(sys.argv[1]))\n"
        "except errors.Refused as error: print(error.message, error.hint)\n"
    )
    done = subprocess.run(
        [
            *("unshare", "-m", "sh", "-c", 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
              ' && exec "$2" -c "$3" "$4"'),
            *("sh", str(tmp_path), sys.executable, code, str(path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no mounts in here")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "1000"
    assert "cannot be opened" in second
    assert "--log FILE" in second


def test_the_log_is_where_the_users_data_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DSMRCTL_LOG", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "dsmrctl" / "log.db"
    monkeypatch.setenv("DSMRCTL_LOG", str(tmp_path / "mine.db"))
    assert default_path() == tmp_path / "mine.db"
