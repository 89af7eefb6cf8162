"""Against dsmr-parser, which no one here wrote: on well-formed telegrams both say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from captured import BESIDE, CAPTURES
from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.objects import MBusObject, ProfileGenericObject
from dsmr_parser.parsers import TelegramParser

from dsmrctl.telegram import Telegram, parse

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OWN = [
    ("belgium_emucs-1.7.1_gas_water_13-months", specifications.BELGIUM_FLUVIUS),
    ("belgium_emucs-1.3", specifications.BELGIUM_FLUVIUS),
    ("negative-values", specifications.BELGIUM_FLUVIUS),
    ("netherlands_dsmr-5.0", specifications.V5),
    ("netherlands_dsmr-5.0_gas_heat_cold", specifications.V5),
    ("netherlands_dsmr-4.2", specifications.V4),
    ("luxembourg_smarty", specifications.LUXEMBOURG_SMARTY),
    ("sweden_h1", specifications.SWEDEN),
]
REAL = [
    ("ndokter-dsmr_parser__example_telegrams__FLU5253769484__01", specifications.BELGIUM_FLUVIUS),
    ("mthmulders-dsmr-rs__input1__ISK52M550T1013_01", specifications.V5),
    ("nielsbasjes-dsmr-tools__ttyUSB0_raw__ISK52M550T1012_01", specifications.V5),
    ("sensate-iot-dsmr-parser__v5__Ene5XS210ESMR5_01", specifications.V5),
    ("toreamun-amshan__test_dlde__LGF5E360_01", specifications.SWEDEN),
]
FILES = [(CAPTURES / f"{name}.txt", what) for name, what in OWN] + [
    (BESIDE / f"{name}.txt", what) for name, what in REAL if (BESIDE / f"{name}.txt").exists()
]


def lines_of(telegram: Telegram, pattern: str) -> list[int]:
    """Which of our objects the peer's pattern finds."""
    return [
        at
        for at, item in enumerate(telegram.objects)
        if re.match(pattern, f"{item.code}{''.join(f'({each})' for each in item.values)}\r\n")
    ]


def clock(when: datetime | None) -> datetime | None:
    """The digits of a time stamp: the peer drops the flag where the date contradicts it."""
    if when is None:
        return None
    local = when.astimezone(AMSTERDAM) if when.tzinfo is UTC else when
    return local.replace(tzinfo=None)


def compare(ours: Any, theirs: Any) -> None:
    numbers = [(clock(time), number, unit) for number, unit, time in ours.numbers()]
    if isinstance(theirs, list):  # the month peaks
        found = [(clock(each.occurred), Decimal(each.value), each.unit) for each in theirs]
        assert numbers == found
    elif isinstance(theirs, ProfileGenericObject):
        assert numbers == [
            (clock(each.datetime), Decimal(each.value), each.unit) for each in theirs.buffer
        ]
    elif isinstance(theirs, MBusObject):
        assert numbers == [(clock(theirs.datetime), theirs.value, theirs.unit)]
    elif ours.kind == "time":
        assert clock(theirs.value) == clock(ours.time)
    elif isinstance(theirs.value, Decimal):
        assert numbers == [(None, theirs.value, theirs.unit)]
    elif numbers or isinstance(theirs.value, int):  # a count, or a code
        assert Decimal(theirs.value) == Decimal(ours.values[0])
    else:
        assert (theirs.value or "") == ours.values[0]


@pytest.mark.parametrize(("file", "what"), FILES, ids=[file.stem for file, _ in FILES])
def test_both_parsers_say_the_same_of_every_object_the_peer_knows(file: Path, what: Any) -> None:
    raw = file.read_bytes()
    ours = parse(raw)
    theirs = TelegramParser(what).parse(raw.decode("latin-1"))
    assert len(theirs) > 10
    for pattern, each in theirs.items():
        compare(ours.objects[lines_of(ours, pattern)[0]], each)


def test_where_the_peer_loses_the_whole_telegram_we_lose_nothing() -> None:
    raw = (CAPTURES / "peaks_fewer-than-announced.txt").read_bytes()
    with pytest.raises(Exception, match=r"."):
        TelegramParser(specifications.BELGIUM_FLUVIUS).parse(raw.decode("latin-1"))
    assert len(parse(raw).peaks) == 2
