"""Months for any meter: whatever its clock says, and whatever the flash gives back."""

from __future__ import annotations

from datetime import datetime, timedelta

from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dsmrctl.firmware.core import history, months, quarter

EPOCH = datetime(2020, 1, 1)
ARC = mkPredefinedCrcFun("crc-16")
QUARTERS = 1191456  # of 2020 to 2053
SERIAL = b"3153414731343030303030303032"

Peaks = list[tuple[int, int | None, int]]

watts = st.integers(0, quarter.MOST_W)
ends = st.integers(1, QUARTERS - 1).map(lambda n: n * 900)
serials = st.none() | st.binary(max_size=40) | st.text(max_size=20)
peak_lists = st.lists(
    st.tuples(
        st.builds(
            lambda year, month: year * 100 + month, st.integers(2020, 2053), st.integers(1, 12)
        ),
        st.none() | st.integers(1, 2**30 - 1),
        watts,
    ),
    max_size=14,
    unique_by=lambda peak: peak[0],
).map(sorted)


def month_of(time_s: int) -> int:
    """By Python's own calendar."""
    when = EPOCH + timedelta(seconds=time_s)
    return when.year * 100 + when.month


def ordinal(month: int) -> int:
    return month // 100 * 12 + month % 100


def after(peaks: Peaks, quarters: list[tuple[int, int]]) -> Peaks:
    for time_s, w in quarters:
        more = months.raised(peaks, time_s, w)
        peaks = peaks if more is None else more
    return peaks


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Quarters of up to two years, a few each month, in the order of time."""
    first = draw(st.integers(1, QUARTERS - 80_000))
    steps = draw(st.lists(st.integers(1, 2900), max_size=60))
    found = []
    for step in steps:
        first += step
        if first < QUARTERS:
            found.append((first * 900, draw(watts)))
    return found


@given(peak_lists, ends, watts)
def test_a_quarter_raises_or_leaves_the_list_as_it_is(peaks: Peaks, time_s: int, w: int) -> None:
    before = list(peaks)
    more = months.raised(peaks, time_s, w)
    assert peaks == before
    month = month_of(time_s - 1)
    now = {peak[0]: peak for peak in peaks}.get(month)
    if now is not None and now[2] >= w:
        assert more is None
        return
    assert more is not None
    assert (month, time_s, w) in more
    assert [peak[0] for peak in more] == sorted({peak[0] for peak in more})
    assert len(more) <= 14
    # Nothing is made up; what is under way costs nobody anything.
    assert set(more) - {(month, time_s, w)} <= set(peaks)
    if now is not None:
        assert len(more) == len(peaks)


@given(lives())
def test_the_history_of_a_life_without_faults_is_every_months_highest(
    quarters: list[tuple[int, int]],
) -> None:
    highest: dict[int, int] = {}
    peaks: Peaks = []
    for time_s, w in quarters:
        peaks = after(peaks, [(time_s, w)])
        month = month_of(time_s - 1)
        highest[month] = max(highest.get(month, 0), w)
        # As it stands a second before the next quarter ends, and in the month that the next has.
        for now in (time_s - 1, time_s + 899):
            if now >= QUARTERS * 900:
                continue
            running = month_of(now)
            expected = [
                (one, highest[one])
                for one in sorted(highest)
                if one < running and ordinal(running) - ordinal(one) <= 13
            ]
            assert [(one, w) for one, _, w in months.past(peaks, now)] == expected
            peak_w, when, last_w = months.now(peaks, now)
            assert peak_w == highest.get(running)
            assert (when is None) == (peak_w is None)
            assert last_w == (expected[-1][1] if expected else None)


@given(peak_lists, st.integers(0, 407), st.data())
def test_within_a_month_the_order_of_quarters_does_not_matter(
    peaks: Peaks, month: int, data: st.DataObject
) -> None:
    begin = int((datetime(2020 + month // 12, month % 12 + 1, 1) - EPOCH).total_seconds())
    quarters = data.draw(
        st.lists(st.tuples(st.integers(1, 2688).map(lambda n: begin + n * 900), watts), min_size=1)
    )
    other = data.draw(st.permutations(quarters))
    here, there = after(peaks, quarters), after(peaks, other)
    assert [peak[::2] for peak in here] == [peak[::2] for peak in there]
    running = (2020 + month // 12) * 100 + month % 12 + 1
    known = [w for one, _, w in peaks if one == running]
    highest = max(known + [w for _, w in quarters])
    assert months.now(here, begin)[0] == highest


@given(lives(), ends, watts)
def test_one_wild_quarter_costs_the_oldest_month_at_most(
    quarters: list[tuple[int, int]], wild: int, w: int
) -> None:
    """The running month and the twelve before it, which are what a bill counts, stay."""
    assume(quarters)
    peaks = after([], quarters)
    now = quarters[-1][0] - 1
    # A date in a month that is known is that month's, as is one in a month that was missed.
    assume(month_of(wild - 1) not in {peak[0] for peak in peaks})
    assume(not peaks[0][0] < month_of(wild - 1) < peaks[-1][0])
    later = after(peaks, [(wild, w)])
    lost = set(peaks) - set(later)
    assert lost <= ({peaks[0]} if len(peaks) == 14 else set())
    assert months.now(later, now)[:2] == months.now(peaks, now)[:2]
    seen = [peak for peak in months.past(later, now) if peak[0] != month_of(wild - 1)]
    assert seen == [peak for peak in months.past(peaks, now) if peak not in lost]
    # No date that is yet to come is shown.
    assert all(peak[0] < month_of(now) for peak in months.past(later, now))


@given(st.lists(st.tuples(ends, watts), max_size=60))
def test_of_any_clock_at_most_14_months_are_kept_and_they_are_found_again(
    quarters: list[tuple[int, int]],
) -> None:
    peaks: Peaks = []
    for one in quarters:
        peaks = after(peaks, [one])
        assert len(peaks) <= 14
        # The month of the quarter that just ended is always there.
        peak_w = months.now(peaks, one[0] - 1)[0]
        assert peak_w is not None
        assert peak_w >= one[1]
    assert months.found(months.kept(SERIAL, peaks), SERIAL) == peaks
    assert history.peaks(months.packed(peaks)) == peaks


@given(peak_lists, serials, serials)
def test_what_is_kept_is_found_by_the_same_meter_only(
    peaks: Peaks, serial: bytes | str | None, other: bytes | str | None
) -> None:
    text = months.kept(serial, peaks)
    assert text.isascii()
    assert months.found(text, serial) == months.found(text.encode(), serial) == peaks

    def plain(one: bytes | str | None) -> bytes:
        return one.encode() if isinstance(one, str) else one or b""

    if plain(other) != plain(serial):
        assert months.found(text, other) == []


@given(peak_lists.filter(bool), st.integers(0), st.integers(1, 255))
def test_any_one_changed_byte_is_refused(peaks: Peaks, at: int, change: int) -> None:
    data = bytearray(months.kept(SERIAL, peaks).encode())
    data[at % len(data)] ^= change
    assert months.found(bytes(data), SERIAL) == []


@given(peak_lists.filter(bool), st.integers(0))
def test_a_text_that_was_cut_or_grew_is_refused(peaks: Peaks, at: int) -> None:
    data = months.kept(SERIAL, peaks).encode()
    for other in (data[: at % len(data)], data[at % len(data) + 1 :], data + b"\n", b" " + data):
        assert months.found(other, SERIAL) == []


@given(st.binary(max_size=1000) | st.text(max_size=1000), serials)
@example("[" * 100_000, SERIAL)
@example(b"[1,2,[" + b"9" * 5000 + b",1,1]]", SERIAL)
@example("[1,2,[NaN,1,1]]", SERIAL)
@example("[1,2,[202604,Infinity,-Infinity]]", SERIAL)
@example("[1,2,[202604,1e999,1]]", SERIAL)
@example('"\ud800"', SERIAL)
def test_any_text_gives_peaks_or_nothing(text: bytes | str, serial: bytes | str | None) -> None:
    assert months.found(text, serial) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(202000, 205400) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, min_size=3, max_size=3),
    max_leaves=20,
).map(lambda value: str(value).replace("None", "null").replace("False", "false").replace(" ", ""))


@given(st.lists(anything, max_size=16))
def test_json_of_another_shape_with_a_good_checksum_is_refused_or_written_alike(
    parts: list[str],
) -> None:
    rest = ",".join([f'"{SERIAL.hex()}"', *parts])
    text = f"[{ARC(rest.encode())},{rest}]"
    peaks = months.found(text, SERIAL)
    assert peaks == [] or months.kept(SERIAL, peaks) == text
