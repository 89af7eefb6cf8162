"""When a monitor warns of a quarter peak, by frames alone.

A frame has the minute and the second of the meter's clock; the hours are counted here. The forecast
is `quarter`'s, as the interface's and the desk's.
"""

from .quarter import Quarter

# Flanders bills at least this (Energiedecreet, capacity tariff).
LEAST_W = 2500
# A clock so little behind: two frames changed places, or the meter's clock was set right.
SWAPPED_S = 120


def threshold_w(manual_w: int, month_peak_w: int | None) -> int:
    """The forecast above which to warn: what the month has cost already is no loss any more."""
    return max(manual_w, month_peak_w or 0, LEAST_W)


class PeakWarning(Quarter):
    """`warns`: the forecast is above `threshold_w`, with `manual_w` as its setting.

    `power` and the figures are those of Quarter. `month_peak_w` is the frames', None when unknown.
    """

    manual_w = LEAST_W

    def __init__(self):
        super().__init__()
        self.warns = False
        self.month_peak_w: int | None = None
        self.threshold_w = LEAST_W

    def take(self, ms: int | None, values):
        """Take a frame's values, `ms` milliseconds after the one before.

        ms None: there was none, or too long ago; what of the quarter is known is forgotten.
        """
        time_s = values[5] * 60 + values[6]
        if ms is None:
            self.go_on((None, None, None, None, None, None, 0))
        elif self.utc_s is not None:
            # Of all hours the one that makes the step most like the time that passed.
            passed = ms // 1000
            step = (time_s - self.utc_s - passed + 1800) % 3600 - 1800 + passed
            if -SWAPPED_S <= step < 0:
                return  # overtaken on the way: nothing new in it
            time_s = self.utc_s + step
        self.month_peak_w = quarter_w = None
        if len(values) > 9:
            self.month_peak_w = values[7] or None
            quarter_w = values[8] or None
        self.follow(time_s, values[0] + values[1], values[2], quarter_w)
        self.threshold_w = threshold_w(self.manual_w, self.month_peak_w)
        self.warns = self.forecast_w is not None and self.forecast_w > self.threshold_w
