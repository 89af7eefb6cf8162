"""Anonymous telegrams: the same quantities, a CRC that holds, and nothing that names anybody."""

from __future__ import annotations

import re

import pytest
from captured import NAMES, capture, crc16, raw, signed
from hypothesis import assume, given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.telegram import Telegram, parse
from dsmrctl.telegram.anonymous import UNITS, Anonymiser
from dsmrctl.telegram.document import quantities

BELGIAN = "belgium_emucs-2.1_relays_ean"


def said(telegram: Telegram) -> dict[str, object]:
    """All that programs make of a telegram, but who sent it."""
    return {
        **quantities(telegram),
        "peaks": [(each.month, each.time, each.demand.number) for each in telegram.peaks],
        "failures": [(each.time, each.duration.number) for each in telegram.failures],
        "country": telegram.country,
        "version": telegram.version,
        "crc": telegram.crc,
        "numbers": [
            [
                (number, unit if unit in UNITS else "?", time)
                for number, unit, time in item.numbers()
                if unit
            ]
            for item in telegram.objects
            if item.kind not in ("unknown", "text")
        ],
        "mbus": [
            (each.channel, each.medium, each.valve, each.reading)
            for each in telegram.mbus
            if each.reading and each.reading.unit in UNITS
        ],
    }


def anonymous(telegram: Telegram) -> Telegram:
    """Made anonymous, and read again by whoever gets it."""
    found = Anonymiser().telegram(telegram)
    again = parse(found.raw)
    assert again.crc == found.crc
    if again.crc == "valid":  # by a CRC that is not ours
        body, _, digits = found.raw.rpartition(b"!")
        assert int(digits, 16) == crc16(body + b"!")
    return again


def names_of(telegram: Telegram) -> set[str]:
    """Each id in it as it stands there, and in clear."""
    found = set()
    for item in telegram.objects:
        if item.kind == "text":
            found |= {*item.values, item.text or ""}
    return {each for each in found if len(each) >= 6}


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_says_the_same_without_a_name(name: str) -> None:
    telegram = capture(name)
    found = anonymous(telegram)
    assert said(found) == said(telegram)
    text = found.raw.decode("latin-1").upper()
    for each in names_of(telegram):
        assert each.upper() not in text
        assert each.encode("latin-1", "replace").hex().upper() not in text
    assert not found.message
    assert not re.search(r"[1-9]\d{5,}", found.ident[4:])


def test_a_meter_keeps_its_form_and_stays_apart_from_others() -> None:
    anonymiser = Anonymiser()
    first, second = (anonymiser.telegram(capture(BELGIAN)) for _ in range(2))
    assert first.raw == second.raw
    assert first.serial == "00000000000001"
    assert first.ean is None  # as it was
    assert [each.serial for each in first.mbus] == ["00000000000003", "00000000000004"]
    assert first.mbus[0].ean == "000000000000000005"
    other = anonymiser.telegram(capture("sweden_h1"))
    assert other.serial is None or other.serial not in (first.serial, None)
    assert len(first.raw) == len(raw(BELGIAN)) - (raw(BELGIAN).count(b"\xff"))


def test_luxembourg_and_hungary_name_the_meter_elsewhere() -> None:
    for name, code in (
        ("luxembourg_smarty", "0-0:42.0.0"),
        ("hungary_previous-month", "0-0:42.0.0"),
    ):
        telegram = capture(name)
        found = anonymous(telegram)
        before, after = telegram[code].text, found[code].text
        assert before
        assert after
        assert len(after) == len(before)
        assert set(after) <= set("0123456789")


def test_a_name_that_is_invented_already_becomes_another() -> None:
    ours = signed(raw(BELGIAN).replace(b"3153414731313030303939303031", b"30" * 13 + b"31"))
    assert parse(ours).serial == "00000000000001"
    assert anonymous(parse(ours)).serial == "99999999999999"


def test_an_unknown_line_gives_nothing_away() -> None:
    lines = b"".join(
        line + b"\r\n"
        for line in (
            b"0-0:96.99.1(JANSSENS KERKSTR. 1)",
            b"1-0:99.1.1(20260314)(12)(5.5*kW)",
            b"Janssens, Kerkstr. 1",
            b"1-0:0.0.0(51234567)",
            b"0-0:96.99.2(1*Janssens)",
        )
    )
    telegram = parse(signed(raw(BELGIAN).replace(b"1-0:1.8.1", lines + b"1-0:1.8.1", 1)))
    found = anonymous(telegram)
    assert said(found) == said(telegram)
    text = found.raw.decode()
    for word in ("JANSSENS", "Janssens", "KERKSTR", "20260314", "51234567"):
        assert word not in text
    assert "1-0:99.1.1(xxxxxxxx)(12)(5.5*kW)" in text


secrets = st.one_of(
    st.from_regex(r"[A-Z]{4}[0-9]{6,14}", fullmatch=True),
    st.from_regex(r"[2-9][0-9]{9,17}", fullmatch=True),
    st.from_regex(r"[A-Za-z][a-z]{5,12} [A-Z][a-z]{5,12}", fullmatch=True),
)
# Where a name may stand; {} is it as it is, {hex} in hex.
PLACES = (
    "0-0:96.1.1({hex})", "0-0:96.1.1({})", "0-0:96.1.0({hex})", "0-0:96.1.2({hex})",
    "0-1:96.1.0({hex})", "0-2:96.1.1({})", "0-1:96.1.2({hex})", "0-0:42.0.0({hex})",
    "0-0:42.0.0({})", "0-0:96.13.0({hex})", "0-0:96.13.0({})", "0-0:96.13.1({})",
    "0-0:96.13.0(two lines:\r\n{})", "0-0:96.13.0((a) {} (b", "{}", "0-0:96.77.7({})({hex})",
    "1-0:32.7.0(230.1*{})", "0-0:96.14.0({})", "1-0:1.7.0({})", "1-0:1.7.0(00.338*kW){}",
    "0-0:98.1.0({})", "0-3:24.2.1({})(00012.000*m3)", "0-0:1.0.0({})", "9-9:1.2.3({hex})",
)  # fmt: skip


@pytest.mark.slow
@given(st.sampled_from(NAMES), secrets, st.lists(st.sampled_from(PLACES), min_size=1, max_size=4),
       st.booleans(), st.data())  # fmt: skip
def test_no_name_comes_through_wherever_it_stands(
    name: str, secret: str, places: list[str], in_header: bool, data: st.DataObject
) -> None:
    coded = secret.encode().hex()
    before = raw(name)
    assume(secret.encode() not in before and len(secret) != 12)  # which might be a time
    lines = [place.replace("{hex}", coded).replace("{}", secret) for place in places]
    if not in_header:
        header = None
    else:
        header = f"/FLU5\\{secret}_A" if secret[0].isdigit() else f"/XMX5LGB{secret}"
        lines.append(f"0-0:96.1.1({coded})")
    telegram = parse(_with(before, lines, header, data))
    found = anonymous(telegram)
    text = found.raw.decode("latin-1").upper()
    assert secret.upper() not in text
    assert coded.upper() not in text
    assert coded.encode().hex().upper() not in text
    assert said(found) == said(telegram)


def _with(telegram: bytes, lines: list[str], header: str | None, data: st.DataObject) -> bytes:
    """A telegram with more lines somewhere in it, and another header."""
    head, *body = telegram[: telegram.rindex(b"!")].decode("latin-1").split("\n")
    for line in lines:
        body.insert(data.draw(st.integers(0, len(body) - 1)), line + "\r")
    if header is not None:
        head = header + "\r"
    return signed("\n".join([head, *body]).encode("latin-1") + b"!")


@given(st.sampled_from(NAMES), st.data())
def test_damaged_telegrams_say_the_same_too(name: str, data: st.DataObject) -> None:
    before = raw(name)
    end = before.rindex(b"!")
    body = bytearray(before[:end])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(6, len(body) - 1))
        body[at] = data.draw(st.sampled_from(b"()*.:-0123456789WSkVAx! \xb3"))
    try:
        telegram = parse(signed(bytes(body) + b"!"))
    except errors.BadData:
        assume(False)
        raise
    assert said(anonymous(telegram)) == said(telegram)
