"""Every line of a telegram explained for a person: `telegram decode`.

The Dutch words are those the manual sets beside its own telegram, so that both can be laid side by
side.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from . import obis, readings
from .values import Number

if TYPE_CHECKING:
    from .objects import CosemObject, Diagnostic
    from .telegram import Telegram

LANGUAGES = ("en", "nl")

_WORDS = {
    "en": {
        "header": "Maker and type of the meter",
        "unknown": "unknown, kept as it is",
        "day": "DAY",
        "night": "NIGHT",
        "peak": "peak of {month}",
        "failure": "power failure, until",
        "unset": "not set",
        "none": "none",
        "other": "M-Bus",
    },
    "nl": {
        "header": "Merk en type van de meter",
        "unknown": "onbekend, blijft bewaard",
        "day": "DAG",
        "night": "NACHT",
        "peak": "piek van {month}",
        "failure": "stroomonderbreking, tot",
        "unset": "niet ingesteld",
        "none": "geen",
        "other": "M-Bus-",
    },
}
_REMARKS_NL = {
    "no-object": "dit is geen COSEM-object",
    "bad-brackets": "de haakjes kloppen niet",
    "bad-number": "dit is geen getal",
    "no-value": "de waarde ontbreekt",
    "bad-time": "dit is geen tijdstip",
    "unset-time": "het tijdstip is niet ingesteld",
    "no-offset": "zomer- of wintertijd staat er niet bij: als Belgische tijd gelezen",
    "wrong-count": "het aangekondigde aantal klopt niet",
    "bad-peak": "deze maandpiek heeft geen twee tijdstippen",
    "no-crc": "de CRC ontbreekt",
}


class Row(NamedTuple):
    """One line for a person; `remark` says what is odd about it, empty when nothing is."""

    line: int
    obis: str
    value: str
    unit: str
    meaning: str
    remark: str = ""


def explain(telegram: Telegram, language: str = "en") -> list[Row]:
    """A row for each line of the telegram, in its order; peaks and failures one each below theirs.

    `language` is one of LANGUAGES. Texts of the meter are as they came: show them `safe`.
    """
    words = _WORDS[language]
    remarks: dict[int, list[str]] = {}
    for odd in telegram.diagnostics:
        remarks.setdefault(odd.line, []).append(_remark(odd, language))
    media = {meter.channel: meter.medium for meter in telegram.mbus}
    rows = [Row(1, "/", telegram.ident, "", words["header"])]
    for item in telegram.objects:
        value, unit = _shown(item, words)
        meaning = _meaning(item, telegram, media, language)
        remark = "; ".join(dict.fromkeys(remarks.pop(item.line, ())))
        rows.append(Row(item.line, item.code, value, unit, meaning, remark))
        rows += _records(item, words)
    end = telegram.raw.rfind(b"!")
    crc = telegram.raw[end + 1 :].decode("latin-1").strip(" \t\r\n\0\xff") if end >= 0 else ""
    last = telegram.raw.count(b"\n", 0, max(end, 0)) + 1
    remark = "; ".join(remarks.pop(last, ()))
    rows.append(Row(last, "!", crc or words["none"], "", "CRC16", remark))
    rows += [Row(line, "", "", "", "", "; ".join(said)) for line, said in remarks.items()]
    return sorted(rows, key=lambda row: row.line)


def as_document(telegram: Telegram, language: str = "en") -> dict[str, Any]:
    """The rows as one JSON document."""
    return {
        "time": telegram.time.isoformat() if telegram.time else None,
        "lines": [row._asdict() for row in explain(telegram, language)],
    }


def _remark(odd: Diagnostic, language: str) -> str:
    return _REMARKS_NL.get(odd.kind, odd.message) if language == "nl" else odd.message


def _shown(item: CosemObject, words: dict[str, str]) -> tuple[str, str]:
    """A value and its unit as a person writes them."""
    if item.kind in ("peaks", "events"):
        return str(len(item.numbers())), ""
    if item.kind == "time":
        return _clock(item.time, words), ""
    if item.kind == "text":
        return item.text or words["none"], ""
    numbers = item.numbers()
    if len(numbers) == 1:
        number, unit, when = numbers[0]
        stamped = item.kind in ("reading", "old-gas")
        clock = f"  ({_clock(when, words)})" if stamped or when is not None else ""
        return f"{number:f}{clock}", _unit(unit)
    return ", ".join(filter(None, item.values)) or words["none"], ""


def _unit(unit: str | None) -> str:
    return (unit or "").replace("m3", "m³")


def _clock(when: datetime | None, words: dict[str, str]) -> str:
    return f"{when:%d-%m-%Y %H:%M:%S}" if when is not None else words["unset"]


def _records(item: CosemObject, words: dict[str, str]) -> list[Row]:
    if item.kind == "peaks":
        records = readings.peaks(item.values, [])
        if records:
            return [
                _record(item, demand, words["peak"].format(month=f"{month:%m-%Y}"), words)
                for month, _, demand in records
            ]
    if item.kind in ("peaks", "events"):
        meaning = words["failure"] if item.kind == "events" else ""
        return [_record(item, number, meaning, words) for number in item.numbers()]
    return []


def _record(item: CosemObject, number: Number, meaning: str, words: dict[str, str]) -> Row:
    value = f"{number[0]:f}  ({_clock(number[2], words)})"
    return Row(item.line, "", value, _unit(number[1]), meaning)


def _meaning(
    item: CosemObject, telegram: Telegram, media: dict[int, str | None], language: str
) -> str:
    words, entry = _WORDS[language], item.entry
    if entry is None:
        return words["unknown"]
    text = entry.dutch if language == "nl" else entry.english
    if item.channel is not None:
        medium = media.get(item.channel)
        named = obis.MEDIA_DUTCH.get(medium or "") if language == "nl" else medium
        text = text.format(n=item.channel, medium=named or words["other"])
        if entry.name == "medium" and language == "en":
            text += f": {medium}" if medium else ": not known"
    day = {"BE": 1, "NL": 2}.get(telegram.country or "")
    if day is not None and entry.name.endswith(("_t1", "_t2")):
        text += f" ({words['day' if int(entry.name[-1]) == day else 'night']})"
    elif day is not None and entry.name == "tariff" and language == "en" and telegram.tariff:
        text += ": day" if telegram.tariff == day else ": night"
    return text
