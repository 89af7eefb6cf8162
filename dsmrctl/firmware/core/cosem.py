"""What the objects of a telegram say, in whole numbers (eMUCS-P1 chapter 5, DSMR P1 chapter 6)."""

import binascii

from . import clock

# What a telegram can tell, in whole units: Wh, W, dV (0.1 V), cA (0.01 A), dm3 (0.001 m3).
# time_s is the meter's local clock since 2020-01-01 00:00, offset_h that clock before UTC.
NAMES = (
    "import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh",
    "import_w", "export_w", "quarter_w", "month_peak_w",
    "import_l1_w", "import_l2_w", "import_l3_w",
    "export_l1_w", "export_l2_w", "export_l3_w",
    "voltage_l1_dv", "voltage_l2_dv", "voltage_l3_dv",
    "current_l1_ca", "current_l2_ca", "current_l3_ca",
    "tariff", "version", "time_s", "offset_h", "month_peak_time_s", "gas_dm3", "water_dm3",
)  # fmt: skip
# The electricity objects in the order of NAMES, eight bytes each as they stand in a line: found in
# one search, where a dict of them would cost 1 KB of the heap. Any B counts (Wallonia: 1-1:1.8.1).
_CODES = (
    b":1.8.1( :1.8.2( :2.8.1( :2.8.2( "
    b":1.7.0( :2.7.0( :1.4.0( :1.6.0( "
    b":21.7.0(:41.7.0(:61.7.0("
    b":22.7.0(:42.7.0(:62.7.0("
    b":32.7.0(:52.7.0(:72.7.0("
    b":31.7.0(:51.7.0(:71.7.0("
)
_MONTH_PEAK = 7
_VOLTAGE = 14
_CURRENT = 17
_TARIFF = 20
_VERSION = 21
_TIME = 22
_OFFSET = 23
_MONTH_PEAK_TIME = 24
_GAS = 25
# Behind the named values: medium, dated and undated reading of channels 1 to 4, then 13 peaks of
# three numbers.
_CHANNELS = 27
_COUNT = _CHANNELS + 12
_PEAKS = _COUNT + 1
_MOST_PEAKS = 13
_SIZE = _PEAKS + 3 * _MOST_PEAKS


class Objects:
    """What one telegram tells; cleared and filled again, so that no telegram costs heap."""

    def __init__(self):
        self._values = [None] * _SIZE
        self._serial = b""

    def clear(self):
        """Forget everything: a new telegram begins."""
        values = self._values
        for i in range(_SIZE):
            values[i] = None
        self._serial = b""

    def get(self, name: str) -> int | None:
        """A value by its name in NAMES, None when the telegram did not tell it."""
        return self._values[NAMES.index(name)]

    @property
    def values(self) -> dict[str, int | None]:
        """All of them: {name: integer or None}."""
        return dict(zip(NAMES, self._values))

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
        """The telegram is whole: gas and water are of the first such channel that has a reading.

        One without a date comes last: so a channel goes on whose meter is gone.
        """
        values = self._values
        for behind in (1, 2):
            for i in range(_CHANNELS, _COUNT, 3):
                medium = values[i]
                if medium == 3 or medium == 7:
                    place = _GAS if medium == 3 else _GAS + 1
                    if values[place] is None:
                        values[place] = values[i + behind]

    def read(self, line, view, n):
        """Take in the object in line[:n] (`view` shows the same bytes).

        What it cannot make out stays unknown and costs nothing else.
        """
        colon = line.find(b":", 0, n)
        a = line.find(b"(", 0, n) + 1
        if colon < 1 or a < colon + 6:
            return
        z = line.find(b")", a, n)
        if z < 0:
            return
        code = bytes(view[colon:a])
        values = self._values
        if line[0] == 49:  # electricity
            at = _CODES.find(code)
            if at < 0 or values[at >> 3] is not None:
                return
            at >>= 3
            behind = line.find(b"(", z, n) + 1
            if at == _MONTH_PEAK and behind:
                values[_MONTH_PEAK_TIME] = _time(line, a, z)
                a = behind
                z = line.find(b")", a, n)
            if at < _VOLTAGE:
                values[at] = _number(line, a, z, 87, 0)
            elif at < _CURRENT:
                values[at] = _number(line, a, z, 86, 1)
            else:
                values[at] = _number(line, a, z, 65, 2)
        elif line[0] != 48:
            return
        elif code == b":1.0.0(":
            if values[_TIME] is None:
                values[_TIME] = _time(line, a, z)
                if values[_TIME] is not None:
                    values[_OFFSET] = 2 if line[z - 1] == 83 else 1
        elif code == b":96.14.0(":
            if values[_TARIFF] is None:
                values[_TARIFF] = _number(line, a, z, 0, 0)
        elif code == b":96.1.4(":
            if values[_VERSION] is None:
                values[_VERSION] = _number(line, a, z, 0, 0)
        elif code == b":98.1.0(":
            if values[_COUNT] is None:
                values[_COUNT] = 0
                self._history(line, z, n)
        elif code == b":96.1.1(" and line[2] == 48:
            self._serial = bytes(view[a:z])
        elif code[:4] == b":24." and 49 <= line[2] <= 52:
            self._channel(line, a, z, n, code)

    def _channel(self, line, a, z, n, code):
        """A meter on channel 1 to 4; only 24.1.0 tells its medium."""
        at = _CHANNELS + 3 * (line[2] - 49)
        values = self._values
        if code == b":24.1.0(":
            if values[at] is None:
                values[at] = _number(line, a, z, 0, 0)
        elif code == b":24.2.1(" or code == b":24.2.3(":
            at += 2 if _time(line, a, z) is None else 1
            a = line.find(b"(", z, n) + 1
            z = line.find(b")", a, n)
            if a and z > 0 and values[at] is None:
                values[at] = _number(line, a, z, 77, 3)

    def _history(self, line, z, n):
        """The peaks of past months, by shape: capture, time, value; Hungary's has another."""
        values = self._values
        dates = 0
        captured = time_s = None
        while True:
            a = line.find(b"(", z, n) + 1
            z = line.find(b")", a, n)
            if a == 0 or z < 0 or values[_COUNT] == _MOST_PEAKS:
                return
            if z - a == 13 and (line[z - 1] == 83 or line[z - 1] == 87):
                captured = time_s
                time_s = _time(line, a, z)
                dates += 1
                continue
            if dates == 2 and captured is not None:
                peak_w = _number(line, a, z, 87, 0)
                if peak_w is not None:
                    at = _PEAKS + 3 * values[_COUNT]
                    # Captured at 00:00 on the first day of the next month.
                    values[at] = clock.month(captured - 1)
                    values[at + 1] = time_s
                    values[at + 2] = peak_w
                    values[_COUNT] += 1
            dates = 0


def _number(line, a, z, unit, places):
    """line[a:z] as an integer of `places` decimals; None when it is no number of that unit.

    unit: its first letter, capital, behind a "k" or none; 0 for a number that has no unit.
    """
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
        if i < z and (line[i] | 32) == 107:  # k
            places += 3
            i += 1
        if i >= z or (line[i] & 95) != unit or unit == 77 and line[i + 1] != 51:  # m3
            return None
    elif unit and value:
        # Only zero is the same in every unit.
        return None
    places -= 0 if point < 0 else digits - point
    while places > 0:
        value *= 10
        places -= 1
    while places < 0:
        value //= 10
        places += 1
    return -value if negative else value


def _time(line, a, z):
    """YYMMDDhhmmssX as seconds of the local clock, None when there is no such date."""
    if z - a != 13 or (line[z - 1] != 83 and line[z - 1] != 87):
        return None
    for i in range(a, z - 1):
        if not 48 <= line[i] <= 57:
            return None
    if _two(line, a) == 0:
        return None  # a clock that was never set starts in 2000
    return clock.seconds(
        2000 + _two(line, a), _two(line, a + 2), _two(line, a + 4),
        _two(line, a + 6), _two(line, a + 8), _two(line, a + 10),
    )  # fmt: skip


def _two(line, i):
    return line[i] * 10 + line[i + 1] - 528
