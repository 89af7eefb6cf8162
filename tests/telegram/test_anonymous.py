"""Anonymous telegrams: the same quantities, a CRC that holds, and nothing that names anybody."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from captured import NAMES, capture, crc16, raw, signed
from hypothesis import assume, given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.telegram import Telegram, parse
from dsmrctl.telegram.anonymous import UNITS, Anonymiser
from dsmrctl.telegram.document import quantities

BELGIAN = "belgium_emucs-2.1_relays_ean"


def plausible(number: Decimal, unit: str | None) -> Decimal | None:
    """A number that may be a quantity; of ten digits without a unit we know it is an id's."""
    return number if unit in UNITS or abs(number) < 10**9 else None


def said(telegram: Telegram) -> dict[str, object]:
    """All that programs make of a telegram, but who sent it."""
    return {
        **quantities(telegram),
        "peaks": [
            (each.month, each.time, plausible(each.demand.number, each.demand.unit))
            for each in telegram.peaks
        ],
        "failures": [
            (each.time, plausible(each.duration.number, each.duration.unit))
            for each in telegram.failures
        ],
        "country": telegram.country,
        "version": telegram.version,
        "crc": telegram.crc,
        "numbers": [
            [
                (plausible(number, unit), unit if unit in UNITS else "?", time)
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


@pytest.mark.parametrize("name", [name for name in NAMES if name != "not-numbers"])
def test_every_unit_that_a_meter_was_seen_to_send_stays(name: str) -> None:
    """`said` above passes over units that are crossed out; among real ones is none."""
    pairs = zip(capture(name).objects, anonymous(capture(name)).objects, strict=True)
    for before, after in pairs:
        if before.kind not in ("unknown", "text"):
            assert [each[1] for each in after.numbers()] == [each[1] for each in before.numbers()]


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
    assert "1-0:99.1.1(xxxxxxxx)(xx)(5.5*kW)" in text  # a piece of an id is none of theirs either


SERIAL = "1SAG1100099001"


@pytest.mark.parametrize(
    "line",
    [
        "0-3:24.2.1(11000990)(00012.000*m3)",
        "0-0:96.7.21(00100099)",
        "1-0:99.97.0(11000990)()",
        "1-0:1.7.0(1100099001*id)",
        "1-0:1.7.0(2345678901*id)",
        "0-0:96.99.1(1100)(0990)(9001)",
        "0-0:96.99.1(1100099001*s)",
        "0-1:96.13.0(1100)",
        f"0-0:96.99.1({SERIAL.lower()})",
    ],
)
def test_a_serial_that_comes_again_as_a_number_goes_too(line: str) -> None:
    again = f"0-0:96.1.1({SERIAL})\r\n{line}\r\n1-0:1.8.1".encode()
    telegram = parse(signed(raw(BELGIAN).replace(b"1-0:1.8.1", again, 1)))
    text = anonymous(telegram).raw.decode()
    assert line not in text
    left = next(each for each in text.split("\r\n") if each.startswith(line.partition("(")[0]))
    for piece in re.findall("[0-9A-Za-z]{4,}", line.partition("(")[2].partition(")(0001")[0]):
        assert piece.lstrip("0").upper() not in left.upper()


def test_a_number_that_is_no_name_stays() -> None:
    lines = b"0-0:96.7.21(00123456)\r\n0-3:24.2.1(260314122907W)(00012345)\r\n1-0:1.8.1"
    telegram = parse(signed(raw(BELGIAN).replace(b"1-0:1.8.1", lines, 1)))
    text = anonymous(telegram).raw.decode()
    assert "0-0:96.7.21(00123456)" in text
    assert "0-3:24.2.1(260314122907W)(00012345)" in text


@pytest.mark.parametrize(
    ("header", "left"),
    [
        (b"/KFM5 1234 5678 9012", "KFM5 0000 0000 0000"),
        (b"/XMX5LG 123-456-789", "XMX5LG 000-000-000"),
        (b"/KFM5KAIFA98765", "KFM5KAIFA00000"),
        (b"/FLU5\\1sag1100099001_A", "FLU5\\00000000000000_A"),
        (b"/ISk5\\2MT382-1000", "ISk5\\2MT382-1000"),
    ],
)
def test_of_a_header_the_maker_and_the_type_stay(header: bytes, left: str) -> None:
    head, _, rest = raw(BELGIAN).partition(b"\r\n")
    assert head.startswith(b"/")
    again = rest.replace(b"1-0:1.8.1", f"0-0:96.1.1({SERIAL})\r\n1-0:1.8.1".encode(), 1)
    assert anonymous(parse(signed(header + b"\r\n" + again))).ident == left


def test_a_meter_is_the_same_in_hex_and_in_clear() -> None:
    coded = SERIAL.encode().hex()
    lines = f"0-0:96.1.1({SERIAL})\r\n0-0:96.1.0({coded})\r\n1-0:1.8.1".encode()
    telegram = parse(signed(raw(BELGIAN).replace(b"1-0:1.8.1", lines, 1)))
    found = anonymous(telegram)
    (clear,), (still_coded,) = found["0-0:96.1.0"].values, found.all("0-0:96.1.1")[-1].values
    assert bytes.fromhex(clear).decode() == still_coded
    assert len(clear) == len(coded)


def test_it_tells_what_was_replaced_and_never_what_it_was() -> None:
    anonymiser = Anonymiser()
    for _ in range(3):
        anonymiser.telegram(capture(BELGIAN))
    assert anonymiser.replaced["0-0:96.1.1"] == 3
    assert anonymiser.replaced["header"] == 3
    assert "0-0:96.1.2" not in anonymiser.replaced  # it was empty
    assert "1-0:1.8.1" not in anonymiser.replaced


@pytest.mark.slow
def test_ever_new_names_cost_no_more_than_a_few() -> None:
    """A hostile stream: the memory for names has an end, and a name stays hidden behind it."""
    anonymiser = Anonymiser()
    before = raw(BELGIAN)
    for at in range(300):
        names = "".join(f"0-0:96.1.1(EVIL{at:04d}{each:06d})\r\n" for each in range(20))
        text = before.replace(b"1-0:1.8.1", names.encode() + b"1-0:1.8.1", 1)
        assert b"EVIL" not in anonymiser.telegram(parse(signed(text))).raw
    assert len(anonymiser._invented) <= 1000
    assert len(anonymiser._known) <= 1 << 17


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
