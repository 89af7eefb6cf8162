"""The board's reading of telegrams, with names and the desk's conveniences; see `reader`."""

import binascii

from . import clock, history
from .reader import BLANK, LINE, MOST_BYTES, Reader  # noqa: F401 (they belong here too)

# What a telegram can tell, in whole units: Wh, W, dV (0.1 V), cA (0.01 A), dm3 (0.001 m3).
# time_s is the meter's local clock since 2020-01-01 00:00, offset_h that clock before UTC.
NAMES = (
    "import_t1_wh import_t2_wh export_t1_wh export_t2_wh"
    " import_w export_w quarter_w month_peak_w"
    " import_l1_w import_l2_w import_l3_w"
    " export_l1_w export_l2_w export_l3_w"
    " voltage_l1_dv voltage_l2_dv voltage_l3_dv"
    " current_l1_ca current_l2_ca current_l3_ca"
    " tariff version time_s offset_h month_peak_time_s gas_dm3 water_dm3"
).split()


class TelegramReader(Reader):
    """Reads telegrams from slices; `objects` is what the last good one told.

    It stays as it is until the next good one.
    """

    def __init__(self):
        super().__init__()
        self.wanted = 2

    @property
    def bad(self) -> int:
        """Telegrams that were dropped, for whatever reason."""
        return self.bad_crc + self.cut + self.too_long

    @property
    def objects(self):
        """What the last good telegram told."""
        return Objects(self.told, self.peaks)

    @property
    def values(self) -> dict[str, int | None]:
        """What the last good telegram told: {name of NAMES: integer or None}."""
        return self.objects.values

    def feed(self, buf: bytes | bytearray | memoryview, n: int | None = None) -> int:
        """Take the first `n` bytes (None: all) of `buf`; how many good telegrams ended in them."""
        if isinstance(buf, memoryview):
            buf = bytes(buf)  # a view cannot be searched
        return super().feed(buf, len(buf) if n is None else n)


class Objects:
    """What one telegram told."""

    def __init__(self, told: list, peaks: bytes | None):
        self._told = told
        self._peaks = peaks

    def get(self, name: str) -> int | None:
        """A value by its name in NAMES, None when the telegram did not tell it."""
        return self._told[NAMES.index(name)]

    @property
    def values(self) -> dict[str, int | None]:
        """All of them: {name: integer or None}."""
        return dict(zip(NAMES, self._told))

    @property
    def utc_s(self) -> int | None:
        """Seconds since 2020-01-01 00:00 UTC: never back, as the local clock is in October."""
        time_s, offset_h = self.get("time_s"), self.get("offset_h")
        return None if time_s is None or offset_h is None else time_s - offset_h * 3600

    @property
    def time(self) -> tuple[int, int, int, int, int, int, bool] | None:
        """(year, month, day, hour, minute, second, summer time?) by the meter, or None."""
        time_s = self.get("time_s")
        return None if time_s is None else clock.date(time_s) + (self.get("offset_h") == 2,)

    @property
    def serial(self) -> str:
        """The meter's serial number; sent as hex of ASCII."""
        sent = self._told[len(NAMES)] or b""
        try:
            sent = binascii.unhexlify(sent)
        except ValueError:
            pass
        return "".join([chr(c) for c in sent if 32 <= c < 127])

    @property
    def peaks(self) -> list[tuple[int, int | None, int]]:
        """The history, oldest first: [(month as 202604, time_s or None, W)]."""
        return history.peaks(self._peaks)
