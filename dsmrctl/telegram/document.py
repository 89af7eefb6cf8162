"""A telegram as the quantities every program shares, and as one JSON document."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dsmrctl.quantities import NAMES

if TYPE_CHECKING:
    from dsmrctl.telegram.objects import CosemObject
    from dsmrctl.telegram.telegram import Telegram
    from dsmrctl.telegram.values import Measurement

# Quantity -> the telegram's attribute.
_THOUSANDTHS = {
    "import_t1_wh": "import_t1",
    "import_t2_wh": "import_t2",
    "export_t1_wh": "export_t1",
    "export_t2_wh": "export_t2",
    "import_w": "import_power",
    "export_w": "export_power",
    "quarter_w": "quarter_demand",
    "month_peak_w": "month_peak",
    **{f"{way}_l{n}_w": f"{way}_l{n}" for way in ("import", "export") for n in (1, 2, 3)},
}
_AS_THEY_ARE = {
    **{f"voltage_l{n}_v": f"voltage_l{n}" for n in (1, 2, 3)},
    **{f"current_l{n}_a": f"current_l{n}" for n in (1, 2, 3)},
}
_CUBIC_METRES = {"gas_m3": "gas", "water_m3": "water"}
_KILO = {"kWh": 1000, "kW": 1000, "Wh": 1, "W": 1, "MWh": 1_000_000, "MW": 1_000_000}


def base(measured: Measurement | None) -> int | None:
    """A measurement in whole Wh or W; None without one, or in another unit."""
    if measured is None or measured.unit not in _KILO:
        return None
    return int((measured.number * _KILO[measured.unit]).to_integral_value())


def quantities(telegram: Telegram) -> dict[str, Any]:
    """Every quantity (`quantities.NAMES`): whole Wh and W, exact decimals, None where unknown."""
    found: dict[str, Any] = dict.fromkeys(NAMES)
    when = telegram.time
    found["time"] = when.isoformat() if when is not None else None
    found["tariff"] = telegram.tariff
    for name, attribute in _THOUSANDTHS.items():
        found[name] = base(getattr(telegram, attribute))
    for name, attribute in _AS_THEY_ARE.items():
        measured = getattr(telegram, attribute)
        found[name] = measured.number if measured is not None else None
    for name, attribute in _CUBIC_METRES.items():
        measured = getattr(telegram, attribute)
        if measured is not None and measured.unit in ("m3", None):
            found[name] = measured.number
    return found


def document(telegram: Telegram) -> dict[str, Any]:
    """The quantities, and with the meter's own digits and units everything else it said."""
    found = quantities(telegram)
    found["meter"] = {
        "ident": telegram.ident,
        "serial": telegram.serial,
        "ean": telegram.ean,
        "version": telegram.version,
        "country": telegram.country,
    }
    found["crc"] = telegram.crc
    found["mbus"] = [
        {
            "channel": meter.channel,
            "medium": meter.medium,
            "serial": meter.serial,
            "valve": meter.valve,
            **_measured(meter.reading),
        }
        for meter in telegram.mbus
    ]
    found["peaks"] = [
        {
            "month": f"{peak.month:%Y-%m}",
            "w": base(peak.demand),
            "time": peak.time.isoformat() if peak.time else None,
        }
        for peak in telegram.peaks
    ]
    found["objects"] = [_object(item) for item in telegram.objects]
    found["diagnostics"] = [
        {"kind": odd.kind, "line": odd.line, "obis": odd.obis, "message": odd.message}
        for odd in telegram.diagnostics
    ]
    return found


def _measured(measured: Measurement | None) -> dict[str, Any]:
    if measured is None:
        return {"value": None, "unit": None, "time": None}
    when = measured.time.isoformat() if measured.time else None
    return {"value": measured.number, "unit": measured.unit, "time": when}


def _object(item: CosemObject) -> dict[str, Any]:
    """What applies of value, unit, time, text; else the texts between its brackets."""
    found: dict[str, Any] = {"obis": item.code, "name": item.name}
    if item.channel is not None:
        found["channel"] = item.channel
    measured = item.measurement
    if measured is not None:
        found["value"] = measured.number
        if measured.unit is not None:
            found["unit"] = measured.unit
    when = item.time
    if when is not None:
        found["time"] = when.isoformat()
    text = item.text
    if text is not None and item.entry is not None and item.entry.kind == "text":
        found["text"] = text
    numbers = [] if measured is not None else list(item.numbers())
    if numbers:
        found["records"] = [
            {key: value for key, value in _measured(each).items() if value is not None}
            for each in numbers
        ]
    if len(found) <= 2 + ("channel" in found):
        found["raw"] = list(item.values)
    return found


def exact(value: Decimal | None) -> str:
    """A decimal for CSV: its own digits, never an exponent."""
    return "" if value is None else format(value, "f")
