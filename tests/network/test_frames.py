"""Datagrams into frames for people and programs; nothing hostile gets further than a counter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core import signature
from dsmrctl.network import frames
from dsmrctl.network.frames import Intake, Received
from dsmrctl.network.multicast import Datagram, Receiver, Sender
from dsmrctl.quantities import NAMES
from dsmrctl.terminal.output import dumps, safe

SENDER = ("192.0.2.9", 4097)
# 2026-11-23 10:00:00 UTC, a whole hour.
HOUR_S = 1_795_428_000
MANUAL = b'{"dsmr":[83125000,27689000,0,0,1,11,2]}'


def datagram(data: bytes, at_s: float = HOUR_S, sender: tuple[str, int] = SENDER) -> Datagram:
    return Datagram(data, sender, round(at_s * 1000) * 10**6)


def take(data: bytes, intake: Intake | None = None, at_s: float = HOUR_S) -> Received:
    received = (intake or Intake()).take(datagram(data, at_s))
    assert received is not None
    return received


def frame_at(
    clock_s: int,
    wh: int,
    version: int = 1,
    more: tuple[int | None, ...] = (None, None, None),
    import_w: int = 400,
) -> bytes:
    values = (wh, 1000, import_w, 0, 1, clock_s // 60 % 60, clock_s % 60, *more)
    return core.build(values, version)


def test_the_manuals_frame_in_our_names() -> None:
    found = frames.document(take(MANUAL, at_s=HOUR_S + 662.25))
    assert datetime.fromisoformat(found.pop("time")).timestamp() == HOUR_S + 662.25
    assert found == {
        "import_t1_wh": 83125000,
        "import_t2_wh": 27689000,
        "export_t1_wh": None,
        "export_t2_wh": None,
        "import_w": 0,
        "export_w": 0,
        "tariff": 1,
        "quarter_w": None,
        "last_quarter_w": None,
        "forecast_w": None,
        "month_peak_w": None,
        "threshold_w": None,
        "frame": {"version": 1, "minute": 11, "second": 2, "sender": "192.0.2.9:4097"},
    }


def test_the_time_says_its_offset() -> None:
    time = datetime.fromisoformat(frames.quantities(take(MANUAL))["time"])
    assert time.tzinfo is not None


def test_every_name_is_one_of_the_quantities() -> None:
    found = frames.quantities(take(MANUAL))
    assert tuple(found) == frames.NAMES
    assert set(found) <= set(NAMES)


def test_version_2_brings_its_own_quarter_and_peak() -> None:
    found = frames.quantities(take(frame_at(662, 5000, 2, (2589, 2351, 1800))))
    assert (found["month_peak_w"], found["quarter_w"], found["last_quarter_w"]) == (
        2589,
        2351,
        1800,
    )
    # The frame's power is 400 W, and the mean of the 662 s so far 3196 W.
    assert found["forecast_w"] == 2351 + (7 * 400 + 2351 * 900 // 662) * (900 - 662) // 7200


def test_a_peak_or_quarter_of_0_is_unknown() -> None:
    found = frames.quantities(take(frame_at(662, 5000, 2, (0, 0, 0))))
    for name in ("month_peak_w", "quarter_w", "last_quarter_w", "forecast_w"):
        assert found[name] is None


@given(st.integers(0, 3599), st.integers(1, 99_999))
def test_the_forecast_begins_at_the_fifth_minute_and_goes_by_the_power_too(
    clock_s: int, quarter_w: int
) -> None:
    received = take(frame_at(clock_s, 5000, 2, (0, quarter_w, 0)), at_s=HOUR_S + clock_s)
    elapsed = clock_s % 900
    if elapsed < 300:
        assert received.forecast_w is None
    else:
        went = quarter_w * 900 // elapsed
        assert received.forecast_w == quarter_w + (7 * 400 + went) * (900 - elapsed) // 7200


def follow(intake: Intake, seconds: Iterable[int], wh_of_s: float = 0.5) -> Iterator[Received]:
    for second in seconds:
        data = frame_at(second, int(second * wh_of_s), import_w=int(wh_of_s * 3600))
        yield take(data, intake, HOUR_S + second + 0.3)


def test_version_1_has_no_quarter_until_one_was_followed_from_its_start() -> None:
    intake = Intake()
    for received in follow(intake, range(100, 900)):
        assert received.quarter_w is None
        assert received.forecast_w is None
    whole = list(follow(intake, range(900, 1801)))
    # 0.5 Wh a second: 1800 W, as far as whole Wh tell.
    assert whole[600].quarter_w == 300 * 4
    assert whole[299].forecast_w is None
    assert whole[300].forecast_w == 1800
    assert whole[599].last_quarter_w is None
    assert whole[900].quarter_w == 0
    assert whole[900].last_quarter_w == 1800


def test_a_silent_hour_is_no_quarter() -> None:
    intake = Intake()
    list(follow(intake, range(880, 1000)))
    (received,) = follow(intake, [1000 + 3600])
    assert received.quarter_w is None


def test_a_replay_at_sixty_times_the_speed_has_the_same_quarters() -> None:
    slow, fast = Intake(), Intake()
    seconds = range(0, 3 * 3600, 7)
    received = None
    for received in follow(slow, seconds):
        second = round(received.time_ns / 1e9 - HOUR_S)
        data = frame_at(second, second // 2, import_w=1800)
        again = take(data, fast, HOUR_S + second / 60)
        assert again[3:] == received[3:]
    assert received is not None
    assert received.last_quarter_w == pytest.approx(1800, abs=30)


def test_a_meters_clock_beside_ours_moves_no_quarter() -> None:
    """A frame says only minute and second: a meter half an hour off is still followed."""
    intake = Intake()
    found = [
        take(frame_at(second, second // 2), intake, HOUR_S + second + 1790)
        for second in range(1801)
    ]
    assert found[-1].last_quarter_w == 1800


def test_two_senders_do_not_mix_their_quarters() -> None:
    intake = Intake()
    received = None
    for second in range(0, 1801, 5):
        for host, wh in (("192.0.2.1", second // 2), ("192.0.2.2", 900_000 + second)):
            received = intake.take(datagram(frame_at(second, wh), HOUR_S + second, (host, 4097)))
    assert received is not None
    assert received.last_quarter_w == 3600
    assert intake.senders == {"192.0.2.1": 361, "192.0.2.2": 361}


def test_any_number_of_senders_takes_no_more_memory() -> None:
    intake = Intake()
    for number in range(1000):
        intake.take(datagram(MANUAL, sender=(f"10.0.{number // 250}.{number % 250}", 1)))
    assert intake.good == 1000
    assert len(intake.senders) == len(intake._quarters) == 17
    assert intake.senders.total() == 1000


def test_a_foreign_frames_rest_is_kept_and_never_taken_for_a_peak() -> None:
    found = frames.document(take(b'{"dsmr":[1,2,3,4,1,11,2,9999,8888]}'))
    assert found["month_peak_w"] is None
    assert found["quarter_w"] is None
    assert found["frame"]["version"] == 0
    assert found["frame"]["tail"] == (9999, 8888)
    assert json.loads(dumps(found))["frame"]["tail"] == [9999, 8888]


def test_a_layout_names_the_elements_of_a_foreign_frame() -> None:
    layout = frames.parse_layout("import_t1_wh, import_t2_wh,export_t1_wh,export_t2_wh,-,import_w")
    received = take(b'{"dsmr":[1,2,300000,400000,5,6,7]}', Intake(layout))
    found = frames.document(received)
    assert (found["export_t1_wh"], found["export_t2_wh"], found["import_w"]) == (300000, 400000, 6)
    assert found["tariff"] is None
    assert found["frame"] == {
        "version": 0,
        "minute": None,
        "second": None,
        "sender": "192.0.2.9:4097",
        "tail": (7,),
    }
    assert received.quarter_w is None
    assert frames.elapsed_s(received.frame) is None


@pytest.mark.parametrize("text", ["", "import_w,", "volts", "import_w,import_w", "IMPORT_W", ",-"])
def test_a_wrong_layout_is_told(text: str) -> None:
    with pytest.raises(errors.UsageError, match="--layout") as told:
        frames.parse_layout(text)
    assert told.value.hint


def test_a_signed_frame_shows_its_counter() -> None:
    signed = signature.sign(core.build((1, 2, 3, 4, 1, 5, 6, 7, 8, 9)), b"k" * 16, 218_000_000)
    assert frames.document(take(signed))["frame"]["n"] == 218_000_000


def test_every_reason_has_its_sentence() -> None:
    assert set(frames.REASONS) == set(core.REASONS)


REFUSED = {
    "too-long": b'{"dsmr":[1,2,3,4,1,5,6]}' + b" " * 500,
    "not-utf8": b'{"dsmr":[1,2,3,4,1,5,6],"x":"\xff"}',
    "not-json": b"hello \x1b]0;owned\x07\x1b[2J",
    "no-array": b'{"dsmr":7}',
    "too-few": b'{"dsmr":[1,2,3,4,1,5]}',
    "not-integer": b'{"dsmr":[1,2.5,3,4,1,5,6]}',
    "negative": b'{"dsmr":[1,-2,3,4,1,5,6]}',
    "tariff": b'{"dsmr":[1,2,3,4,3,5,6]}',
    "clock": b'{"dsmr":[1,2,3,4,1,60,6]}',
    "looks-like-registers": b'{"dsmr":[1,2,100000,4,1,5,6]}',
    "version": b'{"v":3,"dsmr":[1,2,3,4,1,5,6]}',
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_bad_frame_is_counted_by_its_reason(reason: str) -> None:
    intake = Intake()
    assert intake.take(datagram(REFUSED[reason])) is None
    assert intake.take(datagram(REFUSED[reason])) is None
    assert intake.refused == {reason: 2}
    assert intake.good == 0
    (line,) = intake.explain_refused()
    assert line.startswith(f"2 {frames.REASONS[reason]} (from 192.0.2.9:4097: ")


def harmless(text: str) -> bool:
    return text == safe(text, len(text)) and len(text) < 300


HOSTILE = st.one_of(
    st.binary(max_size=700),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=20,
    ).map(lambda value: json.dumps({"dsmr": value, "v": 2}).encode()),
    st.lists(st.integers(-5, 10**12) | st.sampled_from([0, 1, 2, 59, 60]), max_size=14).map(
        lambda numbers: json.dumps({"dsmr": numbers}).encode()
    ),
    st.builds(
        lambda at, byte: MANUAL[:at] + byte + MANUAL[at + 1 :],
        st.integers(0, len(MANUAL)),
        st.binary(max_size=3),
    ),
    st.integers(1, 400).map(lambda depth: b'{"dsmr":' + b"[" * depth),
)


@pytest.mark.slow
@settings(max_examples=500)
@given(st.lists(HOSTILE, max_size=5), st.sampled_from([None, ("-", "import_w"), ("second",)]))
def test_whatever_comes_is_a_frame_or_a_count_and_harmless_to_show(
    many: list[bytes], layout: tuple[str, ...] | None
) -> None:
    intake = Intake(layout)
    for number, data in enumerate(many):
        received = intake.take(datagram(data, HOUR_S + number))
        if received is None:
            continue
        found = json.loads(dumps(frames.document(received)))
        assert found["tariff"] in (1, 2, None)
        assert all(type(value) is int or value is None for value in list(found.values())[1:-1])
    assert intake.good + intake.refused.total() == len(many)
    assert all(map(harmless, intake.explain_refused()))


@settings(max_examples=30)
@given(st.lists(HOSTILE, min_size=1, max_size=20))
def test_hostile_datagrams_through_a_real_socket_hide_no_good_frame(many: list[bytes]) -> None:
    intake = Intake()
    group, port = "239.255.97.1", 20901
    with Receiver(group, port, ["127.0.0.1"]) as receiver, Sender(group, port, ttl=0) as sender:
        for data in (*many, MANUAL):
            sender.send(data)
        left = len(many) + 1
        newest = None
        while left:
            batch = receiver.receive(5)
            assert batch
            left -= len(batch)
            for each in batch:
                newest = intake.take(each)
    assert newest is not None
    assert newest.frame.values == (83125000, 27689000, 0, 0, 1, 11, 2)
    assert intake.good + intake.refused.total() == len(many) + 1


def test_with_a_key_only_signed_and_newer_frames_are_taken_and_the_others_counted() -> None:
    key = b"an invented key, for tests only"
    intake = frames.Intake(key=key)
    plain = core.build((1, 2, 3, 0, 1, 5, 6, 0, 0, 0))
    signed = signature.sign(plain, key, 1000)
    forged = signature.sign(plain, b"another key, as long as ours", 1001)
    taken = [intake.take(Datagram(data, ("127.0.0.1", 1), 0)) for data in (plain, signed, forged)]
    assert [each is not None for each in taken] == [False, True, False]
    assert intake.take(Datagram(signed, ("127.0.0.1", 1), 0)) is None
    assert intake.refused == {"signature": 2, "replayed": 1}
    assert len(intake.explain_refused()) == 2


def test_two_frames_that_changed_places_do_not_cost_the_quarter() -> None:
    def series(order: Iterable[int]) -> Received:
        intake, last = Intake(), None
        for second in order:
            wh = 100_000 + second // 9
            values = (wh, 0, 400, 0, 1, second // 60 % 60, second % 60)
            data = core.build(values, 1)
            last = intake.take(Datagram(data, ("127.0.0.1", 1), (1_800_000_000 + second) * 10**9))
        assert last is not None
        return last

    straight = list(range(1700))
    swapped = [*straight[:1000], 1001, 1000, *straight[1002:]]
    assert series(swapped)[3:] == series(straight)[3:]
    assert series(swapped).quarter_w is not None
