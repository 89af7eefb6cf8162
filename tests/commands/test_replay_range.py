"""--from and --to of replay: offsets, local times, ISO 8601, over midnight and changed clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.commands.replay_range import Range

EVENING = "2026-11-18T20:00:00+01:00"


@pytest.fixture(autouse=True)
def belgium(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Brussels")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6) * 1000


@pytest.mark.parametrize(
    ("started", "begin", "end", "wanted"),
    [
        (EVENING, "90s", "2h", ("2026-11-18T20:01:30+01:00", "2026-11-18T22:00:00+01:00")),
        (EVENING, "20:15", "20:30:05", ("2026-11-18T20:15+01:00", "2026-11-18T20:30:05+01:00")),
        # Over midnight: the end is the first such time after the beginning.
        (EVENING, "21:00", "07:30", ("2026-11-18T21:00+01:00", "2026-11-19T07:30+01:00")),
        (EVENING, "07:30", "21:00", ("2026-11-19T07:30+01:00", "2026-11-19T21:00+01:00")),
        (EVENING, "26h", "23:00", ("2026-11-19T22:00+01:00", "2026-11-19T23:00+01:00")),
        (EVENING, "2026-11-18T20:00:01.5Z", "3h", None),
        (
            EVENING,
            "2026-11-18 20:00:01.5",
            "2026-11-18T19:00:02Z",
            ("2026-11-18T20:00:01.5+01:00", "2026-11-18T20:00:02+01:00"),
        ),
        # The clocks changed in the night that was recorded, in October back, in March on.
        (
            "2026-10-25T00:30:00+02:00",
            "07:30",
            "08:00",
            ("2026-10-25T07:30+01:00", "2026-10-25T08:00+01:00"),
        ),
        (
            "2026-03-28T23:00:00+01:00",
            "07:30",
            "08:00",
            ("2026-03-29T07:30+02:00", "2026-03-29T08:00+02:00"),
        ),
    ],
)
def test_a_moment_is_what_a_person_means(
    started: str, begin: str, end: str, wanted: tuple[str, str] | None
) -> None:
    span = Range(begin, end)
    if wanted is None:
        assert span.of(ns(started)) == (ns(begin), ns("2026-11-18T23:00:00+01:00"))
    else:
        assert span.of(ns(started)) == tuple(map(ns, wanted))


def test_without_them_all_of_it_is_meant() -> None:
    first, last = Range(None, None).of(ns(EVENING))
    assert first < 0 < 1 << 63 < last


@pytest.mark.parametrize(("begin", "end"), [("2h", "1h"), ("90s", "90s"), (None, "2026-11-18")])
def test_an_end_that_is_not_after_the_beginning_is_refused(begin: str | None, end: str) -> None:
    # A day alone is its midnight: here before the start, which is no part of a recording.
    span = Range(begin, end)
    if begin is None:
        assert span.of(ns(EVENING))[1] == ns("2026-11-18T00:00:00+01:00")
        return
    with pytest.raises(errors.UsageError) as refused:
        span.of(ns(EVENING))
    assert "begins at 2026-11-18 20:00:00+01:00" in (refused.value.hint or "")


@given(st.text(max_size=12))
def test_any_text_is_a_moment_or_a_clear_error(text: str) -> None:
    with suppress(errors.UsageError):
        assert isinstance(Range(text, None).of(ns(EVENING))[0], int)
