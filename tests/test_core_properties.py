"""What holds for any input: the core against the standard library and independent sums."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import datetime, timedelta
from itertools import pairwise

from crcmod.predefined import mkCrcFun
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dsmrctl.firmware.core import clock, demand, frame, signature
from dsmrctl.firmware.core.crc16 import crc16
from dsmrctl.firmware.core.demand import Demand
from dsmrctl.firmware.core.frame import FrameError
from dsmrctl.firmware.core.members import members
from dsmrctl.firmware.core.telegram import LINE, TelegramReader

ARC = mkCrcFun("crc-16")
QUARTER = 900
EPOCH = datetime(2020, 1, 1)

registers = st.integers(0, 999_999_999)
powers = st.integers(0, 99_999)
clocks = st.integers(0, 59)
frames = st.tuples(
    registers, registers, powers, powers, st.sampled_from((1, 2)), clocks, clocks, *[registers] * 3
)
keys = st.binary(min_size=16, max_size=64)
counters = st.integers(0, (1 << 30) - 1)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def refusal(data: bytes) -> str | None:
    try:
        frame.read(data)
    except FrameError as error:
        return error.reason
    return None


@given(st.binary(max_size=300), st.integers(0, 300))
def test_the_crc_is_crcmods_in_any_two_pieces(data: bytes, cut: int):
    assert crc16(data) == ARC(data)
    assert crc16(data[cut:], None, crc16(data[:cut])) == ARC(data)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2053, 12, 31, 23, 59, 59)))
def test_the_clock_is_the_calendars(when: datetime):
    when = when.replace(microsecond=0)
    time_s = clock.seconds(when.year, when.month, when.day, when.hour, when.minute, when.second)
    assert time_s == (when - EPOCH).total_seconds()
    assert clock.date(time_s or 0) == when.timetuple()[:6]


@given(frames, st.sampled_from((1, 2)))
def test_what_is_built_is_read_and_is_json(values: tuple[int, ...], version: int):
    data = frame.build(values, version)
    taken = frame.read(data)
    assert len(data) <= frame.MAX_BYTES
    assert taken.version == version
    assert taken.values == values[: len(taken.values)]
    assert json.loads(data)["dsmr"] == list(taken.values)


@given(frames, keys, counters)
def test_a_signature_is_hmac_sha256(values: tuple[int, ...], key: bytes, n: int):
    data = frame.build(values)
    signed = signature.sign(data, key, n)
    head, _, rest = signed.partition(b',"m":')
    tag = base64.b64encode(hmac.digest(key, head, "sha256")[:8])
    assert head == data[:-1] + b',"n":%d' % n
    assert rest == b'"%b"}' % tag
    assert signature.check(signed, key, n - 1) == n
    assert frame.read(signed).n == n
    assert json.loads(signed)["n"] == n


@given(frames, keys, counters, st.integers(0), st.integers(1, 255))
def test_no_other_byte_passes_for_a_signature(values, key, n, at, flip):
    signed = bytearray(signature.sign(frame.build(values), key, n))
    signed[at % len(signed)] ^= flip
    try:
        signature.check(signed, key, -1)
    except FrameError as error:
        assert error.reason == "signature"  # noqa: PT017
    else:
        raise AssertionError(signed)


@given(st.binary(max_size=600))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 512)
def test_any_bytes_are_a_frame_or_a_reason(data: bytes):
    assert refusal(data) in frame.REASONS


@given(
    frames,
    st.lists(st.tuples(st.integers(0, 80), st.sampled_from(list(b'0123456789-.,:[]{}" \\enu\n')))),
)
@settings(max_examples=300)
def test_what_passes_after_any_edit_is_what_json_says(values, edits):
    data = bytearray(frame.build(values))
    for at, byte in edits[:4]:
        data[at % len(data)] = byte
    if refusal(bytes(data)) is None:
        taken = frame.read(data)
        said = json.loads(data)
        assert said["dsmr"] == list(taken.values + taken.tail)
        assert (said.get("v") == 2) == (taken.version == 2)


@given(st.dictionaries(st.text(), documents, max_size=5), st.sampled_from((None, 1)))
def test_every_json_object_comes_apart(document, indent):
    data = json.dumps(document, indent=indent).encode()
    found = members(data)
    if found is None:
        # Deeper than it looks: the only reason to refuse true JSON.
        assert data.count(b"[") + data.count(b"{") > 8
    else:
        assert {json.loads(key): json.loads(value) for key, value in found.items()} == document


@given(st.binary(max_size=4000), st.integers(1, 64))
def test_any_bytes_into_the_reader_and_then_a_telegram(noise: bytes, step: int):
    reader = TelegramReader()
    body = b"/FLU5\\1\r\n\r\n1-0:1.8.1(000301.548*kWh)\r\n!"
    data = noise + b"\r\n" + b"%b%04X\r\n" % (body, ARC(body)) * 2
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    # Noise may look like a telegram's start, and take the line it runs into with it; no more.
    assert reader.good >= 1
    assert reader.values["import_t1_wh"] == 301548


@given(
    st.sampled_from(("1-0:1.8.1", "1-0:1.6.0", "0-0:98.1.0", "0-0:1.0.0", "0-1:24.2.1")),
    st.text("0123456789.*()-:kWhmSV/!", max_size=LINE + 20),
)
def test_any_object_costs_no_more_than_itself(code: str, text: str):
    # In a line without its last bracket this is a new telegram in one that was cut.
    assume(re.search("/[A-Za-z]{3}[0-9]", text) is None)
    body = f"/FLU5\\1\r\n\r\n{code}({text}\r\n1-0:1.7.0(00.338*kW)\r\n!".encode()
    reader = TelegramReader()
    assert reader.feed(b"%b%04X\r\n" % (body, ARC(body))) == 1
    assert reader.values["import_w"] == 338


@given(st.integers(0, 10**9), st.lists(st.integers(0, 1600), min_size=1, max_size=40))
def test_the_quarters_add_up_to_the_register(wh: int, minutes: list[int]):
    start = 198_161_100  # on a quarter
    assert start % QUARTER == 0
    follower = Demand()
    follower.update(start, wh)
    register = wh
    summed = 0
    for minute, drawn in enumerate(minutes, 1):
        register += drawn
        if follower.update(start + minute * 60, register) and follower.last_quarter_w is not None:
            summed += follower.last_quarter_w // 4
    assert follower.quarter_w is not None
    running = sum(minutes[len(minutes) // 15 * 15 :])
    assert follower.quarter_w == running * 4
    assert summed + running == register - wh


# Telegrams a few seconds apart, now and then much later, over the end of a month.
steps = st.lists(
    st.tuples(
        st.integers(1, 12) | st.sampled_from((1, 1, 1, 60, 400, 899, 900, 1800)),
        st.integers(0, 20),
    ),
    max_size=400,
)


@given(st.integers(0, 4000), steps)
@settings(max_examples=200)
def test_the_month_peak_is_the_highest_quarter_by_an_independent_sum(before: int, steps):
    midnight = int((datetime(2026, 5, 1) - EPOCH).total_seconds())
    samples = [(midnight - before, 1000)]
    for wait, drawn in steps:
        samples.append((samples[-1][0] + wait, samples[-1][1] + drawn))
    follower = Demand()
    for time_s, wh in samples:
        follower.update(time_s, wh)

    exact = dict(samples)

    def register_at(boundary: int) -> int | None:
        if boundary in exact:
            return exact[boundary]
        for (early, early_wh), (late, late_wh) in pairwise(samples):
            if early < boundary < late and boundary - early <= 10 and late - boundary <= 10:
                return early_wh + (late_wh - early_wh) * (boundary - early) // (late - early)
        return None

    peaks: dict[int, int] = {}
    first = samples[0][0] // QUARTER
    for quarter in range(first, samples[-1][0] // QUARTER):
        start_wh = register_at(quarter * QUARTER)
        end_wh = register_at((quarter + 1) * QUARTER)
        if start_wh is not None and end_wh is not None:
            started = EPOCH + timedelta(seconds=quarter * QUARTER)
            month = started.year * 100 + started.month
            peaks[month] = max(peaks.get(month, 0), (end_wh - start_wh) * 4)
    assert {month: peak for month, _, peak in follower.peaks()} == peaks


@given(st.integers(0, 24_000), st.integers(0, 99_999), st.integers(1, 900))
def test_a_forecast_at_the_end_is_the_demand(wh: int, power: int, elapsed: int):
    assert demand.forecast_linear_w(wh, 900) == wh * 4
    assert demand.forecast_w(wh, power, 900) == wh * 4
    assert demand.forecast_w(wh, power, elapsed) >= wh * 4
    assert demand.forecast_linear_w(wh, elapsed) >= wh * 4
    assert demand.forecast_linear_w(wh, elapsed) == wh * 3600 // elapsed


@given(steps, st.integers(0, 400))
def test_a_restart_changes_nothing(steps, at: int):
    midnight = int((datetime(2026, 5, 1) - EPOCH).total_seconds())
    whole, after = Demand(), Demand()
    time_s, wh = midnight - 900, 1000
    for i, (wait, drawn) in enumerate(steps):
        whole.update(time_s, wh)
        after.update(time_s, wh)
        if i == at:
            kept, state = after.peaks(), after.state()
            after = Demand()
            after.load(kept)
            after.restore(state)
        time_s, wh = time_s + wait, wh + drawn
    whole.update(time_s, wh)
    after.update(time_s, wh)
    assert whole.quarter_w == after.quarter_w
    assert whole.last_quarter_w == after.last_quarter_w
    assert {peak[0]: peak[2] for peak in whole.peaks()} == {
        peak[0]: peak[2] for peak in after.peaks()
    }
