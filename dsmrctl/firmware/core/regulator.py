"""Gives a load what would be exported: how much of it, and which cycles of the mains.

Steps of 1/50, once every four seconds, so that the meter shows one step before the next: taken each
second, the level would swing for ever behind a meter that is a second late.
"""

from .switch import STEPS

# Four frames, which may come a little early.
_EVERY_MS = 3500


class Regulator:
    """`level`: 0 to STEPS. load_w: what the load draws when it is all on."""

    load_w = 1500

    def __init__(self):
        self.clear()

    def clear(self):
        """Off; the next step comes after four seconds."""
        self.level = 0
        self.ms = 0

    def follow(self, ms: int, tariff: int, import_w: int, export_w: int):
        """Take a frame that came `ms` milliseconds after the one before."""
        self.ms += ms
        if self.ms >= _EVERY_MS:
            self.ms = 0
            # Rounded down: what a step is too large for goes to the network, never the reverse.
            level = self.level + (export_w - import_w) * STEPS // self.load_w
            self.level = min(max(level, 0), STEPS)


def conducts(level: int, cycle: int) -> bool:
    """Is cycle 0 to 49 of a second one of the `level` that heat? They are spread evenly."""
    return (cycle + 1) * level // STEPS > cycle * level // STEPS
