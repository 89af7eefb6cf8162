"""Telegrams of one layout, read together as a matrix of bytes: the fast way through an archive.

The bytes are compared with the layout's; the CRC is linear, so that of the layout's own bytes is
exclusive-ored with what each digit adds; the digits become integers column by column. Which digits
a quantity shows is not written down here: the general parser is asked about telegrams whose digits
are known. On any doubt a telegram is left to it. This file can be deleted: all but the speed stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from .block import LARGEST, Block, Column, numpy, quantity_row, whole
from .crc import crc16
from .layout import Layout, learn
from .telegram import Telegram
from .values import STAMP

if TYPE_CHECKING:
    import numpy as np

_STRIPE = 256  # telegrams whose bytes are gathered together
_PROBES = 6

_Said = Decimal | int | None


class _Shown(NamedTuple):
    """A column that shows the digits of a layout's `field`, times `factor`."""

    field: int
    factor: int
    decimals: int


class Plan:
    """How the telegrams of a layout become columns: for each, a _Shown or what is always said."""

    def __init__(self, layout: Layout, columns: Mapping[str, _Shown | _Said], timed: bool) -> None:
        np = numpy()
        raw = layout.raw
        self.size = len(raw)
        self._layout = layout
        self._columns = columns
        self._timed = timed
        # Rows of the matrix of digits: those of the numbers, of the stamps, then the stamps' flags.
        self._free = [
            at
            for cut in (*layout.digits, *layout.stamps)
            for at in range(cut.start, cut.stop)
            if raw[at : at + 1].isdigit()
        ]
        row = {at: n for n, at in enumerate(self._free)}
        self._digits = len(self._free)
        self._fields = [
            [row[at] for at in range(cut.start, cut.stop) if at in row] for cut in layout.digits
        ]
        self._stamps = [row[cut.start] for cut in layout.stamps]
        self._clock = row[layout.clock.start] if layout.clock is not None else 0
        self._free += [cut.stop - 1 for cut in layout.stamps]
        self._flag = 0
        if layout.clock is not None:
            self._flag = self._free.index(layout.clock.stop - 1)
        mask = layout.mask.to_bytes(self.size, "little")
        fixed = layout.fixed.to_bytes(self.size, "little")
        self._compared = [np.frombuffer(each * 8, np.uint64) for each in (mask, fixed)]
        self._crc, self._tables = self._crc_tables()

    def fits(self, raw: bytes | memoryview) -> bool:
        """Whether `raw` has this layout; its digits are still to be looked at."""
        value = int.from_bytes(raw, "little")
        return len(raw) == self.size and value & self._layout.mask == self._layout.fixed

    def _crc_tables(self) -> tuple[int, np.ndarray]:
        """The CRC with all free half-bytes 0, and what each two of them add to it.

        The CRC starts at 0, so it is linear: that of an exclusive-or is the exclusive-or of the
        CRCs. A bit's part is the CRC of that bit with zeros behind it.
        """
        np = numpy()
        covered = bytearray(self._layout.raw[: self.size - 6])
        for at in self._free:
            covered[at] &= 0xF0
        step = [crc16(bytes((value,))) for value in range(256)]
        parts = [step[1 << bit] for bit in range(4)]
        by_place = {}
        for at in reversed(range(len(covered))):
            by_place[at] = parts
            parts = [part >> 8 ^ step[part & 0xFF] for part in parts]
        bits = np.zeros((len(self._free) + len(self._free) % 2, 4), np.uint16)
        bits[: len(self._free)] = [by_place[at] for at in self._free]
        tables = np.zeros((len(bits), 16), np.uint16)
        for value in range(16):
            for bit in range(4):
                if value >> bit & 1:
                    tables[:, value] ^= bits[:, bit]
        pairs = tables[0::2, :, None] ^ tables[1::2, None, :]
        return crc16(bytes(covered)), pairs.reshape(-1, 256)

    def read(self, data: memoryview, at: int, rows: int) -> Block:
        """At most `rows` telegrams from `at` on, up to the first that is not wholly so."""
        np = numpy()
        bytes_ = np.frombuffer(data, np.uint8, rows * self.size, at).reshape(rows, self.size)
        bytes_ = bytes_[: self._alike(data, at, rows)]
        rows = len(bytes_)
        if not rows:
            return self._columns_of(np.zeros((2 * len(self._tables), 0), np.uint8))
        digits = np.zeros((2 * len(self._tables), rows), np.uint8)
        for start in range(0, rows, _STRIPE):
            stripe = bytes_[start : start + _STRIPE].take(self._free, axis=1)
            digits[: len(self._free), start : start + _STRIPE] = stripe.T
        digits &= 15
        good = (digits[: self._digits] <= 9).all(axis=0)
        good &= self._crc_holds(digits, bytes_[:, -6:-2])
        for row in self._stamps:
            good &= _is_time(digits[row : row + 12])
        return self._columns_of(digits if good.all() else digits[:, : int(good.argmin())])

    def _columns_of(self, digits: np.ndarray) -> Block:
        np = numpy()
        rows = digits.shape[1]
        time = np.full(rows, "NaT", "datetime64[s]")
        offset = np.zeros(rows, np.int32)
        if self._timed:
            offset[:] = np.where(digits[self._flag] == ord("S") & 15, 7200, 3600)
            time = _time(digits[self._clock : self._clock + 12]) - offset
        columns = {name: self._column(shown, digits) for name, shown in self._columns.items()}
        return Block(time, offset, columns, [])

    def _alike(self, data: memoryview, at: int, rows: int) -> int:
        """How many telegrams from `at` on have the layout's bytes, where those are not free."""
        np = numpy()
        mask, fixed = self._compared
        masked = np.empty((_STRIPE // 8, self.size), np.uint64)
        for start in range(0, rows, _STRIPE):
            # Eight telegrams are a whole number of 64-bit words; what is missing repeats the last.
            count = min(_STRIPE, rows - start)
            begin = at + start * self.size
            piece = data[begin : begin + count * self.size]
            if count % 8:
                piece = bytes(piece) + bytes(piece[-self.size :]) * (8 - count % 8)
            words = np.frombuffer(piece, np.uint64).reshape(-1, self.size)
            found = np.bitwise_and(words, mask, out=masked[: len(words)])
            if not (found == fixed).all():
                odd = (found ^ fixed).view(np.uint8).reshape(-1, self.size).any(axis=1)
                return start + int(odd.argmax())
        return rows

    def _crc_holds(self, digits: np.ndarray, written: np.ndarray) -> np.ndarray:
        np = numpy()
        found = np.full(digits.shape[1], self._crc, np.uint16)
        pairs = digits[0::2] << 4 | digits[1::2]
        constant = (pairs == pairs[:, :1]).all(axis=1)  # most digits of most registers
        for row, table, same in zip(pairs, self._tables, constant, strict=True):
            found ^= table[row[0]] if same else table[row]
        values = np.full(256, 16, np.uint16)
        for value, sign in enumerate("0123456789ABCDEF"):
            values[[ord(sign), ord(sign.lower())]] = value
        said = values[written].T
        claimed = said[0] << 12 | said[1] << 8 | said[2] << 4 | said[3]
        return (found == claimed) & (said < 16).all(axis=0)

    def _column(self, shown: _Shown | _Said, digits: np.ndarray) -> Column:
        np = numpy()
        rows = digits.shape[1]
        if not isinstance(shown, _Shown):
            value, decimals = (0, 0) if shown is None else whole(shown)
            known = shown is not None
            return Column(np.full(rows, value, np.int64), np.full(rows, known), decimals)
        first, *others = self._fields[shown.field]
        value = digits[first].astype(np.int32 if len(others) < 9 else np.int64)
        for row in others:
            value *= 10
            value += digits[row]
        value = value.astype(np.int64)
        value *= shown.factor
        return Column(value, np.ones(rows, bool), shown.decimals)


def _is_time(digits: np.ndarray) -> np.ndarray:
    """Whether YYMMDDhhmmss are times of 2001 to 2069: all that means "never" lies outside."""
    np = numpy()
    year, month, day, hour, minute, second = digits[0::2] * 10 + digits[1::2]
    days = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0], np.uint8)
    last = days.take(month, mode="clip") + ((month == 2) & (year % 4 == 0))
    good = (year >= 1) & (year <= 69) & (day >= 1) & (day <= last)
    return good & (hour < 24) & (minute < 60) & (second < 60)


def _time(digits: np.ndarray) -> np.ndarray:
    """YYMMDDhhmmss as datetime64[s], as the meter's clock shows it."""
    np = numpy()
    year, month, day, hour, minute, second = (digits[0::2] * 10 + digits[1::2]).astype(np.int64)
    months = ((year + 30) * 12 + month - 1).view("datetime64[M]")
    seconds = (day - 1) * 86400 + hour * 3600 + minute * 60 + second
    return months.astype("datetime64[s]") + seconds


def plan(raw: bytes, objects: Sequence[str]) -> Plan | None:
    """A plan for telegrams like `raw`; None when there is a column it cannot be sure of.

    The general parser reads telegrams of this layout with other digits: a column that is never the
    same shows the field whose digits it always has.
    """
    layout = learn(raw)
    if layout is None or _chosen_by_value(Telegram(raw)):
        return None
    random = Random(1)
    probes = [raw, *(layout.filled(random.randrange) for _ in range(_PROBES))]
    probes += [layout.filled(lambda below: 0), layout.filled(lambda below: below - 1)]
    telegrams = [Telegram(probe) for probe in probes]
    times = [telegram.time for telegram in telegrams]
    timed = layout.clock is not None
    if times != ([layout.time(probe) for probe in probes] if timed else [None] * len(probes)):
        return None
    fields = [
        [int(bytes(each for each in probe[cut] if each in b"0123456789")) for probe in probes]
        for cut in layout.digits
    ]
    rows = [quantity_row(telegram, objects) for telegram in telegrams]
    columns: dict[str, _Shown | _Said] = {}
    for name in rows[0]:
        said = [row[name] for row in rows]
        if said.count(said[0]) == len(said) and str(said[0]) == str(said[-1]):
            columns[name] = said[0]
            continue
        shown = _shown(said, fields)
        if shown is None:
            return None
        columns[name] = shown
    return Plan(layout, columns, timed)


def _chosen_by_value(telegram: Telegram) -> bool:
    """Whether what readings say decides which of them counts: who is alive, who is newest.

    A dead meter's reading is at a time that means "never"; that stays as it is in a layout.
    """
    behind = [
        item.channel
        for item in telegram.objects
        if item.channel is not None
        and item.kind in ("reading", "old-gas")
        and not (
            item.time is None and len(item.values[0]) == 13 and STAMP.fullmatch(item.values[0])
        )
    ]
    media = [meter.medium for meter in telegram.mbus if meter.channel in behind]
    return len(set(behind)) < len(behind) or len(set(media)) < len(media)


def _shown(said: list[Any], fields: list[list[int]]) -> _Shown | None:
    if None in said:
        return None
    numbers = [whole(each) for each in said]
    decimals = {decimals for _, decimals in numbers}
    values = [value for value, _ in numbers]
    found = []
    for field, digits in enumerate(fields):
        factor = values[-1] // digits[-1]  # the last probe's digits are all nines
        if all(value == factor * each for value, each in zip(values, digits, strict=True)):
            found.append(_Shown(field, factor, max(decimals)))
    if len(found) != 1 or len(decimals) > 1:
        return None
    largest = fields[found[0].field][-1] * found[0].factor
    return found[0] if abs(largest) <= LARGEST else None
