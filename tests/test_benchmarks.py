"""The benchmarks' own shape: what they write, when they fail, and that turns are fair."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks import runner, telegram, timing
from benchmarks.runner import Result


def good(quick: bool) -> Iterator[Result]:
    yield Result("fake.ratio", 60.0, "x", bound=50, better="higher")
    yield Result("fake.start", 3.5 if quick else 3.9, "x", bound=4, better="lower")
    yield Result("fake.shown", 12.5, "us")


def broken(quick: bool) -> Iterator[Result]:
    yield Result("broken.ratio", 49.9, "x", bound=50, better="higher")


def raising(quick: bool) -> Iterator[Result]:
    yield Result("raising.first", 1.0, "x")
    raise RuntimeError("the peer is not installed")


def written(file: Path) -> list[dict[str, object]]:
    return json.loads(file.read_text())


def test_results_are_a_list_of_figures_with_their_bounds(tmp_path: Path) -> None:
    file = tmp_path / ".bench" / "results.json"
    assert runner.run({"fake": good}, results=file) == 0
    assert written(file) == [
        {"name": "fake.ratio", "value": 60.0, "unit": "x", "bound": 50, "better": "higher",
         "holds": True},
        {"name": "fake.start", "value": 3.9, "unit": "x", "bound": 4, "better": "lower",
         "holds": True},
        {"name": "fake.shown", "value": 12.5, "unit": "us", "bound": None, "better": "higher",
         "holds": True},
    ]  # fmt: skip


def test_quick_reaches_the_family(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    runner.run({"fake": good}, quick=True, results=file)
    assert written(file)[1]["value"] == 3.5


def test_a_broken_bound_is_exit_code_1_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    assert runner.run({"fake": good, "broken": broken}, results=file) == 1
    shown = capsys.readouterr()
    assert "BROKEN" in shown.out
    assert "do not hold: broken.ratio" in shown.err
    assert [figure["holds"] for figure in written(file)] == [True, True, True, False]


def test_a_family_that_fails_is_exit_code_1_and_the_others_still_run(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert runner.run({"raising": raising, "fake": good}, results=file) == 1
    assert [figure["name"] for figure in written(file)] == [
        "raising.first", "fake.ratio", "fake.start", "fake.shown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("better", "value", "holds"),
    [("higher", 49.99, False), ("higher", 50, True), ("lower", 50, True), ("lower", 50.01, False)],
)
def test_which_side_of_the_bound_is_good_depends_on_better(better, value, holds) -> None:
    assert Result("fake.x", value, "x", 50, better).holds is holds


def test_the_issues_families_are_there() -> None:
    assert {"telegram", "startup"} <= set(runner.families())


def test_a_family_that_is_none_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "nosuch"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "telegram" in done.stderr


def test_contenders_take_turns_and_the_best_turn_counts() -> None:
    now = 0.0
    order: list[str] = []
    costs = {"ours": [9.0, 2.0, 5.0], "theirs": [40.0, 80.0, 20.0]}

    def turns(number: int) -> dict[str, timing.Turn]:
        def turn(name: str) -> timing.Turn:
            def run() -> None:
                nonlocal now
                order.append(name)
                now += costs[name][number]

            return timing.Turn(run, times=2 if name == "theirs" else 1)

        return {name: turn(name) for name in costs}

    found = timing.best(turns, rounds=3, seconds=1000, clock=lambda: now)
    assert order == ["ours", "theirs"] * 3
    assert found == {"ours": 2.0, "theirs": 10.0}


def test_no_round_begins_after_the_time_is_up() -> None:
    ticks = iter(range(1000))
    found = timing.best(
        lambda number: {"one": timing.Turn(lambda: None)},
        rounds=1000,
        seconds=7,
        clock=lambda: next(ticks),
    )
    assert found == {"one": 1}
    assert next(ticks) < 20


def test_the_measured_telegrams_have_the_belgian_shape_and_differ_in_every_value() -> None:
    from dsmrctl.telegram import parse

    first, second = parse(telegram.belgian(0)), parse(telegram.belgian(1))
    assert len(first.raw) == len(second.raw) == 1059
    assert first.crc == second.crc == "valid"
    assert first.version == "eMUCS-P1 1.7"
    assert first.time is not None
    assert first.time != second.time
    assert (len(first.numbers()), len(first.peaks)) == (27, 3)
    same = [
        (one[0], other[0])
        for one, other in zip(first.numbers(), second.numbers(), strict=True)
        if one[0] == other[0]
    ]
    assert len(same) <= 4  # the limiter, the fuse, and a power or two that may be equal by chance
