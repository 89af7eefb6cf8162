"""Quantities and the JSON document: one name, unit and type everywhere, and exact digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from captured import NAMES, capture
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.quantities import BY_NAME
from dsmrctl.quantities import NAMES as QUANTITY_NAMES
from dsmrctl.telegram import Measurement, Telegram, parse
from dsmrctl.telegram.document import document, quantities, whole
from dsmrctl.terminal.output import dumps

EVERYTHING = "belgium_emucs-1.7.1_gas_water_13-months"


def as_json(telegram: Telegram) -> dict[str, Any]:
    """What a reader of the JSON gets that takes numbers as they are written."""
    return json.loads(dumps(document(telegram)), parse_float=Decimal)


def test_the_quantities_of_a_belgian_telegram_are_whole_watts_and_exact_decimals() -> None:
    found = quantities(capture(EVERYTHING))
    assert {name: value for name, value in found.items() if value is not None} == {
        "time": "2026-03-14T12:30:01+01:00",
        "import_t1_wh": 301548,
        "import_t2_wh": 270014,
        "export_t1_wh": 5,
        "export_t2_wh": 0,
        "import_w": 338,
        "export_w": 0,
        "tariff": 1,
        "quarter_w": 2351,
        "month_peak_w": 2589,
        "gas_m3": Decimal("112.384"),
        "water_m3": Decimal("872.234"),
        "voltage_l1_v": Decimal("232.9"),
        "current_l1_a": Decimal("0.27"),
        "import_l1_w": 47,
        "export_l1_w": 0,
        "voltage_l2_v": Decimal("228.1"),
        "current_l2_a": Decimal("0.88"),
        "import_l2_w": 179,
        "export_l2_w": 0,
        "voltage_l3_v": Decimal("228.1"),
        "current_l3_a": Decimal("0.52"),
        "import_l3_w": 111,
        "export_l3_w": 0,
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_telegram_has_every_quantity_and_no_other_in_its_type(name: str) -> None:
    found = quantities(capture(name))
    assert tuple(found) == QUANTITY_NAMES
    types = {"time": str, "integer": int, "decimal": Decimal}
    for quantity, value in found.items():
        assert value is None or type(value) is types[BY_NAME[quantity].kind], quantity


@pytest.mark.parametrize("name", NAMES)
def test_no_float_is_anywhere_in_a_document(name: str) -> None:
    def walk(value: Any) -> None:
        assert not isinstance(value, float)
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)):
                walk(each)
            else:
                assert each is None or isinstance(each, (str, int, Decimal))
                assert not isinstance(each, float)

    walk(document(capture(name)))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_a_meter_says_is_lost_in_the_document(name: str) -> None:
    telegram = capture(name)
    objects = document(telegram)["objects"]
    assert [each["obis"] for each in objects] == [item.code for item in telegram.objects]
    for each, item in zip(objects, telegram.objects, strict=True):
        assert set(each) & {"value", "records", "time", "text", "values"}, item
        assert each.get("channel") == item.channel


def test_totals_are_never_put_in_a_tariff() -> None:
    found = quantities(capture("luxembourg_smarty"))
    assert found["import_t1_wh"] is found["import_t2_wh"] is found["export_t1_wh"] is None
    assert found["import_w"] == 338


def test_integer_watts_and_watt_hours_are_not_multiplied() -> None:
    found = quantities(capture("integer-wh-and-w"))
    assert (found["import_t1_wh"], found["import_t2_wh"]) == (5017120, 1528646)
    assert (found["import_w"], found["export_t2_wh"]) == (286, 58)


def test_peaks_in_watts_and_kilowatts_are_told_in_both() -> None:
    january, february = as_json(capture("peaks_in-watts"))["peaks"]
    assert (january["w"], january["kw"]) == (4529, Decimal("4.529"))
    assert february == {
        "month": "2026-02",
        "w": 5402,
        "kw": Decimal("5.402"),
        "time": "2026-02-14T18:15:00+01:00",
    }
    assert as_json(capture("peaks_unset-record"))["peaks"][0] == {
        "month": "2026-01", "w": 0, "kw": Decimal("0.000"), "time": None,
    }  # fmt: skip


def test_the_document_of_a_telegram_names_the_meter_and_the_meters_behind_it() -> None:
    found = as_json(capture(EVERYTHING))
    assert found["meter"] == {
        "ident": "FLU5\\253769484_A",
        "serial": "1SAG1100099001",
        "ean": None,
        "version": "eMUCS-P1 1.7",
        "country": "BE",
    }
    assert found["crc"] == "valid"
    assert found["mbus"][1] == {
        "channel": 2,
        "medium": "water",
        "serial": "8SAG9900000002",
        "value": Decimal("872.234"),
        "unit": "m3",
        "time": "2026-03-14T12:29:07+01:00",
    }
    assert len(found["peaks"]) == 13
    assert found["diagnostics"] == []


def test_objects_say_what_exists_of_value_unit_time_text_and_channel() -> None:
    found = {each["obis"]: each for each in as_json(capture(EVERYTHING))["objects"]}
    assert found["1-0:1.8.1"] == {
        "obis": "1-0:1.8.1", "name": "import_t1", "value": Decimal("301.548"), "unit": "kWh",
    }  # fmt: skip
    assert found["0-2:24.2.1"] == {
        "obis": "0-2:24.2.1",
        "name": "mbus_reading",
        "channel": 2,
        "value": Decimal("872.234"),
        "unit": "m3",
        "time": "2026-03-14T12:29:07+01:00",
    }
    assert found["0-0:96.1.1"]["text"] == "1SAG1100099001"
    assert found["0-0:1.0.0"]["time"] == "2026-03-14T12:30:01+01:00"
    assert len(found["0-0:98.1.0"]["records"]) == 13
    unknown = {each["obis"]: each for each in as_json(capture("not-numbers"))["objects"]}
    assert unknown["1-0:1.8.1"]["values"] == ["NaN*kWh"]


def test_diagnostics_stand_in_the_document_with_their_line() -> None:
    (found,) = as_json(capture("peaks_bare-count"))["diagnostics"]
    assert found == {
        "kind": "wrong-count",
        "line": 13,
        "obis": "0-0:98.1.0",
        "message": "12 month peaks are announced, 0 are there",
    }


def test_gas_counted_in_something_else_than_cubic_metres_is_no_gas_m3() -> None:
    raw = b"/XXX5\r\n\r\n0-1:24.1.0(003)\r\n0-1:24.2.1(260314122503W)(00112.384*GJ)\r\n!\r\n"
    assert quantities(parse(raw))["gas_m3"] is None


def test_the_digits_the_meter_sends_stand_in_the_json() -> None:
    text = dumps(document(capture(EVERYTHING)))
    assert '"value": 0.000, "unit": "kWh"' in text
    assert '"current_l1_a": 0.27' in text


@given(
    st.decimals(min_value=0, max_value=999_999, places=3, allow_nan=False, allow_infinity=False),
    st.sampled_from(["kWh", "Wh", "kW", "W"]),
)
def test_whole_watts_are_exact(number: Decimal, unit: str) -> None:
    units = {"kWh": 1000, "Wh": 1, "kW": 1000, "W": 1}
    found = whole(Measurement(number, unit), units)
    assert found is not None
    exact = number * units[unit]
    assert found == exact if unit.startswith("k") else abs(found - exact) <= Decimal("0.5")
