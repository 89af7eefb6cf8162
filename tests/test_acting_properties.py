"""What holds for any house, meter and datagram: boards that act, against slow and plain sums."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsmrctl.firmware.core import frame, sealed, signature, written
from dsmrctl.firmware.core.demand import Demand
from dsmrctl.firmware.core.ledbar import lit
from dsmrctl.firmware.core.regulator import Regulator, conducts
from dsmrctl.firmware.core.switch import STEPS, Switch
from dsmrctl.firmware.core.warning import PeakWarning

# --- the switch ----------------------------------------------------------------------------------


class Heard(NamedTuple):
    at_ms: int
    tariff: int
    net_w: int  # what the house takes; below 0 it gives


class Delays(NamedTuple):
    threshold_w: int
    on_ms: int
    off_ms: int


delays = st.builds(
    Delays,
    st.sampled_from((0, 1, 1000)),
    st.sampled_from((0, 1, 1000, 3500, 12_000)),
    st.sampled_from((0, 1, 2000, 9000, 25_000)),
)
waits = st.sampled_from((1000, 1000, 1000, 40, 2500, 9999))
nets = st.sampled_from((-5000, -1001, -1000, -999, -1, 0, 1, 700))


@st.composite
def hours(draw: st.DrawFn) -> list[Heard]:
    """Frames up to ten seconds apart, some alike in a row."""
    found: list[Heard] = []
    at_ms = draw(st.integers(0, 5000))
    for _ in range(draw(st.integers(1, 8))):
        tariff, net_w = draw(st.sampled_from((1, 2))), draw(nets)
        for _ in range(draw(st.integers(1, 6))):
            found.append(Heard(at_ms, tariff, net_w))
            at_ms += draw(waits)
    return found


def on_by_search(heard: list[Heard], wanted: Delays) -> bool:
    """The three sentences, searched for from the first frame on."""

    def enough(one: Heard) -> bool:
        return one.net_w < 0 and -one.net_w >= wanted.threshold_w

    def went_on(since: int, place: int) -> bool:
        return any(
            heard[place].at_ms - heard[first].at_ms >= wanted.on_ms
            and all(enough(one) for one in heard[first : place + 1])
            for first in range(since, place + 1)
        )

    since = 0
    while True:
        on = [place for place in range(since, len(heard)) if went_on(since, place)]
        if not on:
            return False
        held_ms = heard[on[0]].at_ms + wanted.off_ms
        off = [
            place
            for place in range(on[0] + 1, len(heard))
            if heard[place].at_ms >= held_ms and heard[place].net_w > 0
        ]
        if not off:
            return True
        since = off[0] + 1


def made(wanted: Delays) -> Switch:
    one = Switch()
    one.mode = "injection"
    one.threshold_w, one.on_ms, one.off_ms = wanted
    return one


def follow(one: Switch | Regulator, ms: int, heard: Heard) -> bool:
    one.follow(ms, heard.tariff, max(heard.net_w, 0), max(-heard.net_w, 0))
    return one.level > 0


def followed(one: Switch, heard: list[Heard]) -> list[bool]:
    """Whether it is on after each frame; the first comes after none, as after a silence."""
    before = [heard[0].at_ms] + [each.at_ms for each in heard]
    return [follow(one, each.at_ms - last, each) for last, each in zip(before, heard, strict=False)]


@given(hours(), delays)
def test_after_each_frame_it_is_on_when_the_sentences_say_so(heard: list[Heard], wanted: Delays):
    expected = [on_by_search(heard[: n + 1], wanted) for n in range(len(heard))]
    assert followed(made(wanted), heard) == expected


@given(st.lists(hours(), min_size=2, max_size=3), delays)
def test_after_a_silence_it_knows_nothing_of_what_was_before(days: list[list[Heard]], wanted):
    one = made(wanted)
    for heard in days:
        assert followed(one, heard) == followed(made(wanted), heard)
        one.clear()
        assert one.level == 0


@given(hours(), delays)
def test_it_never_goes_on_unless_the_whole_on_delay_was_export(heard: list[Heard], wanted: Delays):
    states = followed(made(wanted), heard)
    for n, on in enumerate(states):
        if on and (n == 0 or not states[n - 1]):
            since = heard[n].at_ms - wanted.on_ms
            delay = [one for one in heard[: n + 1] if one.at_ms >= since]
            assert heard[0].at_ms <= since
            assert all(-one.net_w >= max(wanted.threshold_w, 1) for one in delay)


@given(hours(), delays)
def test_it_never_goes_off_before_the_off_delay_or_without_import(
    heard: list[Heard], wanted: Delays
):
    states = followed(made(wanted), heard)
    went_on = 0
    for n, on in enumerate(states):
        if on and not states[n - 1]:
            went_on = heard[n].at_ms
        if not on and n and states[n - 1]:
            assert heard[n].at_ms - went_on >= wanted.off_ms
            assert heard[n].net_w > 0


@given(hours())
def test_by_tariff_only_the_last_frame_counts(heard: list[Heard]):
    assert followed(Switch(), heard) == [one.tariff == 2 for one in heard]


# --- the bars ------------------------------------------------------------------------------------


@given(st.integers(0, 10**9), st.integers(5, 30_000), st.integers(1, 5))
@example(5000, 5000, 5)
@example(999, 5000, 5)
def test_led_n_lights_from_n_shares_on(power_w: int, most_w: int, leds: int):
    on = [power_w >= Fraction(n * most_w, leds) for n in range(1, leds + 1)]
    assert lit(power_w, most_w, leds) == sum(on)
    assert on == sorted(on, reverse=True)


@given(st.integers(0, 40_000), st.integers(0, 40_000), st.integers(5, 30_000), st.integers(1, 5))
def test_more_power_never_lights_fewer(power_w: int, more_w: int, most_w: int, leds: int):
    assert lit(power_w, most_w, leds) <= lit(power_w + more_w, most_w, leds) <= leds


# --- the regulator -------------------------------------------------------------------------------

loads = st.integers(500, 3000)


@given(
    st.integers(50, 30_000),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 99_999), st.integers(0, 99_999))),
)
def test_a_level_is_always_one_of_51(load_w: int, frames: list[tuple[int, int, int]]):
    one = Regulator()
    one.load_w = load_w
    for ms, import_w, export_w in frames:
        one.follow(ms, 1, import_w, export_w)
        assert type(one.level) is int
        assert 0 <= one.level <= STEPS


@given(st.integers(0, STEPS), st.integers(0, STEPS - 1), st.integers(1, STEPS))
def test_the_cycles_that_heat_are_spread_evenly(level: int, first: int, wide: int):
    assert sum(conducts(level, cycle) for cycle in range(STEPS)) == level
    heat = sum(conducts(level, (first + n) % STEPS) for n in range(wide))
    assert heat in (wide * level // STEPS, -(-wide * level // STEPS))


@given(loads, st.integers(0, STEPS), st.integers(-5000, 5000))
def test_a_step_of_an_ideal_load_leaves_no_import_and_less_than_a_step_of_export(
    load_w: int, level: int, net_w: int
):
    one = Regulator()
    one.load_w, one.level = load_w, level
    follow(one, 4000, Heard(0, 1, net_w))
    after_w = net_w + Fraction((one.level - level) * load_w, STEPS)
    if one.level > 0:
        assert after_w <= 0
    if one.level < STEPS:
        assert after_w > -Fraction(load_w, STEPS)


class House(NamedTuple):
    seconds: int
    net_w: int  # without the load


houses = st.lists(
    st.builds(House, st.integers(60, 75), st.integers(-3500, 1000)), min_size=1, max_size=4
)


def closed_loop(load_w: int, late_s: int, house: list[House]) -> Iterator[list[tuple[int, int]]]:
    """For each step of the house, a second each: (level, what the meter then takes in)."""
    one = Regulator()
    one.load_w = load_w
    shown = [0] * late_s
    for step in house:
        seen = []
        for _ in range(step.seconds):
            follow(one, 1000, Heard(0, 1, shown[-late_s]))
            # Whole watts, rounded.
            shown.append(step.net_w + (2 * one.level * load_w + STEPS) // (2 * STEPS))
            seen.append((one.level, shown[-1]))
        yield seen


@given(loads, st.integers(1, 3), houses)
def test_within_30_seconds_nothing_comes_in_and_the_level_rests(
    load_w: int, late_s: int, house: list[House]
):
    for step, seen in zip(house, closed_loop(load_w, late_s, house), strict=True):
        level, net_w = seen[-1]
        assert len({one for one, _ in seen[30:]}) == 1
        if step.net_w > 0:
            assert level == 0
        elif -step.net_w >= load_w:
            assert level == STEPS
        else:
            assert all(import_w < 30 for _, import_w in seen[30:])
            assert net_w <= 1
            assert -net_w <= load_w // STEPS + 1


# --- the warning ---------------------------------------------------------------------------------

NOON = 198_158_400  # 2026-04-12 12:00
powers = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 12_000)), min_size=4, max_size=14)


class Second(NamedTuple):
    time_s: int
    wh: int
    watts: int


def drawn(start_s: int, every_s: int, powers: list[tuple[int, int]]) -> list[Second]:
    """The register each second by which power was drawn; every so many of them are sent."""
    watts = [w for seconds, w in powers for _ in range(seconds)]
    registers = accumulate(watts, initial=83_000 * 3600)
    each = [
        Second(NOON + start_s + n, watt_s // 3600, w)
        for n, (watt_s, w) in enumerate(zip(registers, watts, strict=False))
    ]
    return each[::every_s]


def sent(one: Second, quarter_w: int | None, peak_w: int, version: int) -> list[int]:
    minute, second = one.time_s // 60 % 60, one.time_s % 60
    values = [one.wh - 500, 500, one.watts, 0, 1, minute, second, peak_w, quarter_w or 0, 0]
    return values if version == 2 else values[:7]


@given(
    powers,
    st.integers(0, 3599) | st.sampled_from((0, 900, 2700, 3000)),
    st.sampled_from((1, 1, 3, 10)),
    st.sampled_from((1, 2)),
    st.booleans(),
    st.sampled_from((0, 3300, 6000)),
)
@settings(max_examples=40)
def test_a_monitor_judges_as_the_desk_that_knows_the_hour(
    powers, start_s: int, every_s: int, version: int, power: bool, peak_w: int
):
    meter, desk = Demand(), Demand("power" if power else "linear")
    monitor = PeakWarning()
    monitor.power = power
    monitor.manual_w = 2800
    ms = None
    # The meter itself knows its quarter from the start.
    meter.update(NOON + start_s // 900 * 900, 82_000)
    for one in drawn(start_s, every_s, powers):
        meter.update(one.time_s, one.wh)
        monitor.take(ms, sent(one, meter.quarter_w, peak_w, version))
        own_w = (meter.quarter_w or None) if version == 2 else None
        desk.update(one.time_s, one.wh, one.watts, None, own_w)
        assert monitor.quarter_w == desk.quarter_w
        assert monitor.last_quarter_w == desk.last_quarter_w
        assert monitor.forecast_w == desk.forecast_w
        threshold_w = max(2800, 2500, peak_w if version == 2 else 0)
        assert monitor.threshold_w == threshold_w
        assert monitor.warns == (desk.forecast_w is not None and desk.forecast_w > threshold_w)
        ms = every_s * 1000


@given(powers, st.integers(0, 3), st.sampled_from((1, 2)))
@settings(max_examples=40)
def test_it_is_judged_at_each_full_minute_from_the_fifth_by_the_manuals_formula(
    powers, quarter: int, version: int
):
    monitor = PeakWarning()
    monitor.power = False
    each = drawn(quarter * 900, 1, powers)
    registers = {one.time_s: one.wh for one in each}
    ms = None
    for one in each:
        begun_s = one.time_s // 900 * 900
        so_far_w = (one.wh - registers[begun_s]) * 4
        monitor.take(ms, sent(one, so_far_w, 0, version))
        ms = 1000
        minutes = (one.time_s - begun_s) // 60
        if minutes < 5:
            assert (monitor.forecast_w, monitor.warns) == (None, False)
        else:
            wh = registers[begun_s + minutes * 60] - registers[begun_s]
            assert monitor.forecast_w == wh * 15 * 4 // minutes
            assert monitor.warns == (wh * 15 * 4 // minutes > 2500)


clocks = st.integers(0, 59)


@given(
    st.lists(
        st.tuples(
            st.none() | st.sampled_from((1000, 20, 9000)) | st.integers(0, 3_000_000),
            st.integers(0, 9999), st.integers(0, 30_000), clocks, clocks, st.integers(0, 20_000),
            st.booleans(),
        ),
        max_size=40,
    )
)  # fmt: skip
@example(
    [
        (None, 1000, 9000, 9, 59, 9000, True),
        (1000, 1000, 9000, 10, 0, 9000, True),
        (1000, 1000, 9000, 3, 0, 9000, True),
    ]
)
def test_whatever_the_clock_and_the_register_say_no_warning_comes_before_minute_5(frames):
    monitor = PeakWarning()
    for ms, wh, watts, minute, second, quarter_w, ours in frames:
        values = [wh, 0, watts, 0, 1, minute, second, 0, quarter_w, 0]
        monitor.take(ms, values if ours else values[:7])
        assert monitor.utc_s is not None
        if monitor.utc_s % 900 < 300:
            assert monitor.forecast_w is None
        assert monitor.warns == (
            monitor.forecast_w is not None and monitor.forecast_w > monitor.threshold_w
        )
        # The minute and the second that it goes by are those of a frame at most 2 min before.
        assert (monitor.utc_s - minute * 60 - second) % 3600 <= 120


# --- a frame as it is written --------------------------------------------------------------------

registers = st.integers(0, 999_999_999)
frames = st.tuples(
    registers, registers, st.integers(0, 99_999), st.integers(0, 99_999),
    st.sampled_from((1, 2)), clocks, clocks, registers, registers, registers,
)  # fmt: skip
keys = st.binary(min_size=16, max_size=64)
counters = st.integers(0, 9) | st.integers(0, (1 << 30) - 1)


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(("ours", "manual", "signed", "foreign")))
    data = frame.build(draw(frames), 1 if kind in ("manual", "foreign") else 2)
    if kind == "signed":
        data = signature.sign(data, draw(keys), draw(counters))
    if kind == "foreign":
        more = draw(st.lists(registers, min_size=1, max_size=5))
        data = data[:-2] + b"".join(b",%d" % one for one in more) + b"]}"
    return data


def as_json(data: bytes) -> tuple[int, list[int], int | None] | None:
    """By frame's own path, which reads any JSON: a blank before it is no form of ours."""
    assert written.read(b" " + data) is None
    try:
        found = frame.read(b" " + data)
    except frame.FrameError:
        return None
    return found.version, list(found.values + found.tail), found.n


@given(datagrams())
def test_every_frame_that_is_built_is_read_and_by_both_paths_alike(data: bytes):
    found = written.read(data)
    assert found is not None
    assert found == as_json(data)
    taken = frame.read(data)
    assert (taken.version, list(taken.values + taken.tail), taken.n) == found


pieces = st.sampled_from(
    [
        b"",
        *(bytes([c]) for c in b'0123456789-.,:[]{}"\\ enmv\n\t\0\x7f\x80\xff'),
        b',"n":',
        b',"m":"',
    ]
)
edits = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 14), pieces), max_size=3)


@given(datagrams(), edits)
@settings(max_examples=400)
@example(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9],"n":5,"m":"}', [])
@example(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9],"n":5,"m":"\1aaaaaaaaaaa"}', [])
@example(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9],"n":5,"m":"\xffaaaaaaaaaaa"}', [])
def test_after_any_edit_it_is_refused_or_is_what_json_says(data: bytes, edits):
    for at, wide, piece in edits:
        # Half of them near the end, where counter and tag are.
        place = at % len(data) if at % 2 else max(len(data) - at // 2 % 40, 0)
        data = data[:place] + piece + data[place + min(wide, 1 + wide // 8) :]
        data = data or b"{"
    found = written.read(data)
    if found is not None and len(data) < frame.MAX_BYTES:
        assert found == as_json(data)


@given(st.binary(max_size=200), st.sampled_from((b"", written.VERSION_1, written.VERSION_2)))
def test_any_bytes_are_refused_or_are_what_json_says(data: bytes, head: bytes):
    found = written.read(head + data)
    assert found is None or found == as_json(head + data)


@given(frames, keys, counters, edits)
def test_a_seal_is_hmac_sha256_whatever_is_edited(values, key: bytes, n: int, edits):
    signed = signature.sign(frame.build(values), key, n)
    assert sealed.n_of(signed, key) == n
    data = signed
    for at, wide, piece in edits:
        place = at % len(data)
        data = data[:place] + piece + data[place + wide :]
        data = data or b"{"
    if sealed.n_of(data, key) is not None:
        head, _, rest = data.rpartition(b',"m":"')
        assert rest == base64.b64encode(hmac.digest(key, head, "sha256")[:8]) + b'"}'
    if data != signed:
        assert sealed.n_of(data, key) is None
