"""Every quantity's one name, unit and type.

The same names stand in `--json` of every command, CSV and Parquet headers, a board's status, MQTT
and the log's columns. Within a major version names are only added. Unknown is None (JSON null).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["time", "integer", "decimal"]


class Quantity(NamedTuple):
    """One quantity; a decimal keeps the meter's own digits."""

    name: str
    unit: str
    kind: Kind
    meaning: str


def _phase(n: int) -> tuple[Quantity, ...]:
    return (
        Quantity(f"voltage_l{n}_v", "V", "decimal", f"voltage of phase {n}"),
        Quantity(f"current_l{n}_a", "A", "decimal", f"current of phase {n}"),
        Quantity(f"import_l{n}_w", "W", "integer", f"power imported on phase {n}"),
        Quantity(f"export_l{n}_w", "W", "integer", f"power exported on phase {n}"),
    )


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("time", "", "time", "the meter's clock, ISO 8601 with offset"),
    Quantity("import_t1_wh", "Wh", "integer", "import register, the meter's tariff 1"),
    Quantity("import_t2_wh", "Wh", "integer", "import register, the meter's tariff 2"),
    Quantity("export_t1_wh", "Wh", "integer", "export register, the meter's tariff 1"),
    Quantity("export_t2_wh", "Wh", "integer", "export register, the meter's tariff 2"),
    Quantity("import_w", "W", "integer", "power imported now"),
    Quantity("export_w", "W", "integer", "power exported now"),
    Quantity("tariff", "", "integer", "active tariff, the meter's raw 1 or 2 (Belgium: 1 is day)"),
    Quantity("quarter_w", "W", "integer", "demand of the running quarter: Wh so far × 4"),
    Quantity("last_quarter_w", "W", "integer", "demand of the quarter before"),
    Quantity("forecast_w", "W", "integer", "demand the running quarter is heading for"),
    Quantity("month_peak_w", "W", "integer", "highest quarter demand of the month, as measured"),
    Quantity("threshold_w", "W", "integer", "forecast above which a monitor warns"),
    Quantity("gas_m3", "m³", "decimal", "gas register"),
    Quantity("water_m3", "m³", "decimal", "water register"),
    *_phase(1),
    *_phase(2),
    *_phase(3),
    Quantity("output_percent", "%", "integer", "a switch's output, 0 to 100"),
    Quantity("frame_age_s", "s", "integer", "seconds since the last good frame"),
)

# Of a period: a quarter, day, month or year; its `time` is when it began, in local time.
PERIOD: tuple[Quantity, ...] = (
    QUANTITIES[0],
    Quantity("import_wh", "Wh", "integer", "energy imported in the period"),
    Quantity("export_wh", "Wh", "integer", "energy exported in the period"),
    Quantity("peak_w", "W", "integer", "highest quarter demand of the period"),
    Quantity("peak_time", "", "time", "when that quarter began"),
    Quantity("seen_s", "s", "integer", "seconds of the period that were followed"),
)

NAMES: tuple[str, ...] = tuple(quantity.name for quantity in QUANTITIES)
BY_NAME: dict[str, Quantity] = {quantity.name: quantity for quantity in QUANTITIES}
