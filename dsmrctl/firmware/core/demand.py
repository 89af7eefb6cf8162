"""Quarter-hour demand, its forecast and the month peak, by the meter's clock.

Demand (W) is the energy imported in a clock quarter (Wh) times four. Local time names months and
peaks; gaps are told in UTC, which has no night of 23 or 25 hours. Quarters begin alike in both.
"""

from . import clock

FORECASTERS = ("linear", "power")
QUARTER = 900
# Flanders bills at least this (Energiedecreet, capacity tariff).
LEAST_W = 2500
MONTHS = 13

# The register at a boundary is known from a telegram on it, or one this near on either side.
_NEAR = 10
# A clock that jumped (more than a quarter, or back) must run on this long to end a month.
_STEADY = 60
_FIRST_MINUTE = 5
# More is a fault of the register, never a house.
_MOST_W = 99999


def threshold_w(manual_w: int, month_peak_w: int | None) -> int:
    """The forecast above which to warn: what the month has cost already is no loss any more."""
    return max(manual_w, month_peak_w or 0, LEAST_W)


def forecast_linear_w(wh_so_far: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if it goes on as it went; elapsed_s 1..900."""
    return _linear(wh_so_far * 4, elapsed_s)


def forecast_w(wh_so_far: int, power_w: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if the power stays as it is; elapsed_s 0..900."""
    return _power(wh_so_far * 4, power_w, elapsed_s)


def _linear(so_far_w, elapsed_s):
    return so_far_w * QUARTER // elapsed_s


def _power(so_far_w, power_w, elapsed_s):
    return so_far_w + power_w * (QUARTER - elapsed_s) // QUARTER


class Demand:
    """Follows the import register; every figure is None as long as it is unknown."""

    def __init__(self, forecaster: str = "linear"):
        if forecaster not in FORECASTERS:
            raise ValueError("a forecaster is one of " + ", ".join(FORECASTERS))
        self.forecaster = forecaster
        self.quarter_w: int | None = None
        self.last_quarter_w: int | None = None
        self.forecast_w: int | None = None
        self.month: int | None = None
        self.month_peak_w: int | None = None
        self.month_peak_time_s: int | None = None
        # Months that are over, oldest first: (month as 202604, time_s or None, W).
        self.history: list[tuple[int, int | None, int]] = []
        self._utc = None
        self._time_s = None
        self._day = None
        self._wh = None
        # The register at the quarter's start; None when that was not seen.
        self._start_wh = None
        self._steady_from = None
        self._judged = 0

    def update(
        self,
        time_s: int,
        import_wh: int,
        import_w: int | None = None,
        utc_s: int | None = None,
        quarter_w: int | None = None,
        month_peak_w: int | None = None,
        month_peak_time_s: int | None = None,
    ) -> bool:
        """Take one telegram; whether it is the first of a quarter.

        time_s, utc_s: the meter's clock in seconds since 2020-01-01 00:00, local and (if known)
        UTC; import_wh: T1 + T2; import_w: power now. The meter's own quarter_w and month_peak_w
        (1-0:1.4.0, 1-0:1.6.0) go before what is computed here.
        """
        utc = time_s if utc_s is None else utc_s
        elapsed = utc % QUARTER
        ended = self._follow(time_s, utc, import_wh)
        self._time_s = time_s
        self._change_month(time_s, utc)
        if quarter_w is not None:
            self.quarter_w = quarter_w
        elif self._start_wh is not None:
            self.quarter_w = (import_wh - self._start_wh) * 4
        else:
            self.quarter_w = None
        if month_peak_w is not None:
            self.month_peak_w = month_peak_w
            self.month_peak_time_s = month_peak_time_s
        self._judge(elapsed, import_w)
        return ended

    def _follow(self, time_s, utc, wh):
        """The register at the quarter's boundaries."""
        before, before_wh = self._utc, self._wh
        self._utc, self._wh = utc, wh
        start = utc - utc % QUARTER
        if before is None:
            self._steady_from = utc
            # Joined in mid-quarter: what it imported before is not known.
            self._start_wh = wh if utc == start else None
            return utc == start
        if not 0 <= utc - before <= QUARTER:
            self._steady_from = utc
        if utc < before or wh < before_wh:
            # The clock went back, or it is another meter.
            ended = before // QUARTER != utc // QUARTER
            self._start_wh = None
            if ended:
                self.last_quarter_w = None
                self._new_quarter()
            return ended
        if before >= start:
            return False
        if start - before > QUARTER:
            self._start_wh = None  # of a quarter long past
        elif self._time_s is not None:
            # The quarter that ends may be the first of a month that could not begin yet.
            self._change_month(self._time_s, utc)
        boundary_wh = None
        if utc == start:
            boundary_wh = wh
        elif start - before <= _NEAR and utc - start <= _NEAR:
            # Between two telegrams the register is taken to rise evenly.
            boundary_wh = before_wh + (wh - before_wh) * (start - before) // (utc - before)
        self._end_quarter(boundary_wh, time_s - (utc - start))
        self._start_wh = boundary_wh
        return True

    def _end_quarter(self, boundary_wh, time_s):
        self.last_quarter_w = None
        if boundary_wh is not None and self._start_wh is not None:
            ended_w = (boundary_wh - self._start_wh) * 4
            if ended_w <= _MOST_W:
                self.last_quarter_w = ended_w
                if self.month_peak_w is None or ended_w > self.month_peak_w:
                    self.month_peak_w = ended_w
                    self.month_peak_time_s = time_s
        self._new_quarter()

    def _new_quarter(self):
        self.forecast_w = None
        self._judged = 0

    def _change_month(self, time_s, utc):
        day = time_s // clock.DAY
        if day == self._day:
            return
        month = clock.month(time_s)
        # One telegram with a wild date must not end a month.
        if self.month not in (None, month) and utc - self._steady_from < _STEADY:
            return
        self._day = day
        if month == self.month:
            return
        if self.month is not None and self.month_peak_w is not None:
            self.history.append((self.month, self.month_peak_time_s, self.month_peak_w))
            self.history.sort(key=lambda peak: peak[0])
            del self.history[:-MONTHS]
        self.month = month
        self.month_peak_w = self.month_peak_time_s = None
        self._claim()

    def _claim(self):
        """Take the running month out of the history: read from flash, or the clock was set back."""
        for peak in self.history:
            if peak[0] == self.month:
                self.history.remove(peak)
                if self.month_peak_w is None or peak[2] > self.month_peak_w:
                    self.month_peak_time_s, self.month_peak_w = peak[1], peak[2]
                break

    def _judge(self, elapsed, import_w):
        """Once a minute from minute 5; between two judgements the last one stands."""
        minute = elapsed // 60
        if self.quarter_w is None:
            self.forecast_w = None
            self._judged = 0
        elif minute >= _FIRST_MINUTE and minute != self._judged:
            self._judged = minute
            if self.forecaster == "power" and import_w is not None:
                self.forecast_w = _power(self.quarter_w, import_w, elapsed)
            else:
                self.forecast_w = _linear(self.quarter_w, elapsed)

    def peaks(self) -> list[tuple[int, int | None, int]]:
        """The history with the running month behind it, for `load` after a restart."""
        if self.month is None or self.month_peak_w is None:
            return list(self.history)
        return self.history + [(self.month, self.month_peak_time_s, self.month_peak_w)]

    def load(self, peaks):
        """Take `peaks` as history; the running month finds its own among them."""
        self.history = sorted([tuple(peak) for peak in peaks], key=lambda peak: peak[0])
        del self.history[: -MONTHS - 1]
        self._claim()

    def state(self) -> tuple[int | None, ...]:
        """What a restart in mid-quarter needs: whole numbers and None, for the RTC's memory."""
        return (
            self._utc, self._wh, self._start_wh, self.last_quarter_w,
            self.month, self.month_peak_w, self.month_peak_time_s,
        )  # fmt: skip

    def restore(self, state):
        """Go on from a `state`; the caller has checked that it is the one it kept."""
        (
            self._utc, self._wh, self._start_wh, self.last_quarter_w,
            self.month, self.month_peak_w, self.month_peak_time_s,
        ) = state  # fmt: skip
        self._steady_from = self._utc
        self._claim()
