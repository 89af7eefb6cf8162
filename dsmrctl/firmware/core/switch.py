"""When a switch is on: by the tariff, or by what the house exports.

Time comes as milliseconds since the frame before. Who sees no frame for ten seconds calls `clear`.
"""

STEPS = 50  # of every output's level: a relay knows 0 and all of them


class Switch:
    """`level`: 0 or STEPS. `ms`: so long runs a delay, None: none does.

    mode: "tariff" (on while the meter's raw tariff is 2) or "injection": on when the export was at
    least `threshold_w` and more than nothing for `on_ms` without a break; then for `off_ms`
    whatever happens; then until there is import.
    """

    mode = "tariff"
    threshold_w = on_ms = off_ms = 0

    def __init__(self):
        self.clear()

    def clear(self):
        """Off, and no delay runs."""
        self.level = 0
        self.ms = None

    def follow(self, ms: int, tariff: int, import_w: int, export_w: int):
        """Take a frame that came `ms` milliseconds after the one before."""
        if self.mode == "tariff":
            self.level = STEPS if tariff == 2 else 0
            return
        if self.ms is not None:
            self.ms += ms
        if self.level:
            if self.ms is not None and self.ms >= self.off_ms:
                self.ms = None
            if self.ms is None and import_w > 0:
                self.clear()
        elif export_w < self.threshold_w or not export_w:
            self.ms = None
        else:
            if self.ms is None:
                self.ms = 0
            if self.ms >= self.on_ms:
                self.level = STEPS
                self.ms = 0
