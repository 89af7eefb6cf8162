"""telegram: ours beside dsmr_parser, over a Belgian telegram whose every value changes.

dsmr_parser's figure is that of `TelegramParser(BELGIUM_FLUVIUS).parse` with its CRC validation on,
nothing added. Ours: *lazy* is `parse` (the CRC is checked, values are left for later); *typed* is
that, and every number, unit and time made and summed; *archive* is `iter_blocks`: the CRC checked,
and 24 columns and the time. From telegram to telegram a second passes on the meter's clock and
every number changes; gas and water are read every five minutes, the month peak every quarter.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from benchmarks.runner import Result
from benchmarks.timing import Turn, best
from dsmrctl.telegram import crc, parse

_START = datetime(2026, 5, 12, 13, 54, 9)
_HEADER = "/FLU5\\253770001_A"
_EXTRA = ("0-0:17.0.0", "1-0:31.4.0")
"""The limiter and the fuse: with the quantities a telegram has, more than 24 columns."""


def belgian(n: int) -> bytes:
    """The `n`th telegram of a Belgian meter (eMUCS-P1 1.7.1) with gas and water: 1059 bytes."""

    def digits(place: int, below: int) -> int:
        # Knuth's multiplicative hash: every digit moves, and the same `n` gives the same telegram.
        return (n * 31 + place) * 2654435761 % 2**32 * below >> 32

    def kilowatt(place: int) -> str:
        value = digits(place, 9999)
        return f"{value // 1000:02}.{value % 1000:03}*kW"

    def register(start: int) -> str:
        return f"{start // 1000 + n // 1000:06}.{(start + n * 7) % 1000:03}*kWh"

    def stamp(before: int, every: int = 1) -> str:
        return f"{_START + timedelta(seconds=n // every * every - before):%y%m%d%H%M%S}S"

    def cubic(start: int) -> str:
        return f"{start // 1000 + n // 5000:05}.{(start + n) % 1000:03}*m3"

    lines = [
        _HEADER,
        "",
        "0-0:96.1.4(50217)",
        "0-0:96.1.1(3153414731313030303030303031)",
        f"0-0:1.0.0({stamp(0)})",
        f"1-0:1.8.1({register(559373)})",
        f"1-0:1.8.2({register(477305)})",
        f"1-0:2.8.1({register(549778)})",
        f"1-0:2.8.2({register(254235)})",
        f"1-0:1.4.0({kilowatt(1)})",
        f"1-0:1.6.0({stamp(86400, 900)})({kilowatt(2)})",
        "0-0:98.1.0(3)(1-0:1.6.0)(1-0:1.6.0)"
        f"(260501000000S)({stamp(1900800, 10**9)})({kilowatt(3)})"
        f"(260401000000S)({stamp(4492800, 10**9)})({kilowatt(4)})"
        f"(260301000000S)({stamp(7171200, 10**9)})({kilowatt(5)})",
        "0-0:96.14.0(0001)",
        *(
            f"1-0:{code}.7.0({kilowatt(place)})"
            for place, code in enumerate((1, 2, 21, 41, 61, 22, 42, 62), 6)
        ),
        *(f"1-0:{code}.7.0({220 + digits(code, 20)}.{digits(code + 9, 10)}*V)" for code in _VOLTS),
        *(f"1-0:{code}.7.0(0{digits(code, 40):02}.{digits(code, 100):02}*A)" for code in _AMPERES),
        "0-0:96.3.10(1)",
        "0-0:17.0.0(999.9*kW)",
        "1-0:31.4.0(999*A)",
        "0-0:96.13.0()",
        "0-1:24.1.0(003)",
        "0-1:96.1.1(37464C4F32313030303030303033)",
        "0-1:24.4.0(1)",
        f"0-1:24.2.3({stamp(301, 300)})({cubic(112384)})",
        "0-2:24.1.0(007)",
        "0-2:96.1.1(3853414731323030303030303037)",
        f"0-2:24.2.1({stamp(302, 300)})({cubic(872234)})",
        "!",
    ]
    body = "\r\n".join(lines).encode()
    return body + b"%04X\r\n" % crc.crc16(body)


_VOLTS, _AMPERES = (32, 52, 72), (31, 51, 71)


def lazy(telegrams: list[bytes]) -> None:
    """Checked, and ready to be asked."""
    for raw in telegrams:
        parse(raw)


def typed(telegrams: list[bytes]) -> tuple[Decimal, int, datetime]:
    """The sum of all numbers, how many had a unit, and the latest of all times."""
    total = Decimal(0)
    units = 0
    latest = datetime.fromisoformat("2000-01-01T00:00:00+01:00")
    for raw in telegrams:
        telegram = parse(raw)
        for number, unit, time in telegram.numbers():
            total += number
            if unit is not None:
                units += 1
            if time is not None and time > latest:
                latest = time
        clock = telegram.time
        if clock is not None and clock > latest:
            latest = clock
    return total, units, latest


def archive(data: bytes) -> int:
    """Every column's sum, so that nothing is left unmade; returns the rows."""
    from dsmrctl.telegram.archive import iter_blocks

    rows = 0
    for block in iter_blocks(data, objects=_EXTRA):
        filled = [column for column in block.columns.values() if column.valid.any()]
        if len(filled) < 24 or block.rejects:
            raise RuntimeError("the archive lost columns or telegrams")
        for column in filled:
            column.values.sum()
        rows += block.rows
    return rows


def measure(quick: bool) -> Iterator[Result]:
    from dsmr_parser import telegram_specifications
    from dsmr_parser.parsers import TelegramParser

    peer = TelegramParser(telegram_specifications.BELGIUM_FLUVIUS)
    _must_agree(peer)
    # Turns of some milliseconds: short enough to fall between what else the machine does.
    asked, ours, stored = 12, 800, 40_000
    bulk = b"".join(map(belgian, range(stored)))

    def theirs(texts: list[str]) -> None:
        for text in texts:
            peer.parse(text)

    def turns(number: int) -> dict[str, Turn]:
        # Telegrams no round has seen before: a cache of values finds nothing it would not find.
        first = 1_000_000 + number * ours
        telegrams = [belgian(first + n) for n in range(ours)]
        texts = [raw.decode() for raw in telegrams[:asked]]
        return {
            "theirs": Turn(lambda: theirs(texts), asked),
            "lazy": Turn(lambda: lazy(telegrams), ours),
            "typed": Turn(lambda: typed(telegrams), ours),
            "archive": Turn(lambda: archive(bulk), stored),
        }

    found = best(turns, rounds=1000, seconds=20 if quick else 90)
    for name, bound in (("typed", 50), ("lazy", 200), ("archive", 400)):
        yield Result(f"telegram.{name}_vs_dsmr_parser", found["theirs"] / found[name], "x", bound)
    for name, seconds in found.items():
        yield Result(f"telegram.{name}_us", seconds * 1e6, "us/telegram", better="lower")


def _must_agree(peer: object) -> None:
    """A figure of something that reads other values would be worth nothing."""
    from dsmrctl.telegram.archive import read_archive

    raws = [belgian(n) for n in range(200)]
    columns = read_archive(b"".join(raws)).columns
    for n, raw in enumerate(raws):
        said = peer.parse(raw.decode())  # type: ignore[attr-defined]
        telegram = parse(raw)
        numbers = telegram.numbers()
        pairs = (
            (said.ELECTRICITY_USED_TARIFF_1, telegram.import_t1, "import_t1_wh"),
            (said.BELGIUM_MAXIMUM_DEMAND_MONTH, telegram.month_peak, "month_peak_w"),
            (said.INSTANTANEOUS_VOLTAGE_L3, telegram.voltage_l3, "voltage_l3_v"),
        )
        for theirs, ours, name in pairs:
            column = columns[name]
            number = Decimal(int(column.values[n])).scaleb(-column.decimals)
            assert ours is not None
            assert theirs.value == ours.number
            assert theirs.value in (number, number / 1000)
            assert ours.number in [each[0] for each in numbers]
        assert said.P1_MESSAGE_TIMESTAMP.value == telegram.time
