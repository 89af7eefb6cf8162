"""The rules Home Assistant holds a discovery document to, some of which it breaks in silence."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.gateway.home_assistant import SHOWN, discovery, discovery_topic
from dsmrctl.quantities import BY_NAME, NAMES

# What Home Assistant expands them to (its mqtt/abbreviations.py).
SHORT_FORMS: dict[str, str] = {
    "p": "platform",
    "uniq_id": "unique_id",
    "dev_cla": "device_class",
    "unit_of_meas": "unit_of_measurement",
    "stat_cla": "state_class",
    "val_tpl": "value_template",
    "exp_aft": "expire_after",
}
# Its sensor's rules: device class -> units and state classes allowed (those we may use).
RULES = {
    "energy": ({"kWh"}, {"total_increasing"}),
    "power": ({"W"}, {"measurement"}),
    "voltage": ({"V"}, {"measurement"}),
    "current": ({"A"}, {"measurement"}),
    "gas": ({"m³"}, {"total_increasing"}),
    "water": ({"m³"}, {"total_increasing"}),
}
ONE_PHASE = {name for name in NAMES if "_l2_" not in name and "_l3_" not in name}
OPTIONS = {*SHORT_FORMS.values(), "name", "options"}


def document(names: set[str] | frozenset[str] = SHOWN) -> dict[str, Any]:
    return discovery("a1b2c3", "DSMR interface", "0.1.0", "dsmrctl/a1b2c3", names)


def components(names: set[str] | frozenset[str] = SHOWN) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document(names)["components"]
    return {
        key: {SHORT_FORMS.get(option, option): value for option, value in component.items()}
        for key, component in found.items()
    }


def test_every_component_has_only_options_home_assistant_knows() -> None:
    for component in components().values():
        assert set(component) <= OPTIONS
        assert component["platform"] in ("sensor", "binary_sensor")
        assert component["name"]


def test_units_and_classes_are_pairs_home_assistant_takes() -> None:
    for key, component in components().items():
        kind = component["device_class"]
        if kind in RULES:
            units, state_classes = RULES[kind]
            assert component["unit_of_measurement"] in units, key
            assert component["state_class"] in state_classes, key
        elif kind == "enum":
            assert component["options"] == ["T1", "T2"]
            assert not {"unit_of_measurement", "state_class"} & set(component)
        else:
            assert (component["platform"], kind) == ("binary_sensor", "problem")
            assert not {"unit_of_measurement", "state_class"} & set(component)


def test_a_unit_is_the_quantitys_own_and_only_energy_is_divided() -> None:
    for key, component in components().items():
        if key not in BY_NAME or key == "tariff":
            continue
        template = component["value_template"]
        if BY_NAME[key].unit == "Wh":
            value = f"value_json.{key}"
            assert template == f"{{{{{value}/1000 if {value} is number else None}}}}"
            assert component["unit_of_measurement"] == "kWh"
        else:
            assert template == f"{{{{value_json.{key}}}}}"
            assert component["unit_of_measurement"] == BY_NAME[key].unit


def test_templates_ask_only_for_quantities_there_are() -> None:
    for component in components().values():
        asked = set(re.findall(r"value_json\.(\w+)", component["value_template"]))
        assert asked
        assert asked <= set(NAMES)


def test_the_peak_warning_compares_the_forecast_with_the_peak_that_is_billed() -> None:
    warning = components()["peak_warning"]
    assert warning["value_template"] == (
        "{{ 'ON' if (value_json.forecast_w or 0) > "
        "[value_json.month_peak_w or 0, 2500] | max else 'OFF' }}"
    )


def test_every_component_has_an_id_of_its_own_that_names_the_board() -> None:
    ids = [component["unique_id"] for component in components().values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"dsmrctl_a1b2c3_[a-z0-9_]+", one) for one in ids)
    other = discovery("d4e5f6", "DSMR interface", "0.1.0", "dsmrctl/d4e5f6", SHOWN)
    assert not set(ids) & {component["uniq_id"] for component in other["components"].values()}


def test_gas_and_water_stay_for_two_hours_and_powers_for_a_minute() -> None:
    stale = {key: component["expire_after"] for key, component in components().items()}
    assert {key for key, seconds in stale.items() if seconds == 7200} == {"gas_m3", "water_m3"}
    assert {seconds for key, seconds in stale.items() if key[-3:] != "_m3"} == {60}


def test_the_device_its_origin_and_its_topics_are_said_once() -> None:
    found = document()
    assert found["device"]["identifiers"] == ["dsmrctl_a1b2c3"]
    assert found["device"]["name"] == "DSMR interface"
    assert found["origin"] == {"name": "dsmrctl", "sw_version": "0.1.0"}
    assert found["state_topic"] == "dsmrctl/a1b2c3/state"
    assert found["availability"] == [{"topic": "dsmrctl/a1b2c3/status"}]
    assert discovery_topic("a1b2c3") == "homeassistant/device/dsmrctl_a1b2c3/config"


def test_all_that_the_contract_names_is_shown() -> None:
    found = components()
    assert len(found) == 25
    kinds = [component["device_class"] for component in found.values()]
    assert {kind: kinds.count(kind) for kind in RULES} == {
        "energy": 4, "power": 11, "voltage": 3, "current": 3, "gas": 1, "water": 1,
    }  # fmt: skip
    assert {"quarter_w", "forecast_w", "month_peak_w", "tariff", "peak_warning"} <= set(found)


def test_the_document_is_small_enough_for_a_board_to_send() -> None:
    def size(names: set[str] | frozenset[str]) -> int:
        return len(json.dumps(document(names), ensure_ascii=False, separators=(",", ":")).encode())

    assert size(ONE_PHASE) < 4500
    assert size(SHOWN) < 6000


@given(st.sets(st.sampled_from(NAMES)))
def test_only_what_the_meter_says_becomes_a_component(names: set[str]) -> None:
    found = components(names)
    assert set(found) - {"peak_warning"} == names & SHOWN
    assert ("peak_warning" in found) == ("forecast_w" in names)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_what_is_shown_is_a_quantity(name: str) -> None:
    assert name in NAMES
