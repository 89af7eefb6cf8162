"""What Home Assistant is told once, so that it finds the meter by itself: device-based discovery.

One retained MQTT message names the device, where its state comes, and every component with its
unit and class. A component's value is a template over the state's quantities, so the state stays
what it is everywhere else. Home Assistant ignores keys it does not know in silence and refuses a
wrong pair of unit and class: energy must be kWh and total_increasing, gas and water `m³`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dsmrctl.firmware.core.demand import LEAST_W

BIRTH_TOPIC = "homeassistant/status"
"""Where Home Assistant says `online` when it starts; discovery is then sent again."""

LIVE_S = 60
"""A value this old is no longer shown: six telegrams of the slowest meters (one every 10 s)."""
SLOW_S = 7200
"""Gas and water meters report every 5 minutes to an hour."""
LEAST_PEAK_W = LEAST_W
"""A month peak below this is billed as this (Belgium's capacity tariff)."""


class Form(NamedTuple):
    """How Home Assistant shows a quantity: its class and unit, and when a value is stale."""

    device_class: str
    unit: str
    state_class: str
    template: str = "{{{{value_json.{0}}}}}"
    expire_after_s: int = LIVE_S


# The registers are whole Wh, which the energy dashboard takes as kWh only; null stays null.
ENERGY = Form(
    "energy",
    "kWh",
    "total_increasing",
    "{{{{value_json.{0}/1000 if value_json.{0} is number else None}}}}",
)
POWER = Form("power", "W", "measurement")
VOLTAGE = Form("voltage", "V", "measurement")
CURRENT = Form("current", "A", "measurement")
GAS = Form("gas", "m³", "total_increasing", expire_after_s=SLOW_S)
WATER = Form("water", "m³", "total_increasing", expire_after_s=SLOW_S)

SENSORS: dict[str, tuple[str, Form]] = {
    "import_t1_wh": ("Energy import tariff 1", ENERGY),
    "import_t2_wh": ("Energy import tariff 2", ENERGY),
    "export_t1_wh": ("Energy export tariff 1", ENERGY),
    "export_t2_wh": ("Energy export tariff 2", ENERGY),
    "import_w": ("Power import", POWER),
    "export_w": ("Power export", POWER),
    "quarter_w": ("Quarter demand", POWER),
    "forecast_w": ("Quarter forecast", POWER),
    "month_peak_w": ("Month peak", POWER),
    "gas_m3": ("Gas", GAS),
    "water_m3": ("Water", WATER),
}
for _n in (1, 2, 3):
    SENSORS[f"voltage_l{_n}_v"] = (f"Voltage L{_n}", VOLTAGE)
    SENSORS[f"current_l{_n}_a"] = (f"Current L{_n}", CURRENT)
    SENSORS[f"import_l{_n}_w"] = (f"Power import L{_n}", POWER)
    SENSORS[f"export_l{_n}_w"] = (f"Power export L{_n}", POWER)

# The meter's raw tariff: 1 is day in Belgium and night in the Netherlands, so neither is said.
_TARIFF = "{{ 'T' ~ value_json.tariff if value_json.tariff in (1, 2) else None }}"

# Off while there is no forecast: the first minutes of a quarter warn of nothing.
_PEAK_WARNING = (
    "{{ 'ON' if (value_json.forecast_w or 0) > "
    f"[value_json.month_peak_w or 0, {LEAST_PEAK_W}] | max else 'OFF' }}}}"
)

# Home Assistant's own short forms: a board sends this document too, and has little to spare.
SHORT = {
    "platform": "p",
    "unique_id": "uniq_id",
    "device_class": "dev_cla",
    "unit_of_measurement": "unit_of_meas",
    "state_class": "stat_cla",
    "value_template": "val_tpl",
    "expire_after": "exp_aft",
}

SHOWN: frozenset[str] = frozenset({*SENSORS, "tariff"})
"""The quantities a component exists for."""


def discovery_topic(id: str) -> str:
    """Where the discovery of the device with this id is kept, retained."""
    return f"homeassistant/device/dsmrctl_{id}/config"


def discovery(id: str, name: str, version: str, prefix: str, names: Collection[str]) -> dict:
    """The discovery document of one device, for the quantities in `names` (others are left out).

    `id` is the device's own (letters, digits, - and _), `name` what a person sees, `prefix` the
    topic before `/state` and `/status`. Without a component Home Assistant refuses it: ask only
    when `names` holds one of `SHOWN`. As compact JSON 4 KB for one phase, 6 KB for three.
    Source: Home Assistant, MQTT integration, device discovery payload.
    """
    device = f"dsmrctl_{id}"
    components: dict[str, dict] = {}
    for quantity, (label, form) in SENSORS.items():
        if quantity in names:
            components[quantity] = {
                "platform": "sensor",
                "unique_id": f"{device}_{quantity}",
                "name": label,
                "device_class": form.device_class,
                "unit_of_measurement": form.unit,
                "state_class": form.state_class,
                "value_template": form.template.format(quantity),
                "expire_after": form.expire_after_s,
            }
    if "tariff" in names:
        components["tariff"] = {
            "platform": "sensor",
            "unique_id": f"{device}_tariff",
            "name": "Tariff",
            "device_class": "enum",
            "options": ["T1", "T2"],
            "value_template": _TARIFF,
            "expire_after": LIVE_S,
        }
    if "forecast_w" in names:
        components["peak_warning"] = {
            "platform": "binary_sensor",
            "unique_id": f"{device}_peak_warning",
            "name": "Peak warning",
            "device_class": "problem",
            "value_template": _PEAK_WARNING,
            "expire_after": LIVE_S,
        }
    return {
        "device": {
            "identifiers": [device],
            "name": name,
            "manufacturer": "dsmrctl",
            "model": "P1 interface",
            "sw_version": version,
        },
        "origin": {"name": "dsmrctl", "sw_version": version},
        "state_topic": f"{prefix}/state",
        "availability": [{"topic": f"{prefix}/status"}],
        "components": {
            key: {SHORT.get(option, option): value for option, value in component.items()}
            for key, component in components.items()
        },
    }
