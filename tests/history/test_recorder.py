"""The log written: batches, two writers, a full disk, damage, clocks that are mad."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from house_log import export_wh, import_wh, kept, said

from dsmrctl import errors
from dsmrctl.history.recorder import BATCH_S, SECONDS_KEPT, Recorder
from dsmrctl.history.schema import KEPT, told
from dsmrctl.history.store import History

START = 1_795_000_500
assert START % 900 == 0


def asked(path: Path, question: str) -> list[tuple[Any, ...]]:
    """By another connection, as any program may."""
    with closing(sqlite3.connect(path)) as log:
        return log.execute(question).fetchall()


def test_what_came_is_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    exact = said(START) | {"gas_m3": Decimal("112.380"), "voltage_l1_v": Decimal("0E+1")}
    with Recorder(path, now=lambda: START) as recorder:
        recorder.take(exact)
    with History(path) as history:
        (row,) = history.seconds()
    found = dict(zip(("utc", *KEPT), row, strict=True))
    assert found["utc"] == START
    assert found["gas_m3"] == "112.380"
    assert found["voltage_l1_v"] == "0"
    assert found["import_t1_wh"] + found["import_t2_wh"] == import_wh(START)
    assert found["current_l3_a"] is None


def test_a_batch_is_in_the_file_when_its_time_is_over_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    now = 0.0
    with Recorder(path, clock=lambda: now, now=lambda: START) as recorder:
        for second in range(60):
            now = float(second)
            recorder.take(said(START + second))
            (count,) = asked(path, "SELECT count(*) FROM seconds")[0]
            assert count == (0 if second < BATCH_S else second // BATCH_S * BATCH_S + 1)
    assert asked(path, "SELECT count(*) FROM seconds") == [(60,)]
    assert recorder.written == recorder.taken == 60


def test_a_commit_is_on_the_disk_when_it_is_done(tmp_path: Path) -> None:
    with Recorder(tmp_path / "log.db") as recorder:
        for what, value in (("journal_mode", "wal"), ("synchronous", 2)):
            assert recorder._log.execute(f"PRAGMA {what}").fetchone() == (value,)


def test_a_restart_in_mid_quarter_costs_the_quarter_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    whole = tmp_path / "whole.db"
    kept(path, range(START, START + 400))
    kept(path, range(START + 403, START + 1900))
    kept(whole, range(START, START + 1900))
    with History(path) as history, History(whole) as other:
        assert list(history.quarters()) == list(other.quarters())
    assert asked(path, "SELECT count(*) FROM seconds") == [(1897,)]


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    kept(path, range(START, START + 3000))
    before = asked(path, "SELECT * FROM quarters"), asked(path, "SELECT * FROM seconds")
    notes: list[str] = []
    again = kept(path, range(START, START + 3000), on_note=notes.append)
    assert (asked(path, "SELECT * FROM quarters"), asked(path, "SELECT * FROM seconds")) == before
    assert (again.taken, again.written, notes) == (3000, 0, [])


def test_an_older_archive_fills_what_was_missing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    kept(path, range(START + 2000, START + 4000))
    kept(path, range(START, START + 4000))
    with History(path) as history:
        assert [one.import_wh for one in history.quarters()] == [225] * 4 + [None]


def test_two_writers_at_once_keep_every_second_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    now = 0.0
    options: Any = {"clock": lambda: now, "now": lambda: START}
    with Recorder(path, **options) as one, Recorder(path, **options) as other:
        for second in range(2000):
            now += 1
            # One drops some, the other others.
            if second % 7:
                one.take(said(START + second))
            if second % 5:
                other.take(said(START + second))
    assert asked(path, "SELECT count(*), min(utc), max(utc) FROM seconds") == [
        (2000 - len(range(0, 2000, 35)), START + 1, START + 1999)
    ]
    assert one.written + other.written == 2000 - len(range(0, 2000, 35))
    with History(path) as history:
        assert [q.import_wh for q in history.quarters()] == [None, 225, None]


@pytest.mark.soak
def test_seconds_older_than_thirty_days_go_and_their_place_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    step = 60  # a meter that is read by the minute: the same, sooner
    until = START + SECONDS_KEPT
    kept(path, range(START, until, step))
    size = path.stat().st_size
    kept(path, range(until, until + SECONDS_KEPT // 2, step))
    ((oldest, newest),) = asked(path, "SELECT min(utc), max(utc) FROM seconds")
    assert newest - SECONDS_KEPT <= oldest <= newest - SECONDS_KEPT + step
    # A batch of 5000 comes before as much is forgotten; without that it were half as much more.
    assert path.stat().st_size < size * 1.2
    assert asked(path, "SELECT min(utc) FROM quarters") == [(START,)]


def test_a_full_disk_is_told_once_kept_in_memory_and_made_up_for(tmp_path: Path) -> None:
    notes: list[str] = []
    now = 0.0
    path = tmp_path / "log.db"
    with Recorder(path, on_note=notes.append, clock=lambda: now, now=lambda: START) as recorder:
        recorder._log.execute("PRAGMA max_page_count = 6")
        for second in range(4000):
            now += 1
            recorder.take(said(START + second))
        assert len(notes) == 1
        assert "disk" in notes[0]
        assert "full" in notes[0]
        recorder._log.execute("PRAGMA max_page_count = 1000000")
        for second in range(4000, 4100):
            now += 1
            recorder.take(said(START + second))
    assert notes[1:] == [f"{path} is written again"]
    (count,) = asked(path, "SELECT count(*) FROM seconds")[0]
    # An hour waited; what came before it while the disk was full is lost, and said to be.
    assert recorder.lost > 0
    assert count == 4100 - recorder.lost == recorder.written
    with History(path) as history:  # no quarter is lost
        assert [one.import_wh for one in history.quarters()] == [225] * 4 + [None]


def test_a_disk_that_is_still_full_at_the_end_is_an_error(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "log.db", now=lambda: START)
    recorder._log.execute("PRAGMA max_page_count = 3")
    for second in range(500):
        recorder.take(said(START + second))
    with pytest.raises(errors.DsmrError, match=r"500 seconds are not in .* full") as caught:
        recorder.close()
    assert caught.value.exit_code == errors.FAILED
    assert recorder.lost == 500


def test_a_damaged_log_is_set_aside_and_told(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    kept(path, range(START, START + 2000))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    notes: list[str] = []
    kept(path, range(START + 2000, START + 3000), on_note=notes.append)
    assert "was damaged" in notes[0]
    aside = tmp_path / "log.db.damaged-1"
    assert str(aside) in notes[0]
    assert aside.read_bytes()[:4096] == whole[:4096]
    assert asked(path, "SELECT count(*) FROM seconds") == [(1000,)]


def test_damage_while_it_is_written_costs_not_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    kept(path, range(START, START + 5000))
    notes: list[str] = []
    with Recorder(path, on_note=notes.append, now=lambda: START + 99999) as recorder:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        for second in range(5000, 6000):
            recorder.take(said(START + second))
    assert ["was damaged" in note for note in notes] == [True]
    assert asked(path, "SELECT count(*) FROM seconds") == [(1000,)]
    assert (tmp_path / "log.db.damaged-1").exists()


@pytest.mark.parametrize("content", [b"my diary, which nobody else has\n" * 100, b"\x1f\x8bzip"])
def test_what_is_no_log_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "diary.txt"
    path.write_bytes(content)
    with pytest.raises(errors.BadData, match="is no log"):
        Recorder(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(errors.BadData, match="another program's"):
        Recorder(path)
    assert path.read_bytes() == before


def test_a_newer_log_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    kept(path, range(START, START + 10))
    with closing(sqlite3.connect(path)) as log:
        log.execute("PRAGMA user_version = 99")
    for opening in (Recorder, History):
        with pytest.raises(errors.BadData, match="newer dsmrctl") as caught:
            opening(path)
        assert caught.value.hint == "update this one"


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.touch()
    with pytest.raises(errors.NotFound):
        History(path)
    kept(path, range(START, START + 10))
    assert asked(path, "SELECT count(*) FROM seconds") == [(10,)]


@pytest.mark.parametrize("time", ["1969-12-31T23:00:00+00:00", "2099-01-01T00:00:00+01:00"])
def test_a_mad_clock_costs_nothing_and_is_told_once(tmp_path: Path, time: str) -> None:
    path = tmp_path / "log.db"
    notes: list[str] = []
    with Recorder(path, on_note=notes.append, now=lambda: START + 2000) as recorder:
        for second in range(1000):
            recorder.take(said(START + second))
            recorder.take(said(START + second) | {"time": time})
            recorder.take(said(START + second) | {"time": None})
    assert len(notes) == 1
    assert recorder.taken == 1000
    with History(path) as history:
        assert [one.import_wh for one in history.quarters()] == [225, None]


def test_a_number_no_database_can_hold_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Recorder(path, now=lambda: START) as recorder:
        recorder.take(said(START) | {"import_t1_wh": 10**30, "import_w": -(10**19)})
        recorder.take(said(START + 1) | {"import_t1_wh": 2**63 - 1, "import_t2_wh": 2**63 - 1})
        recorder.take(said(START + 2))
    assert asked(path, "SELECT import_t1_wh, import_w FROM seconds ORDER BY utc")[0] == (None, None)
    assert asked(path, "SELECT count(*) FROM seconds") == [(3,)]


def test_another_meter_is_told(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "log.db"
    with Recorder(path, on_note=notes.append, now=lambda: START + 9999) as recorder:
        for second in range(1800):
            found = said(START + second)
            if second >= 1000:
                found |= {"import_t1_wh": second, "import_t2_wh": 0}
            recorder.take(found)
    assert ["another meter?" in note for note in notes] == [True]


def test_a_register_of_export_alone_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Recorder(path, now=lambda: START + 9999) as recorder:
        for second in range(901):
            recorder.take(said(START + second) | {"import_t1_wh": None})
    with History(path) as history:
        first = next(history.quarters())
    assert (first.import_wh, first.import_start_wh) == (None, None)
    assert first.export_wh == export_wh(START + 900) - export_wh(START)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_BUSY", errors.Refused),
        ("SQLITE_READONLY_DBMOVED", errors.Refused),
        ("SQLITE_IOERR_READ", errors.DsmrError),
        ("SQLITE_CORRUPT_VTAB", errors.BadData),
    ],
)
def test_every_trouble_says_what_next(
    tmp_path: Path, name: str, kind: type[errors.DsmrError]
) -> None:
    trouble = sqlite3.OperationalError("something")
    trouble.sqlite_errorname = name
    with pytest.raises(kind) as caught, told(tmp_path / "log.db"):
        raise trouble
    assert caught.value.hint
    assert str(tmp_path) in caught.value.message
