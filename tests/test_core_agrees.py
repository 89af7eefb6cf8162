"""The board's reading of a telegram and the desk's: one meter, two readers, the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import CAPTURES, ROOT

from dsmrctl.firmware.core.telegram import TelegramReader
from dsmrctl.telegram.crc import crc16
from dsmrctl.telegram.document import document, quantities
from dsmrctl.telegram.framing import Framer
from dsmrctl.telegram.telegram import Telegram

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
# Beside the project there may be captures of real meters.
FOLDERS = (CAPTURES, ROOT.parent / "shared" / "captures" / "p1")
BELGIAN = b"0-0:96.1.4("
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


def rounded(number: Decimal) -> int:
    return int(number.to_integral_value("ROUND_HALF_UP"))


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
            compare(name, value, exact and rounded(Decimal(exact) * scale))
    when = telegram.time
    compare("time_s", board.values["time_s"], None if when is None else local_seconds(when))
    compare("utc_s", board.objects.utc_s, None if when is None else seconds(when))
    # On the board a peak in another unit is none, and so its time.
    told = telegram.month_peak if desk["month_peak_w"] is not None else None
    peak = told.time if told is not None else None
    compare("month_peak_time_s", board.values["month_peak_time_s"], peak and local_seconds(peak))
    compare("serial", board.objects.serial, telegram.serial or "")
    compare(
        "peaks",
        sorted((month, watts) for month, _, watts in board.objects.peaks),
        sorted(
            (int(each["month"].replace("-", "")), each["w"])
            for each in document(telegram)["peaks"]
            if each["w"] is not None
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


# What meters, and the wire, have made of values; behind every code, in its place or after it.
ODD = (
    "", "()", "(0)", "(00000000)", "(000000.000)", "oops", "(NaN*kW)", "((5*kW))", "(1)oops",
    "(00.338*kW)", "(00.3385*kW)", "(0.33849*kW)", "(338*W)", "(-1.5*kW)", " (1*kW)", "(1*kW) ",
    "(00.338*kWh)", "(338*Wh)", "(1.5*kvar)", "(232.95*V)", "(1.005*A)", "(2*A)", "(0*m3)",
    "(00112.384*m3)", "(00112.384*m3", "(0001)", "(0002)", "(260314123001W)", "(260314123001S)",
    "(261314123001W)", "(250000000000W)", "(260309134500W)(02.589*kW)",
    "(02.589*kW)(260309134500W)", "(632525252525W)(02.589*kW)", "(260309134500W)(02.589*kW",
    "(260309134500W)(02.589*kW)(260310134500W)", "(260314122503W)(00112.384*m3)",
    "(632525252525W)(00112.384*m3)", "(632525252525W)(00000.000*m3)", "(000101000000W)(0)",
    "(260314122503W)(00000.000)", "(260314122503W)()", "(08.796*kW)(260102010000)",
)  # fmt: skip
CODES = (
    "0-0:1.0.0", "0-0:96.14.0", "1-0:1.8.1", "1-0:2.8.2", "1-0:1.4.0", "1-0:1.6.0", "1-0:1.7.0",
    "1-0:61.7.0", "1-0:72.7.0", "1-0:31.7.0", "0-0:98.1.0", "0-1:24.1.0", "0-1:24.2.3",
    "0-1:24.2.1", "0-2:24.2.1",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("code", CODES)
def test_board_and_desk_agree_on_an_odd_value(code: str):
    data = (CAPTURES / "belgium_emucs-1.7.1_gas_water_13-months.txt").read_bytes()
    lines = data[: data.rindex(b"!")].decode().split("\r\n")[:-1]
    own = [line for line in lines if line.startswith(code + "(")]
    at = lines.index(own[0]) if own else len(lines)
    for odd in ODD:
        # The tariff is one digit; the board takes any number, and its frame refuses it.
        if code == "0-0:96.14.0" and odd in ("(000000.000)", "(00000000)"):
            continue
        for kept in ([], own):
            changed = [*lines[:at], *kept, code + odd, *lines[at + 1 :]]
            body = ("\r\n".join(changed) + "\r\n!").encode()
            (telegram,) = telegrams(body + b"%04X\r\n" % crc16(body))
            assert differences(telegram) == [], code + odd
