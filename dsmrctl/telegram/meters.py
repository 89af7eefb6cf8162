"""The meters behind the meter: gas, water, heat, cold and electricity by M-Bus channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import obis
from .objects import CosemObject
from .values import Measurement

_READINGS = ("24.2.1", "24.2.3", "24.3.0")


class MbusMeter(NamedTuple):
    """One meter on the M-Bus: its channel, its medium ("gas", "water", "heat" …) and its reading.

    None is what the meter does not say. The medium is what 24.1.0 of the same channel says, never
    guessed from another: water on channel 1 with gas on 2 exists. `valve` is 1 when open.
    """

    channel: int
    medium: str | None
    serial: str | None
    ean: str | None
    valve: int | None
    reading: Measurement | None

    @property
    def alive(self) -> bool:
        """Whether it has been read: a dead channel sends nothing, or 0 at no time."""
        return self.reading is not None and (
            self.reading.time is not None or self.reading.number != 0
        )


def mbus_meters(objects: Iterable[CosemObject]) -> tuple[MbusMeter, ...]:
    """The meters among `objects`, by channel. A channel with relays only has none."""
    channels: dict[int, list[CosemObject]] = {}
    for item in objects:
        if item.channel is not None and item.entry is not None and item.name != "relay":
            channels.setdefault(item.channel, []).append(item)
    return tuple(_meter(channel, channels[channel]) for channel in sorted(channels))


def reading_of(medium: str, meters: Iterable[MbusMeter]) -> Measurement | None:
    """The reading of the living meter of this medium; of several the newest, then lowest channel.

    A replaced meter may stay on its channel for ever, dead or with its last reading.
    """
    found = [
        meter.reading
        for meter in meters
        if meter.medium == medium and meter.reading is not None and meter.alive
    ]
    newest = None
    for each in found:
        if newest is None or (
            each.time is not None and (newest.time is None or each.time > newest.time)
        ):
            newest = each
    return newest


def _meter(channel: int, objects: list[CosemObject]) -> MbusMeter:
    first: dict[str, CosemObject] = {}
    for item in objects:
        first.setdefault(item.obis.cde, item)
    serial = _text(first.get("96.1.1")) or _text(first.get("96.1.0"))
    medium = _code(first.get("24.1.0"))
    return MbusMeter(
        channel,
        obis.MEDIA.get(medium) if medium is not None else None,
        serial,
        _text(first.get("96.1.2")),
        _code(first.get("24.4.0")),
        _reading([item for item in objects if item.obis.cde in _READINGS]),
    )


def _reading(objects: list[CosemObject]) -> Measurement | None:
    """Of 24.2.1 and 24.2.3 either may be there, or both and one of them dead."""
    found = [each for item in objects if (each := item.measurement) is not None]
    alive = [each for each in found if each.time is not None or each.number != 0]
    return next(iter(alive or found), None)


def _text(item: CosemObject | None) -> str | None:
    return (item.text or None) if item is not None else None


def _code(item: CosemObject | None) -> int | None:
    text = _text(item)
    return int(text) if text is not None and text.isdecimal() and len(text) <= 4 else None
