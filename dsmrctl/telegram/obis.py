"""The OBIS codes a P1 port can send: what each means, in English and in the manual's Dutch.

Sources: DSMR P1 5.0.2 chapter 6, eMUCS-P1 1.7.1 chapter 5, Luxembourg's Smarty P1 1.1.3, Sweden's
H1/P1 (SP 2018). Electricity is matched by C.D.E with any channel B: Wallonia's meters send 1-1:.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["number", "reading", "old-gas", "time", "peaks", "events", "text", "code", "unknown"]

# Old files carry the typo 72:32.0, and some meters send the F part: 21.7.0.255.
CODE = re.compile(
    r"([0-9]{1,3})-([0-9]{1,3}):([0-9]{1,3})[.:]([0-9]{1,3})\.([0-9]{1,3})(?:[.*][0-9]{1,3})?"
)


class Entry(NamedTuple):
    """`name` is the attribute of a Telegram where there is one; `dutch` the manual's own words."""

    name: str
    kind: Kind
    english: str
    dutch: str


def _phases() -> dict[str, Entry]:
    found = {}
    for n in (1, 2, 3):
        c = 20 * n
        found |= {
            f"{c + 1}.7.0": Entry(f"import_l{n}", "number", f"Power imported, phase {n}",
                                  f"Actueel vermogen afname Fase {n}"),
            f"{c + 2}.7.0": Entry(f"export_l{n}", "number", f"Power exported, phase {n}",
                                  f"Actueel vermogen injectie Fase {n}"),
            f"{c + 12}.7.0": Entry(f"voltage_l{n}", "number", f"Voltage, phase {n}",
                                   f"Spanning Fase {n}"),
            f"{c + 11}.7.0": Entry(f"current_l{n}", "number", f"Current, phase {n}",
                                   f"Stroom Fase {n}"),
            f"{c + 3}.7.0": Entry(f"reactive_import_l{n}", "number",
                                  f"Reactive power imported, phase {n}",
                                  f"Reactief vermogen afname Fase {n}"),
            f"{c + 4}.7.0": Entry(f"reactive_export_l{n}", "number",
                                  f"Reactive power exported, phase {n}",
                                  f"Reactief vermogen injectie Fase {n}"),
            f"{c + 12}.32.0": Entry(f"sags_l{n}", "number", f"Voltage sags, phase {n}",
                                    f"Aantal spanningsdips Fase {n}"),
            f"{c + 12}.36.0": Entry(f"swells_l{n}", "number", f"Voltage swells, phase {n}",
                                    f"Aantal spanningspieken Fase {n}"),
        }  # fmt: skip
    return found


def _n(name: str, english: str, dutch: str) -> Entry:
    return Entry(name, "number", english, dutch)


ELECTRICITY: dict[str, Entry] = {
    "0.2.8": Entry("dsmr_version", "code", "Version of the P1 specification", "Versie P1"),
    "94.32.1": Entry("grid", "code", "Grid: 230 is 3×230 V, 400 is 3N400 V", "Type net (230/400)"),
    "1.8.0": _n("import_total", "Imported, total", "Verbruik / afname totaal"),
    "1.8.1": _n("import_t1", "Imported, tariff 1", "Verbruik / afname tarief 1"),
    "1.8.2": _n("import_t2", "Imported, tariff 2", "Verbruik / afname tarief 2"),
    "1.8.3": _n("import_t3", "Imported, tariff 3", "Verbruik / afname tarief 3"),
    "1.8.4": _n("import_t4", "Imported, tariff 4", "Verbruik / afname tarief 4"),
    "1.8.5": _n("import_t5", "Imported, tariff 5", "Verbruik / afname tarief 5"),
    "2.8.0": _n("export_total", "Exported, total", "Injectie totaal"),
    "2.8.1": _n("export_t1", "Exported, tariff 1", "Injectie tarief 1"),
    "2.8.2": _n("export_t2", "Exported, tariff 2", "Injectie tarief 2"),
    "2.8.3": _n("export_t3", "Exported, tariff 3", "Injectie tarief 3"),
    "2.8.4": _n("export_t4", "Exported, tariff 4", "Injectie tarief 4"),
    "2.8.5": _n("export_t5", "Exported, tariff 5", "Injectie tarief 5"),
    "15.8.0": _n("absolute_total", "Imported plus exported", "Afname plus injectie"),
    "3.8.0": _n("reactive_import_total", "Reactive energy imported", "Reactieve afname"),
    "4.8.0": _n("reactive_export_total", "Reactive energy exported", "Reactieve injectie"),
    "1.7.0": _n("import_power", "Power imported now", "Actueel vermogen afname/verbruik"),
    "2.7.0": _n("export_power", "Power exported now", "Actueel vermogen injectie"),
    "3.7.0": _n("reactive_import_power", "Reactive power imported", "Reactief vermogen afname"),
    "4.7.0": _n("reactive_export_power", "Reactive power exported", "Reactief vermogen injectie"),
    "9.7.0": _n("apparent_import_power", "Apparent power imported", "Schijnbaar vermogen afname"),
    "13.7.0": _n("power_factor", "Power factor", "Arbeidsfactor"),
    "14.7.0": _n("frequency", "Frequency of the grid", "Netfrequentie"),
    "10.7.0": _n("apparent_export_power", "Apparent power exported",
                 "Schijnbaar vermogen injectie"),
    "1.4.0": _n("quarter_demand", "Demand of the running quarter", "Piek lopend kwartier"),
    "1.6.0": Entry("month_peak", "reading", "Peak demand of this month", "Maandpiek"),
    "99.97.0": Entry("failures", "events", "Log of long power failures",
                     "Lijst van lange stroomonderbrekingen"),
    "31.4.0": _n("fuse", "Fuse: the most current per phase",
                 "Max toegelaten stroom per fase (ongebruikt?)"),
    **_phases(),
}  # fmt: skip

HOUSE: dict[str, Entry] = {
    "96.1.4": Entry("emucs_version", "code", "Version: 502 and the eMUCS-P1 version", "ID"),
    "96.1.1": Entry("serial", "text", "Serial number", "Serienummer"),
    "96.1.0": Entry("serial", "text", "Serial number", "Serienummer"),
    "96.1.2": Entry("ean", "text", "EAN code of the connection", "EAN-code"),
    "42.0.0": Entry("logical_name", "text", "Name of the meter", "Naam van de meter"),
    "1.0.0": Entry("time", "time", "Date and time", "Datum/tijd"),
    "96.14.0": Entry("tariff", "code", "Active tariff", "Actief tarief (1/2)"),
    "96.7.21": _n("short_failures", "Power failures", "Aantal stroomonderbrekingen"),
    "96.7.9": _n("long_failures", "Long power failures", "Aantal lange stroomonderbrekingen"),
    "96.3.10": Entry("breaker", "code", "Breaker: 1 is on",
                     "Stand van de schakelaar/automaat - elektriciteit"),
    "17.0.0": _n("limiter", "Limiter: the most power",
                 "Max toegelaten vermogen per fase (ongebruikt?)"),
    "96.13.0": Entry("message", "text", "Message", "Bericht"),
    "96.13.1": Entry("message_code", "text", "Message code", "Berichtcode"),
    "98.1.0": Entry("peaks", "peaks", "Month peaks of up to 13 months", "Historiek maandpieken"),
}  # fmt: skip

CHANNEL: dict[str, Entry] = {
    "24.1.0": Entry("medium", "code", "What meter is on channel {n}",
                    "ID andere toestellen op de bus CH{n} (003=gas, 007=water)"),
    "96.1.0": Entry("mbus_serial", "text", "Serial number of the {medium} meter",
                    "Serienummer van de {medium}meter"),
    "96.1.1": Entry("mbus_serial", "text", "Serial number of the {medium} meter",
                    "Serienummer van de {medium}meter"),
    "96.1.2": Entry("mbus_ean", "text", "EAN code of the {medium} connection",
                    "EAN-code van de {medium}aansluiting"),
    "24.4.0": Entry("valve", "code", "Valve of the {medium} meter: 1 is open",
                    "Stand van de kraan van de {medium}meter"),
    "96.3.10": Entry("relay", "code", "Relay {n}: 1 is on", "Stand van relais {n}"),
    "24.2.1": Entry("mbus_reading", "reading", "Reading of the {medium} meter",
                    "Datum meting en waarde {medium}"),
    "24.2.3": Entry("mbus_reading", "reading", "Reading of the {medium} meter",
                    "Datum meting en waarde {medium}"),
    "24.3.0": Entry("mbus_reading", "old-gas", "Reading of the {medium} meter",
                    "Datum meting en waarde {medium}"),
}  # fmt: skip

# EN 13757-3, table 12; M-Bus device types a meter can have behind it.
MEDIA = {2: "electricity", 3: "gas", 4: "heat", 6: "hot water", 7: "water", 10: "cold",
         11: "cold", 12: "heat", 13: "heat and cold"}  # fmt: skip
MEDIA_DUTCH = {"gas": "aardgas", "water": "water", "heat": "warmte", "cold": "koude",
               "hot water": "warmwater", "electricity": "elektriciteit",
               "heat and cold": "warmte/koude"}  # fmt: skip


class Code(NamedTuple):
    """An OBIS code A-B:C.D.E taken apart and looked up.

    `key` is the same for codes that mean the same: `1.8.1` for electricity whatever its channel B,
    `0-0:96.1.1` for the house, `0-2:24.1.0` for a channel. `channel` is the M-Bus channel 1 to n.
    """

    a: int
    b: int
    cde: str
    key: str
    channel: int | None
    kind: Kind
    entry: Entry | None


_KEPT = 4096  # codes kept at most: noise can look like ever new ones
_codes: dict[str, Code] = {}


def find(text: str) -> Code | None:
    """An OBIS code looked up; None when `text` is none."""
    known = _codes.get(text)
    if known is not None:
        return known
    match = CODE.fullmatch(text)
    if match is None:
        return None
    a, b = int(match[1]), int(match[2])
    cde = f"{int(match[3])}.{int(match[4])}.{int(match[5])}"
    table = ELECTRICITY if a == 1 else CHANNEL if a == 0 and b else HOUSE if a == 0 else {}
    entry = table.get(cde)
    found = Code(
        a,
        b,
        cde,
        cde if a == 1 else f"{a}-{b}:{cde}",
        b if a == 0 and b else None,
        entry.kind if entry else "unknown",
        entry,
    )
    if len(_codes) >= _KEPT:
        _codes.clear()
    _codes[text] = found
    return found


def code(text: str) -> Code:
    """An OBIS code looked up. Raises ValueError when `text` is none."""
    found = find(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no OBIS code A-B:C.D.E")
    return found
