"""The month's peak and 13 months of history for meters that do not tell them (eMUCS 1.4).

Peaks: [(month as 202604, time_s or None, W)], oldest first, each month once, at most 14. Which of
them is the running month's, and which are past, is asked of the clock each time: nothing rolls over
that a wild date could spoil. A board loads this for one use at the end of a quarter.
"""

import json
from binascii import hexlify

from . import clock
from .quarter import MOST_W
from .reader import UNSET, crc16

# Past months, besides the running one.
MOST = 13


def raised(peaks, time_s: int, w: int) -> list | None:
    """The peaks with that of a quarter; None when it raises nothing and begins no month.

    time_s: the quarter's end, local, which belongs to the month that it ends; w: its demand.
    """
    month = clock.month(time_s - 1)
    if month < 202001:
        return None
    others = []
    later = 0
    for peak in peaks:
        if peak[0] != month:
            others.append(peak)
            later += peak[0] > month
        elif peak[2] >= w:
            return None
    if len(others) == len(peaks):
        # A month begins. Later ones come from a date that was wild, or this one does: the fewer
        # are wrong. Until that is clear both stay, and nobody sees what is later than now.
        if later * 2 <= len(others):
            del others[len(others) - later :]
            later = 0
        if len(others) > MOST:
            # The first of the later ones, or the oldest (at -0).
            del others[-later]
    return sorted(others + [(month, time_s, w)])


def past(peaks, time_s: int) -> list:
    """The peaks of the 13 months before the running one; time_s: now, local."""
    month = clock.month(time_s)
    first = month - (189 if month % 100 == 1 else 101)
    return [peak for peak in peaks if first <= peak[0] < month]


def now(peaks, time_s: int) -> tuple[int | None, int | None, int | None]:
    """(this month's peak in W, when it was, last month's in W), each None while unknown."""
    before = past(peaks, time_s)
    last_w = before[-1][2] if before else None
    for month, when, w in peaks:
        if month == clock.month(time_s):
            return w, when, last_w
    return None, None, last_w


def kept(serial: bytes | str | None, peaks) -> str:
    """As text for flash, JSON: [CRC-16 of the rest, serial number in hex, [month, time_s, W], ...].

    By hand, so that both interpreters write the same, and whole numbers only.
    """
    if isinstance(serial, str):
        serial = serial.encode()
    parts = ['"' + hexlify(serial or b"").decode() + '"']
    for month, time_s, w in peaks:
        parts.append("[%d,%s,%d]" % (month, "null" if time_s is None else "%d" % time_s, w))
    text = ",".join(parts)
    return "[%d,%s]" % (crc16(text.encode(), 0, len(text), 0), text)


def found(text: bytes | str | None, serial: bytes | str | None) -> list:
    """The peaks in a text; [] unless `kept` wrote exactly this, for this meter."""
    peaks = []
    month = 0
    try:
        if isinstance(text, str):
            text = text.encode()
        for one in json.loads(text)[2:]:
            before = month
            month, time_s, w = one
            if (
                not max(before, 202000) < month < 205313
                or not 1 <= month % 100 <= 12
                or not 0 <= w <= MOST_W
                or time_s is not None
                and not 0 < time_s < -UNSET
            ):
                return []
            peaks.append((month, time_s, w))
        if len(peaks) <= MOST + 1 and kept(serial, peaks).encode() == text:
            return peaks
    except (ValueError, TypeError, LookupError, RuntimeError):
        # No JSON (RuntimeError: brackets too deep), or JSON of another shape.
        pass
    return []


def packed(peaks) -> bytes:
    """As `history.peaks` unpacks them."""
    data = bytearray()
    for month, time_s, w in peaks:
        for value in (month, 0 if time_s is None else time_s - UNSET, w - UNSET):
            data += value.to_bytes(4, "big")
    return bytes(data)
