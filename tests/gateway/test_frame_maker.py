"""Telegrams into frames: what the meter says, and what is computed where it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.firmware.core import frame, signature
from dsmrctl.gateway.frame_maker import FrameMaker, NoFrame
from dsmrctl.gateway.memory import Memory
from dsmrctl.telegram import Telegram, parse

CET = timezone(timedelta(hours=1))
KEY = b"an invented key, for tests only"


def telegram(when: datetime, **lines: str) -> Telegram:
    """A telegram of an old Belgian meter: it knows no quarters. `lines` override by name."""
    offset = when.utcoffset()
    assert offset is not None
    flag = "S" if offset == timedelta(hours=2) else "W"
    body = {
        "version": "0-0:96.1.4(50215)",
        "time": f"0-0:1.0.0({when:%y%m%d%H%M%S}{flag})",
        "t1": "1-0:1.8.1(000100.000*kWh)",
        "t2": "1-0:1.8.2(000200.000*kWh)",
        "e1": "1-0:2.8.1(000010.000*kWh)",
        "e2": "1-0:2.8.2(000020.000*kWh)",
        "tariff": "0-0:96.14.0(0001)",
        "import": "1-0:1.7.0(00.000*kW)",
        "export": "1-0:2.7.0(00.000*kW)",
    } | lines
    text = "\r\n".join(["/FLU5\\1_A", "", *filter(None, body.values()), "!"]).encode()
    return parse(text + b"%04X\r\n" % mkPredefinedCrcFun("crc-16")(text))


NOON = datetime(2026, 3, 3, 12, 0, tzinfo=CET)
IMPORTING_2_KW = "1-0:1.7.0(02.000*kW)"


def read(maker: FrameMaker, one: Telegram) -> frame.Frame:
    return frame.read(maker.frame(maker.quantities(one)))


def test_registers_powers_and_clock_stand_in_the_frame_in_wh_and_w() -> None:
    found = read(
        FrameMaker(),
        telegram(
            NOON + timedelta(minutes=11, seconds=2),
            **{"import": "1-0:1.7.0(01.512*kW)", "tariff": "0-0:96.14.0(0002)"},
        ),
    )
    assert found.version == 2
    assert found.values == (100_000, 200_000, 1512, 0, 2, 11, 2, 0, 0, 0)


def test_version_1_has_the_seven_elements_of_the_manual() -> None:
    data = FrameMaker(version=1).frame(FrameMaker().quantities(telegram(NOON)))
    assert data == b'{"dsmr":[100000,200000,0,0,1,0,0]}'


def test_an_old_meter_gets_its_quarter_peak_and_forecast_computed() -> None:
    maker = FrameMaker()
    found: dict[str, Any] = {}
    # 2 kW drawn evenly: 1 Wh every 1.8 s, so 10 Wh every 18 s.
    for step in range(0, 900 + 18, 18):
        wh = step // 18 * 10
        found = maker.quantities(
            telegram(
                NOON + timedelta(seconds=step),
                **{"t1": f"1-0:1.8.1({100 + wh / 1000:010.3f}*kWh)", "import": IMPORTING_2_KW},
            )
        )
        if step == 18 * 25:  # 450 s: 250 Wh so far
            assert found["quarter_w"] == 1000
            # Judged at 7:12, the first telegram of that minute: 240 Wh in 432 s.
            assert found["forecast_w"] == 2000
    assert found["last_quarter_w"] == 2000
    assert found["month_peak_w"] == 2000
    assert found["quarter_w"] == 0


def test_what_the_meter_says_itself_goes_before_what_is_computed() -> None:
    found = FrameMaker().quantities(
        telegram(
            NOON + timedelta(minutes=7),
            quarter="1-0:1.4.0(02.351*kW)",
            peak="1-0:1.6.0(260301134558W)(06.589*kW)",
        )
    )
    assert (found["quarter_w"], found["month_peak_w"]) == (2351, 6589)


def test_a_meter_without_tariffs_is_sent_as_tariff_1() -> None:
    one = telegram(
        NOON,
        t1="1-0:1.8.0(00000896.020*kWh)",
        t2="1-0:2.8.0(00000048.792*kWh)",
        e1="",
        e2="",
        tariff="",
        version="",
    )
    assert read(FrameMaker(), one).values[:5] == (896_020, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"time": "0-0:1.0.0(632525252525S)"}, "clock"),
        ({"import": ""}, "import_w"),
        ({"t2": "1-0:1.8.2(*kWh)"}, "import_t2_wh"),
        ({"t1": "", "t2": ""}, "import register"),
        ({"export": "1-0:2.7.0(x*kW)"}, "export_w"),
        # A switch in tariff mode must not act on an invented one.
        ({"tariff": ""}, "tariff"),
        ({"tariff": "0-0:96.14.0(0003)"}, "tariff is 3"),
    ],
)
def test_a_telegram_that_lacks_what_every_frame_says_gives_none(
    lines: dict[str, str], said: str
) -> None:
    with pytest.raises(NoFrame, match=said):
        FrameMaker().quantities(telegram(NOON, **lines))


def test_a_meter_for_one_tariff_that_cannot_export_has_zeros_there() -> None:
    one = telegram(NOON, t2="", e1="", e2="", export="")
    assert read(FrameMaker(), one).values[:5] == (100_000, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("register", "wh"),
    [("000123456*Wh", 123_456), ("123.456*MWh", 123_456_000), ("00000896.020*kWh", 896_020)],
)
def test_totals_count_in_whatever_unit_they_come(register: str, wh: int) -> None:
    total = {"t1": f"1-0:1.8.0({register})", "t2": "", "tariff": ""}
    assert read(FrameMaker(), telegram(NOON, **total)).values[:2] == (wh, 0)


def test_a_total_never_stands_in_for_a_tariff_that_cannot_be_read() -> None:
    broken = {"t1": "1-0:1.8.1(x)", "e1": "1-0:1.8.0(000500.000*kWh)"}
    with pytest.raises(NoFrame, match="import_t1_wh"):
        FrameMaker().quantities(telegram(NOON, **broken))


def test_a_meter_without_a_clock_gets_that_of_this_computer() -> None:
    found = FrameMaker(now=lambda: NOON + timedelta(seconds=61)).quantities(telegram(NOON, time=""))
    assert found["time"] == "2026-03-03T12:01:01+01:00"


def test_a_negative_demand_is_no_demand() -> None:
    found = FrameMaker().quantities(telegram(NOON, quarter="1-0:1.4.0(-1.000*kW)"))
    assert found["quarter_w"] == 0  # computed: the quarter has just begun


def quarter_of(maker: FrameMaker, begin: datetime, watts: int) -> dict[str, Any]:
    """A quarter at even power and the first telegram of the next; what that one says."""
    found = {}
    for second in (0, *range(5, 900, 10), 900):
        wh = 100_000 + watts * second // 3600
        register = f"1-0:1.8.1({wh // 1000:06d}.{wh % 1000:03d}*kWh)"
        found = maker.quantities(telegram(begin + timedelta(seconds=second), t1=register))
    return found


def test_an_old_meters_month_peak_survives_a_restart(tmp_path: Path) -> None:
    assert quarter_of(FrameMaker(memory=Memory(tmp_path)), NOON, 3600)["month_peak_w"] == 3600
    again = FrameMaker(memory=Memory(tmp_path))
    later = again.quantities(telegram(NOON + timedelta(hours=1), t1="1-0:1.8.1(000101.000*kWh)"))
    assert later["month_peak_w"] == 3600
    # Without a memory, and for another meter, it is not known.
    assert FrameMaker().quantities(telegram(NOON))["month_peak_w"] is None


def test_a_file_of_the_format_before_is_still_read(tmp_path: Path) -> None:
    begin = int((NOON - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds())
    local = begin + 3600
    quarter_of(FrameMaker(memory=Memory(tmp_path)), NOON, 3600)
    (file,) = tmp_path.glob("*.json")
    assert json.loads(file.read_text()) == {
        "format": 2,
        "state": [begin + 900, 300_900, 300_900, 3600],
        "peaks": [[202603, local + 900, 3600]],
    }
    # As it was written at 12:15 of a day on which 12:00 had its peak too.
    file.write_text(
        json.dumps(
            {
                "format": 1,
                "state": [begin + 900, 300_900, 300_900, 3600, 202603, 4200, local],
                "peaks": [[202602, None, 2600], [202603, local, 4200]],
            }
        )
    )
    notes: list[str] = []
    maker = FrameMaker(memory=Memory(tmp_path, notes.append))
    when = NOON + timedelta(minutes=15, seconds=10)
    found = maker.quantities(telegram(when, t1="1-0:1.8.1(000100.910*kWh)"))
    assert notes == []
    assert (found["month_peak_w"], found["last_quarter_w"], found["quarter_w"]) == (4200, 3600, 40)
    # And is written in the new one at the quarter's end.
    when = NOON + timedelta(minutes=30)
    maker.quantities(telegram(when, t1="1-0:1.8.1(000101.000*kWh)"))
    assert json.loads(file.read_text())["peaks"] == [[202602, None, 2600], [202603, local, 4200]]
    assert json.loads(file.read_text())["format"] == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"format":9}',
        b'{"format":1,"state":[1,2],"peaks":[]}',
        b'{"format":1,"state":[1,2,3,4,5,6,"7"],"peaks":[]}',
        b'{"format":1,"state":[null,2,3,4,5,6,7],"peaks":[]}',
        b'{"format":1,"state":[1,2,3,4,5,6,7],"peaks":[[null,1,2]]}',
        b'{"format":1,"state":[1,2,3,4],"peaks":[]}',
        b'{"format":2,"state":[1,2,3,4,5,6,7],"peaks":[]}',
        b'{"format":2,"state":[1,null,3,4],"peaks":[]}',
        b'{"format":[2],"state":[1,2,3,4],"peaks":[]}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_memory_starts_anew_and_says_so(damage: bytes, tmp_path: Path) -> None:
    quarter_of(FrameMaker(memory=Memory(tmp_path)), NOON, 3600)
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(damage)
    notes: list[str] = []
    found = FrameMaker(memory=Memory(tmp_path, notes.append)).quantities(telegram(NOON))
    assert found["month_peak_w"] is None
    assert "start anew" in notes[0]


def test_a_memory_that_cannot_be_written_is_told_once_and_frames_go_on(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    notes: list[str] = []
    maker = FrameMaker(memory=Memory(tmp_path / "state", notes.append))
    quarter_of(maker, NOON, 3600)
    found = quarter_of(maker, NOON + timedelta(hours=1), 3600)
    assert found["month_peak_w"] == 3600
    assert len([note for note in notes if "cannot keep" in note]) == 1


def test_no_switch_acts_on_a_telegram_whose_crc_was_lost_on_the_way() -> None:
    whole = telegram(NOON)
    with pytest.raises(NoFrame, match="CRC"):
        FrameMaker().quantities(parse(whole.raw[:-6] + b"\r\n"))


def test_frames_are_signed_with_the_meters_time_and_a_reader_with_the_key_takes_them() -> None:
    maker = FrameMaker(key=KEY)
    gate = signature.Gate(KEY)
    first = maker.frame(maker.quantities(telegram(NOON)))
    assert gate.take(first).n == int((NOON - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds())
    gate.take(maker.frame(maker.quantities(telegram(NOON + timedelta(seconds=1)))))
    with pytest.raises(frame.FrameError, match="replayed"):
        gate.take(first)


def test_a_key_that_cannot_be_is_refused_without_being_shown() -> None:
    with pytest.raises(errors.DsmrError) as raised:
        FrameMaker(key=b"too short")
    assert "too short" not in f"{raised.value} {raised.value.hint}"
    with pytest.raises(errors.DsmrError, match="version 1"):
        FrameMaker(version=1, key=KEY)


@given(
    import_w=st.integers(0, 99_999),
    export_w=st.integers(0, 99_999),
    t1=st.integers(0, 999_999_999),
    second=st.integers(0, 899),
)
def test_every_value_arrives_exactly(import_w: int, export_w: int, t1: int, second: int) -> None:
    one = telegram(
        NOON + timedelta(seconds=second),
        **{
            "import": f"1-0:1.7.0({import_w // 1000:02d}.{import_w % 1000:03d}*kW)",
            "export": f"1-0:2.7.0({export_w // 1000:02d}.{export_w % 1000:03d}*kW)",
            "t1": f"1-0:1.8.1({t1 // 1000:06d}.{t1 % 1000:03d}*kWh)",
        },
    )
    found = read(FrameMaker(), one)
    assert found.values[:7] == (t1, 200_000, import_w, export_w, 1, second // 60, second % 60)
