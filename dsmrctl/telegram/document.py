"""A telegram as the quantities every program shares, and as one JSON document."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dsmrctl.quantities import NAMES

from .meters import reading_of
from .readings import NUMBERS

if TYPE_CHECKING:
    from .objects import CosemObject
    from .telegram import Telegram
    from .values import Measurement, Number

WATT_HOURS = {"kWh": 1000, "Wh": 1, "MWh": 1_000_000, "kwh": 1000, "wh": 1}
WATTS = {"kW": 1000, "W": 1, "MW": 1_000_000, "kw": 1000, "w": 1}
_VOLTS, _AMPERES, _CUBIC_METRES = ("V",), ("A",), ("m3", "m³", "M3")

# Quantity, the key of its object (Telegram.measured), the units it may come in.
_WHOLE = (
    ("import_t1_wh", "1.8.1", WATT_HOURS),
    ("import_t2_wh", "1.8.2", WATT_HOURS),
    ("export_t1_wh", "2.8.1", WATT_HOURS),
    ("export_t2_wh", "2.8.2", WATT_HOURS),
    ("import_w", "1.7.0", WATTS),
    ("export_w", "2.7.0", WATTS),
    ("quarter_w", "1.4.0", WATTS),
    ("month_peak_w", "1.6.0", WATTS),
    *((f"import_l{n}_w", f"{20 * n + 1}.7.0", WATTS) for n in (1, 2, 3)),
    *((f"export_l{n}_w", f"{20 * n + 2}.7.0", WATTS) for n in (1, 2, 3)),
)
_DECIMAL = (
    *((f"voltage_l{n}_v", f"{20 * n + 12}.7.0", _VOLTS) for n in (1, 2, 3)),
    *((f"current_l{n}_a", f"{20 * n + 11}.7.0", _AMPERES) for n in (1, 2, 3)),
)


def whole(measured: Measurement | None, units: dict[str, int]) -> int | None:
    """A measurement in whole Wh or W, halves away from zero; None without one or in another unit.

    Zero is zero also without its unit: some meters leave it out.
    """
    if measured is None:
        return None
    number, unit, _ = measured
    factor = units.get(unit or "")
    if factor is None:
        return 0 if unit is None and not number else None
    scaled = number * factor
    found = int(scaled)
    return found if found == scaled else int(scaled.to_integral_value("ROUND_HALF_UP"))


def quantities(telegram: Telegram) -> dict[str, Any]:
    """Every quantity (`quantities.NAMES`): whole Wh and W, exact decimals, None where unknown.

    Registers are those by tariff only: a meter that sends totals has None for T1 and T2.
    """
    found: dict[str, Any] = dict.fromkeys(NAMES)
    measured = telegram.measured
    found["time"] = _iso(telegram.time)
    for name, key, units in _WHOLE:
        found[name] = whole(measured(key), units)
    for name, key, units in _DECIMAL:
        found[name] = _decimal(measured(key), units)
    found["tariff"] = telegram.tariff
    meters = telegram.mbus
    if meters:
        found["gas_m3"] = _decimal(reading_of("gas", meters), _CUBIC_METRES)
        found["water_m3"] = _decimal(reading_of("water", meters), _CUBIC_METRES)
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
            "value": meter.reading.number if meter.reading else None,
            "unit": meter.reading.unit if meter.reading else None,
            "time": _iso(meter.reading.time) if meter.reading else None,
        }
        for meter in telegram.mbus
    ]
    found["peaks"] = [
        {
            "month": f"{peak.month:%Y-%m}",
            "w": whole(peak.demand, WATTS),
            "kw": _kilo(peak.demand),
            "time": _iso(peak.time),
        }
        for peak in telegram.peaks
    ]
    found["objects"] = [_object(item) for item in telegram.objects]
    found["diagnostics"] = [odd._asdict() for odd in telegram.diagnostics]
    return found


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when is not None else None


def _decimal(measured: Measurement | None, units: tuple[str, ...]) -> Decimal | None:
    if measured is None:
        return None
    number, unit, _ = measured
    return number if unit in units or (unit is None and not number) else None


def _kilo(measured: Measurement) -> Decimal | None:
    factor = WATTS.get(measured.unit or "")
    if factor is None:
        return None
    return measured.number if factor == 1000 else (measured.number * factor).scaleb(-3)


def _object(item: CosemObject) -> dict[str, Any]:
    """What exists of channel, value, unit, time, text, records; else the texts in its brackets."""
    found: dict[str, Any] = {"obis": item.code, "name": item.name}
    if item.channel is not None:
        found["channel"] = item.channel
    known = len(found)
    numbers = NUMBERS[item.kind](item.values, [])
    if len(numbers) == 1 and item.kind not in ("peaks", "events"):
        found |= _number(numbers[0])
    elif numbers:
        found["records"] = [_number(each) for each in numbers]
    elif item.kind == "time" and item.time is not None:
        found["time"] = _iso(item.time)
    elif item.text is not None:
        found["text"] = item.text
    if len(found) == known:
        found["values"] = list(item.values)
    return found


def _number(number: Number) -> dict[str, Any]:
    found: dict[str, Any] = {"value": number[0]}
    if number[1] is not None:
        found["unit"] = number[1]
    if number[2] is not None:
        found["time"] = _iso(number[2])
    return found


def exact(value: Decimal | None) -> str:
    """A decimal for CSV: its own digits, never an exponent."""
    return "" if value is None else format(value, "f")
