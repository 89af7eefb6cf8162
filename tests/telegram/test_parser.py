"""From bytes to a Telegram: shape and CRC, and nothing but BadTelegram for what is none."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable
from types import FrameType

import pytest
from captured import NAMES, capture, crc16, raw, signed
from hypothesis import example, given
from hypothesis import strategies as st

from dsmrctl.telegram import BadTelegram, Telegram, parse
from dsmrctl.telegram.document import document
from dsmrctl.telegram.explain import explain
from dsmrctl.telegram.parser import LIMIT
from dsmrctl.terminal.output import dumps

REASONS = ("garbage", "truncated", "overrun", "crc")
WHOLE = raw("belgium_emucs-1.7.1_gas_water_13-months")


def reason(data: bytes) -> str:
    with pytest.raises(BadTelegram) as raised:
        parse(data)
    return raised.value.reason


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_is_read_and_its_crc_is_what_the_specification_gives(name: str) -> None:
    telegram = capture(name)
    data = telegram.raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    at = data.rindex(b"!")
    digits = data[at + 1 :].strip()
    assert telegram.crc == ("valid" if digits else "absent")
    if digits:
        assert int(digits, 16) == crc16(data[: at + 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_has_the_line_ends_its_name_says(name: str) -> None:
    data = raw(name)
    assert (b"\r\n" in data) == (name != "line-feeds-only")
    assert data.count(b"\n") == data.count(b"\r\n") or name == "line-feeds-only"


def test_parsing_reads_nothing_yet_and_keeps_every_byte() -> None:
    telegram = parse(WHOLE)
    assert telegram._objects is None
    assert telegram.raw == WHOLE


def test_every_flipped_bit_is_found() -> None:
    for at in range(0, len(WHOLE) - 2, 7):
        damaged = bytearray(WHOLE)
        damaged[at] ^= 1 << at % 8
        try:
            parse(bytes(damaged))
        except BadTelegram:
            continue
        # Only the case of a CRC digit may change.
        assert bytes(damaged).upper() == WHOLE.upper()


def test_a_wrong_crc_says_both_and_what_to_do() -> None:
    with pytest.raises(BadTelegram, match=r"it says 0BAD, its bytes give [0-9A-F]{4}") as raised:
        parse(WHOLE[:-6] + b"0bad\r\n")
    assert (raised.value.reason, raised.value.exit_code) == ("crc", 6)
    assert "cable" in (raised.value.hint or "")


@pytest.mark.parametrize("end", [-1, -3, -8, -40, 100, 5])
def test_a_cut_telegram_is_truncated_or_has_a_wrong_crc(end: int) -> None:
    if end == -1:
        assert parse(WHOLE[:end]).crc == "valid"  # only its last line feed is missing
    else:
        assert reason(WHOLE[:end]) in ("truncated", "crc")


@pytest.mark.parametrize("data", [b"", b"\0\xff\r\n", b"hello", WHOLE[1:], b"/1\r\n!\r\n", b"!"])
def test_what_does_not_begin_like_a_telegram_is_garbage(data: bytes) -> None:
    assert reason(data) == "garbage"


def test_two_telegrams_are_not_one() -> None:
    assert reason(WHOLE + WHOLE) == "garbage"


def test_idle_bytes_around_are_no_part_of_it() -> None:
    assert parse(b"\xff\0\r\n" + WHOLE + b"\0\xff\r\n\xff").raw == WHOLE


def test_a_telegram_has_a_longest_length() -> None:
    body = b"/XXX5\r\n\r\n0-0:96.13.0(" + b"3" * LIMIT + b")\r\n!"
    assert reason(signed(body)) == "overrun"


def test_a_message_of_2048_characters_is_taken() -> None:
    text = "Let op! " * 256
    body = f"/XXX5\r\n\r\n0-0:96.13.0({text.encode().hex()})\r\n!".encode()
    assert parse(signed(body)).message == text


def test_signs_and_blanks_are_no_digits_of_a_crc() -> None:
    for digits in (b"+1F2", b" 1F2", b"0x1F", b"1_F2"):
        assert reason(WHOLE[:-6] + digits + b"\r\n") in ("truncated", "crc", "garbage")


@given(st.binary(max_size=300))
@example(b"/XXX5\r\n\r\n!\r\n")
def test_any_bytes_are_a_telegram_or_a_bad_one(data: bytes) -> None:
    try:
        found: object = parse(data)
    except BadTelegram as bad:
        found = bad
    assert isinstance(found, Telegram) or found.reason in REASONS  # type: ignore[attr-defined]


def worked(function: str, argument: str, job: Callable[[], object]) -> int:
    """How many characters or bytes `function` was given as `argument` while `job` was done."""
    total = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal total
        if event == "call" and frame.f_code.co_name == function:
            total += len(frame.f_locals[argument])

    sys.setprofile(count)
    try:
        job()
    finally:
        sys.setprofile(None)
    assert total
    return total


@pytest.mark.parametrize("lines", ["(", "(\r", "1", "x(", ")"])
def test_lines_that_go_on_and_on_cost_no_more_each(lines: str) -> None:
    def read(count: int) -> Telegram:
        many = f"{lines}\r\n" * count
        return Telegram(f"/XXX5\r\n\r\n0-0:96.13.0(\r\n{many}!\r\n".encode(), "absent")

    once, twice = (worked("_object", "line", read(n).numbers) for n in (1000, 2000))
    assert twice < 2.2 * once
    assert once < 20_000


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_that_look_like_the_end_cost_no_more_each(end: bytes) -> None:
    def refuse(count: int) -> None:
        assert reason(b"/XXX5" + end + end + (b"!FFFF" + end) * count) in ("crc", "garbage")

    once, twice = (worked("crc16", "data", lambda n=n: refuse(n)) for n in (1000, 2000))
    assert twice < 2.2 * once


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_right_one_of_many_ends_is_found(end: str) -> None:
    body = "/XXX5\r\n\r\n0-0:96.13.0(\r\n" + "!12\r\n" * 500 + ")\r\n!"
    sent = signed(body.encode())
    assert parse(sent.replace(b"\r\n", end.encode())).crc == "valid"


def test_an_object_on_many_lines_is_one_object() -> None:
    def values(*lines: str) -> list[tuple[str, tuple[str, ...], int]]:
        body = "".join(f"{line}\r\n" for line in ("/XXX5", "", *lines, "!"))
        objects = Telegram(body.encode("latin-1")).objects
        return [(each.code, each.values, each.line) for each in objects]

    assert values("0-0:96.13.0(41", "42", "", "43)", "0-0:96.14.0(0001)") == [
        ("0-0:96.13.0", ("414243",), 3),
        ("0-0:96.14.0", ("0001",), 7),
    ]
    for first, second in (("", ""), (" ", ""), ("", " "), ("\xff", " ")):
        assert values(f"1-0:1.8.1{first}", f"{second}(5*kWh)", "(6)") == [
            ("1-0:1.8.1", ("5*kWh", "6"), 3)
        ]


SIGNS = [
    b"(",
    b")",
    b")(",
    b"()",
    b"\r\n",
    b"0",
    b"9" * 30,
    b"*",
    b"-",
    b"!",
    b"\xb2",
    b"1-0:1.8.1(",
]


def damaged(raw: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """`raw` with pieces of it (place, length) replaced."""
    for place, length, piece in cuts:
        at = place % (len(raw) + 1)
        raw = raw[:at] + piece + raw[at + length :]
    return raw


def read_all(data: bytes) -> None:
    """Read everything a telegram can be asked for, whether its CRC holds or not."""
    telegram = Telegram(data, "absent")
    assert telegram.numbers() == [each for item in telegram.objects for each in item.numbers()]
    assert dumps(document(telegram))
    assert explain(telegram, "nl")
    assert len(telegram.peaks) + len(telegram.failures) <= len(telegram.numbers())
    assert repr(telegram).startswith("<Telegram ")
    with contextlib.suppress(BadTelegram):
        parse(data)


cuts = st.tuples(
    st.integers(0, 5000), st.integers(0, 40), st.binary(max_size=4) | st.sampled_from(SIGNS)
)


@given(st.sampled_from(NAMES), st.lists(cuts, min_size=1, max_size=8))
def test_no_damage_inside_a_telegram_makes_reading_it_fail(
    name: str, places: list[tuple[int, int, bytes]]
) -> None:
    read_all(damaged(raw(name), places))


@pytest.mark.parametrize(
    "line",
    ["0-0:96.1.4(2)", "0-0:96.1.4(502)", "1-3:0.2.8(\xb2)", "1-3:0.2.8()", "0-0:96.14.0(\xb2)",
     "0-1:24.1.0(\xb9)", "0-1:24.4.0(99999)", "0-0:98.1.0(\xb3)", "1-0:99.97.0(\xb3)", "0-0:1.0.0"],
)  # fmt: skip
def test_odd_codes_and_digits_of_other_scripts_are_no_reason_to_fail(line: str) -> None:
    read_all(f"/XXX5\r\n\r\n{line}\r\n!\r\n".encode("latin-1"))


@pytest.mark.soak
def test_100_000_damaged_telegrams_are_read_without_failing() -> None:
    chance = random.Random(20260314)
    captures = [raw(name) for name in NAMES]
    for _ in range(100_000):
        places = [
            (chance.randrange(5000), chance.choice([0, 1, 1, 2, 40]), piece)
            for piece in chance.choices([*SIGNS, chance.randbytes(1), chance.randbytes(3)], k=6)
        ]
        read_all(damaged(chance.choice(captures), places[: chance.randint(1, 6)]))
