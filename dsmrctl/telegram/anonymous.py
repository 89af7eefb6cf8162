"""Telegrams anybody may see: the same quantities, and nothing that names a meter or a person.

A telegram is made anew of what is known to be harmless (numbers, times, short codes), rather than
what is known to tell being taken out: so a line that nobody expected gives nothing away. Serial
numbers, EAN codes and equipment ids become invented ones of the same form and length, always the
same for the same meter. Messages are emptied. Registers and times stay: whoever knows them
already, the grid operator for one, knows whose they are.
"""

from __future__ import annotations

import re
from collections import Counter

from . import crc
from .obis import CODE
from .objects import CosemObject
from .telegram import Telegram
from .values import NUMBER, BadValue, hex_text, stamp

UNITS = frozenset(
    (
        *("kWh", "Wh", "MWh", "kwh", "wh", "kW", "W", "MW", "kw", "w", "GJ", "MJ", "J"),
        *("kvarh", "varh", "kvar", "var", "kVArh", "VArh", "kVAr", "VAr"),
        *("kVA", "VA", "kVAh", "V", "mV", "A", "mA", "Hz", "%"),
        *("s", "min", "h", "m3", "M3", "dm3", "l", "m\xb3", "m\xc2\xb3"),
    )
)
# A number without a unit counts something; longer ones, leading zeros apart, are ids.
_COUNT = re.compile(r"-?0*[0-9]{1,9}(?:\.[0-9]{1,9})?")
# A version (50217, also in hex), a tariff, a switch, a medium.
_CODE = re.compile(r"[0-9]{1,5}|(?:3[0-9]){5}|(?:[A-Z]{1,7} ?)?0{0,3}[0-9]")
_VERSION = re.compile(r"502[0-9]{2,5}")  # of eMUCS-P1; some have a digit more
_SIGN = re.compile(r"[^*.]")
_DIGITS = re.compile(r"[0-9]+")
_FEW = 3  # in all brackets of an unknown object: four may be a part of an id, a year or a PIN
_ENOUGH = 6  # digits, leading zeros apart, by which an id is known again
_MANY = 10  # digits before an unknown unit: no quantity of a house has as many

_MESSAGES = ("message", "message_code")
# A maker's types have shorter ones (2MT382-1000); an id in the header has more digits, which
# may stand in groups.
_ID = re.compile(r"[0-9](?: ?[0-9]){4,}|[0-9](?:[ ._-]?[0-9]){8,}")
_KEPT = 4  # of the header: the maker's three letters and the speed
_MOST_KNOWN = 1000
_MOST_TEXT = 1 << 16  # characters of all names that are kept


class Anonymiser:
    """Makes telegrams anonymous; one for all that belong together, so that meters stay apart."""

    def __init__(self) -> None:
        self.replaced: Counter[str] = Counter()
        """What was replaced how often, by OBIS code, or "header"."""
        self._invented: dict[str, int] = {}
        self._known = ""  # every name that was seen, in capitals

    def telegram(self, telegram: Telegram) -> Telegram:
        """The same quantities without a name. A valid CRC, or none where there was none."""
        objects = telegram.objects
        names = {
            form.upper()
            for item in objects
            if item.kind == "text" and item.name not in _MESSAGES
            for value in (*item.values, "".join(item.values))
            for form in (value, hex_text(value))
        }
        here = "\n".join(sorted(names))
        if here not in self._known and len(self._known) + len(here) <= _MOST_TEXT:
            self._known += f"{here}\n"
        known = self._known if here in self._known else f"{self._known}{here}"
        ident = _header(telegram.ident, known)
        if ident != telegram.ident:
            self._count("header")
        lines = [self._object(item, known) for item in objects]
        body = "\r\n".join([f"/{ident}", "", *lines, "!"]).encode("latin-1", "replace")
        end = b"" if telegram.crc == "absent" else b"%04X" % crc.crc16(body)
        return Telegram(body + end + b"\r\n", telegram.crc)

    def _object(self, item: CosemObject, known: str) -> str:
        if item.name in _MESSAGES:
            values = [""]
        elif item.kind == "text":
            values = [self._name(value) for value in item.values]
        else:
            short = _digits_alone(item) <= _FEW
            values = [
                value if _harmless(item, value, known, short) else _masked(item, value, known)
                for value in item.values
            ]
        code = item.code.strip()
        if any(values) != any(item.values) or (any(values) and values != list(item.values)):
            self._count(code)
        return code + "".join(f"({value})" for value in values)

    def _count(self, what: str) -> None:
        if what in self.replaced or len(self.replaced) < _MOST_KNOWN:
            self.replaced[what] += 1

    def _name(self, value: str) -> str:
        """Another name of this form: text as it is, or in hex as most meters send it."""
        text = hex_text(value)
        coded = text != value
        same = text.upper()  # in hex or in clear: it is the same meter
        number = self._invented.get(same)
        if number is None:
            number = len(self._invented) + 1
            if len(self._invented) < _MOST_KNOWN:
                self._invented[same] = number
        length = len(value) // 2 if coded else len(value)
        found = f"{number:0{length}d}"[-length:] if length else ""
        if found == text:  # its own name is no other one
            found = "9" * length if text != "9" * length else "8" * length
        return found.encode().hex().upper() if coded else found


def _digits_alone(item: CosemObject) -> int:
    """How many digits stand in an object's brackets that hold digits only."""
    return sum(len(value) for value in item.values if _DIGITS.fullmatch(value))


def _again(digits: str, known: str) -> bool:
    """Whether a whole number is a known name once more, or a part of it."""
    core = digits.lstrip("-0")
    return len(core) >= _ENOUGH and core.isdecimal() and core in known


def _harmless(item: CosemObject, value: str, known: str, short: bool) -> bool:
    """Whether a value can name nobody; all that a quantity is read from is among these.

    known: the names there are. short: an unknown object has too few digits for one.
    """
    kind = item.kind
    if not value:
        return True
    if kind == "code":
        if item.name == "emucs_version" and _VERSION.fullmatch(value):
            return True
        return _CODE.fullmatch(value) is not None
    number = NUMBER.fullmatch(value)
    if number is not None and number[2] is not None:
        return number[2] in UNITS and not (kind == "unknown" and _again(number[1], known))
    if kind == "unknown":
        few = short and _DIGITS.fullmatch(value) is not None
        return few or (len(value) == 13 and _is_time(value))
    if kind != "time" and _again(value, known):
        return False
    if kind == "old-gas" and value in UNITS:
        return True
    return any(form.fullmatch(value) for form in (_COUNT, CODE)) or _is_time(value)


def _is_time(value: str) -> bool:
    try:
        stamp(value)
    except BadValue as error:
        return error.kind == "unset-time"
    return True


def _masked(item: CosemObject, value: str, known: str) -> str:
    """Crossed out, but of the same shape: `readings` tells by it what a value is and belongs to."""
    number = NUMBER.fullmatch(value)
    if number is None or item.kind in ("unknown", "code"):
        return _SIGN.sub("x", value)
    digits, unit = number.groups()
    long = "." not in digits and len(digits.lstrip("-0")) >= _MANY
    telling = unit is None or long or _again(digits, known)
    if telling and digits.strip("-0."):
        digits = re.sub("[0-9]", "0", digits).replace("0", "1", 1)
    return digits if unit is None else f"{digits}*{'x' * len(unit)}"


def _header(ident: str, known: str) -> str:
    """Maker and type; ids, which some makers put there too, as zeros."""
    maker, kind = ident[:_KEPT], ident[_KEPT:]
    for name in sorted(known.split("\n"), key=len, reverse=True):
        if len(name) > 3 and name in kind.upper():
            kind = re.sub(re.escape(name), "0" * len(name), kind, flags=re.IGNORECASE)
    kind = _ID.sub(lambda match: re.sub("[0-9]", "0", match[0]), kind)
    return maker + "".join(each if " " <= each <= "~" else "?" for each in kind)
