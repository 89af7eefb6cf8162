"""The board's reading of a telegram and the desk's: one meter, two readers, the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import CAPTURES, ROOT

from dsmrctl.firmware.core.telegram import TelegramReader
from dsmrctl.telegram.document import quantities
from dsmrctl.telegram.framing import Framer
from dsmrctl.telegram.telegram import Telegram

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
# Beside the project there may be captures of real meters.
FOLDERS = (CAPTURES, ROOT.parent / "shared" / "captures" / "p1")
BELGIAN = b"0-0:96.1.4(502"
# What a board keeps in smaller units, as an integer.
SCALES = {
    **{f"voltage_l{n}_dv": (f"voltage_l{n}_v", 10) for n in (1, 2, 3)},
    **{f"current_l{n}_ca": (f"current_l{n}_a", 100) for n in (1, 2, 3)},
    "gas_dm3": ("gas_m3", 1000),
    "water_dm3": ("water_m3", 1000),
}


def captures() -> list[Path]:
    files = [path for folder in FOLDERS if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in files if path.is_file() and path.suffix in (".txt", ".raw")]


def telegrams(data: bytes) -> Iterator[Telegram]:
    framer = Framer()
    for found in [*framer.feed(data), *framer.close()]:
        if isinstance(found, Telegram):
            yield found


def seconds(when: datetime) -> int:
    return int((when - EPOCH).total_seconds())


def local_seconds(when: datetime) -> int:
    return seconds(when) + int((when.utcoffset() or timedelta()).total_seconds())


def read_by_board(raw: bytes) -> TelegramReader:
    reader = TelegramReader()
    for at in range(0, len(raw), 64):
        reader.feed(raw[at : at + 64])
    reader.feed(b"\r\n")
    return reader


def differences(telegram: Telegram) -> list[str]:
    """Every quantity on which the two do not agree."""
    board = read_by_board(telegram.raw)
    if telegram.crc != "valid":
        return [] if board.good == 0 else ["the board trusts a telegram without a CRC"]
    if board.good != 1:
        return ["the board refuses it"]
    desk = quantities(telegram)
    found: list[str] = []

    def compare(name: str, on_board: object, on_desk: object) -> None:
        if on_board != on_desk:
            found.append(f"{name}: board {on_board}, desk {on_desk}")

    for name, value in board.values.items():
        if name in desk:
            compare(name, value, desk[name])
        elif name in SCALES:
            quantity, scale = SCALES[name]
            exact = desk[quantity]
            compare(name, value, None if exact is None else int(Decimal(exact) * scale))
    when = telegram.time
    compare("time_s", board.values["time_s"], None if when is None else local_seconds(when))
    compare("utc_s", board.objects.utc_s, None if when is None else seconds(when))
    peak = telegram.month_peak.time if telegram.month_peak is not None else None
    compare("month_peak_time_s", board.values["month_peak_time_s"], peak and local_seconds(peak))
    compare("serial", board.objects.serial, telegram.serial or "")
    compare(
        "peaks",
        sorted((month, watts) for month, _, watts in board.objects.peaks),
        sorted(
            (
                record.month.year * 100 + record.month.month,
                int(record.demand.number * (1000 if record.demand.unit == "kW" else 1)),
            )
            for record in telegram.peaks
        ),
    )
    return found


@pytest.mark.parametrize("path", captures(), ids=lambda path: path.stem)
def test_board_and_desk_agree_on_a_capture(path: Path):
    data = path.read_bytes()
    found = list(telegrams(data))
    for telegram in found:
        if BELGIAN in telegram.raw:
            assert differences(telegram) == []
    board = read_by_board(data)
    assert board.good == sum(telegram.crc == "valid" for telegram in found)


def test_there_are_belgian_captures():
    assert any(BELGIAN in path.read_bytes() for path in captures())
