"""A telegram: what the meter said once, by name and by OBIS code, made when it is asked for."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from . import readings
from .meters import MbusMeter, mbus_meters, reading_of
from .obis import code as obis_code
from .objects import CosemObject, Diagnostic, read_objects
from .readings import Failure, PeakRecord
from .values import Measurement, Number, hex_text

_DAY_IS_FIRST = {"BE": True, "NL": False}
_TARIFF = re.compile(r"(?:[A-Z]+ ?)?0{0,3}([0-9])")  # 0001; Hungary has been seen with TARIFF 1
_EMUCS = re.compile(r"(?:502)?([1-9])([0-9])[0-9]{0,3}")
_DSMR = re.compile(r"[1-9][0-9]{1,2}")
_layout: Any = False


def _shortcut() -> Any:
    """The layout cache (`layout`), or None: it may be deleted, and all but the speed stays.

    What it may answer, each from the raw bytes alone: `numbers(raw)`, `time(raw)` and
    `measured(raw, key)` are what the methods below give. On None the general parser reads.
    """
    global _layout
    if _layout is False:
        import importlib

        try:
            _layout = importlib.import_module(f"{__package__}.layout")
        except ModuleNotFoundError:
            _layout = None
    return _layout


class _Named:
    """A measurement under the key of its OBIS code."""

    __slots__ = ("_key", "doc")

    def __init__(self, key: str, doc: str) -> None:
        self._key = key
        self.doc = doc

    def __get__(self, telegram: Telegram | None, owner: type) -> Measurement | None:
        if telegram is None:
            return self  # type: ignore[return-value]  # asked of the class, by help()
        return telegram.measured(self._key)


class Telegram:
    """One telegram. Making it costs nothing: `objects` and all else are read on first use.

    `raw` is every byte from `/` to the line end behind the CRC; `crc` is "valid", or "absent" for a
    meter that sends none (DSMR 2 and 3). Values are None when the meter does not say them.
    """

    __slots__ = ("_by_key", "_objects", "_odd", "crc", "raw")

    _by_key: dict[str, CosemObject] | None
    _objects: tuple[CosemObject, ...] | None
    _odd: list[Diagnostic]

    def __init__(self, raw: bytes, crc: Literal["valid", "absent"] = "valid") -> None:
        self.raw = raw
        self.crc: Literal["valid", "absent"] = crc
        self._objects = self._by_key = None

    def __repr__(self) -> str:
        return f"<Telegram {self.ident} {self.time}>"

    # --- objects, by OBIS code -----------------------------------------------------------------

    @property
    def objects(self) -> tuple[CosemObject, ...]:
        """Every COSEM object in the meter's order, unknown and repeated ones too."""
        if self._objects is None:
            raw = self.raw
            end = raw.rfind(b"!")
            body = raw[:end] if end >= 0 else raw
            self._objects, self._odd = read_objects(body.decode("latin-1"))
        return self._objects

    def _index(self) -> dict[str, CosemObject]:
        by_key: dict[str, CosemObject] = {}
        for item in self.objects:
            known = item.obis
            before = by_key.setdefault(known.key, item)
            # 1-0 before 1-1; and a repeated object counts when the first one was empty.
            if before is not item and (
                (known.b == 0 and before.obis.b)
                or (known.b == before.obis.b and not before.numbers() and item.numbers())
            ):
                by_key[known.key] = item
        self._by_key = by_key
        return by_key

    def _find(self, key: str) -> CosemObject | None:
        return (self._by_key or self._index()).get(key)

    def get(self, code: str) -> CosemObject | None:
        """The object with this OBIS code, else None; for electricity any channel B will do.

        Of several that with just this code, else the first. Raises ValueError for no OBIS code.
        """
        wanted = obis_code(code)
        found = self._find(wanted.key)
        if found is not None and found.obis[:3] != wanted[:3]:
            return next((each for each in self.all(code) if each.obis[:3] == wanted[:3]), found)
        return found

    def all(self, code: str) -> tuple[CosemObject, ...]:
        """Every object with this OBIS code; for electricity whatever its channel B."""
        key = obis_code(code).key
        return tuple(item for item in self.objects if item.obis.key == key)

    def __getitem__(self, code: str) -> CosemObject:
        found = self.get(code)
        if found is None:
            raise KeyError(code)
        return found

    def numbers(self) -> list[Number]:
        """Every number of the telegram in its order, as (number, unit, time).

        Times, codes (tariff, breaker, medium, valve), texts and counts of records are no numbers.
        """
        if self._objects is None and (layout := _layout or _shortcut()):
            found = layout.numbers(self.raw)
            if found is not None:
                return found
        return self.numbers_by_line()

    def numbers_by_line(self) -> list[Number]:
        """`numbers` the general way: what the layout cache must equal, and learns from."""
        by_kind = readings.NUMBERS
        found: list[Number] = []
        problems: readings.Problems = []
        for item in self.objects:
            read = by_kind[item.obis.kind]
            if read is not None:
                found += read(item.values, problems)
        return found

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about it, by line."""
        found = []
        for item in self.objects:
            found += [
                Diagnostic(kind, item.line, item.code, message) for kind, message in item.problems()
            ]
        if self.crc == "absent" and self.version not in (None, "DSMR 2/3"):
            line = self.raw.count(b"\n", 0, self.raw.rfind(b"!")) + 1
            found.append(
                Diagnostic("no-crc", line, None, f"{self.version} has a CRC; it is missing")
            )
        return tuple(dict.fromkeys(sorted([*found, *self._odd], key=lambda each: each.line)))

    # --- who speaks ------------------------------------------------------------------------------

    @property
    def ident(self) -> str:
        """The header without its `/`: maker and type of the meter (IEC 62056-21)."""
        raw = self.raw
        end = raw.find(b"\n")
        return raw[1 : end if end >= 0 else raw.find(b"\r")].strip().decode("latin-1")

    @property
    def country(self) -> str | None:
        """ "BE", "NL", "LU", "SE" or "HU"; None when the telegram does not tell."""
        by_key = self._by_key or self._index()
        if "0-0:96.1.4" in by_key:
            return "BE"
        split, whole = "1.8.1" in by_key, "1.8.0" in by_key
        if "0.2.8" in by_key:
            if self.ident[:3].upper() == "LUX" or (whole and not split):
                return "LU"
            return "NL" if not whole else None  # Estonia and Austria send both
        if "15.8.0" in by_key and "0-0:42.0.0" in by_key:
            return "HU"
        if whole and not split and "3.8.0" in by_key and "23.7.0" in by_key:
            return "SE" if "0-0:96.14.0" not in by_key else None
        # DSMR 2 and 3 say neither a version nor the time.
        return "NL" if split and "0-0:1.0.0" not in by_key and "0-0:96.14.0" in by_key else None

    @property
    def version(self) -> str | None:
        """ "eMUCS-P1 1.7", "DSMR 5.0", "DSMR 2/3", as far as the meter tells it."""
        emucs = self._text("0-0:96.1.4")
        if emucs is not None:
            # 50217 is 1.7. Since 2026 some send 21110 in hex, for 2.1.
            match = _EMUCS.fullmatch(hex_text(emucs) if len(emucs) == 10 else emucs)
            return f"eMUCS-P1 {match[1]}.{match[2]}" if match is not None else "eMUCS-P1"
        dsmr = self._text("0.2.8")
        if dsmr is not None:
            return f"DSMR {dsmr[0]}.{dsmr[1]}" if _DSMR.fullmatch(dsmr) else "DSMR"
        return "DSMR 2/3" if self.country == "NL" else None

    def _text(self, key: str) -> str | None:
        item = self._find(key)
        return (item.text or None) if item is not None else None

    @property
    def serial(self) -> str | None:
        """The meter's serial number."""
        return self._text("0-0:96.1.1") or self._text("0-0:96.1.0") or self._text("0-0:42.0.0")

    @property
    def ean(self) -> str | None:
        """The EAN code of the connection (eMUCS-P1 2.1)."""
        return self._text("0-0:96.1.2")

    @property
    def message(self) -> str | None:
        """A message for the person, decoded; None when it is empty."""
        return self._text("0-0:96.13.0")

    @property
    def time(self) -> datetime | None:
        """The meter's clock, aware: the offset is the one its flag gives."""
        if self._objects is None and (layout := _layout or _shortcut()):
            known = layout.time(self.raw)
            if known is not None:
                return known
        item = self._find("0-0:1.0.0")
        return item.time if item is not None else None

    @property
    def tariff(self) -> int | None:
        """The active tariff, the meter's raw 1 or 2 (Belgium: 1 is day; Netherlands: night)."""
        match = _TARIFF.fullmatch(self._text("0-0:96.14.0") or "")
        return int(match[1]) if match is not None else None

    # --- quantities ------------------------------------------------------------------------------

    def measured(self, key: str) -> Measurement | None:
        """The measurement under a key: "1.8.1" for electricity, else "0-0:17.0.0"."""
        if self._objects is None and (layout := _layout or _shortcut()):
            known = layout.measured(self.raw, key)
            if known is not None:
                return known
        item = self._find(key)
        return item.measurement if item is not None else None

    import_t1 = _Named("1.8.1", "Import register, the meter's tariff 1.")
    import_t2 = _Named("1.8.2", "Import register, the meter's tariff 2.")
    export_t1 = _Named("2.8.1", "Export register, the meter's tariff 1.")
    export_t2 = _Named("2.8.2", "Export register, the meter's tariff 2.")
    import_total = _Named("1.8.0", "Import register of a meter that sends the total.")
    export_total = _Named("2.8.0", "Export register of a meter that sends the total.")
    import_power = _Named("1.7.0", "Power imported now.")
    export_power = _Named("2.7.0", "Power exported now.")
    quarter_demand = _Named("1.4.0", "Energy of the running quarter over 900 s: from 0 up.")
    month_peak = _Named("1.6.0", "Highest quarter-hour demand of this month, with its time.")
    voltage_l1 = _Named("32.7.0", "Voltage of phase 1.")
    voltage_l2 = _Named("52.7.0", "Voltage of phase 2.")
    voltage_l3 = _Named("72.7.0", "Voltage of phase 3.")
    current_l1 = _Named("31.7.0", "Current of phase 1.")
    current_l2 = _Named("51.7.0", "Current of phase 2.")
    current_l3 = _Named("71.7.0", "Current of phase 3.")
    import_l1 = _Named("21.7.0", "Power imported on phase 1.")
    import_l2 = _Named("41.7.0", "Power imported on phase 2.")
    import_l3 = _Named("61.7.0", "Power imported on phase 3.")
    export_l1 = _Named("22.7.0", "Power exported on phase 1.")
    export_l2 = _Named("42.7.0", "Power exported on phase 2.")
    export_l3 = _Named("62.7.0", "Power exported on phase 3.")

    def _by_day(self, direction: int, day: bool) -> Measurement | None:
        first = _DAY_IS_FIRST.get(self.country or "")
        return None if first is None else self.measured(f"{direction}.8.{1 if first == day else 2}")

    @property
    def import_day(self) -> Measurement | None:
        """Import register by day; None where the country's numbering is not known."""
        return self._by_day(1, day=True)

    @property
    def import_night(self) -> Measurement | None:
        """Import register by night."""
        return self._by_day(1, day=False)

    @property
    def export_day(self) -> Measurement | None:
        """Export register by day."""
        return self._by_day(2, day=True)

    @property
    def export_night(self) -> Measurement | None:
        """Export register by night."""
        return self._by_day(2, day=False)

    @property
    def peaks(self) -> tuple[PeakRecord, ...]:
        """The month peaks the meter keeps, oldest first; 13 at most."""
        item = self._find("0-0:98.1.0")
        return tuple(readings.peaks(item.values, [])) if item is not None else ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The long power failures the meter keeps, in its order."""
        item = self._find("99.97.0")
        return tuple(readings.failures(item.values, [])) if item is not None else ()

    @property
    def mbus(self) -> tuple[MbusMeter, ...]:
        """The meters behind this one, by channel."""
        return mbus_meters(self.objects)

    @property
    def gas(self) -> Measurement | None:
        """The gas register, of the living channel that says it is gas."""
        return reading_of("gas", self.mbus)

    @property
    def water(self) -> Measurement | None:
        """The water register, of the living channel that says it is water."""
        return reading_of("water", self.mbus)
