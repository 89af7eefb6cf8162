"""Quarter-hour demand with the month's peak and its history, for meters that do not say their own.

Local time names months and peaks; gaps are told in UTC. See `quarter` for the quarter itself.
"""

from . import clock
from .quarter import QUARTER, Quarter, forecast

FORECASTERS = ("linear", "power")
# Flanders bills at least this (Energiedecreet, capacity tariff).
LEAST_W = 2500
MONTHS = 13

# A clock that jumped (more than a quarter, or back) must run on this long to end a month.
_STEADY = 60


def threshold_w(manual_w: int, month_peak_w: int | None) -> int:
    """The forecast above which to warn: what the month has cost already is no loss any more."""
    return max(manual_w, month_peak_w or 0, LEAST_W)


def forecast_linear_w(wh_so_far: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if it goes on as it went; elapsed_s 1..900."""
    return forecast(wh_so_far * 4, None, elapsed_s)


def forecast_w(wh_so_far: int, power_w: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if the power stays as it is; elapsed_s 0..900."""
    return forecast(wh_so_far * 4, power_w, elapsed_s)


class Demand(Quarter):
    """Follows the import register; every figure is None as long as it is unknown."""

    def __init__(self, forecaster: str = "linear"):
        if forecaster not in FORECASTERS:
            raise ValueError("a forecaster is one of " + ", ".join(FORECASTERS))
        super().__init__()
        self.forecaster = forecaster
        self.power = forecaster == "power"
        self.month: int | None = None
        self.month_peak_w: int | None = None
        self.month_peak_time_s: int | None = None
        # Months that are over, oldest first: (month as 202604, time_s or None, W).
        self.history: list[tuple[int, int | None, int]] = []
        self._time_s = None
        self._day = None
        self._steady_from = None

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
        start = utc - utc % QUARTER
        before = self.utc_s
        if before is None or not 0 <= utc - before <= QUARTER:
            self._steady_from = utc
        if before is not None and before < start <= before + QUARTER and import_wh >= self.wh:
            if self._time_s is not None:
                # The quarter that ends may be the first of a month that could not begin yet.
                self._change_month(self._time_s, utc)
        ended = self.follow(utc, import_wh, import_w, quarter_w)
        if ended and self.last_quarter_w is not None:
            if self.month_peak_w is None or self.last_quarter_w > self.month_peak_w:
                self.month_peak_w = self.last_quarter_w
                self.month_peak_time_s = time_s - (utc - start)
        self._time_s = time_s
        self._change_month(time_s, utc)
        if month_peak_w is not None:
            self.month_peak_w = month_peak_w
            self.month_peak_time_s = month_peak_time_s
        return ended

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
            self.utc_s, self.wh, self.start_wh, self.last_quarter_w,
            self.month, self.month_peak_w, self.month_peak_time_s,
        )  # fmt: skip

    def restore(self, state):
        """Go on from a `state`; the caller has checked that it is the one it kept."""
        (
            self.utc_s, self.wh, self.start_wh, self.last_quarter_w,
            self.month, self.month_peak_w, self.month_peak_time_s,
        ) = state  # fmt: skip
        self._steady_from = self.utc_s
        self._claim()
