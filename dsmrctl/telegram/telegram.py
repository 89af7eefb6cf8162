"""A telegram: what the meter said once, by name and by OBIS code, made when it is asked for."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from dsmrctl.telegram import obis
from dsmrctl.telegram.objects import CosemObject, Diagnostic, PeakRecord, peaks, read_lines
from dsmrctl.telegram.values import Measurement

Triple = tuple[Decimal, str | None, datetime | None]


class MbusMeter(NamedTuple):
    """A meter behind this one: its channel, medium ("gas", "water" …), serial, valve, reading."""

    channel: int
    medium: str | None
    serial: str | None
    valve: int | None
    reading: Measurement | None


def _layout() -> Any:
    """The layout cache, or None: the file may be taken out and all else still works."""
    global _cache
    if _cache is False:
        try:
            from dsmrctl.telegram import layout

            _cache = layout
        except ImportError:
            _cache = None
    return _cache


_cache: Any = False


def _measured(key: str, what: str) -> property:
    def get(self: Telegram) -> Measurement | None:
        return self._measurement(key)

    return property(get, doc=what)


class Telegram:
    """One telegram. Making it costs nothing: `objects` and all else are read on first use.

    `raw` is every byte from `/` to the line end behind the CRC; `crc` is "valid", or "absent" for a
    meter that sends none (DSMR 2 and 3). Values are None when the meter does not say them.
    """

    __slots__ = ("_by_key", "_objects", "_odd", "crc", "raw")

    def __init__(self, raw: bytes, crc: Literal["valid", "absent"] = "valid") -> None:
        self.raw = raw
        self.crc = crc

    def __repr__(self) -> str:
        return f"<Telegram {self.ident} {self.time}>"

    def _read(self) -> None:
        body = self.raw[: self.raw.rindex(b"!")].decode("latin-1")
        self._objects, self._odd = read_lines(body)
        self._by_key: dict[str, CosemObject] = {}
        for item in self._objects:
            self._by_key.setdefault(obis.code(item.code).key, item)

    @property
    def ident(self) -> str:
        """The header without its `/`: maker and type of the meter (IEC 62056-21)."""
        return self.raw.split(b"\n", 1)[0][1:].strip().decode("latin-1")

    @property
    def objects(self) -> tuple[CosemObject, ...]:
        """Every COSEM object in the meter's order, unknown and repeated ones too."""
        try:
            return self._objects
        except AttributeError:
            self._read()
            return self._objects

    def _keyed(self, key: str) -> CosemObject | None:
        try:
            return self._by_key.get(key)
        except AttributeError:
            self._read()
            return self._by_key.get(key)

    def all(self, code: str) -> tuple[CosemObject, ...]:
        """Every object with this OBIS code; for electricity whatever its channel B."""
        key = obis.code(code).key
        return tuple(item for item in self.objects if obis.code(item.code).key == key)

    def get(self, code: str) -> CosemObject | None:
        """The first object with this OBIS code, else None."""
        return self._keyed(obis.code(code).key)

    def __getitem__(self, code: str) -> CosemObject:
        found = self.get(code)
        if found is None:
            raise KeyError(code)
        return found

    def _measurement(self, key: str) -> Measurement | None:
        item = self._keyed(key)
        return item.measurement if item is not None else None

    def _text(self, key: str) -> str | None:
        item = self._keyed(key)
        return (item.text or None) if item is not None else None

    def numbers(self) -> list[Triple]:
        """Every number of the telegram, in its order: (number, unit, time)."""
        layout = _layout()
        found = layout.numbers(self.raw) if layout is not None else None
        if found is not None:
            return found
        return self.numbers_by_line()

    def numbers_by_line(self) -> list[Triple]:
        """`numbers` the general way: what the layout cache must equal, and asks when in doubt."""
        return [tuple(each) for item in self.objects for each in item.numbers()]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about it, by line."""
        found = list(self._odd) if self.objects or self._odd else []
        for item in self.objects:
            found += [
                Diagnostic(kind, item.line, item.code, message) for kind, message in item.diagnose()
            ]
        if self.crc == "absent" and (self.country == "BE" or (self.version or "") >= "DSMR 4"):
            found.append(
                Diagnostic("no-crc", self.raw.count(b"\n"), None, "it ends without its CRC")
            )
        return tuple(sorted(found, key=lambda each: each.line))

    @property
    def time(self) -> datetime | None:
        """The meter's clock, aware: the offset is the one its flag gives."""
        item = self._keyed("0-0:1.0.0")
        return item.time if item is not None else None

    @property
    def country(self) -> str | None:
        """"BE", "NL", "LU", "SE", or None when the telegram does not tell."""
        emucs = self._text("0-0:96.1.4")
        if emucs is not None and emucs.startswith("502"):
            return "BE"
        if self.ident.startswith("Lux"):
            return "LU"
        if self._text("0.2.8") is not None:
            return "NL"
        if self._keyed("1.8.0") and self._keyed("3.8.0") and not self._keyed("1.8.1"):
            item = self._measurement("1.8.0")
            return "SE" if item is not None and item.unit == "kWh" else None
        if self._keyed("1.8.1") and self._keyed("0-0:96.14.0") and self.crc == "absent":
            return "NL"  # DSMR 2 and 3 say no version
        return None

    @property
    def version(self) -> str | None:
        """ "eMUCS-P1 1.7", "DSMR 5.0" … as the meter's own digits say."""
        emucs = self._text("0-0:96.1.4")
        if emucs is not None and len(emucs) == 5 and emucs.startswith("502"):
            return f"eMUCS-P1 {emucs[3]}.{emucs[4]}"
        dsmr = self._text("0.2.8")
        return f"DSMR {dsmr[0]}.{dsmr[1]}" if dsmr is not None and len(dsmr) == 2 else None

    @property
    def serial(self) -> str | None:
        """The meter's serial number."""
        return self._text("0-0:96.1.1") or self._text("0-0:42.0.0")

    @property
    def ean(self) -> str | None:
        """The EAN code of the connection (eMUCS-P1 2.1)."""
        return self._text("0-0:96.1.2")

    @property
    def message(self) -> str | None:
        """A message for the person, decoded."""
        return self._text("0-0:96.13.0")

    @property
    def tariff(self) -> int | None:
        """The active tariff, the meter's raw 1 or 2."""
        item = self._measurement("0-0:96.14.0")
        return int(item.number) if item is not None else None

    import_t1 = _measured("1.8.1", "Import register, the meter's tariff 1.")
    import_t2 = _measured("1.8.2", "Import register, the meter's tariff 2.")
    export_t1 = _measured("2.8.1", "Export register, the meter's tariff 1.")
    export_t2 = _measured("2.8.2", "Export register, the meter's tariff 2.")
    import_total = _measured("1.8.0", "Import register of a meter that does not split it.")
    export_total = _measured("2.8.0", "Export register of a meter that does not split it.")
    import_power = _measured("1.7.0", "Power imported now.")
    export_power = _measured("2.7.0", "Power exported now.")
    quarter_demand = _measured("1.4.0", "Energy of the running quarter over 900 s: from 0 up.")
    month_peak = _measured("1.6.0", "Highest quarter-hour demand of this month, with its time.")
    voltage_l1 = _measured("32.7.0", "Voltage of phase 1.")
    voltage_l2 = _measured("52.7.0", "Voltage of phase 2.")
    voltage_l3 = _measured("72.7.0", "Voltage of phase 3.")
    current_l1 = _measured("31.7.0", "Current of phase 1.")
    current_l2 = _measured("51.7.0", "Current of phase 2.")
    current_l3 = _measured("71.7.0", "Current of phase 3.")
    import_l1 = _measured("21.7.0", "Power imported on phase 1.")
    import_l2 = _measured("41.7.0", "Power imported on phase 2.")
    import_l3 = _measured("61.7.0", "Power imported on phase 3.")
    export_l1 = _measured("22.7.0", "Power exported on phase 1.")
    export_l2 = _measured("42.7.0", "Power exported on phase 2.")
    export_l3 = _measured("62.7.0", "Power exported on phase 3.")

    def _by_day(self, day: bool, direction: str) -> Measurement | None:
        # Belgium numbers day 1, the Netherlands night (modules.md of the manual's author, DSMR 5).
        first = {"BE": True, "NL": False}.get(self.country or "")
        if first is None:
            return None
        return self._measurement(f"{direction}.8.{1 if first == day else 2}")

    @property
    def import_day(self) -> Measurement | None:
        """Import register by day; None where the country's numbering is not known."""
        return self._by_day(True, "1")

    @property
    def import_night(self) -> Measurement | None:
        """Import register by night."""
        return self._by_day(False, "1")

    @property
    def export_day(self) -> Measurement | None:
        """Export register by day."""
        return self._by_day(True, "2")

    @property
    def export_night(self) -> Measurement | None:
        """Export register by night."""
        return self._by_day(False, "2")

    @property
    def peaks(self) -> tuple[PeakRecord, ...]:
        """The month peaks the meter keeps, oldest first; 13 at most."""
        item = self._keyed("0-0:98.1.0")
        return tuple(peaks(item)[0]) if item is not None else ()

    @property
    def mbus(self) -> tuple[MbusMeter, ...]:
        """The meters behind this one, by channel. The medium is told by the same channel only."""
        found = []
        for n in range(1, 5):
            mine = {}
            for item in self.objects:
                if item.channel == n:
                    mine.setdefault(obis.code(item.code).cde, item)
            if mine:
                found.append(_mbus_meter(n, mine))
        return tuple(found)

    def _reading(self, medium: str) -> Measurement | None:
        """The reading of the first meter of this medium that is alive: a dead one has no time."""
        readings = [each.reading for each in self.mbus if each.medium == medium and each.reading]
        return next((each for each in readings if each.time), readings[0] if readings else None)

    @property
    def gas(self) -> Measurement | None:
        """The gas register, by the channel that says it is gas."""
        return self._reading("gas")

    @property
    def water(self) -> Measurement | None:
        """The water register, by the channel that says it is water."""
        return self._reading("water")


def _mbus_meter(channel: int, mine: dict[str, CosemObject]) -> MbusMeter:
    medium = mine["24.1.0"].measurement if "24.1.0" in mine else None
    serial = next((mine[cde].text for cde in ("96.1.1", "96.1.0") if cde in mine), None)
    valve = mine["24.4.0"].measurement if "24.4.0" in mine else None
    readings = [
        found for cde in ("24.2.3", "24.2.1", "24.3.0")
        if cde in mine and (found := mine[cde].measurement) is not None
    ]  # fmt: skip
    reading = next((each for each in readings if each.time), readings[0] if readings else None)
    kind = obis.MEDIA.get(int(medium.number)) if medium else None
    if kind is None and "24.3.0" in mine:
        kind = "gas"
    return MbusMeter(channel, kind, serial or None, int(valve.number) if valve else None, reading)
