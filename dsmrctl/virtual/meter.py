"""The Belgian meter of a household: registers that add up, quarters, month peaks, gas and water.

Energy is counted in W·s, all phases summed second by second, and shown in whole Wh; the demand of
a quarter is what the import registers show that it took, times four, so that every figure of a
telegram can be had again from the others. Seconds count from the household's start.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

from dsmrctl import belgian_time
from dsmrctl.virtual import meter_text
from dsmrctl.virtual.household import Household, Sample

Version = Literal["1.4", "1.7.1"]

QUARTER_S = 900
MONTHS = 13
_MBUS_S = 300  # gas and water meters report this often
_WS = 3600  # in a Wh
_LONGEST_DELAY_S = 3


class Registers(NamedTuple):
    """What the meter shows at the start: Wh by tariff (1 is day, 2 is night), dm³."""

    import_t1_wh: int = 0
    import_t2_wh: int = 0
    export_t1_wh: int = 0
    export_t2_wh: int = 0
    gas_dm3: int = 0
    water_dm3: int = 0


class Peak(NamedTuple):
    """The highest demand of a month and when that quarter ended, in seconds since 1970 (UTC).

    capture: when the month was over, so the first second of the next; 0 while it runs.
    """

    demand_w: int
    time: int
    capture: int = 0


class Meter:
    """Begins at the household's start and runs forward; `telegram` and `advance` move it.

    version: "1.4" tells no demand, month peak or history. history: of months that are over. peak:
    of the running month. day_hours: tariff 1 holds then from Monday to Friday. delay_s: 0 to 3, how
    much later than it happens a power is shown. Raises ValueError for what cannot be.
    """

    def __init__(
        self,
        household: Household,
        *,
        version: Version = "1.7.1",
        registers: Registers | None = None,
        history: Iterable[Peak] = (),
        peak: Peak | None = None,
        day_hours: tuple[int, int] = (7, 22),
        delay_s: int = 0,
        number: int | None = None,
    ) -> None:
        if version not in meter_text.VERSIONS:
            raise ValueError(f"version {version}: a meter has 1.4 or 1.7.1")
        if not 0 <= delay_s <= _LONGEST_DELAY_S:
            raise ValueError("a meter shows a power 0 to 3 s late")
        if not 0 <= day_hours[0] < day_hours[1] <= 24:
            raise ValueError("the day tariff holds from one hour to a later one")
        self.household = household
        self.version: Version = version
        self.delay_s = delay_s
        self.second = 0
        self.breaker = True
        self.message = ""
        number = household.seed % 1_000_000 if number is None else number
        self._text = meter_text.TelegramText(version, number)
        self._day_hours = day_hours
        have = registers or Registers()
        # By tariff; index 0 stays unused.
        self._import_ws = [0, have.import_t1_wh * _WS, have.import_t2_wh * _WS]
        self._export_ws = [0, have.export_t1_wh * _WS, have.export_t2_wh * _WS]
        self._gas_cm3 = have.gas_dm3 * 1000
        self._water_cm3 = have.water_dm3 * 1000
        self._mbus_cm3 = (self._gas_cm3, self._water_cm3)
        self._mbus_time = household.start - household.start % _MBUS_S
        self._history = sorted(history, key=lambda past: past.capture)[-MONTHS:]
        self._month = belgian_time.month_of(household.start)
        self._peak = peak or self._no_peak()
        self.last_quarter_w: int | None = None
        self._tariff = 1
        self._begin_quarter(household.start)
        self._quarter_wh -= self._wh_before_start()
        self._set_boundary(household.start)
        # The sample whose powers are shown; a running meter asks for each second just once.
        self._shown: Sample | None = None

    # What it shows

    @property
    def time(self) -> int:
        """Seconds since 1970 (UTC) of the meter's own clock."""
        return self.household.start + self.second

    @property
    def tariff(self) -> int:
        """What counts now: 1 by day, 2 at night and in the weekend."""
        return self._tariff

    @property
    def import_wh(self) -> int:
        """Both import registers as shown, summed."""
        return self._import_ws[1] // _WS + self._import_ws[2] // _WS

    @property
    def quarter_w(self) -> int:
        """Demand of the running quarter (1-0:1.4.0): Wh so far times four, a ramp from 0."""
        return (self.import_wh - self._quarter_wh) * 4

    @property
    def peak(self) -> Peak:
        """The running month's peak; its first quarter shows 0 W at the month's start."""
        return self._peak

    @property
    def history(self) -> tuple[Peak, ...]:
        """Peaks of months that are over, oldest first, 13 at most."""
        return tuple(self._history)

    @property
    def registers(self) -> Registers:
        """All registers as they stand now, gas and water as last reported."""
        gas, water = self._mbus_cm3
        return Registers(
            self._import_ws[1] // _WS,
            self._import_ws[2] // _WS,
            self._export_ws[1] // _WS,
            self._export_ws[2] // _WS,
            gas // 1000,
            water // 1000,
        )

    @property
    def mbus(self) -> tuple[int, int, int]:
        """When gas and water last reported (seconds since 1970), and their registers in dm³."""
        gas, water = self._mbus_cm3
        return self._mbus_time, gas // 1000, water // 1000

    def telegram(self, second: int) -> bytes:
        """The telegram of this second: registers as they stand then, powers of the second before.

        Seconds may be left out, and asked for twice. Raises ValueError for one before that.
        """
        if second == self.second + 1:
            self._shown = sample = self.household.at(self.second)
            self.second = second
            self._count(sample.l1_w + sample.l2_w + sample.l3_w, 1)
            self._gas_cm3 += sample.gas_cm3
            self._water_cm3 += sample.water_cm3
            if self.time == self._boundary:
                self._pass_boundary()
        else:
            self.advance(second)
        return self._text.telegram(self, self._powers())

    def advance(self, second: int) -> None:
        """Go on to this second without a telegram; a year takes seconds.

        Raises ValueError for a second that is over.
        """
        if second < self.second:
            raise ValueError(f"second {second} is over: a meter runs forward")
        if second == self.second:
            return
        origin = self.household.start
        for start, end, l1, l2, l3, gas, water in self.household.segments(self.second, second):
            net = l1 + l2 + l3
            while True:
                boundary = self._boundary - origin
                until = min(end, boundary)
                length = until - start
                self._count(net, length)
                self._gas_cm3 += gas * length
                self._water_cm3 += water * length
                start = until
                if until == boundary:
                    self.second = until
                    self._pass_boundary()
                if start == end:
                    break
        self.second = second
        self._shown = None

    # How it counts

    def _count(self, net_w: int, length_s: int) -> None:
        if not self.breaker:
            return
        if net_w > 0:
            self._import_ws[self._tariff] += net_w * length_s
        else:
            self._export_ws[self._tariff] -= net_w * length_s

    def _powers(self) -> tuple[int, int, int]:
        """W on each phase in the second before (or, with a delay, earlier)."""
        if not self.breaker:
            return 0, 0, 0
        if self._shown is None or self.delay_s:
            self._shown = self.household.at(self.second - 1 - self.delay_s)
        shown = self._shown
        return shown.l1_w, shown.l2_w, shown.l3_w

    def _pass_boundary(self) -> None:
        """Every five minutes: gas and water report, and a quarter may end."""
        now = self._boundary
        self._mbus_cm3 = (self._gas_cm3, self._water_cm3)
        self._mbus_time = now
        if now % QUARTER_S == 0:
            self._end_quarter(now)
            self._begin_quarter(now)
        self._set_boundary(now)

    def _set_boundary(self, now: int) -> None:
        self._boundary: int = now - now % _MBUS_S + _MBUS_S

    def _end_quarter(self, now: int) -> None:
        demand_w = self.quarter_w
        self.last_quarter_w = demand_w
        # The month's last quarter ends in the next month and counts for its own.
        if demand_w > self._peak.demand_w:
            self._peak = Peak(demand_w, now)
        month = belgian_time.month_of(now)
        if month != self._month:
            self._month = month
            capture = belgian_time.month_start(*month)
            self._history = [*self._history, self._peak._replace(capture=capture)][-MONTHS:]
            self._peak = self._no_peak()
        self._text.forget()

    def _begin_quarter(self, now: int) -> None:
        self._quarter_wh: int = self.import_wh
        local = now + belgian_time.offset_s(now)
        weekday = date.fromordinal(belgian_time.day(now)).weekday() < 5
        begin, end = self._day_hours
        self._tariff = 1 if weekday and begin <= local // 3600 % 24 < end else 2

    def _no_peak(self) -> Peak:
        return Peak(0, belgian_time.month_start(*self._month))

    def _wh_before_start(self) -> int:
        """What the quarter in which the household starts took before that."""
        before = -(self.household.start % QUARTER_S)
        energy = 0
        for second in range(before, 0):
            energy += max(0, self.household.at(second).net_w)
        # A register shows only whole Wh: it stood the part of one lower then.
        return -(-energy // _WS)
