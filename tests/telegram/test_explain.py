"""`telegram decode`: every line for a person, in English or in the manual's own Dutch."""

from __future__ import annotations

import pytest
from captured import NAMES, capture

from dsmrctl.telegram.explain import LANGUAGES, Row, as_document, explain

# Word for word what the manual sets beside the lines of its telegram.
MANUAL = {
    "0-0:96.1.4": "ID",
    "0-0:96.1.1": "Serienummer",
    "0-0:1.0.0": "Datum/tijd",
    "1-0:1.8.1": "Verbruik / afname tarief 1 (DAG)",
    "1-0:1.8.2": "Verbruik / afname tarief 2 (NACHT)",
    "1-0:2.8.1": "Injectie tarief 1 (DAG)",
    "1-0:2.8.2": "Injectie tarief 2 (NACHT)",
    "0-0:96.14.0": "Actief tarief (1/2)",
    "1-0:1.7.0": "Actueel vermogen afname/verbruik",
    "1-0:2.7.0": "Actueel vermogen injectie",
    "1-0:21.7.0": "Actueel vermogen afname Fase 1",
    "1-0:41.7.0": "Actueel vermogen afname Fase 2",
    "1-0:61.7.0": "Actueel vermogen afname Fase 3",
    "1-0:22.7.0": "Actueel vermogen injectie Fase 1",
    "1-0:42.7.0": "Actueel vermogen injectie Fase 2",
    "1-0:62.7.0": "Actueel vermogen injectie Fase 3",
    "1-0:32.7.0": "Spanning Fase 1",
    "1-0:52.7.0": "Spanning Fase 2",
    "1-0:72.7.0": "Spanning Fase 3",
    "1-0:31.7.0": "Stroom Fase 1",
    "1-0:51.7.0": "Stroom Fase 2",
    "1-0:71.7.0": "Stroom Fase 3",
    "0-0:96.3.10": "Stand van de schakelaar/automaat - elektriciteit",
    "0-0:17.0.0": "Max toegelaten vermogen per fase (ongebruikt?)",
    "1-0:31.4.0": "Max toegelaten stroom per fase (ongebruikt?)",
    "0-0:96.13.0": "Bericht",
    "0-1:24.1.0": "ID andere toestellen op de bus CH1 (003=gas, 007=water)",
    "0-1:96.1.1": "Serienummer van de aardgasmeter",
    "0-1:24.4.0": "Stand van de kraan van de aardgasmeter",
    "0-1:24.2.3": "Datum meting en waarde aardgas",
    "!": "CRC16",
}


def rows(name: str, language: str = "en") -> dict[str, Row]:
    return {row.obis: row for row in explain(capture(name), language)}


def test_every_remark_of_the_manual_stands_beside_its_line() -> None:
    found = explain(capture("manual_emucs-1.4_no-crc"), "nl")
    assert {row.obis: row.meaning for row in found if row.obis != "/"} == MANUAL


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_values_of_the_manual_s_telegram_are_shown_with_their_units(language: str) -> None:
    found = rows("manual_emucs-1.4_no-crc", language)
    assert [(found[code].value, found[code].unit) for code in MANUAL if ".8." in code] == [
        ("559.373", "kWh"), ("477.305", "kWh"), ("549.778", "kWh"), ("254.235", "kWh"),
    ]  # fmt: skip
    assert found["1-0:1.7.0"][2:4] == ("0.668", "kW")
    assert found["0-1:24.2.3"][2:4] == ("453.722  (31-05-2021 19:25:01)", "m³")
    assert found["0-0:1.0.0"].value == "31-05-2021 19:26:22"
    assert found["0-1:96.1.1"].value == "7FLO2119128421"


def test_the_missing_crc_of_the_manual_s_telegram_is_told_in_both_languages() -> None:
    dutch, english = (rows("manual_emucs-1.4_no-crc", each)["!"] for each in ("nl", "en"))
    assert (dutch.value, dutch.remark) == ("geen", "de CRC ontbreekt")
    assert (english.value, english.remark) == ("none", "eMUCS-P1 1.5 has a CRC; it is missing")


def test_the_header_and_the_crc_are_the_first_and_the_last_row() -> None:
    found = explain(capture("netherlands_dsmr-5.0"))
    assert found[0][:3] == (1, "/", "DCT5\\2A000T-0001")
    assert (found[-1].obis, len(found[-1].value)) == ("!", 4)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_line_has_a_row_with_a_meaning_in_the_order_of_the_telegram(
    name: str, language: str
) -> None:
    telegram = capture(name)
    found = explain(telegram, language)
    assert [row.line for row in found] == sorted(row.line for row in found)
    coded = [row.obis for row in found if row.obis not in ("", "/", "!")]
    assert coded == [item.code for item in telegram.objects]
    assert all(row.meaning and "{" not in row.meaning for row in found if row.obis)
    remarked = {row.line for row in found if row.remark}
    assert remarked == {odd.line for odd in telegram.diagnostics}


def test_day_and_night_follow_the_country() -> None:
    belgian, dutch = rows("belgium_emucs-1.3", "nl"), rows("netherlands_dsmr-5.0", "nl")
    assert belgian["1-0:1.8.1"].meaning.endswith("(DAG)")
    assert dutch["1-0:1.8.1"].meaning.endswith("(NACHT)")
    assert rows("belgium_emucs-1.3")["0-0:96.14.0"].meaning == "Active tariff: night"
    assert rows("netherlands_dsmr-5.0")["0-0:96.14.0"].meaning == "Active tariff: day"
    assert rows("hungary_previous-month")["1-0:1.8.1"].meaning == "Imported, tariff 1"


def test_month_peaks_and_failures_have_a_row_each() -> None:
    peaks = [row for row in explain(capture("peaks_unset-record"), "nl") if row.line == 13]
    assert [row[1:5] for row in peaks] == [
        ("0-0:98.1.0", "2", "", "Historiek maandpieken"),
        ("", "0.000  (niet ingesteld)", "kW", "piek van 01-2026"),
        ("", "5.402  (14-02-2026 18:15:00)", "kW", "piek van 02-2026"),
    ]
    failures = [row for row in explain(capture("netherlands_dsmr-5.0")) if row.line == 15]
    assert [row.value for row in failures] == [
        "2", "240  (14-03-2021 09:30:12)", "4512  (12-06-2022 15:10:45)",
    ]  # fmt: skip


def test_the_medium_of_each_channel_is_named() -> None:
    found = rows("netherlands_dsmr-5.0_gas_heat_cold")
    assert found["0-2:24.1.0"].meaning == "What meter is on channel 2: heat"
    assert found["0-3:24.2.1"].meaning == "Reading of the cold meter"
    found = rows("meters_reading-without-a-medium", "nl")
    assert found["0-2:24.2.1"].meaning.startswith("Datum meting en waarde")


def test_a_line_that_is_no_object_is_shown_with_what_is_wrong() -> None:
    (found,) = [row for row in explain(capture("lines_broken")) if row.line == 14]
    assert found == Row(14, "", "", "", "", "'1-0:1x7.0(00.338*kW)' is no COSEM object")


def test_the_json_of_decode_has_the_same_rows() -> None:
    telegram = capture("belgium_emucs-1.3")
    found = as_document(telegram, "nl")
    assert found["time"] == "2019-09-05T22:00:00+02:00"
    assert [tuple(each.values()) for each in found["lines"]] == explain(telegram, "nl")
