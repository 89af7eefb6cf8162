"""The meter: what it says is true to the household, adds up, and is a Belgian telegram."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bookkeeping import Books, Quarter, keep_books, local
from bookkeeping import wall_time as when
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmrctl.firmware.core.demand import Demand
from dsmrctl.firmware.core.telegram import TelegramReader
from dsmrctl.telegram import Telegram, parse
from dsmrctl.virtual.household import Event, Household
from dsmrctl.virtual.meter import Meter, Peak, Registers
from dsmrctl.virtual.meter_past import invent, new_household_meter
from dsmrctl.virtual.meter_text import MESSAGE_LIMIT

DAY = 86400
START = datetime(2026, 6, 15, 10, 0, tzinfo=UTC)  # a Monday, 12:00 on the wall
EPOCH = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())

events = st.builds(
    Event,
    at_s=st.integers(0, 3000),
    kind=st.sampled_from(("load", "solar", "gas", "water")),
    amount=st.integers(0, 9000),
    length_s=st.none() | st.integers(1, 2000),
    phase=st.integers(0, 3),
)


def constant(watts: int, start: datetime = START, **options: Any) -> Meter:
    return Meter(Household.scripted(start, [Event(-(10**9), "load", watts)]), **options)


def number(telegram: Telegram, code: str) -> Decimal:
    measurement = telegram[code].measurement
    assert measurement is not None
    return measurement.number


def lines(raw: bytes) -> dict[str, str]:
    """The text behind each code, read by nothing but a split."""
    return dict(re.findall(r"^([\d:.-]+)(\(.*\))\r$", raw.decode(), re.MULTILINE))


def follow(meter: Meter, seconds: int) -> list[Quarter]:
    """Run the meter; every quarter by what its telegram of that second says."""
    found = []
    offset = meter.household.start % 900
    for second in range(900 - offset, seconds + 1, 900):
        meter.advance(second)
        assert meter.last_quarter_w is not None
        stamp = parse(meter.telegram(second)).time
        assert stamp is not None
        found.append(Quarter(stamp, meter.last_quarter_w))
    return found


def check_books(meter: Meter, seconds: int, books: Books) -> None:
    """Registers, quarters and month peaks, as the telegrams tell them."""
    quarters = follow(meter, seconds)
    assert quarters == books.quarters
    assert [q.end.utcoffset() for q in quarters] == [q.end.utcoffset() for q in books.quarters]
    telegram = parse(meter.telegram(seconds))
    for code, way, tariff in (
        ("1-0:1.8.1", "import", 1),
        ("1-0:1.8.2", "import", 2),
        ("1-0:2.8.1", "export", 1),
        ("1-0:2.8.2", "export", 2),
    ):
        assert number(telegram, code) * 1000 == books.wh(way, tariff)
    assert meter._gas_cm3 == books.gas_cm3
    assert meter._water_cm3 == books.water_cm3
    over = [*telegram.peaks]
    months = sorted(books.peaks)
    running = (when(meter.time).year, when(meter.time).month)
    told = {
        (p.month.year, p.month.month): Quarter(p.time, _watts(p.demand)) for p in over if p.time
    }
    peak = telegram.month_peak
    assert peak is not None
    if running in books.peaks:
        told[running] = Quarter(peak.time, _watts(peak))  # pyright: ignore[reportArgumentType]
    else:
        assert peak.number == 0
    assert told == {month: books.peaks[month] for month in months[-14:]}


def _watts(measurement: Any) -> int:
    assert measurement.unit == "kW"
    return int(measurement.number * 1000)


# Adding up


PERIODS = {
    "a changeable week of June": ((2026, 6, 14), 7),
    "the night the clock goes forward": ((2026, 3, 28), 2),
    "the night the clock goes back": ((2026, 10, 24), 2),
    "New Year": ((2026, 12, 31), 2),
    "the end of a February": ((2028, 2, 28), 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.replace(" ", "-"))
def test_registers_quarters_and_peaks_add_up(period: str) -> None:
    (year, month, day), days = PERIODS[period]
    start = local(year, month, day)
    end = local(year, month, day) + timedelta(days=days)
    seconds = int(end.astimezone(UTC).timestamp() - start.timestamp())
    household = Household(start, 3)
    books = keep_books(household, seconds)
    assert len({quarter.demand_w for quarter in books.quarters}) > 20
    check_books(Meter(household), seconds, books)


@pytest.mark.parametrize(("day", "quarters"), [((2026, 3, 29), 92), ((2026, 10, 25), 100)])
def test_a_night_the_clock_changes_has_its_quarters(day: tuple[int, ...], quarters: int) -> None:
    start = local(*day)
    meter = constant(1000, start)
    found = follow(meter, quarters * 900)
    assert when(meter.time) == local(*day) + timedelta(days=1)
    assert [quarter.demand_w for quarter in found] == [1000] * quarters
    stamps = [lines(Meter(meter.household).telegram(n * 900))["0-0:1.0.0"] for n in range(8, 16)]
    if quarters == 92:
        assert stamps[0] == "(260329030000S)"
        assert lines(Meter(meter.household).telegram(7199))["0-0:1.0.0"] == "(260329015959W)"
    else:
        assert [s[7:14] for s in stamps[:6:4]] == ["020000S", "020000W"]


@pytest.mark.soak
def test_a_whole_year_adds_up() -> None:
    start = local(2026, 1, 1)
    seconds = 365 * DAY
    household = Household(start, 11, car_w=11000)
    check_books(Meter(household), seconds, keep_books(household, seconds))


@pytest.mark.slow
@settings(max_examples=30)
@given(
    script=st.lists(events, max_size=8),
    late=st.integers(0, 900),
    stops=st.lists(st.integers(0, 2500), max_size=6).map(sorted),
)
def test_energy_is_what_the_powers_were_whatever_the_steps(
    script: list[Event], late: int, stops: list[int]
) -> None:
    start = START + timedelta(seconds=late)
    household = Household.scripted(start, script)
    net = [household.at(second).net_w for second in range(2500)]
    stepped, every = Meter(household), Meter(household)
    for second in range(2501):
        every.telegram(second)
    for stop in [*stops, 2500]:
        stepped.advance(stop)
        drawn = sum(watts for watts in net[:stop] if watts > 0)
        fed = -sum(watts for watts in net[:stop] if watts < 0)
        assert stepped.registers[:4] == (drawn // 3600, 0, fed // 3600, 0)
        begin = max(0, stop - (stop + late) % 900)
        before = sum(watts for watts in net[:begin] if watts > 0)
        assert stepped.quarter_w == (drawn // 3600 - before // 3600) * 4
    assert stepped.telegram(2500) == every.telegram(2500)


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), day=st.integers(0, 700))
def test_any_house_keeps_its_energy(seed: int, day: int) -> None:
    start = START + timedelta(days=day)
    household = Household(start, seed)
    meter = Meter(household)
    drawn = fed = 0
    for segment in household.segments(0, 10_000):
        watts = (segment.l1_w + segment.l2_w + segment.l3_w) * (segment.end_s - segment.start_s)
        drawn += max(watts, 0)
        fed += max(-watts, 0)
    meter.advance(10_000)
    have = meter.registers
    assert 0 <= drawn - (have.import_t1_wh + have.import_t2_wh) * 3600 < 2 * 3600
    assert 0 <= fed - (have.export_t1_wh + have.export_t2_wh) * 3600 < 2 * 3600


# Quarters and peaks


def test_the_running_quarter_is_a_ramp() -> None:
    meter = constant(4000)
    shown = {
        s: number(parse(meter.telegram(s)), "1-0:1.4.0") for s in (0, 225, 450, 899, 900, 1350)
    }
    assert shown == {
        0: 0,
        225: 1,
        450: 2,
        899: Decimal("3.992"),  # 998 whole Wh so far
        900: 0,
        1350: 2,
    }
    assert meter.last_quarter_w == 4000


def test_a_load_over_two_quarters_counts_half() -> None:
    for first, peak_w in ((900, 4000), (1350, 2000)):
        household = Household.scripted(START, [Event(first, "load", 4000, 900)])
        meter = Meter(household)
        meter.advance(3600)
        assert meter.peak.demand_w == peak_w


def test_export_on_one_phase_pays_for_import_on_another() -> None:
    script = [Event(0, "load", 3000, phase=1), Event(0, "solar", 2000, phase=3)]
    meter = Meter(Household.scripted(START, script))
    raw = meter.telegram(3600)
    told = lines(raw)
    assert told["1-0:1.7.0"] == "(01.000*kW)"
    assert told["1-0:2.7.0"] == "(00.000*kW)"
    assert told["1-0:21.7.0"] == "(03.000*kW)"
    assert told["1-0:62.7.0"] == "(02.000*kW)"
    assert meter.registers == Registers(import_t1_wh=1000)


def test_the_month_peak_bears_the_end_of_its_quarter_and_the_month_its_own() -> None:
    start = local(2026, 3, 31, 23, 0)
    script = [Event(2700, "load", 6000, 900), Event(3600, "load", 800, 900)]
    meter = Meter(Household.scripted(start, script))
    before, at_end, later = (lines(meter.telegram(s)) for s in (3599, 3600, 4500))
    assert before["1-0:1.6.0"] == "(260301000000W)(00.000*kW)"
    assert before["1-0:1.4.0"] == "(05.992*kW)"
    # The month's last quarter ends with it and is still its own.
    assert at_end["1-0:1.6.0"] == "(260401000000S)(00.000*kW)"
    assert at_end["0-0:98.1.0"] == (
        "(1)(1-0:1.6.0)(1-0:1.6.0)(260401000000S)(260401000000S)(06.000*kW)"
    )
    assert later["1-0:1.6.0"] == "(260401001500S)(00.800*kW)"
    (record,) = parse(meter.telegram(4500)).peaks
    assert (record.month.year, record.month.month) == (2026, 3)


def test_only_a_higher_quarter_is_a_new_peak() -> None:
    script = [Event(0, "load", 2000, 900), Event(1800, "load", 2000, 900)]
    meter = Meter(Household.scripted(START, script))
    meter.advance(3600)
    assert meter.peak == Peak(2000, meter.household.start + 900)


def test_the_history_keeps_thirteen_months() -> None:
    meter = constant(500, local(2025, 1, 1))
    meter.advance(450 * DAY)
    telegram = parse(meter.telegram(450 * DAY))
    months = [(peak.month.year, peak.month.month) for peak in telegram.peaks]
    assert months == [*((2025, month) for month in range(2, 13)), (2026, 1), (2026, 2)]
    assert {peak.demand.number for peak in telegram.peaks} == {Decimal("0.5")}


def test_a_meter_can_begin_in_mid_month_with_what_it_had() -> None:
    history = [Peak(5112, int(local(2026, 5, 9, 18, 15).timestamp()), _first(2026, 6))]
    meter = Meter(
        Household.scripted(START, [Event(0, "load", 3600)]),
        registers=Registers(1000, 2000, 3000, 4000, 5001, 6002),
        history=history,
        peak=Peak(3333, int(local(2026, 6, 3, 18, 15).timestamp())),
    )
    told = lines(meter.telegram(0))
    assert told["1-0:1.8.1"] == "(000001.000*kWh)"
    assert told["1-0:2.8.2"] == "(000004.000*kWh)"
    assert told["1-0:1.6.0"] == "(260603181500S)(03.333*kW)"
    assert told["0-0:98.1.0"].endswith("(260601000000S)(260509181500S)(05.112*kW)")
    assert told["0-1:24.2.3"].endswith("(00005.001*m3)")
    assert told["0-2:24.2.1"].endswith("(00006.002*m3)")
    meter.advance(1000)
    assert meter.registers.import_t1_wh == 2000


def _first(year: int, month: int) -> int:
    return int(local(year, month, 1).timestamp())


def test_a_meter_that_begins_in_mid_quarter_knows_what_the_quarter_took() -> None:
    meter = constant(3600, START + timedelta(seconds=600))
    assert meter.quarter_w == 600 * 4
    assert meter.registers.import_t1_wh == 0
    meter.advance(300)
    assert meter.last_quarter_w == 3600
    # 166.9 Wh before the start: a register that shows 1000 now showed 833 when the quarter began.
    odd = constant(1000, START + timedelta(seconds=601), registers=Registers(1000))
    assert odd.quarter_w == (1000 - 833) * 4


def test_an_invented_past_is_one_a_meter_can_have() -> None:
    for seed in range(20):
        for start in (local(2026, 6, 15, 12, 7), local(2026, 1, 1, 0, 5), local(2026, 3, 1, 0, 20)):
            past = invent(seed, int(start.timestamp()))
            assert past == invent(seed, int(start.timestamp()))
            assert len(past.history) == 13
            for peak in past.history:
                assert peak.time <= peak.capture <= start.timestamp()
                assert when(peak.capture).day == 1
            if past.peak:
                assert _first(start.year, start.month) < past.peak.time <= start.timestamp()
    meter = new_household_meter(START, 5, household={"pv_wp": 0}, version="1.4")
    assert meter.registers == invent(5, int(START.timestamp())).registers
    assert meter.version == "1.4"


# The same by the rules of the board


def _judge_by_core(start: datetime, seconds: int, version: Any, step: int) -> None:
    """What core makes of the registers alone is what the meter says itself."""
    household = Household(start, 5)
    assert household.start % 900 == 0
    meter = Meter(household, version=version)
    judge = Meter(household)
    reader, demand = TelegramReader(), Demand()
    for second in range(0, seconds + 1, step):
        assert reader.feed(meter.telegram(second)) == 1
        judge.advance(second)
        told = reader.values
        time_s, t1, t2 = told["time_s"], told["import_t1_wh"], told["import_t2_wh"]
        assert time_s is not None
        assert t1 is not None
        assert t2 is not None
        assert reader.objects.utc_s == judge.time - EPOCH
        ended = demand.update(time_s, t1 + t2, utc_s=reader.objects.utc_s)
        assert ended == ((household.start + second) % 900 == 0)
        assert demand.quarter_w == judge.quarter_w
        if version == "1.7.1":
            assert told["quarter_w"] == judge.quarter_w
        else:
            assert told["quarter_w"] is told["month_peak_w"] is None
        if second:
            assert demand.last_quarter_w == judge.last_quarter_w
        assert (demand.month_peak_w or 0) == judge.peak.demand_w
        if demand.month_peak_w:
            assert demand.month_peak_time_s == _board_time(judge.peak.time)
    assert demand.history == [
        (
            when(p.capture - 1).year * 100 + when(p.capture - 1).month,
            _board_time(p.time),
            p.demand_w,
        )
        for p in judge.history
    ]


def _board_time(utc: int) -> int:
    offset = when(utc).utcoffset()
    assert offset is not None
    return utc - EPOCH + int(offset.total_seconds())


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.4", "1.7.1"])
@pytest.mark.parametrize("day", [(2026, 3, 28), (2026, 10, 24), (2026, 12, 31), (2026, 5, 30)])
def test_the_boards_quarters_and_peaks_are_the_meters(day: tuple[int, ...], version: str) -> None:
    _judge_by_core(local(*day), 2 * DAY, version, 100)


@pytest.mark.soak
def test_a_year_of_the_boards_quarters_and_peaks_is_the_meters() -> None:
    _judge_by_core(local(2026, 1, 1), 365 * DAY, "1.4", 180)


# The telegram


def checked(raw: bytes) -> bool:
    """The CRC by crcmod, straight from the specification's words."""
    from crcmod import mkCrcFun

    end = raw.index(b"\r\n!") + 3
    crc = mkCrcFun(0x18005, initCrc=0, rev=True, xorOut=0)(raw[:end])
    return raw[end:] == b"%04X\r\n" % crc


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.4", "1.7.1"])
def test_every_telegram_has_a_valid_crc_and_line_ends(version: Any) -> None:
    meter = new_household_meter(START, version=version)
    for second in (0, 1, 2, 900, 901, 20_000, 20 * DAY):
        raw = meter.telegram(second)
        assert checked(raw)
        assert raw.isascii()
        assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
        assert 800 < len(raw) < 1600
        assert parse(raw).diagnostics == ()


@pytest.mark.slow
def test_our_parser_reads_what_the_meter_shows() -> None:
    meter = new_household_meter(START, 9)
    for second in (0, 4000, 30_000, 17 * DAY + 5):
        telegram = parse(meter.telegram(second))
        sample = meter.household.at(second - 1)
        assert (telegram.version or "").startswith("eMUCS-P1 1.7")
        assert telegram.country == "BE"
        assert telegram.time == START + timedelta(seconds=second)
        assert telegram.tariff == meter.tariff
        have = meter.registers
        for code, wh in zip(("1.8.1", "1.8.2", "2.8.1", "2.8.2"), have[:4], strict=True):
            assert number(telegram, f"1-0:{code}") == Decimal(wh) / 1000
        for code, watts in (
            ("1.7.0", sample.import_w),
            ("2.7.0", sample.export_w),
            ("21.7.0", max(sample.l1_w, 0)),
            ("22.7.0", max(-sample.l1_w, 0)),
            ("41.7.0", max(sample.l2_w, 0)),
            ("61.7.0", max(sample.l3_w, 0)),
        ):
            assert number(telegram, f"1-0:{code}") == Decimal(watts) / 1000
        for phase, watts in enumerate(sample[1:4]):
            volts = number(telegram, f"1-0:{32 + 20 * phase}.7.0")
            amperes = number(telegram, f"1-0:{31 + 20 * phase}.7.0")
            assert 215 < volts < 250
            assert abs(volts * amperes - abs(watts)) < 3
        assert telegram.gas is not None
        assert telegram.water is not None
        assert telegram.gas.number == Decimal(have.gas_dm3) / 1000
        assert telegram.water.number == Decimal(have.water_dm3) / 1000
        assert [m.medium for m in telegram.mbus] == ["gas", "water"]
        assert len(telegram.peaks) == 13


@pytest.mark.parametrize("past", [True, False])
def test_a_parser_of_another_reads_it_too(past: bool) -> None:
    from dsmr_parser import telegram_specifications
    from dsmr_parser.parsers import TelegramParser

    meter = new_household_meter(START) if past else Meter(Household(START))
    parser = TelegramParser(telegram_specifications.BELGIUM_FLUVIUS)
    told: Any = parser.parse(meter.telegram(5000).decode())
    assert told.P1_MESSAGE_TIMESTAMP.value == START + timedelta(seconds=5000)
    assert told.BELGIUM_VERSION_INFORMATION.value == "50217"
    assert told.ELECTRICITY_USED_TARIFF_1.value * 1000 == meter.registers.import_t1_wh
    assert told.ELECTRICITY_DELIVERED_TARIFF_2.value * 1000 == meter.registers.export_t2_wh
    assert told.BELGIUM_CURRENT_AVERAGE_DEMAND.value * 1000 == meter.quarter_w
    assert told.BELGIUM_MAXIMUM_DEMAND_MONTH.value * 1000 == meter.peak.demand_w
    assert len(told.BELGIUM_MAXIMUM_DEMAND_13_MONTHS) == (13 if past else 0)
    gas = told.get_mbus_device_by_channel(1)
    assert gas.MBUS_DEVICE_TYPE.value == 3
    assert gas.MBUS_METER_READING.value * 1000 == meter.registers.gas_dm3


def test_a_1_4_meter_tells_no_demand_peak_or_history() -> None:
    told = lines(constant(1000, version="1.4").telegram(1))
    assert told["0-0:96.1.4"] == "(50214)"
    assert not {"1-0:1.4.0", "1-0:1.6.0", "0-0:98.1.0"} & set(told)
    newer = lines(constant(1000).telegram(1))
    assert set(newer) - set(told) == {"1-0:1.4.0", "1-0:1.6.0", "0-0:98.1.0"}


def test_every_house_has_its_own_meters() -> None:
    serials = {
        lines(Meter(Household.scripted(START), number=number).telegram(0))[code]
        for number in range(3)
        for code in ("0-0:96.1.1", "0-1:96.1.1", "0-2:96.1.1")
    }
    assert len(serials) == 9


def test_the_tariff_is_night_at_night_and_in_the_weekend() -> None:
    friday = local(2026, 6, 19, 21, 0)
    meter = constant(1000, friday)
    assert lines(meter.telegram(3599))["0-0:96.14.0"] == "(0001)"
    assert lines(meter.telegram(3600))["0-0:96.14.0"] == "(0002)"
    assert lines(meter.telegram(58 * 3600 - 1))["0-0:96.14.0"] == "(0002)"
    assert when(meter.time + 1) == local(2026, 6, 22, 7)
    assert lines(meter.telegram(58 * 3600))["0-0:96.14.0"] == "(0001)"
    assert meter.registers[:2] == (1000, 57_000)
    early = constant(1000, friday, day_hours=(6, 21))
    assert early.tariff == 2


def test_gas_and_water_report_every_five_minutes() -> None:
    script = [Event(0, "gas", 100, 400), Event(0, "water", 50)]
    meter = Meter(Household.scripted(START + timedelta(seconds=100), script))
    told = {s: lines(meter.telegram(s)) for s in (0, 199, 200, 499, 500)}
    assert [told[s]["0-1:24.2.3"] for s in told] == [
        "(260615120000S)(00000.000*m3)",
        "(260615120000S)(00000.000*m3)",
        "(260615120500S)(00000.020*m3)",
        "(260615120500S)(00000.020*m3)",
        "(260615121000S)(00000.040*m3)",
    ]
    assert told[500]["0-2:24.2.1"] == "(260615121000S)(00000.025*m3)"


@pytest.mark.parametrize("delay_s", [0, 1, 2, 3])
def test_a_power_is_shown_a_second_later_and_by_its_delay(delay_s: int) -> None:
    household = Household.scripted(START, [Event(100, "load", 2000, 5)])
    meter = Meter(household, delay_s=delay_s)
    shown = [number(parse(meter.telegram(second)), "1-0:1.7.0") for second in range(95, 120)]
    first = 101 + delay_s - 95
    assert shown == [0] * first + [2] * 5 + [0] * (25 - first - 5)
    # Energy waits for nothing.
    late = constant(3600, delay_s=delay_s)
    late.telegram(1)
    assert late.registers.import_t1_wh == 1


def test_a_load_that_a_board_switches_shows_in_the_next_telegram() -> None:
    meter = constant(200)
    assert lines(meter.telegram(10))["1-0:1.7.0"] == "(00.200*kW)"
    meter.household.set_load("boiler", 1500)
    assert lines(meter.telegram(11))["1-0:1.7.0"] == "(01.700*kW)"
    assert lines(meter.telegram(12))["1-0:1.7.0"] == "(01.700*kW)"
    meter.household.set_load("boiler", 0)
    assert lines(meter.telegram(13))["1-0:1.7.0"] == "(00.200*kW)"


def test_an_open_breaker_lets_nothing_through() -> None:
    meter = constant(3600)
    meter.telegram(100)
    meter.breaker = False
    told = lines(meter.telegram(1000))
    assert told["0-0:96.3.10"] == "(0)"
    assert told["1-0:1.7.0"] == "(00.000*kW)"
    assert told["1-0:31.7.0"] == "(000.00*A)"
    assert meter.registers.import_t1_wh == 100
    meter.breaker = True
    assert lines(meter.telegram(1001))["1-0:1.7.0"] == "(03.600*kW)"
    assert meter.registers.import_t1_wh == 101


def test_a_message_is_told_and_no_longer_than_allowed() -> None:
    meter = constant(0)
    meter.message = "Ongeldig! Bel 078/35.35.34 é"
    assert parse(meter.telegram(0)).message == meter.message
    meter.message = "é" * 5000
    raw = meter.telegram(1)
    assert checked(raw)
    assert parse(raw).message == "é" * (MESSAGE_LIMIT // 2)
    meter.message = ""
    assert lines(meter.telegram(2))["0-0:96.13.0"] == "()"


def test_a_meter_runs_forward_only() -> None:
    meter = constant(1000)
    raw = meter.telegram(5)
    assert meter.telegram(5) == raw
    for step in (meter.telegram, meter.advance):
        with pytest.raises(ValueError, match="forward"):
            step(4)


@pytest.mark.parametrize(
    "options",
    [{"version": "2.0"}, {"delay_s": 4}, {"delay_s": -1}, {"day_hours": (22, 7)}],
    ids=str,
)
def test_a_meter_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        constant(0, **options)


def test_full_registers_and_wild_powers_keep_the_form() -> None:
    meter = constant(10**7, registers=Registers(999_999_999, 0, 0, 0, 99_999_999, 0))
    told = lines(meter.telegram(3600))
    assert told["1-0:1.8.1"] == "(009999.999*kWh)"
    assert told["1-0:1.7.0"] == "(99.999*kW)"
    assert told["1-0:1.6.0"].endswith("(99.999*kW)")
    assert parse(meter.telegram(3601)).diagnostics == ()
