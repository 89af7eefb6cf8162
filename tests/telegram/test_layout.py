"""The layout cache says what the general parser says, on every shape and whatever the digits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime

import captured
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsmrctl.telegram import Telegram, layout, values

ORDINARY = (
    "belgium_emucs-1.3",
    "belgium_emucs-1.7.1_gas_water_13-months",
    "belgium_emucs-2.1_relays_ean",
    "luxembourg_smarty",
    "netherlands_dsmr-4.2",
    "netherlands_dsmr-5.0",
    "sweden_h1",
)
SENTINELS = ("632525252525W", "700101010000W", "000000000000W", "000101000001W", "250000000000W")


@pytest.fixture(autouse=True)
def _nothing_learned() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    layout._layouts.clear()
    layout._misses.clear()
    layout._last = (b"", None)


def general(raw: bytes) -> Telegram:
    """One that is read the general way: its objects are there before anything is asked."""
    telegram = Telegram(raw)
    assert telegram.objects is not None
    return telegram


def same(raw: bytes) -> None:
    """Everything a layout may answer, with every digit (0.10 is not 0.1) and every offset.

    Each is asked of a telegram of its own: once objects were needed they answer all the rest.
    """
    slow = general(raw)
    assert repr(Telegram(raw).numbers()) == repr(slow.numbers())
    assert repr(Telegram(raw).time) == repr(slow.time)
    for key in {item.obis.key for item in slow.objects}:
        assert repr(Telegram(raw).measured(key)) == repr(slow.measured(key))


def redigited(raw: bytes, digits: st.DataObject, alphabet: str = "0123456789") -> bytes:
    """`raw` with other digits between its brackets; hypothesis chooses which and what."""
    places = [at for at in range(raw.index(b"("), raw.rindex(b")")) if 48 <= raw[at] <= 57]
    inside = [at for at in places if raw.rfind(b"(", 0, at) > raw.rfind(b"\n", 0, at)]
    changed = bytearray(raw)
    chosen = digits.draw(st.lists(st.sampled_from(inside), max_size=30))
    for at in chosen:
        changed[at] = ord(digits.draw(st.sampled_from(alphabet)))
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("name", captured.NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_every_capture_with_other_digits_is_read_as_the_general_parser_does(
    name: str, data: st.DataObject
) -> None:
    raw = captured.raw(name)
    for _ in range(4):
        same(raw)
        same(redigited(raw, data))
        same(redigited(raw, data, "0123456789:;<=>?"))


@pytest.mark.parametrize("name", ORDINARY)
def test_the_second_telegram_of_an_ordinary_meter_is_learned_from(name: str) -> None:
    raw = captured.raw(name)
    assert layout.numbers(raw) is None
    assert layout.numbers(bytes(bytearray(raw))) == general(raw).numbers()


def usual(raw: bytes) -> bool:
    """Whether it ends as telegrams do, with its CRC, and no line looks like an end before."""
    return (
        raw.count(b"!") == 1
        and raw[-7:-6] == b"!"
        and raw.endswith(b"\r\n")
        and b"\n" not in raw.replace(b"\r\n", b"")
    )


@pytest.mark.parametrize("name", captured.NAMES)
def test_every_capture_with_the_usual_end_has_a_layout_and_no_other(name: str) -> None:
    raw = captured.raw(name)
    assert (layout.learn(raw) is not None) == usual(raw)


@pytest.mark.parametrize("name", ORDINARY)
def test_a_learned_meter_needs_no_general_parser_for_its_next_values(name: str) -> None:
    learned = layout.learn(captured.raw(name))
    assert learned is not None
    answers = iter(range(10**6))
    raw = learned.filled(lambda below: (next(answers) * 7 + 3) % below)
    assert layout.numbers(raw) is None  # the first of its length
    layout._layouts[len(raw)] = (learned,)
    layout._last = (b"", None)
    slow = general(raw)
    assert layout.numbers(raw) == slow.numbers() != general(learned.raw).numbers()
    assert layout.time(raw) == slow.time
    assert layout.measured(raw, "1.7.0") == slow.measured("1.7.0")


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_a_time_that_means_never_is_left_to_the_general_parser(sentinel: str) -> None:
    raw = captured.raw("belgium_emucs-1.7.1_gas_water_13-months")
    for _ in range(3):
        same(bytes(bytearray(raw)))
    for key in (b"0-0:1.0.0(", b"1-0:1.6.0(", b"0-1:24.2.3("):
        at = raw.index(key) + len(key)
        never = raw[:at] + sentinel.encode() + raw[at + 13 :]
        same(never)
        assert layout.numbers(never) is None or key == b"0-0:1.0.0("


def test_a_number_with_more_than_digits_is_left_to_the_general_parser() -> None:
    raw = captured.raw("belgium_emucs-1.7.1_gas_water_13-months")
    for _ in range(3):
        same(bytes(bytearray(raw)))
    at = raw.index(b"1-0:1.7.0(") + len(b"1-0:1.7.0(")
    odd = raw[:at] + b"0:" + raw[at + 2 :]
    assert layout.numbers(odd) is None
    same(odd)


@pytest.mark.parametrize("sign", "_eE+- .,()aN\xff")
def test_a_sign_between_the_digits_is_read_as_the_general_parser_does(sign: str) -> None:
    raw = captured.raw("belgium_emucs-1.7.1_gas_water_13-months")
    for _ in range(3):
        same(bytes(bytearray(raw)))
    for key in (b"1-0:1.8.1(", b"1-0:1.7.0(", b"1-0:32.7.0(", b"0-0:1.0.0(", b"1-0:1.6.0("):
        for place in range(raw.index(key) + len(key), raw.index(b")", raw.index(key))):
            same(raw[:place] + sign.encode("latin-1") + raw[place + 1 :])


@pytest.mark.parametrize("flag", "SWXsw0U")
def test_a_flag_is_summer_or_winter_and_nothing_else(flag: str) -> None:
    raw = captured.raw("belgium_emucs-1.7.1_gas_water_13-months")
    for _ in range(3):
        same(bytes(bytearray(raw)))
    for key in (b"0-0:1.0.0(", b"1-0:1.6.0(", b"0-1:24.2.3("):
        at = raw.index(key) + len(key) + 12
        changed = raw[:at] + flag.encode() + raw[at + 1 :]
        same(changed)
        if flag in "SW":
            assert layout.numbers(changed) is not None
            assert len(layout._layouts[len(raw)]) == 1


def test_bytes_that_may_change_are_never_remembered() -> None:
    raw = captured.raw("belgium_emucs-1.3")
    for _ in range(3):
        same(bytes(bytearray(raw)))
    assert layout.numbers(bytes(bytearray(raw))) is not None
    assert layout.numbers(bytearray(raw)) is None  # type: ignore[arg-type]


def test_many_shapes_keep_the_memory_bounded() -> None:
    base = captured.raw("belgium_emucs-1.3")
    for n in range(100):
        text = b"0-0:96.13.0(%s)\r\n!" % (b"4" * n)
        raw = base.replace(b"!", text)
        for _ in range(3):
            same(bytes(bytearray(raw)))
    for n in range(40):
        raw = base.replace(b"!", b"0-0:96.13.0(%04d)\r\n!" % n)
        for _ in range(3):
            same(bytes(bytearray(raw)))
    assert len(layout._layouts) <= 16
    assert len(layout._misses) <= 16
    assert all(len(found) <= 4 for found in layout._layouts.values())


@pytest.mark.slow
def test_a_meter_that_always_changes_its_shape_is_seldom_learned_from(monkeypatch) -> None:
    learned = []
    learn = layout.learn
    monkeypatch.setattr(layout, "learn", lambda raw: learned.append(1) or learn(raw))
    base = captured.raw("belgium_emucs-1.3")
    for n in range(1000):
        same(base.replace(b"!", b"0-0:96.13.0(%04d)\r\n!" % n))
    assert len(learned) <= 12


@given(st.datetimes(datetime(2001, 1, 1), datetime(2069, 12, 31)), st.sampled_from("SW"))
@example(datetime(2024, 2, 29, 23, 59, 59), "W")
def test_every_time_of_69_years_is_what_the_general_parser_makes_of_it(when, flag) -> None:
    text = f"{when:%y%m%d%H%M%S}{flag}"
    expected = values.stamp(text)
    for _ in range(2):
        found = layout.when(text)
        assert (found, found.tzname()) == (expected, expected.tzname())


@pytest.mark.parametrize("unset", SENTINELS)
def test_never_is_never_also_in_a_minute_that_was_there_before(unset: str) -> None:
    for second in range(60):
        text = f"{unset[:10]}{second:02}{unset[12]}"
        assert result(layout.when, text) == result(values.stamp, text)


def result(function: Callable[[str], datetime], text: str) -> object:
    try:
        return function(text)
    except values.BadValue as wrong:
        return wrong.kind


@given(st.text("0123456789", min_size=12, max_size=12), st.sampled_from("SW"))
@example("000101000001", "W")
@example("700101000001", "S")
def test_what_is_no_time_is_none_here_either(digits: str, flag: str) -> None:
    for _ in range(2):
        assert result(layout.when, digits + flag) == result(values.stamp, digits + flag)


# --- telegrams nobody has seen -------------------------------------------------------------------

codes = st.sampled_from([
    "1-0:1.8.1", "1-0:1.8.2", "1-1:1.8.1", "1-0:1.7.0", "1-0:1.6.0", "1-0:32.7.0", "0-0:96.14.0",
    "0-0:96.1.1", "0-0:1.0.0", "0-0:98.1.0", "1-0:99.97.0", "0-1:24.1.0", "0-1:24.2.1",
    "0-1:24.2.3", "0-2:24.2.1", "0-1:24.3.0", "0-0:96.13.0", "1-0:9.9.9", "9-9:1.2.3", "0-0:17.0.0",
])  # fmt: skip
stamps = st.builds(
    lambda when, flag: f"{when:%y%m%d%H%M%S}{flag}",
    st.datetimes(datetime(2001, 1, 1), datetime(2069, 12, 31)),
    st.sampled_from(["S", "W", ""]),
)
texts = st.one_of(
    st.from_regex(r"-?[0-9]{1,7}(\.[0-9]{1,3})?(\*(kWh|kW|W|V|A|m3|s))?", fullmatch=True),
    stamps,
    st.sampled_from(SENTINELS),
    codes,
    st.sampled_from(["", "1", "3", "0001", "(", "))", "kWh", "1.5*", "12e3", "123456789012"]),
)
lines = st.one_of(
    st.builds(
        lambda code, values: code + "".join(f"({value})" for value in values),
        codes,
        st.lists(texts, min_size=0, max_size=5),
    ),
    st.builds(lambda value: f"({value})", texts),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="!"), max_size=9),
)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(lines, min_size=1, max_size=12), st.data())
def test_telegrams_nobody_has_seen_are_read_as_the_general_parser_does(
    body: list[str], data: st.DataObject
) -> None:
    raw = ("/ABC5meter\r\n\r\n" + "".join(f"{line}\r\n" for line in body) + "!ABCD\r\n").encode()
    for _ in range(3):
        same(raw)
        if b"(" in raw and raw.rindex(b")" if b")" in raw else b"(") > raw.index(b"("):
            same(changed(raw, data))


def changed(raw: bytes, data: st.DataObject) -> bytes:
    places = [at for at in range(raw.index(b"("), len(raw) - 8) if 48 <= raw[at] <= 57]
    copy = bytearray(raw)
    for at in data.draw(st.lists(st.sampled_from(places), max_size=12)) if places else []:
        copy[at] = ord(data.draw(st.sampled_from("0123456789:?")))
    return bytes(copy)


# --- without it ----------------------------------------------------------------------------------

WITHOUT = """
import sys
for name in ("layout", "matrix"):
    sys.modules[f"dsmrctl.telegram.{name}"] = None
import pytest
options = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not soak"]
sys.exit(pytest.main([*options, *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_everything_but_the_speed_stays_without_the_fast_paths() -> None:
    others = ("test_quirks", "test_countries", "test_document", "test_explain", "test_obis")
    files = [str(ROOT / "tests" / "telegram" / f"{name}.py") for name in others]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *files], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
