"""Quarter-hour demand with the month's peak and its history, for meters that do not say their own.

Local time names months and peaks; gaps are told in UTC. See `quarter` for the quarter itself and
`months` for what is kept; a board has these two, this joins them for the desk.
"""

from . import clock, months
from .quarter import QUARTER, Quarter, forecast
from .warning import LEAST_W, threshold_w

__all__ = [
    "FORECASTERS",
    "LEAST_W",
    "QUARTER",
    "Demand",
    "forecast_linear_w",
    "forecast_w",
    "threshold_w",
]

FORECASTERS = ("linear", "power")


def forecast_linear_w(wh_so_far: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if it goes on as it went; elapsed_s 1..900."""
    return forecast(wh_so_far * 4, None, elapsed_s)


def forecast_w(wh_so_far: int, power_w: int, elapsed_s: int) -> int:
    """Demand (W) this quarter ends with if the power stays much as it is; elapsed_s 1..900."""
    return forecast(wh_so_far * 4, power_w, elapsed_s)


class Demand(Quarter):
    """Follows the import register; every figure is None as long as it is unknown.

    `history`: the 13 months before the running one, [(month as 202604, time_s or None, W)], oldest
    first. What the meter says of its month is shown, not kept.
    """

    def __init__(self, forecaster: str = "power"):
        if forecaster not in FORECASTERS:
            raise ValueError("a forecaster is one of " + ", ".join(FORECASTERS))
        super().__init__()
        self.forecaster = forecaster
        self.power = forecaster == "power"
        self.month_peak_w: int | None = None
        self.month_peak_time_s: int | None = None
        self.history: list[tuple[int, int | None, int]] = []
        self._peaks = []
        # What `months.now` said, until the day or the peaks are others.
        self._now = (None, None, None)
        self._day = None

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
        ended = self.follow(utc, import_wh, import_w, quarter_w)
        if ended and self.last_quarter_w is not None:
            peaks = months.raised(self._peaks, time_s - utc % QUARTER, self.last_quarter_w)
            if peaks is not None:
                self._peaks = peaks
                self._day = None
        if self._day != time_s // clock.DAY:
            self._day = time_s // clock.DAY
            self._now = months.now(self._peaks, time_s)
            self.history = months.past(self._peaks, time_s)
        self.month_peak_w, self.month_peak_time_s = self._now[:2]
        if month_peak_w is not None:
            self.month_peak_w = month_peak_w
            self.month_peak_time_s = month_peak_time_s
        return ended

    def peaks(self) -> list[tuple[int, int | None, int]]:
        """All that is kept, the running month too, for `load` after a restart."""
        return list(self._peaks)

    def load(self, peaks):
        """Take `peaks` as what is kept; month and history find theirs with the next telegram."""
        found = sorted([tuple(peak) for peak in peaks], key=lambda peak: peak[0])
        self._peaks = found[-months.MOST - 1 :]
        self._day = None

    def state(self) -> tuple[int | None, ...]:
        """What a restart in mid-quarter needs besides `peaks`: whole numbers and None."""
        return self.utc_s, self.wh, self.start_wh, self.last_quarter_w

    def restore(self, state):
        """Go on from a `state`; the caller has checked that it is the one it kept."""
        self.utc_s, self.wh, self.start_wh, self.last_quarter_w = state
