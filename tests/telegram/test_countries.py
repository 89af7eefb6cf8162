"""Each country's telegram: who speaks, what it says, day and night."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from captured import capture

from dsmrctl.telegram import Measurement, Telegram

CET = timezone(timedelta(hours=1))
CEST = timezone(timedelta(hours=2))


def kwh(text: str) -> Measurement:
    return Measurement(Decimal(text), "kWh")


@pytest.mark.parametrize(
    ("name", "country", "version"),
    [
        ("manual_emucs-1.4_no-crc", "BE", "eMUCS-P1 1.5"),
        ("belgium_emucs-1.3", "BE", "eMUCS-P1 1.3"),
        ("belgium_emucs-1.7.1_gas_water_13-months", "BE", "eMUCS-P1 1.7"),
        ("belgium_emucs-2.1_relays_ean", "BE", "eMUCS-P1 2.1"),
        ("belgium_2026_stamp-behind-the-peak", "BE", "eMUCS-P1 2.1"),
        ("wallonia_b-part-1", "BE", "eMUCS-P1 1.7"),
        ("netherlands_dsmr-2.2_gas-on-the-next-line", "NL", "DSMR 2/3"),
        ("netherlands_dsmr-3.0_gas-on-the-same-line", "NL", "DSMR 2/3"),
        ("netherlands_dsmr-4.2", "NL", "DSMR 4.2"),
        ("netherlands_dsmr-5.0", "NL", "DSMR 5.0"),
        ("luxembourg_smarty", "LU", "DSMR 4.2"),
        ("sweden_h1", "SE", None),
        ("hungary_previous-month", "HU", None),
        ("integer-wh-and-w", None, "DSMR 5.0"),
        ("nested-brackets", None, None),
    ],
)
def test_country_and_version_are_told_by_the_telegram_itself(
    name: str, country: str | None, version: str | None
) -> None:
    telegram = capture(name)
    assert (telegram.country, telegram.version) == (country, version)


def test_a_belgian_1_7_1_telegram_with_everything_in_it() -> None:
    telegram = capture("belgium_emucs-1.7.1_gas_water_13-months")
    assert telegram.ident == "FLU5\\253769484_A"
    assert telegram.serial == "1SAG1100099001"
    assert telegram.time == datetime(2026, 3, 14, 12, 30, 1, tzinfo=CET)
    assert (telegram.import_t1, telegram.import_t2) == (kwh("301.548"), kwh("270.014"))
    assert (telegram.export_t1, telegram.export_t2) == (kwh("0.005"), kwh("0"))
    assert telegram.tariff == 1
    assert telegram.import_power == (Decimal("0.338"), "kW", None)
    assert telegram.import_l2 == (Decimal("0.179"), "kW", None)
    assert telegram.voltage_l3 == (Decimal("228.1"), "V", None)
    assert telegram.current_l1 == (Decimal("0.27"), "A", None)
    assert telegram.quarter_demand == (Decimal("2.351"), "kW", None)
    peaked = datetime(2026, 3, 9, 13, 45, tzinfo=CET)
    assert telegram.month_peak == (Decimal("2.589"), "kW", peaked)
    read = datetime(2026, 3, 14, 12, 25, 3, tzinfo=CET)
    assert telegram.gas == (Decimal("112.384"), "m3", read)
    read = datetime(2026, 3, 14, 12, 29, 7, tzinfo=CET)
    assert telegram.water == (Decimal("872.234"), "m3", read)
    assert telegram.message is None
    assert not telegram.diagnostics


def test_thirteen_month_peaks_belong_to_the_month_before_their_capture() -> None:
    peaks = capture("belgium_emucs-1.7.1_gas_water_13-months").peaks
    assert [peak.month for peak in peaks] == [
        date(2025 + month // 12, month % 12 + 1, 1) for month in range(1, 14)
    ]
    first = peaks[0]
    assert first.time == first.demand.time == datetime(2025, 2, 11, 18, 30, tzinfo=CET)
    assert first.demand[:2] == (Decimal("4.318"), "kW")


def test_the_meters_behind_the_meter_are_named_by_channel() -> None:
    gas, water = capture("belgium_emucs-1.7.1_gas_water_13-months").mbus
    assert (gas.channel, gas.medium, gas.serial, gas.valve) == (1, "gas", "7FLO2199000001", 1)
    assert (water.channel, water.medium, water.serial) == (2, "water", "8SAG9900000002")
    assert water.valve is None


def test_relays_grid_and_ean_of_belgium_2_1() -> None:
    telegram = capture("belgium_emucs-2.1_relays_ean")
    assert telegram.ean is None  # sent empty
    assert telegram.mbus[0].ean == "541448899000000017"
    assert [meter.channel for meter in telegram.mbus] == [1, 2]  # relays are no meters
    assert [telegram[f"0-{n}:96.3.10"].text for n in (0, 1, 2, 3, 4)] == ["1", "0", "0", "1", "0"]
    assert telegram["1-0:94.32.1"].text == "400"


def day_and_night(telegram: Telegram) -> tuple[object, ...]:
    return (
        telegram.import_day, telegram.import_night, telegram.export_day, telegram.export_night,
    )  # fmt: skip


def test_tariff_1_is_day_in_belgium_and_night_in_the_netherlands() -> None:
    belgian, dutch = capture("manual_emucs-1.4_no-crc"), capture("netherlands_dsmr-5.0")
    assert day_and_night(belgian) == (
        belgian.import_t1, belgian.import_t2, belgian.export_t1, belgian.export_t2,
    )  # fmt: skip
    assert day_and_night(dutch) == (
        dutch.import_t2, dutch.import_t1, dutch.export_t2, dutch.export_t1,
    )  # fmt: skip
    assert belgian.import_day == kwh("559.373")
    assert dutch.import_night == kwh("3432.827")


def test_day_and_night_are_not_guessed_where_the_numbering_is_not_known() -> None:
    assert day_and_night(capture("hungary_previous-month")) == (None,) * 4


def test_a_dutch_5_0_telegram() -> None:
    telegram = capture("netherlands_dsmr-5.0")
    assert telegram.time == datetime(2026, 7, 14, 15, 30, 7, tzinfo=CEST)
    assert telegram.export_power == (Decimal("1.306"), "kW", None)
    assert telegram.message == "Onderhoud op 3 augustus"
    assert [(failure.time, failure.duration[:2]) for failure in telegram.failures] == [
        (datetime(2021, 3, 14, 9, 30, 12, tzinfo=CET), (Decimal(240), "s")),
        (datetime(2022, 6, 12, 15, 10, 45, tzinfo=CEST), (Decimal(4512), "s")),
    ]
    assert telegram["1-0:52.32.0"].measurement == (Decimal(2), None, None)
    assert telegram.gas == (Decimal("2745.056"), "m3", datetime(2026, 7, 14, 15, 25, tzinfo=CEST))
    assert not telegram.diagnostics


def test_heat_and_cold_are_meters_like_others() -> None:
    meters = capture("netherlands_dsmr-5.0_gas_heat_cold").mbus
    assert [(meter.channel, meter.medium) for meter in meters] == [
        (1, "gas"), (2, "heat"), (3, "cold"),
    ]  # fmt: skip
    assert meters[1].reading is not None
    assert meters[1].reading[:2] == (Decimal("12.345"), "GJ")
    assert meters[2].serial is None


@pytest.mark.parametrize("form", ["2.2_gas-on-the-next-line", "3.0_gas-on-the-same-line"])
def test_the_old_dutch_gas_form_gives_value_unit_and_time(form: str) -> None:
    telegram = capture(f"netherlands_dsmr-{form}")
    assert telegram.crc == "absent"
    assert telegram.time is None
    assert telegram.gas is not None
    assert telegram.gas[:2] == (Decimal("124.477"), "m3")
    # May is summer time and November is not; the meter does not say.
    summer = form.startswith("2.2")
    assert telegram.gas.time == datetime(
        2012, 5 if summer else 11, 17, 2, tzinfo=CEST if summer else CET
    )
    assert [each.kind for each in telegram.diagnostics] == ["no-offset"]
    assert telegram.mbus[0].valve == 1


def test_luxembourg_has_totals_and_two_limits_on_one_line() -> None:
    telegram = capture("luxembourg_smarty")
    assert telegram.import_t1 is None
    assert telegram.import_total == kwh("123.456")
    assert telegram["1-1:31.4.0"].numbers() == [
        (Decimal(100), "A", None),
        (Decimal(-63), "A", None),
    ]
    assert telegram["0-0:17.0.0"].measurement == (Decimal("27.6"), "kVA", None)
    assert telegram.serial == "SAG1030700099001"
    assert telegram.mbus == ()  # 0-1:96.3.10 is a relay


def test_sweden_s_reactive_phase_is_not_taken_for_an_m_bus_meter() -> None:
    telegram = capture("sweden_h1")
    assert telegram.mbus == ()
    assert telegram["1-0:24.7.0"].measurement == (Decimal("0.017"), "kVAr", None)
    assert telegram.import_total == kwh("31157.405")


def test_wallonia_s_registers_are_found_under_b_part_1() -> None:
    telegram = capture("wallonia_b-part-1")
    assert telegram.import_day == kwh("301.548")
    assert telegram.voltage_l1 == (Decimal("232.9"), "V", None)
    assert telegram["1-0:1.8.2"] is telegram["1-1:1.8.2"]


def test_hungary_s_previous_month_is_no_peak_history() -> None:
    telegram = capture("hungary_previous-month")
    assert telegram.peaks == ()
    numbers = telegram["0-0:98.1.0"].numbers()
    assert numbers[0] == (Decimal("663.924"), "kWh", datetime(2023, 8, 1, tzinfo=CEST))
    assert numbers[-1][:2] == (Decimal("5.144"), "kW")
    assert telegram.message is None  # 64 octets FF
    assert telegram.tariff == 1  # "TARIFF 1"
    assert not telegram.diagnostics


def test_the_summer_time_of_a_stamp_without_a_flag_changes_on_the_last_sundays() -> None:
    from dsmrctl.telegram.values import stamp

    offsets = {
        text: stamp(text).utcoffset() == timedelta(hours=2)
        for text in ("120325015959", "120325030000", "121028025959", "121028030000", "200329020000")
    }
    assert list(offsets.values()) == [False, True, True, False, True]


def test_an_object_is_found_by_its_own_channel_first() -> None:
    raw = b"/XXX5\r\n\r\n1-1:1.8.1(1*kWh)\r\n1-0:1.8.1(2*kWh)\r\n1-0:1.8.1(3*kWh)\r\n!\r\n"
    telegram = Telegram(raw, "absent")
    assert telegram.import_t1 == kwh("2")
    assert telegram["1-1:1.8.1"].measurement == kwh("1")
    assert [item.code for item in telegram.all("1-2:1.8.1")] == ["1-1:1.8.1"] + ["1-0:1.8.1"] * 2
    assert telegram.get("1-0:99.99.99") is None
    with pytest.raises(KeyError):
        telegram["0-0:96.1.1"]
    with pytest.raises(ValueError, match="is no OBIS code"):
        telegram.get("import")
