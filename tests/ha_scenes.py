"""What a meter says, scene by scene, and what Home Assistant must show for it, by hand."""

from __future__ import annotations

import re
from typing import NamedTuple

from conftest import BELGIAN
from crcmod.predefined import mkPredefinedCrcFun


class Scene(NamedTuple):
    """One telegram: its clock, the lines that differ from the capture, and what changes on show."""

    clock: str
    lines: dict[str, str]
    shown: dict[str, object]


POWER = ("power", "W", "measurement")
ENERGY = ("energy", "kWh", "total_increasing")
# What Home Assistant must show of the capture: class, unit, state class, state.
FULL: dict[str, tuple[str | None, str | None, str | None, object]] = {
    "import_t1_wh": (*ENERGY, 301.548),
    "import_t2_wh": (*ENERGY, 270.014),
    "export_t1_wh": (*ENERGY, 0.005),
    "export_t2_wh": (*ENERGY, 0),
    "import_w": (*POWER, 338),
    "export_w": (*POWER, 0),
    "quarter_w": (*POWER, 24),
    "forecast_w": (*POWER, "unknown"),
    "month_peak_w": (*POWER, 1500),
    "gas_m3": ("gas", "m³", "total_increasing", 112.384),
    "water_m3": ("water", "m³", "total_increasing", 872.234),
    "voltage_l1_v": ("voltage", "V", "measurement", 232.9),
    "voltage_l2_v": ("voltage", "V", "measurement", 228.1),
    "voltage_l3_v": ("voltage", "V", "measurement", 228.1),
    "current_l1_a": ("current", "A", "measurement", 0.27),
    "current_l2_a": ("current", "A", "measurement", 0.88),
    "current_l3_a": ("current", "A", "measurement", 0.52),
    "import_l1_w": (*POWER, 47),
    "import_l2_w": (*POWER, 179),
    "import_l3_w": (*POWER, 111),
    "export_l1_w": (*POWER, 0),
    "export_l2_w": (*POWER, 0),
    "export_l3_w": (*POWER, 0),
    "tariff": ("enum", None, None, "T1"),
    "peak_warning": ("problem", None, None, "off"),
}
SLOW = {"gas_m3", "water_m3"}
VOLTAGES = {f"voltage_l{n}_v" for n in (1, 2, 3)}
# The forecast begins in minute 5, so what goes by it may appear later.
LATER = {"forecast_w", "peak_warning"}

# Forecasts by hand: the quarter so far, and for what is left of its 900 s seven eighths of the
# power of now and one of the mean so far.
SCENES: dict[str, Scene] = {
    "first": Scene(
        "260314123001W",
        {"1-0:1.4.0": "(00.024*kW)", "1-0:1.6.0": "(260309134500W)(01.500*kW)"},
        {},
    ),
    # Above the month's peak, but not above 2500 W, which is billed anyway.
    "calm": Scene(
        "260314123600W",
        {"1-0:1.4.0": "(00.960*kW)", "1-0:1.7.0": "(02.400*kW)"},
        {"quarter_w": 960, "forecast_w": 2400, "import_w": 2400},
    ),
    "peak": Scene(
        "260314124000W",
        {"1-0:1.4.0": "(01.800*kW)", "1-0:1.7.0": "(04.711*kW)"},
        # 1800 + (7 × 4711 + 2700) / 8 × 300 / 900
        {"quarter_w": 1800, "forecast_w": 3286, "import_w": 4711, "peak_warning": "on"},
    ),
    # Above 2500 W again, but the month has cost more already: 2600 + 3545 / 8 × 240 / 900.
    "dearer": Scene(
        "260314124100W",
        {
            "1-0:1.4.0": "(02.600*kW)",
            "1-0:1.6.0": "(260314124000W)(02.800*kW)",
            "1-0:1.7.0": "(00.000*kW)",
            "1-0:2.7.0": "(01.234*kW)",
            "1-0:22.7.0": "(01.234*kW)",
            "0-0:96.14.0": "(0002)",
        },
        {
            "quarter_w": 2600,
            "forecast_w": 2718,
            "month_peak_w": 2800,
            "import_w": 0,
            "export_w": 1234,
            "export_l1_w": 1234,
            "tariff": "T2",
            "peak_warning": "off",
        },
    ),
    # A new quarter: no forecast, and no voltage that could be measured.
    "gaps": Scene(
        "260314124501W",
        {"1-0:1.4.0": "(00.008*kW)", **{f"1-0:{n}.7.0": "" for n in (32, 52, 72)}},
        {"quarter_w": 8, "forecast_w": "unknown", **dict.fromkeys(VOLTAGES, "unknown")},
    ),
    "again": Scene(
        "260314124502W",
        {"1-0:1.4.0": "(00.008*kW)", "1-0:32.7.0": "(231.0*V)", "1-0:52.7.0": "(229.5*V)"}
        | {"1-0:72.7.0": "(230.4*V)", "0-1:24.2.3": "(260314124500W)(00112.401*m3)"},
        {"voltage_l1_v": 231.0, "voltage_l2_v": 229.5, "voltage_l3_v": 230.4, "gas_m3": 112.401},
    ),
}


def telegrams() -> dict[str, tuple[bytes, int, dict[str, object]]]:
    """Each scene's telegram, its T1 register in Wh (no two alike), and all that must be shown."""
    body = BELGIAN.read_bytes().decode().rpartition("!")[0]
    shown = {key: state for key, (*_, state) in FULL.items()}
    found = {}
    for number, (name, scene) in enumerate(SCENES.items()):
        t1 = 301548 + number
        lines = {
            "0-0:1.0.0": f"({scene.clock})",
            "1-0:1.8.1": f"({t1 / 1000:010.3f}*kWh)",
            **scene.lines,
        }
        for code, rest in lines.items():
            line = f"{code}{rest}\r\n" if rest else ""
            # A line that was left out comes back at the end.
            pattern = rf"(?m)^{re.escape(code)}\(.*\r\n"
            body = re.sub(pattern, line, body) if re.search(pattern, body) else body + line
        shown = shown | {"import_t1_wh": t1 / 1000} | scene.shown
        text = (body + "!").encode()
        raw = text + b"%04X\r\n" % mkPredefinedCrcFun("crc-16")(text)
        found[name] = (raw, t1, shown)
    return found
