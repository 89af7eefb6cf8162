"""OBIS codes: which mean the same, and what each is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.telegram import obis


@pytest.mark.parametrize(
    "text", ["1-0:21.7.0", "1-0:21.7.0.255", "1-0:21.7.0*255", "1-1:21.7.0", "01-0:021.07.0"]
)
def test_forms_of_one_electricity_code_have_one_key(text: str) -> None:
    assert obis.code(text).key == "21.7.0"


def test_the_typo_of_old_files_is_read_as_meant() -> None:
    assert obis.code("1-0:72:32.0") == obis.code("1-0:72.32.0")


def test_channels_of_the_m_bus_are_told_apart() -> None:
    assert obis.code("0-1:24.2.1").key != obis.code("0-2:24.2.1").key
    assert (obis.code("0-2:24.2.1").channel, obis.code("0-0:96.1.1").channel) == (2, None)


def test_sweden_s_reactive_power_is_no_m_bus_object() -> None:
    code = obis.code("1-0:24.7.0")
    assert code.channel is None
    assert code.entry is not None
    assert code.entry.name == "reactive_export_l1"


@pytest.mark.parametrize(
    "text",
    ["", "1.8.1", "1-0:1.8", "1-0:1.8.1(", "a-0:1.8.1", "1-0:1.8.1 ", "1-0:1.8.٣", "-0:1.8.1"],
)
def test_what_is_no_code_is_told(text: str) -> None:
    assert obis.find(text) is None
    with pytest.raises(ValueError, match="is no OBIS code"):
        obis.code(text)


def test_noise_that_looks_like_codes_does_not_fill_the_memory() -> None:
    for n in range(6000):
        obis.find(f"{n % 1000}-{n // 1000}:1.8.0")
    assert len(obis._codes) <= 4096


def test_every_entry_has_words_in_both_languages_and_a_name_that_python_takes() -> None:
    for table in (obis.ELECTRICITY, obis.HOUSE, obis.CHANNEL):
        for cde, entry in table.items():
            assert entry.english, cde
            assert entry.dutch, cde
            assert entry.name.isidentifier(), cde


def test_no_two_electricity_codes_share_a_name() -> None:
    names = [entry.name for entry in obis.ELECTRICITY.values()]
    assert len(names) == len(set(names))


@given(st.text(max_size=24))
def test_any_text_is_a_code_or_none(text: str) -> None:
    found = obis.find(text)
    assert (found is not None) == bool(obis.CODE.fullmatch(text))
