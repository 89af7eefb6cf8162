"""Telegrams anybody may see: the same quantities, and nothing that names a meter or a person.

A telegram is made anew of what is known to be harmless (numbers, times, short codes), rather than
what is known to tell being taken out: so a line that nobody expected gives nothing away. Serial
numbers, EAN codes and equipment ids become invented ones of the same form and length, always the
same for the same meter. Messages are emptied. Registers and times stay: whoever knows them
already, the grid operator for one, knows whose they are.
"""

from __future__ import annotations

import re

from . import crc
from .obis import CODE
from .objects import CosemObject
from .telegram import Telegram
from .values import NUMBER, BadValue, hex_text, stamp

UNITS = frozenset(
    (
        *("kWh", "Wh", "MWh", "kwh", "wh", "kW", "W", "MW", "kw", "w", "GJ", "MJ", "J"),
        *("kvarh", "varh", "kvar", "var", "kVA", "VA", "kVAh", "V", "mV", "A", "mA", "Hz", "%"),
        *("s", "min", "h", "m3", "M3", "dm3", "l", "m\xb3", "m\xc2\xb3"),
    )
)
# A number without a unit counts something; longer ones are ids.
_COUNT = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
# A version (50217, also in hex), a tariff, a switch, a medium.
_CODE = re.compile(r"[0-9]{1,5}|(?:3[0-9]){5}|(?:[A-Z]{1,6} ?)?0{0,3}[0-9]")
_SIGN = re.compile(r"[^*.]")
_FEW = re.compile(r"[0-9]{1,4}")

_MESSAGES = ("message", "message_code")
# A maker's types have shorter ones; an id in the header has more digits.
_DIGITS = re.compile("[0-9]{5,}")
_KEPT = 4  # of the header: the maker's three letters and the speed
_MOST_KNOWN = 1000


class Anonymiser:
    """Makes telegrams anonymous; one for all that belong together, so that meters stay apart."""

    def __init__(self) -> None:
        self._invented: dict[str, int] = {}

    def telegram(self, telegram: Telegram) -> Telegram:
        """The same quantities without a name. A valid CRC, or none where there was none."""
        names: list[str] = []
        lines = [self._object(item, names) for item in telegram.objects]
        head = f"/{_header(telegram.ident, names)}"
        body = "\r\n".join([head, "", *lines, "!"]).encode("latin-1", "replace")
        end = b"" if telegram.crc == "absent" else b"%04X" % crc.crc16(body)
        return Telegram(body + end + b"\r\n", telegram.crc)

    def _object(self, item: CosemObject, names: list[str]) -> str:
        if item.name in _MESSAGES:
            values = [""]
        elif item.kind == "text":
            names += item.values
            values = [self._name(value) for value in item.values]
        else:
            values = [value if _harmless(item, value) else _masked(item, value)
                      for value in item.values]  # fmt: skip
        return item.code.strip() + "".join(f"({value})" for value in values)

    def _name(self, value: str) -> str:
        """Another name of this form: text as it is, or in hex as most meters send it."""
        text = hex_text(value)
        coded = text != value
        number = self._invented.get(value)
        if number is None:
            number = len(self._invented) + 1
            if len(self._invented) < _MOST_KNOWN:
                self._invented[value] = number
        length = len(value) // 2 if coded else len(value)
        found = f"{number:0{length}d}"[-length:] if length else ""
        if found == text:  # its own name is no other one
            found = "9" * length if text != "9" * length else "8" * length
        return found.encode().hex().upper() if coded else found


def _harmless(item: CosemObject, value: str) -> bool:
    """Whether a value can name nobody; all that a quantity is read from is among these."""
    kind = item.kind
    if not value:
        return True
    if kind == "code":
        return _CODE.fullmatch(value) is not None
    number = NUMBER.fullmatch(value)
    if number is not None and number[2] is not None:
        return number[2] in UNITS
    if kind == "unknown":  # what is too short to be anybody's
        return _FEW.fullmatch(value) is not None or (len(value) == 13 and _is_time(value))
    if kind == "old-gas" and value in UNITS:
        return True
    return any(form.fullmatch(value) for form in (_COUNT, CODE)) or _is_time(value)


def _is_time(value: str) -> bool:
    try:
        stamp(value)
    except BadValue as error:
        return error.kind == "unset-time"
    return True


def _masked(item: CosemObject, value: str) -> str:
    """Crossed out, but of the same shape: `readings` tells by it what a value is and belongs to."""
    number = NUMBER.fullmatch(value)
    if number is None or item.kind in ("unknown", "code"):
        return _SIGN.sub("x", value)
    digits, unit = number.groups()
    if unit is not None:
        return f"{digits}*{'x' * len(unit)}"
    if not digits.strip("-0."):
        return digits
    return re.sub("[0-9]", "0", digits).replace("0", "1", 1)


def _header(ident: str, names: list[str]) -> str:
    """Maker and type; ids, which some makers put there too, as zeros."""
    maker, kind = ident[:_KEPT], ident[_KEPT:]
    for name in {*names, *map(hex_text, names)}:
        if len(name) > 3:
            kind = kind.replace(name, "0" * len(name))
    kind = _DIGITS.sub(lambda match: "0" * len(match[0]), kind)
    return maker + "".join(each if " " <= each <= "~" else "?" for each in kind)
