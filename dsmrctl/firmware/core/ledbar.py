"""Bars of LEDs: how many of them a power lights."""


def lit(power_w: int, most_w: int, leds: int) -> int:
    """LED n of `leds` lights from n / leds of `most_w` on; all of them from `most_w`."""
    return min(power_w * leds // most_w, leds)
