"""Telegrams made of random objects come back exactly: digits in, the same Decimal out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from captured import NAMES as CAPTURED
from captured import capture, signed
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.telegram import Measurement, Telegram, obis, parse
from dsmrctl.telegram.document import document
from dsmrctl.terminal.output import dumps

NUMBERS = [f"1-0:{cde}" for cde, entry in obis.ELECTRICITY.items() if entry.kind == "number"] + [
    "0-0:96.7.21",
    "0-0:17.0.0",
]
UNITS = ["kWh", "kW", "V", "A", "m3", "kvarh", "GJ", "s", None]
CET, CEST = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))

digits = st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", fullmatch=True)
units = st.sampled_from(UNITS)
times = st.builds(
    lambda when, zone: when.replace(microsecond=0, tzinfo=zone),
    st.datetimes(datetime(2001, 1, 1), datetime(2059, 12, 31)),
    st.sampled_from([CET, CEST]),
)


def written(number: str, unit: str | None) -> str:
    return f"{number}*{unit}" if unit else number


def stamped(when: datetime) -> str:
    return f"{when:%y%m%d%H%M%S}{'S' if when.tzinfo == CEST else 'W'}"


def telegram(*lines: str) -> Telegram:
    body = "".join(f"{line}\r\n" for line in ("/XXX5TEST", "", *lines)) + "!"
    return parse(signed(body.encode("latin-1")))


@given(st.lists(st.tuples(st.sampled_from(NUMBERS), digits, units), max_size=40))
def test_every_number_comes_back_with_its_digits_and_unit(
    sent: list[tuple[str, str, str | None]],
) -> None:
    found = telegram(*(f"{code}({written(number, unit)})" for code, number, unit in sent))
    assert [(item.code, *item.numbers()) for item in found.objects] == [
        (code, (Decimal(number), unit, None)) for code, number, unit in sent
    ]
    assert found.numbers() == [(Decimal(number), unit, None) for _, number, unit in sent]
    assert found.diagnostics == ()


@given(st.sampled_from(NUMBERS), digits, units)
def test_the_json_of_a_number_is_that_number(code: str, number: str, unit: str | None) -> None:
    text = dumps(document(telegram(f"{code}({written(number, unit)})"))["objects"])
    assert f'"value": {Decimal(number):f}' in text


@given(st.lists(st.tuples(times, times, digits), max_size=13))
def test_month_peaks_come_back_in_order_from_any_order(
    sent: list[tuple[datetime, datetime, str]],
) -> None:
    records = [
        (when.replace(day=1, hour=0, minute=0, second=0), occurred, number)
        for when, occurred, number in sent
    ]
    line = f"0-0:98.1.0({len(records)})(1-0:1.6.0)(1-0:1.6.0)" + "".join(
        f"({stamped(captured)})({stamped(occurred)})({number}*kW)"
        for captured, occurred, number in records
    )
    found = telegram(line)
    assert [peak.month for peak in found.peaks] == sorted(
        (captured - timedelta(days=1)).date().replace(day=1) for captured, _, _ in records
    )
    assert sorted((peak.time, peak.demand.number) for peak in found.peaks if peak.time) == sorted(
        (occurred, Decimal(number)) for _, occurred, number in records
    )
    assert found.diagnostics == ()


@given(
    st.lists(
        st.tuples(st.sampled_from([(3, "gas"), (7, "water"), (4, "heat")]), times, digits),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["24.2.1", "24.2.3"]),
)
def test_each_channel_s_reading_comes_back_under_its_own_medium(
    sent: list[tuple[tuple[int, str], datetime, str]], cde: str
) -> None:
    lines = []
    for channel, ((code, _), when, number) in enumerate(sent, 1):
        lines += [
            f"0-{channel}:24.1.0({code:03})",
            f"0-{channel}:{cde}({stamped(when)})({number}*m3)",
        ]
    meters = telegram(*lines).mbus
    assert [(meter.channel, meter.medium, meter.reading) for meter in meters] == [
        (channel, medium, Measurement(Decimal(number), "m3", when))
        for channel, ((_, medium), when, number) in enumerate(sent, 1)
    ]


@given(times)
def test_a_stamp_comes_back_as_the_same_moment(when: datetime) -> None:
    found = telegram(f"0-0:1.0.0({stamped(when)})").time
    assert found is not None
    assert (found, found.utcoffset()) == (when.astimezone(UTC), when.utcoffset())


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=200))
def test_a_message_in_hex_comes_back_as_it_was_written(text: str) -> None:
    coded = text.encode("utf-8").hex().upper()
    message = telegram(f"0-0:96.13.0({coded})", "1-0:1.8.1(000001.000*kWh)")
    shown = text if text.translate({9: None, 0: None}).isprintable() else coded
    assert message.message == (shown or None)
    assert message.import_t1 is not None


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=40), max_size=20))
def test_lines_of_anything_never_cost_the_lines_around(lines: list[str]) -> None:
    found = Telegram(
        "\r\n".join(["/XXX5", "", "1-0:1.8.1(000301.548*kWh)", *lines]).encode("latin-1") + b"\r\n!"
        b"\r\n"
    )
    assert found.objects[0].code == "1-0:1.8.1"
    count = sum(line.count("\n") + line.count("\r") + 1 for line in lines)
    assert len(found.diagnostics) <= 4 * count
    assert dumps(document(found))


@given(st.data())
def test_numbers_are_those_of_the_objects_in_order(data: st.DataObject) -> None:
    found = capture(data.draw(st.sampled_from(CAPTURED)))
    assert found.numbers() == [each for item in found.objects for each in item.numbers()]
