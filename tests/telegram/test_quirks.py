"""What real meters have been seen to send; each has a capture of its own."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from captured import capture, odd, only, raw

PEAKS = "0-0:98.1.0"


def test_an_unset_month_peak_keeps_its_month_and_has_no_time() -> None:
    telegram = capture("peaks_unset-record")
    january, february = telegram.peaks
    assert (january.month, january.time, january.demand.number) == (date(2026, 1, 1), None, 0)
    assert february.time is not None
    assert only(telegram, "unset-time").line == 13


def test_a_month_peak_whose_month_is_unset_is_left_out_of_the_history() -> None:
    telegram = capture("peaks_unset-month")
    assert [peak.month for peak in telegram.peaks] == [date(2026, 2, 1)]
    assert odd(telegram) == [("unset-time", PEAKS)]


def test_a_history_of_no_records_is_empty_and_nothing_is_odd() -> None:
    telegram = capture("peaks_none-yet")
    assert telegram.peaks == ()
    assert telegram.diagnostics == ()


def test_a_history_that_is_a_bare_count_does_not_lose_the_telegram() -> None:
    telegram = capture("peaks_bare-count")
    assert telegram.peaks == ()
    assert only(telegram, "wrong-count").message == "12 month peaks are announced, 0 are there"
    assert telegram.import_t1 is not None


def test_fewer_month_peaks_than_announced_are_all_kept() -> None:
    telegram = capture("peaks_fewer-than-announced")
    assert len(telegram.peaks) == 2
    assert only(telegram, "wrong-count").obis == PEAKS


def test_month_peaks_in_watts_keep_their_unit() -> None:
    peaks = capture("peaks_in-watts").peaks
    assert [peak.demand[:2] for peak in peaks] == [(Decimal(4529), "W"), (Decimal(5402), "W")]


def test_month_peaks_come_oldest_first_whatever_the_meter_s_order() -> None:
    assert (
        capture("peaks_newest-first").peaks
        == capture("belgium_emucs-1.7.1_gas_water_13-months").peaks
    )


def test_one_bad_peak_stamp_does_not_lose_the_telegram() -> None:
    telegram = capture("peaks_one-bad-stamp")
    assert [(peak.month, peak.time is None) for peak in telegram.peaks] == [
        (date(2025, 12, 1), True),  # its occurrence is wrong
        (date(2026, 2, 1), False),  # between them the month itself was wrong
    ]
    assert odd(telegram) == [("bad-time", PEAKS)] * 2
    assert telegram.month_peak is not None


def test_a_history_cut_inside_a_record_keeps_the_whole_records() -> None:
    telegram = capture("peaks_cut-inside-a-record")
    assert [peak.month for peak in telegram.peaks] == [date(2026, 1, 1)]
    assert odd(telegram) == [("wrong-count", PEAKS), ("bad-brackets", PEAKS)]


def test_a_stamp_behind_the_month_peak_is_its_time() -> None:
    telegram = capture("belgium_2026_stamp-behind-the-peak")
    assert telegram.month_peak is not None
    assert telegram.month_peak[:2] == (Decimal("8.796"), "kW")
    assert f"{telegram.month_peak.time:%Y-%m-%d %H:%M %z}" == "2026-01-02 01:00 +0100"
    assert only(telegram, "no-offset").obis == "1-0:1.6.0"


@pytest.mark.parametrize(
    "stamp", ["632525252525S", "700101010000W", "000000000000", "250000000000W"]
)
def test_a_clock_that_was_never_set_gives_no_time(stamp: str) -> None:
    telegram = capture(f"time_{stamp}")
    assert telegram.time is None
    assert stamp in only(telegram, "unset-time").message
    assert telegram.import_t1 is not None


def test_the_flag_is_the_offset_even_against_the_date() -> None:
    telegram = capture("time_summer-flag-in-winter")
    assert telegram.time is not None
    assert telegram.time.utcoffset() == timedelta(hours=2)
    assert telegram.time.replace(tzinfo=None) == datetime(2026, 1, 14, 12, 30, 1)
    assert telegram.diagnostics == ()


def test_zero_without_a_unit_is_zero() -> None:
    telegram = capture("zero-without-a-unit")
    assert telegram.export_power == (0, None, None)
    assert telegram.gas is not None
    assert (telegram.gas.number, telegram.gas.unit) == (0, None)
    assert telegram.gas.time is not None
    assert telegram.diagnostics == ()


def test_empty_brackets_anywhere_are_a_missing_value_each() -> None:
    telegram = capture("empty-brackets")
    assert telegram.import_t1 is telegram.month_peak is telegram.gas is telegram.tariff is None
    assert telegram.peaks == ()
    assert odd(telegram) == [
        ("no-value", code)
        for code in ("1-0:1.8.1", "1-0:1.6.0", "1-0:32.7.0", "0-1:24.2.3", "0-2:24.2.1")
    ]
    assert len(telegram.objects) == len(capture("crc_lower-case").objects)


def test_a_dead_channel_beside_a_live_one_of_the_same_kind_is_passed_over() -> None:
    telegram = capture("meters_dead-gas-beside-a-live-one")
    assert telegram.gas is not None
    assert telegram.gas.number == Decimal("112.384")
    assert [(meter.channel, meter.medium, meter.alive) for meter in telegram.mbus] == [
        (1, "gas", False),
        (2, "gas", True),
    ]


def test_a_dead_channel_alone_is_no_gas_reading_of_zero() -> None:
    telegram = capture("meters_only-a-dead-gas")
    assert telegram.gas is None
    assert len(telegram.mbus) == 1


def test_of_two_gas_meters_the_one_that_is_still_read_counts() -> None:
    gas = capture("meters_two-gas-the-older-stopped").gas
    assert gas is not None
    assert gas.number == Decimal("112.384")


def test_water_on_channel_1_and_gas_on_2_are_not_mixed_up() -> None:
    telegram = capture("meters_water-on-1_gas-on-2")
    assert telegram.gas is not None
    assert telegram.water is not None
    assert (telegram.gas.number, telegram.water.number) == (Decimal("112.384"), Decimal("872.234"))


def test_gas_on_24_2_1_and_water_on_24_2_3_are_told_by_their_medium() -> None:
    telegram = capture("meters_readings-the-other-way-round")
    assert telegram.gas is not None
    assert telegram.water is not None
    assert (telegram.gas.number, telegram.water.number) == (Decimal("112.384"), Decimal("872.234"))


def test_of_both_readings_on_a_channel_the_living_one_counts() -> None:
    gas = capture("meters_both-readings-on-a-channel").gas
    assert gas is not None
    assert gas.number == Decimal("112.384")


def test_a_reading_without_a_medium_on_its_own_channel_is_of_no_medium() -> None:
    telegram = capture("meters_reading-without-a-medium")
    assert telegram.gas is telegram.water is None
    assert [(meter.medium, meter.reading is None) for meter in telegram.mbus] == [
        ("gas", True),
        (None, False),
    ]


def test_the_medium_may_come_after_the_reading() -> None:
    assert capture("meters_medium-behind-its-reading").gas is not None


def test_a_telegram_without_its_crc_is_taken_and_the_loss_is_told() -> None:
    telegram = capture("crc_missing")
    assert telegram.crc == "absent"
    assert only(telegram, "no-crc").line == 39


@pytest.mark.parametrize("name", ["crc_lower-case", "crc_unpadded", "line-feeds-only"])
def test_a_crc_written_or_carried_another_way_is_a_crc(name: str) -> None:
    telegram = capture(name)
    assert telegram.crc == "valid"
    assert telegram.diagnostics == ()
    assert len(telegram.objects) == 36


def test_the_captures_of_crcs_are_what_they_are_named() -> None:
    assert raw("crc_lower-case")[-6:-2].lower() == raw("crc_lower-case")[-6:-2]
    assert raw("crc_lower-case")[-6:-2].upper() != raw("crc_lower-case")[-6:-2]
    assert raw("crc_unpadded")[-6:-5] == b"!"


def test_ff_and_nul_after_a_telegram_are_no_part_of_it() -> None:
    telegram = capture("bytes-after-it_ff-and-nul")
    assert telegram.crc == "valid"
    assert telegram.raw.endswith(b"\r\n")


def test_no_blank_line_after_the_header_loses_no_object() -> None:
    assert capture("no-blank-line").objects[0].code == "0-0:96.1.4"
    assert capture("no-blank-line").objects[0].line == 2


def test_blanks_in_the_ident_are_kept() -> None:
    assert capture("netherlands_blanks-in-the-ident").ident == "Ene5\\XS210 ESMR 5.0"


def test_a_message_may_hold_slashes_exclamation_marks_and_brackets() -> None:
    telegram = capture("message_slash-and-exclamation-mark")
    assert telegram.message == "Hoge piek! zie www.voorbeeld.be/piek (of bel)!"
    assert telegram.diagnostics == ()


@pytest.mark.parametrize("name", ["message_hex", "message_wrapped-over-lines"])
def test_a_message_in_hex_is_decoded_on_one_line_or_wrapped(name: str) -> None:
    telegram = capture(name)
    assert telegram.message == (
        "Beste klant, op 3 augustus 2026 werken wij aan het net. De stroom kan dan kort wegvallen."
    )
    assert telegram.diagnostics == ()
    assert telegram.gas is not None


def test_a_wrapped_line_of_a_message_may_look_like_an_end_or_a_header() -> None:
    telegram = capture("message_wrapped_line-begins-with-exclamation-mark")
    assert telegram.message == "Let op!ABCD/XXX5 einde"
    assert telegram.water is not None


def test_nested_brackets_are_one_value() -> None:
    telegram = capture("nested-brackets")
    assert telegram["1-0:0.2.0"].values == ("(ER11)",)
    assert telegram.diagnostics == ()


def test_negative_values_are_taken() -> None:
    telegram = capture("negative-values")
    assert telegram.import_power == (Decimal("-0.338"), "kW", None)
    assert telegram.current_l1 == (Decimal("-0.27"), "A", None)


def test_no_voltage_on_l2_of_a_delta_grid_is_what_the_meter_says() -> None:
    telegram = capture("delta-grid_no-voltage-on-l2")
    assert telegram.voltage_l2 == (0, "V", None)
    assert telegram.current_l2 == (Decimal("3.41"), "A", None)
    assert telegram.diagnostics == ()


def test_duplicates_and_unknown_codes_are_kept() -> None:
    telegram = capture("duplicates-and-unknown-codes")
    assert [item.values for item in telegram.all("1-0:1.7.0")] == [("00.338*kW",), ("00.339*kW",)]
    assert telegram.import_power == (Decimal("0.338"), "kW", None)
    assert telegram["0-0:96.99.99"].values == ("0042",)
    assert telegram["0-0:96.99.99"].measurement is None  # mere digits may be a name
    assert telegram["9-9:99.99.99"].measurement == (Decimal("1.5"), "furlong", None)
    assert telegram.import_t1 is not None


def test_of_a_repeated_object_the_one_with_a_value_counts() -> None:
    telegram = capture("first-of-two-empty")
    assert telegram.import_t1 == (Decimal("301.548"), "kWh", None)


def test_what_a_computer_calls_a_number_but_no_meter_sends_is_none() -> None:
    telegram = capture("not-numbers")
    assert telegram.import_t1 is telegram.import_power is telegram.voltage_l1 is None
    assert [kind for kind, _ in odd(telegram)] == ["bad-number"] * 4
    assert "'NaN*kWh' is no number" in telegram.diagnostics[0].message


def test_broken_lines_cost_themselves_only() -> None:
    telegram = capture("lines_broken")
    assert [(each.kind, each.line) for each in telegram.diagnostics] == [
        ("bad-brackets", 6), ("no-object", 14), ("no-object", 22),
        ("no-value", 23), ("bad-brackets", 23), ("bad-brackets", 29),
    ]  # fmt: skip
    assert telegram.import_t1 == (Decimal("301.548"), "kWh", None)
    assert telegram.import_power is None
    assert telegram["0-0:17.0.0"].measurement == (Decimal("999.9"), "kW", None)
    assert telegram.gas is not None
    assert all(each.message.isprintable() for each in telegram.diagnostics)


def test_blanks_around_a_line_do_no_harm() -> None:
    telegram = capture("lines_with-blanks-around")
    assert telegram.import_t1 is not None
    assert telegram.diagnostics == ()


def test_an_empty_failure_log_is_empty() -> None:
    telegram = capture("netherlands_failures-empty")
    assert telegram.failures == ()
    assert telegram.diagnostics == ()


def test_failures_announced_but_absent_are_told() -> None:
    telegram = capture("netherlands_failures-announced-but-absent")
    assert telegram.failures == ()
    assert only(telegram, "wrong-count").message == "3 failures are announced, 0 are there"


def test_the_sentinel_of_an_unset_failure_has_no_time() -> None:
    telegram = capture("netherlands_failures-unset-sentinel")
    assert [(each.time is None, each.duration.number) for each in telegram.failures] == [
        (True, 2147483647),
        (False, 4512),
    ]
    only(telegram, "unset-time")


def test_the_sags_with_a_colon_for_a_point_are_found() -> None:
    telegram = capture("netherlands_sags-with-a-colon")
    assert telegram["1-0:72.32.0"].code == "1-0:72:32.0"
    assert telegram.diagnostics == ()


def test_an_old_gas_reading_whose_value_is_missing_says_so() -> None:
    telegram = capture("netherlands_dsmr-2.2_gas-value-missing")
    assert telegram.gas is None
    assert [kind for kind, _ in odd(telegram)] == ["no-offset", "no-value"]
