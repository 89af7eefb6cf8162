"""What the objects of a telegram say, in whole numbers (eMUCS-P1 chapter 5, DSMR P1 chapter 6)."""

import binascii

from . import clock

# What may stand around a line.
BLANK = b" \t\r\n\0\xff"

# What a telegram can tell, in whole units: Wh, W, dV (0.1 V), cA (0.01 A), dm3 (0.001 m3).
# time_s is the meter's local clock since 2020-01-01 00:00, offset_h that clock before UTC.
# One text with blanks around each: a tuple of them takes 1.8 KB of heap.
NAMES = (
    " import_t1_wh import_t2_wh export_t1_wh export_t2_wh"
    " import_w export_w quarter_w month_peak_w"
    " import_l1_w import_l2_w import_l3_w"
    " export_l1_w export_l2_w export_l3_w"
    " voltage_l1_dv voltage_l2_dv voltage_l3_dv"
    " current_l1_ca current_l2_ca current_l3_ca"
    " tariff version time_s offset_h month_peak_time_s gas_dm3 water_dm3 "
)
# The first eight bytes of their codes as they stand in a line, in the order of NAMES, then others:
# found in one search, where a dict of them would cost 1 KB.
_CODES = (
    b":1.8.1( :1.8.2( :2.8.1( :2.8.2( "
    b":1.7.0( :2.7.0( :1.4.0( :1.6.0( "
    b":21.7.0(:41.7.0(:61.7.0("
    b":22.7.0(:42.7.0(:62.7.0("
    b":32.7.0(:52.7.0(:72.7.0("
    b":31.7.0(:51.7.0(:71.7.0("
    b":96.14.0:96.1.4(:1.0.0( "
    # History, serial number; on a channel its medium and its reading.
    b":98.1.0(:96.1.1(:24.1.0(:24.2.1(:24.2.3("
)
# What is behind each of these codes, as a place in _UNITS; its low two bits are the decimals.
_KINDS = b"\x08\x08\x08\x08\0\0\0\0\0\0\0\0\0\0\1\1\1\2\2\2"
_UNITS = b"WVAM\0\0\0\0W"  # W, V, A, m3; 4 is without a unit, 8 is Wh
_MONTH_PEAK = 7
_HOUSE = 20  # from here on it is 0-0:
_TIME = 22
_OFFSET = 23
_MONTH_PEAK_TIME = 24
_GAS = 25
# Behind the named values: medium, time and reading of channels 1 to 4, then the peaks, three
# numbers each.
_CHANNELS = 27
_COUNT = 39
_PEAKS = 40
_MOST_PEAKS = 13
_UNSET = -(1 << 30)  # a stamp that is no date: older than all


class Objects:
    """What one telegram tells; cleared and filled again, so that no telegram costs heap."""

    def __init__(self):
        self._values: list = [None] * (_PEAKS + 3 * _MOST_PEAKS)
        self._serial = b""

    def clear(self):
        """Forget everything: a new telegram begins."""
        values = self._values
        for i in range(len(values)):
            values[i] = None
        self._serial = b""

    def get(self, name: str) -> int | None:
        """A value by its name in NAMES, None when the telegram did not tell it."""
        return self._values[NAMES.count(" ", 0, NAMES.index(" " + name + " "))]

    @property
    def values(self) -> dict[str, int | None]:
        """All of them: {name: integer or None}."""
        return dict(zip(NAMES.split(), self._values))

    @property
    def utc_s(self) -> int | None:
        """Seconds since 2020-01-01 00:00 UTC: never back, as the local clock is in October."""
        if self._values[_TIME] is None:
            return None
        return self._values[_TIME] - self._values[_OFFSET] * 3600

    @property
    def time(self) -> tuple[int, int, int, int, int, int, bool] | None:
        """(year, month, day, hour, minute, second, summer time?) by the meter, or None."""
        if self._values[_TIME] is None:
            return None
        return clock.date(self._values[_TIME]) + (self._values[_OFFSET] == 2,)

    @property
    def serial(self) -> str:
        """The meter's serial number; sent as hex of ASCII."""
        try:
            text = binascii.unhexlify(self._serial)
        except ValueError:
            text = self._serial
        return "".join([chr(c) for c in text if 32 <= c < 127])

    @property
    def peaks(self) -> list[tuple[int, int | None, int]]:
        """The history, oldest first: [(month as 202604, time_s or None, W)]."""
        values = self._values
        return sorted(
            [
                tuple(values[i : i + 3])
                for i in range(_PEAKS, _PEAKS + 3 * (values[_COUNT] or 0), 3)
            ],
            key=lambda peak: peak[0],
        )

    def finish(self):
        """The telegram is whole: gas and water are the newest such reading, then the first.

        So a channel goes on whose meter is gone, with its last reading or none.
        """
        values = self._values
        for medium in (3, 7):
            place = _GAS if medium == 3 else _GAS + 1
            newest = None
            for i in range(_CHANNELS, _COUNT, 3):
                if values[i] == medium and values[i + 2] is not None:
                    if newest is None or values[i + 1] > newest:
                        newest = values[i + 1]
                        values[place] = values[i + 2]

    def read(self, line, view, n):
        """Take in the object in line[:n], blanks around it or not (`view` shows the same bytes).

        What it cannot make out stays unknown and costs nothing else. Lines are not joined: a value
        that goes on in the next one stays unknown.
        """
        colon = line.find(b":", 0, n)
        if colon < 3 or line[colon - 2] != 45:
            return
        if colon > 3 and bytes(view[: colon - 3]).strip(BLANK):
            return
        a = line.find(b"(", colon, n) + 1
        if a < colon + 6:
            return
        z = _closed(line, a, n)
        at = _CODES.find(bytes(view[colon : min(a, colon + 8)])) >> 3
        # Any B counts for electricity (Wallonia: 1-1:1.8.1).
        if at < 0 or line[colon - 3] != (49 if at < _HOUSE else 48):
            return
        values = self._values
        channel = line[colon - 1] - 48
        if at <= _TIME:
            if values[at] is not None:
                return
            if at == _TIME:
                when = _time(line, a, z)
                # Without its flag it is two times in October.
                if when is not None and when != _UNSET and z - a == 13:
                    values[at] = when
                    values[_OFFSET] = 2 if line[z - 1] == 83 else 1
            elif at < _HOUSE:
                when, values[at] = _reading(line, a, z, n, _KINDS[at])
                if at == _MONTH_PEAK and when != _UNSET and values[at] is not None:
                    values[_MONTH_PEAK_TIME] = when
            else:
                if at > _HOUSE and z - a == 10 and bytes(view[a:z]).isdigit():
                    # Since 2026 some send the version's digits in hex.
                    line, a, z = binascii.unhexlify(bytes(view[a:z])), 0, 5
                values[at] = _number(line, a, z, 4)
        elif at == 23:  # the history
            if values[_COUNT] is None:
                values[_COUNT] = 0
                self._history(line, z, n)
        elif at == 24:  # a serial number
            if channel == 0 and not self._serial:
                self._serial = bytes(view[a:z])
        elif 1 <= channel <= 4:
            place = _CHANNELS - 3 + 3 * channel
            if at == 25:  # the medium; nothing else tells it
                if values[place] is None:
                    values[place] = _number(line, a, z, 4)
            elif values[place + 2] is None:
                when, reading = _reading(line, a, z, n, 3)
                # Zero at no time is what a dead meter says.
                if reading or when != _UNSET:
                    values[place + 1] = when
                    values[place + 2] = reading

    def _history(self, line, z, n):
        """The peaks of past months, by shape: capture, time, value; Hungary's has another."""
        values = self._values
        dates = 0
        captured = time_s = _UNSET
        while values[_COUNT] < _MOST_PEAKS:
            a = line.find(b"(", z, n) + 1
            if a == 0:
                return
            z = _closed(line, a, n)
            when = _time(line, a, z)
            if when is not None:
                captured = time_s
                time_s = when
                dates += 1
                continue
            if dates == 2 and captured != _UNSET:
                peak_w = _number(line, a, z, 0)
                if peak_w is not None:
                    at = _PEAKS + 3 * values[_COUNT]
                    # Captured at 00:00 on the first day of the next month.
                    values[at] = clock.month(captured - 1)
                    values[at + 1] = None if time_s == _UNSET else time_s
                    values[at + 2] = peak_w
                    values[_COUNT] += 1
            dates = 0


def _closed(line, a, n):
    """Where the bracket that begins at `a` ends; some lines have lost what closes it."""
    z = line.find(b")", a, n)
    return n if z < 0 else z


def _reading(line, a, z, n, kind):
    """(time or _UNSET, number or None) of the brackets from line[a:z] on, in either order."""
    time_s = _UNSET
    number = None
    while a > 0:
        when = _time(line, a, z)
        if when is None:
            if number is None:
                number = _number(line, a, z, kind)
        elif number is None or time_s == _UNSET:
            time_s = when
        a = line.find(b"(", z, n) + 1
        z = _closed(line, a, n)
    return time_s, number


def _number(line, a, z, kind):
    """line[a:z] as an integer, halves away from zero; None when it is no number in that unit.

    kind: its place in _UNITS; a "k" may stand before W and Wh.
    """
    unit = _UNITS[kind]
    places = kind & 3
    negative = a < z and line[a] == 45
    value = digits = 0
    point = -1
    i = a + 1 if negative else a
    while i < z:
        c = line[i]
        if 48 <= c <= 57:
            value = value * 10 + c - 48
            digits += 1
        elif c == 46 and point < 0:
            point = digits
        else:
            break
        i += 1
    if digits == 0 or digits > 12 or point in (0, digits):
        return None
    if i < z:
        i += 1
        if line[i - 1] != 42 or unit == 0:
            return None
        if i < z and line[i] | 32 == 107 and not kind & 7:  # k
            places += 3
            i += 1
        if i >= z or line[i] & 95 != unit:
            return None
        i += 1
        if kind == 3 or kind == 8:  # m3, Wh
            if i >= z or line[i] | 32 != (51 if kind == 3 else 104):
                return None
            i += 1
        if i < z:
            return None
    elif unit and value:
        # Only zero is the same in every unit.
        return None
    places -= 0 if point < 0 else digits - point
    while places > 0:
        value *= 10
        places -= 1
    while places < 0:
        value = (value + (5 if places == -1 else 0)) // 10
        places += 1
    return -value if negative else value


def _time(line, a, z):
    """YYMMDDhhmmssX as seconds of the local clock; _UNSET for no such date, None for no stamp.

    Some leave out the X, which is S in summer and W in winter.
    """
    if not 12 <= z - a <= 13 or (z - a == 13 and line[z - 1] not in b"SW"):
        return None
    for i in range(a, a + 12):
        if not 48 <= line[i] <= 57:
            return None
    year = _two(line, a)
    when = clock.seconds(
        2000 + year, _two(line, a + 2), _two(line, a + 4),
        _two(line, a + 6), _two(line, a + 8), _two(line, a + 10),
    )  # fmt: skip
    # A clock that was never set starts in 2000.
    return _UNSET if year == 0 or when is None else when


def _two(line, i):
    return line[i] * 10 + line[i + 1] - 528
