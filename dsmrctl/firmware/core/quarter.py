"""The running quarter: its demand and forecast, by the meter's clock.

Demand (W) is the energy imported in a clock quarter (Wh) times four. Quarters are counted in UTC,
which has no night of 23 or 25 hours; they begin alike in local time.
"""

QUARTER = 900
# More is a fault of the register, never a house.
MOST_W = 99999


def forecast(so_far_w, power_w, elapsed_s):
    """The demand (W) a quarter ends with; power_w: now, None when only how it went is to count.

    What is left goes on at seven eighths of the power of now and one of the mean so far: that errs
    least: measured on four years of a household by the minute.
    """
    if power_w is None:
        return so_far_w * QUARTER // elapsed_s
    left = QUARTER - elapsed_s
    return so_far_w + (7 * power_w + so_far_w * QUARTER // elapsed_s) * left // (8 * QUARTER)


class Quarter:
    """Follows the import register; every figure is None as long as it is unknown.

    `power`: the forecast goes by the power of now, not by how the quarter went.
    """

    power = True

    def __init__(self):
        self.quarter_w = self.last_quarter_w = self.forecast_w = None
        # The last telegram's time and register, the register at the quarter's start (None when
        # that was not seen); what a restart in mid-quarter needs.
        self.utc_s = self.wh = self.start_wh = None
        # The minute of the last judgement.
        self._minute = 0

    def figures(self):
        """All of it, for `go_on`: a tuple of seven whole numbers or None."""
        return (
            self.utc_s, self.wh, self.start_wh, self.last_quarter_w,
            self.quarter_w, self.forecast_w, self._minute,
        )  # fmt: skip

    def go_on(self, figures):
        """Go on from `figures`."""
        self.utc_s, self.wh, self.start_wh, self.last_quarter_w = figures[:4]
        self.quarter_w, self.forecast_w, self._minute = figures[4:]

    def follow(self, utc_s, wh, power_w, quarter_w):
        """Take one telegram; whether it is the first of a quarter.

        utc_s: the meter's clock; wh: T1 + T2; power_w: now; quarter_w: the meter's own (1-0:1.4.0),
        which goes before what is computed here. The last two may be None.
        """
        elapsed = utc_s % QUARTER
        before = self.utc_s
        start = self.start_wh
        ended = not elapsed
        if before is not None:
            ended = before // QUARTER != utc_s // QUARTER
            if utc_s < before or wh < self.wh:
                # The clock went back, or it is another meter.
                start = before = None
        if ended:
            self.last_quarter_w = self.forecast_w = None
            self._minute = 0
            known = None
            if before is None:
                if self.utc_s is None:
                    known = wh
            else:
                gap = utc_s - elapsed - before
                if not elapsed or gap <= 10 >= elapsed:
                    # Between two telegrams this near the register is taken to rise evenly.
                    known = self.wh + (wh - self.wh) * gap // (utc_s - before)
                    if start is not None and gap <= QUARTER:
                        start = (known - start) * 4
                        if start <= MOST_W:
                            self.last_quarter_w = start
            start = known
        self.utc_s = utc_s
        self.wh = wh
        self.start_wh = start
        if quarter_w is None and start is not None:
            quarter_w = (wh - start) * 4
        self.quarter_w = quarter_w
        # Judged once a minute from minute 5; between two judgements the last one stands.
        if quarter_w is None or elapsed < 300:
            self.forecast_w = None
            self._minute = 0
        elif elapsed // 60 != self._minute:
            self._minute = elapsed // 60
            self.forecast_w = forecast(quarter_w, power_w if self.power else None, elapsed)
        return ended
