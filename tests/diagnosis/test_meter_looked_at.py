"""A meter that is silent, noisy, damaged, encrypted, or has another time: on a real port."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import BELGIAN
from hypothesis import given
from hypothesis import strategies as st
from patient import cleared, provoked

from dsmrctl.diagnosis import meter
from dsmrctl.diagnosis.finding import Finding
from dsmrctl.telegram.crc import crc16
from dsmrctl.telegram.sources import Source, open_source

SUMMER, WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
TELEGRAM = BELGIAN.read_bytes()


def heard(
    data: bytes,
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    timeout: float = 5,
) -> list[Finding]:
    """What is found at a port out of which these bytes come; three telegrams end it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    sent = threading.Thread(target=_all, args=(master, data))

    def opening() -> Source:
        source = open_source(os.ttyname(slave))
        sent.start()
        return source

    try:
        return list(meter.listen(opening, timeout, now=now))
    finally:
        sent.join(5)
        os.close(slave)
        os.close(master)


def _all(master: int, data: bytes) -> None:
    while data:
        data = data[os.write(master, data) :]


def at(stamp: str) -> bytes:
    """The telegram with that time, its CRC made right again."""
    text = TELEGRAM
    start = text.index(b"0-0:1.0.0(") + len(b"0-0:1.0.0(")
    text = text[:start] + stamp.encode() + text[start + 13 :]
    covered = text[: text.rindex(b"!") + 1]
    return covered + f"{crc16(covered):04X}\r\n".encode()


def test_a_source_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    found = list(meter.listen(lambda: open_source(str(tmp_path / "absent"))))
    assert [each.name for each in found] == ["source"]
    provoked("source", found)


def test_a_file_of_telegrams_is_well(tmp_path: Path) -> None:
    found = list(meter.listen(lambda: open_source(str(BELGIAN))))
    cleared("source", found)
    cleared("meter-noise", found)
    # Its time is that of long ago, which says nothing of any clock.
    assert "meter-clock" not in [each.name for each in found]


def test_a_port_that_stays_silent_asks_for_fluvius_and_the_cable() -> None:
    one = provoked("meter-silent", heard(b"", timeout=0.05))
    assert "fluvius" in one.next
    assert "6 wires" in one.next
    assert "--dsmr2" in one.next


def test_a_port_with_telegrams_is_well() -> None:
    found = heard(TELEGRAM * 3)
    cleared("meter-silent", found)
    cleared("meter-noise", found)
    cleared("meter-crc", found)
    cleared("meter-key", found)


@pytest.mark.parametrize(
    "noise",
    [bytes(byte ^ 0xFF for byte in TELEGRAM), bytes(range(128, 256)) * 20, b"\x00\xff" * 50],
    ids=["inverted", "another baud rate", "idle"],
)
@pytest.mark.slow
def test_noise_asks_for_the_baud_rate_and_the_inverter(noise: bytes) -> None:
    one = provoked("meter-noise", heard(noise, timeout=0.3))
    assert "baud" in one.next
    assert "inverted" in one.next


def test_damaged_telegrams_are_counted() -> None:
    broken = TELEGRAM.replace(b"*kWh", b"*kWi", 1)
    one = provoked("meter-crc", heard(TELEGRAM + broken + TELEGRAM * 2), "note")
    assert one.what.startswith("1 of 4 telegrams were damaged")
    provoked("meter-crc", heard(broken * 2, timeout=0.3))


def test_an_encrypted_meter_wants_its_key() -> None:
    frame = b"\xdb\x08ABCDEFGH\x82\x01\x00\x30\x00\x00\x00\x01" + bytes(239 + 12)
    one = provoked("meter-key", heard(frame * 2))
    assert "--meter-key-file" in one.next


SUMMERS_DAY = datetime(2026, 7, 1, 12, 0, 30, tzinfo=SUMMER)


def test_a_meter_with_another_time_is_told() -> None:
    def off(**by: int) -> list[Finding]:
        return heard(at("260701120030S") * 3, now=lambda: SUMMERS_DAY + timedelta(**by))

    one = provoked("meter-clock", off(minutes=5))
    assert "5 min behind" in one.what
    assert "timedatectl" in one.next
    assert "ahead" in provoked("meter-clock", off(hours=-1)).what
    assert "30 s behind" in provoked("meter-clock", off(seconds=30), "note").what


@pytest.mark.parametrize(
    ("stamp", "now"),
    [
        ("260701120030S", SUMMERS_DAY),
        ("260701120030S", SUMMERS_DAY + timedelta(seconds=1)),
        ("260701120030S", SUMMERS_DAY.astimezone(UTC)),
        # The hour that comes twice: the flag tells which one it is.
        ("261025023000S", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("261025023000W", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("260101000000W", datetime(2025, 12, 31, 23, 59, 59, tzinfo=WINTER)),
    ],
)
def test_a_meter_with_our_time_is_well(stamp: str, now: datetime) -> None:
    cleared("meter-clock", heard(at(stamp) * 3, now=lambda: now))


@given(st.integers(0, 86399), st.integers(-1799, 1799))
def test_the_minute_and_second_tell_less_than_half_an_hour_across_every_hour(
    second: int, off: int
) -> None:
    now = datetime(2026, 3, 1) + timedelta(seconds=second)
    theirs = now - timedelta(seconds=off)
    assert meter.of_the_hour(theirs.minute, theirs.second, now) == off
