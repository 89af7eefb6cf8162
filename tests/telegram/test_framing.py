"""Telegrams out of streams: none lost, none invented, every other byte accounted for."""

from __future__ import annotations

import re
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import (
    HEADER,
    OWN_STREAM,
    SERIAL_CAPTURES,
    crc_of,
    dutch,
    line_fed_stream,
    numbered,
    slices,
    telegram,
    whole_telegrams,
)

from dsmrctl.telegram.framing import LIMIT, Framer, Reject
from dsmrctl.telegram.telegram import Telegram

Found = list[Telegram | Reject]


def framed(stream: bytes, size: int = 0, limit: int = LIMIT) -> Found:
    """All that comes out of `stream`, fed in slices of `size` (0: at once)."""
    framer = Framer(limit)
    found: Found = []
    for data in slices(stream, size or max(1, len(stream))):
        found += framer.feed(data)
    return found + list(framer.close())


def plain(found: Found) -> list[tuple[str, bytes]]:
    """Comparable: ("crc valid" | "crc absent" | reason, raw)."""
    return [
        (f"crc {item.crc}", item.raw) if isinstance(item, Telegram) else (item.reason, item.raw)
        for item in found
    ]


def telegrams_in(found: Found) -> list[bytes]:
    return [item.raw for item in found if isinstance(item, Telegram)]


def rejects_in(found: Found) -> list[tuple[str, bytes]]:
    return [(item.reason, item.raw) for item in found if isinstance(item, Reject)]


def assert_accounts_for(stream: bytes, found: Found) -> None:
    """Every byte of the stream is in exactly one result, in order, or is an idle one."""
    at = 0
    for item in found:
        start = stream.index(item.raw, at) if isinstance(item, Telegram) else item.offset
        assert not stream[at:start].strip(b"\x00\xff\r\n"), "bytes went missing"
        assert stream.startswith(item.raw, start)
        at = start + len(item.raw)
    assert not stream[at:].strip(b"\x00\xff\r\n"), "bytes went missing"


# --- whole telegrams ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64, 1000])
def test_telegrams_one_after_another_come_out_once_each_in_order(size: int) -> None:
    sent = [numbered(n) for n in range(40)]
    found = framed(b"".join(sent), size)
    assert plain(found) == [("crc valid", raw) for raw in sent]


def test_a_telegram_comes_out_as_soon_as_its_last_byte_is_in() -> None:
    framer = Framer()
    raw = numbered(1)
    assert list(framer.feed(raw[:-1])) == []
    assert telegrams_in(list(framer.feed(raw[-1:]))) == [raw]


@pytest.mark.parametrize("digits", ["%04x", "%04X"])
def test_crc_digits_in_any_case_are_taken(digits: str) -> None:
    assert plain(framed(telegram(crc=digits))) == [("crc valid", telegram(crc=digits))]


def test_a_crc_without_its_leading_zero_is_taken() -> None:
    raws = (telegram(f"1-0:1.8.1({n * 7919:010})", crc="%X") for n in range(1000))
    raw = next(raw for raw in raws if re.search(rb"![0-9A-F]{3}\r", raw))
    for size in (0, 1):
        assert plain(framed(raw + numbered(1), size)) == [
            ("crc valid", raw),
            ("crc valid", numbered(1)),
        ]


def test_bare_line_feeds_are_taken_with_the_crc_made_over_carriage_returns() -> None:
    raw = telegram().replace(b"\r\n", b"\n")
    assert plain(framed(raw)) == [("crc valid", raw)]


def test_no_blank_line_after_the_header_is_no_reason_to_reject() -> None:
    covered = f"{HEADER}\r\n0-0:96.1.4(50217)\r\n!".encode()
    raw = covered + b"%04X\r\n" % crc_of(covered)
    assert plain(framed(raw)) == [("crc valid", raw)]
    assert telegrams_in(framed(b"1-0:1.8.1(0003" + raw)) == [raw]


def test_blanks_in_the_identification_are_taken() -> None:
    raw = telegram(header="/Ene5\\XS210 ESMR 5.0")
    assert plain(framed(b"(1)" + raw)) == [("garbage", b"(1)"), ("crc valid", raw)]


@pytest.mark.parametrize("idle", [b"\x00", b"\xff", b"\x00" * 900, b"\r\n\r\n", b"\n\xff\x00\r"])
def test_idle_bytes_between_telegrams_are_no_reject(idle: bytes) -> None:
    stream = idle + numbered(1) + idle + numbered(2) + idle
    for size in (0, 1, 100):
        assert plain(framed(stream, size)) == [
            ("crc valid", numbered(1)),
            ("crc valid", numbered(2)),
        ]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r", b"\x00\r\n", b" \xff\xff\r\n", b"\xff"])
def test_what_follows_the_crc_does_not_matter(tail: bytes) -> None:
    stream = numbered(1)[:-2] + tail + numbered(2)
    found = framed(stream, 1)
    assert [raw.split(b"!")[0] for raw in telegrams_in(found)] == [
        numbered(1).split(b"!")[0],
        numbered(2).split(b"!")[0],
    ]
    assert not rejects_in(found)


def test_the_last_telegram_of_a_file_needs_no_line_end() -> None:
    assert telegrams_in(framed(numbered(1)[:-2])) == [numbered(1)[:-2]]


# --- without a CRC -----------------------------------------------------------------------------


def test_a_telegram_without_a_crc_is_taken_at_once() -> None:
    raw = telegram(crc=None)
    framer = Framer()
    assert plain(list(framer.feed(raw))) == [("crc absent", raw)]


def test_a_value_on_the_next_line_is_no_unbalanced_bracket() -> None:
    raw = telegram(
        "1-0:1.8.1(00100.000*kWh)",
        "0-1:24.3.0(121030140000)(00)(60)(1)(0-1:24.2.1)(m3)",
        "(00024.123)",
        crc=None,
    )
    assert plain(list(Framer().feed(raw))) == [("crc absent", raw)]


@pytest.mark.parametrize("size", [0, 1])
def test_a_damaged_bracket_does_not_lose_a_telegram_without_a_crc(size: int) -> None:
    damaged = telegram("1-0:1.8.1(00100.000*kWh)", "1-0:1.7.0[00.338*kW)", crc=None)
    whole = telegram(crc=None)
    for stream in (damaged + whole, whole + damaged):
        assert sorted(telegrams_in(framed(stream, size))) == sorted([damaged, whole])
        assert not rejects_in(framed(stream, size))


def test_a_cut_telegram_without_a_crc_is_not_joined_to_the_next() -> None:
    first, second = telegram(crc=None), telegram("1-0:1.8.1(000009.000*kWh)", crc=None)
    for cut in range(8, len(first) - 4):
        found = framed(first[:cut] + second)
        assert telegrams_in(found) == [second], cut
        assert rejects_in(found) == [("truncated", first[:cut])]


def test_a_meter_that_sends_crcs_is_not_believed_without_one() -> None:
    lost = telegram("1-0:1.8.1(000009.000*kWh)", crc=None)
    found = framed(numbered(1) + lost + numbered(2))
    assert plain(found) == [
        ("crc valid", numbered(1)),
        ("crc", lost),
        ("crc valid", numbered(2)),
    ]


def test_a_header_and_an_end_mark_with_nothing_between_are_no_telegram() -> None:
    assert not telegrams_in(framed(b"/ABC5\r\n\r\n!\r\n"))


# --- damage ------------------------------------------------------------------------------------


def test_a_telegram_cut_by_a_new_one_is_truncated_and_the_new_one_taken() -> None:
    first, second = numbered(1), numbered(2)
    for cut in range(5, len(first) - 7):
        for size in (0, 1):
            found = framed(first[:cut] + second, size)
            assert plain(found) == [("truncated", first[:cut]), ("crc valid", second)], cut


def test_a_telegram_cut_inside_its_crc_does_not_take_the_next_one_along() -> None:
    first, second = numbered(1), numbered(2)
    for cut in range(len(first) - 6, len(first) - 2):
        found = framed(first[:cut] + second)
        assert telegrams_in(found)[-1] == second
        assert len(telegrams_in(found)) == 1 or first[:cut].endswith(b"!")
        assert_accounts_for(first[:cut] + second, found)


def test_the_end_of_the_input_inside_a_telegram_is_truncated() -> None:
    found = framed(numbered(1) + numbered(2)[:90])
    assert plain(found) == [("crc valid", numbered(1)), ("truncated", numbered(2)[:90])]


@pytest.mark.parametrize("size", [0, 1])
def test_a_flipped_bit_is_a_crc_reject_and_costs_no_other_telegram(size: int) -> None:
    stream = b"".join(numbered(n) for n in range(3))
    middle = range(len(numbered(0)) + 4, 2 * len(numbered(0)) - 7)
    for at in middle[:: 1 if size == 0 else 17]:
        bad = bytearray(stream)
        bad[at] ^= 0x04
        found = framed(bytes(bad), size)
        assert telegrams_in(found) == [numbered(0), numbered(2)]
        assert_accounts_for(bytes(bad), found)


def test_where_and_what_was_rejected_is_told() -> None:
    bad = numbered(2).replace(b"00.338", b"00.339")
    found = framed(numbered(1) + bad + b"noise\r\n" + numbered(3))
    rejects = [item for item in found if isinstance(item, Reject)]
    assert rejects == [
        Reject("crc", len(numbered(1)), bad),
        Reject("garbage", len(numbered(1)) + len(bad), b"noise"),
    ]


def test_noise_between_telegrams_is_one_reject_however_it_comes() -> None:
    noise = b"\x80\x07 hello\r\n\x00 there / ! (x)\r\n"
    for size in (0, 1, 5):
        found = framed(numbered(1) + noise + numbered(2), size)
        assert rejects_in(found) == [("garbage", noise.strip(b"\r\n"))]
        assert telegrams_in(found) == [numbered(1), numbered(2)]


def test_a_telegram_over_the_limit_is_an_overrun_and_the_next_one_taken() -> None:
    endless = telegram(*["0-0:96.13.0(" + "41" * 60 + ")"] * 200)
    assert len(endless) > LIMIT
    for size in (0, 333):
        found = framed(endless + numbered(1), size)
        assert telegrams_in(found) == [numbered(1)]
        assert rejects_in(found)[0] == ("overrun", endless[:LIMIT])
        assert_accounts_for(endless + numbered(1), found)


def test_a_telegram_with_the_longest_message_is_taken() -> None:
    raw = telegram("0-0:96.13.0(" + "41" * 2048 + ")", *["1-0:1.7.0(00.338*kW)"] * 300)
    assert LIMIT - 8000 < len(raw) < LIMIT
    assert telegrams_in(framed(b"(7)\r\n" + raw, 100)) == [raw]


# --- marks inside a message ----------------------------------------------------------------------

MESSAGES = [
    "see http://www.fluvius.be/storing! now",
    "wrapped\r\n!\r\nhere",
    "wrapped\r\n!1A2B\r\nhere",
    "wrapped\r\n!Attention!\r\nhere",
    "wrapped\r\n/ABC5\r\n\r\nhere",
    "wrapped\r\n/Out of\r\n1 reasons\r\n!BEEF\r\n/Abc\r\n\r\n!\r\n/Def",
]


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("size", [0, 1])
def test_marks_inside_a_message_do_not_end_or_begin_a_telegram(message: str, size: int) -> None:
    raw = telegram("1-0:1.8.1(000301.548*kWh)", f"0-0:96.13.0({message})", "1-0:1.7.0(00.338*kW)")
    stream = raw + numbered(1) + raw
    assert plain(framed(stream, size)) == [
        ("crc valid", raw),
        ("crc valid", numbered(1)),
        ("crc valid", raw),
    ]


@pytest.mark.parametrize("message", MESSAGES)
def test_marks_inside_a_message_are_seen_through_after_a_cut_telegram(message: str) -> None:
    raw = telegram("1-0:1.8.1(000301.548*kWh)", f"0-0:96.13.0({message})", "1-0:1.7.0(00.338*kW)")
    found = framed(numbered(1)[:77] + raw + numbered(2))
    assert rejects_in(found) == [("truncated", numbered(1)[:77])]
    assert telegrams_in(found) == [raw, numbered(2)]


@pytest.mark.parametrize("message", ["wrapped\r\n!\r\nhere", "wrapped\r\n/ABC5\r\n\r\nhere"])
def test_marks_inside_a_message_are_seen_through_without_a_crc(message: str) -> None:
    raw = telegram(f"0-0:96.13.0({message})", "1-0:1.7.0(00.338*kW)", crc=None)
    assert telegrams_in(framed(raw + raw)) == [raw, raw]


def test_a_stray_bracket_before_a_telegram_does_not_end_it_in_its_message() -> None:
    raw = telegram("0-0:96.13.0(wrapped\r\n!\r\nhere)")
    assert plain(framed(b"/AAA)" + raw)) == [("truncated", b"/AAA)"), ("crc valid", raw)]


# --- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SERIAL_CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [0, 1, 61, 4096])
def test_a_serial_capture_gives_every_whole_telegram_once(path: Path, size: int) -> None:
    stream = path.read_bytes()
    found = framed(stream, size)
    assert [raw.strip() for raw in telegrams_in(found)] == whole_telegrams(stream)
    assert len(telegrams_in(found)) >= 60
    assert {reason for reason, _ in rejects_in(found)} == {"garbage", "truncated"}
    assert_accounts_for(stream, found)


def test_the_own_capture_is_what_the_tests_make() -> None:
    assert OWN_STREAM.read_bytes() == line_fed_stream()


FRAGMENT = st.one_of(
    st.integers(0, 50).map(numbered),
    st.integers(0, 5).map(lambda n: telegram(f"1-0:1.8.1({n})", crc=None)),
    st.sampled_from(MESSAGES).map(lambda text: telegram(f"0-0:96.13.0({text})")),
    st.tuples(st.integers(0, 50).map(numbered), st.integers(0, 140), st.integers(0, 140)).map(
        lambda cut: cut[0][cut[1] : cut[2]]
    ),
    st.binary(max_size=40),
    st.text("/!ABCabc059()\r\n\x00 *", max_size=30).map(str.encode),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b"/", b"!", b"\r\n!", b"\r\n/ABC"]),
    st.integers(1, 400).map(lambda n: b"\xff" * n),
)
STREAM = st.lists(FRAGMENT, max_size=14).map(b"".join)
LIMITS = st.sampled_from([24, 100, 150, 300, LIMIT])


@pytest.mark.slow
@given(STREAM, LIMITS, st.lists(st.integers(0, 2500), max_size=12))
@settings(max_examples=300)
def test_the_result_is_the_same_however_the_stream_is_cut(
    stream: bytes, limit: int, cuts: list[int]
) -> None:
    expected = framed(stream, limit=limit)
    framer = Framer(limit)
    found: Found = []
    for start, end in pairwise([0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]):
        found += framer.feed(stream[start:end])
    found += framer.close()
    assert plain(found) == plain(expected)
    assert plain(framed(stream, 1, limit)) == plain(expected)


@pytest.mark.slow
@given(STREAM, LIMITS)
@settings(max_examples=300)
def test_every_byte_of_any_stream_is_accounted_for(stream: bytes, limit: int) -> None:
    found = framed(stream, limit=limit)
    assert_accounts_for(stream, found)
    assert all(len(item.raw) <= limit + 16 for item in found)


def checked_telegrams(stream: bytes) -> list[bytes]:
    """By brute force: at every end mark with four digits the first beginning whose CRC holds."""
    found, taken = [], 0
    begins = [match.start() for match in re.finditer(rb"/[A-Za-z]{3}", stream)]
    for mark in re.finditer(rb"(?<=[\r\n])!([0-9A-Fa-f]{4})", stream):
        for start in begins:
            covered = stream[start : mark.start() + 1]
            if taken <= start < mark.start() and crc_of(covered) == int(mark[1], 16):
                found.append(covered)
                taken = mark.end()
                break
    return found


@pytest.mark.slow
@given(STREAM)
@settings(max_examples=300)
def test_no_checked_telegram_is_lost_and_none_invented(stream: bytes) -> None:
    found = [
        item.raw[: item.raw.rindex(b"!") + 1]
        for item in framed(stream)
        if isinstance(item, Telegram) and item.crc == "valid"
    ]
    assert found == checked_telegrams(stream)


def mutated(n: int) -> bytes:
    """A stream of four telegrams with up to six faults, the n-th of its kind."""
    import random

    chance = random.Random(n)
    stream = bytearray(b"".join(numbered(chance.randrange(9)) for _ in range(4)))
    for _ in range(chance.randrange(1, 7)):
        at = chance.randrange(len(stream))
        match chance.randrange(5):
            case 0:
                stream[at] ^= 1 << chance.randrange(8)
            case 1:
                del stream[at : at + chance.choice((1, 2, 30, 200))]
            case 2:
                stream[at:at] = chance.choice((b"/", b"!", b"\r\n!", b"\r\n/ABC", b"\xff" * 9))
            case 3:
                stream[at:at] = chance.randbytes(chance.randrange(60))
            case _:
                stream[at:at] = stream[at // 2 : at // 2 + chance.randrange(300)]
        if not stream:
            stream += b"/"
    return bytes(stream)


def assert_survives(n: int) -> None:
    stream = mutated(n)
    found = framed(stream)
    assert_accounts_for(stream, found)
    assert plain(framed(stream, 1 + n % 50)) == plain(found)
    valid = [item.raw for item in found if isinstance(item, Telegram) and item.crc == "valid"]
    assert [raw[: raw.rindex(b"!") + 1] for raw in valid] == checked_telegrams(stream)


def test_a_thousand_mutations_lose_and_invent_nothing() -> None:
    for n in range(1000):
        assert_survives(n)


@pytest.mark.soak
def test_a_hundred_thousand_mutations_lose_and_invent_nothing() -> None:
    for n in range(100_000):
        assert_survives(n)


# --- bounds --------------------------------------------------------------------------------------

HOSTILE = {
    "noise": bytes((at * at * 31 + at // 7) & 0xFF for at in range(4096)),
    "beginnings": b"/AAA\n\n",
    "ends": b"\n!0\n",
    "ends without digits": b"\n!\n",
    "beginnings and ends": b"/AAA\n\n!0\n",
    "beginnings, brackets and ends": b"/AAA\n\n(\n!\n",
    "ends never sure": b"\n!1 ",
    "slashes": b"/",
    "marks": b"!",
    "idle": b"\xff\x00",
    "headers without an end": b"/AAA" + b"x" * 60,
}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_streams_take_bounded_memory_and_linear_time(pattern: bytes) -> None:
    block = (pattern * (32768 // len(pattern) + 1))[:32768]
    framer = Framer()
    tracemalloc.start()
    started = time.perf_counter()
    rejected = sum(len(item.raw) for _ in range(4) for item in framer.feed(block))
    elapsed = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 128 KiB are 11 s of a serial line; tracemalloc slows the search threefold.
    assert elapsed < 11
    assert peak < 4_000_000
    left = sum(len(item.raw) for item in framer.close())
    assert left <= LIMIT + 100
    if pattern != HOSTILE["idle"]:
        assert rejected + left > 4 * 32768 * 0.2
    assert telegrams_in(list(framer.feed(numbered(1)))) == [numbered(1)]


def test_a_month_of_noise_is_given_out_in_bounded_pieces() -> None:
    framer = Framer()
    for _ in range(100):
        for item in framer.feed(HOSTILE["noise"]):
            assert isinstance(item, Reject)
            assert len(item.raw) <= LIMIT
    assert telegrams_in(list(framer.feed(b"\r\n" + dutch(3)))) == [dutch(3)]


def test_noise_that_looks_like_a_telegram_without_a_crc_is_none() -> None:
    # What random printable bytes gave: a beginning, balanced brackets, an end, and no object.
    for noise in (b"/ABC\r\n()\r\n!\r\n", b"/XYZ5\n(a)(b)\nx-0:1.8.1(2)\n!\n"):
        items = [*(framer := Framer()).feed(noise * 3), *framer.close()]
        assert items
        assert all(isinstance(item, Reject) for item in items)
    old = telegram("1-0:1.8.1(00001.001*kWh)", crc=None)
    assert [item.raw for item in Framer().feed(old) if isinstance(item, Telegram)] == [old]
