"""What a Belgian meter says: a telegram of eMUCS-P1 1.4 or 1.7.1, about 1 kB, with its CRC.

Most lines of a telegram never change and others seldom; only the rest is written every second.
Names and numbers of the meters are invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsmrctl import belgian_time
from dsmrctl.telegram.crc import function

if TYPE_CHECKING:
    from dsmrctl.virtual.meter import Meter, Peak

# eMUCS-P1, 0-0:96.1.4: 502 for a Belgian smart meter, then its version.
VERSIONS = {"1.4": "50214", "1.7.1": "50217"}
MESSAGE_LIMIT = 1024
"""Bytes of a message (DSMR P1 5.0.2, 0-0:96.13.0: 2048 hexadecimal digits); more is cut."""

_NOMINAL_DV = 2345
"""Tenths of a volt that the street gives without a load in the house."""

_ENERGY = (
    "1-0:1.8.1(%06d.%03d*kWh)\r\n1-0:1.8.2(%06d.%03d*kWh)\r\n"
    "1-0:2.8.1(%06d.%03d*kWh)\r\n1-0:2.8.2(%06d.%03d*kWh)\r\n"
)
_DEMAND = "1-0:1.4.0(%02d.%03d*kW)\r\n"
_POWER = (
    "0-0:96.14.0(%04d)\r\n1-0:1.7.0(%02d.%03d*kW)\r\n1-0:2.7.0(%02d.%03d*kW)\r\n"
    "1-0:21.7.0(%02d.%03d*kW)\r\n1-0:41.7.0(%02d.%03d*kW)\r\n1-0:61.7.0(%02d.%03d*kW)\r\n"
    "1-0:22.7.0(%02d.%03d*kW)\r\n1-0:42.7.0(%02d.%03d*kW)\r\n1-0:62.7.0(%02d.%03d*kW)\r\n"
    "1-0:32.7.0(%03d.%d*V)\r\n1-0:52.7.0(%03d.%d*V)\r\n1-0:72.7.0(%03d.%d*V)\r\n"
    "1-0:31.7.0(%03d.%02d*A)\r\n1-0:51.7.0(%03d.%02d*A)\r\n1-0:71.7.0(%03d.%02d*A)\r\n"
)
_FULL_WH = 10**9  # a register of six digits starts anew
_MOST_W = 99999


class TelegramText:
    """Writes one meter's telegrams. `number` makes its serials its own."""

    def __init__(self, version: str, number: int) -> None:
        self._peaks = version != "1.4"
        number %= 1_000_000
        self._number = number
        head = (
            f"/FLU5\\253{number:06d}_A\r\n\r\n0-0:96.1.4({VERSIONS[version]})\r\n"
            f"0-0:96.1.1({_hex(f'1SAG31{number:08d}')})\r\n0-0:1.0.0("
        )
        self._head = head
        self._gas_head = (
            f"0-1:24.1.0(003)\r\n0-1:96.1.1({_hex(f'7FLO21{number:08d}')})\r\n0-1:24.4.0(1)\r\n"
        )
        self._water_head = f"0-2:24.1.0(007)\r\n0-2:96.1.1({_hex(f'8SAG61{number:08d}')})\r\n"
        self._crc = function()
        self._hour = -1
        self._date = self._flag = ""
        self._peak_lines: str | None = None
        self._tail_of: tuple[object, ...] = ()
        self._tail = ""

    def forget(self) -> None:
        """A quarter has ended: peak and history may be others."""
        self._peak_lines = None

    def telegram(self, meter: Meter, powers: tuple[int, int, int]) -> bytes:
        """The telegram of a meter that is at this second and shows these powers (W, a phase)."""
        demand = ""
        registers = meter.registers
        if self._peaks:
            if self._peak_lines is None:
                self._peak_lines = _peak_lines(meter.peak, meter.history)
            demand = _DEMAND % divmod(min(meter.quarter_w, _MOST_W), 1000) + self._peak_lines
        text = (
            f"{self._head}{self._stamp(meter.time)})\r\n"
            + _ENERGY
            % (
                *divmod(registers[0] % _FULL_WH, 1000),
                *divmod(registers[1] % _FULL_WH, 1000),
                *divmod(registers[2] % _FULL_WH, 1000),
                *divmod(registers[3] % _FULL_WH, 1000),
            )
            + demand
            + _POWER % self._powers(meter, powers)
            + self._last_lines(meter)
        )
        covered = text.encode("ascii")
        return covered + b"%04X\r\n" % self._crc(covered)

    def _stamp(self, utc: int) -> str:
        hour, rest = divmod(utc, 3600)
        if hour != self._hour:
            stamp = belgian_time.stamp(utc)
            self._hour, self._date, self._flag = hour, stamp[:8], stamp[12:]
        return f"{self._date}{rest // 60:02d}{rest % 60:02d}{self._flag}"

    def _powers(self, meter: Meter, powers: tuple[int, int, int]) -> tuple[int, ...]:
        l1, l2, l3 = powers
        net = l1 + l2 + l3
        shown = [net if net > 0 else 0, -net if net < 0 else 0]
        shown += [w if w > 0 else 0 for w in powers]
        shown += [-w if w < 0 else 0 for w in powers]
        minute = meter.time // 60
        values: list[int] = [meter.tariff]
        for watts in shown:
            values += divmod(watts if watts < _MOST_W else _MOST_W, 1000)
        volts = [self._volts_d(minute, phase, watts) for phase, watts in enumerate(powers)]
        for tenths in volts:
            values += divmod(tenths, 10)
        for watts, tenths in zip(powers, volts, strict=True):
            values += divmod(abs(watts) * 1000 // tenths, 100)
        return tuple(values)

    def _volts_d(self, minute: int, phase: int, watts: int) -> int:
        """Tenths of a volt: 0.3 ohms of cable, and neighbours who change every minute."""
        street = (minute * 40503 + phase * 30011 + self._number * 7) * 2654435761 >> 16 & 31
        return max(1000, min(2900, _NOMINAL_DV + street - watts // 77))

    def _last_lines(self, meter: Meter) -> str:
        time, gas, water = meter.mbus
        now = (time, meter.breaker, meter.message)
        if now != self._tail_of:
            self._tail_of = now
            stamp = belgian_time.stamp(time)
            message = _hex(_cut(meter.message))
            self._tail = (
                f"0-0:96.3.10({meter.breaker:d})\r\n0-0:17.0.0(999.9*kW)\r\n"
                f"1-0:31.4.0(999*A)\r\n0-0:96.13.0({message})\r\n"
                f"{self._gas_head}0-1:24.2.3({stamp})({_cubic_metres(gas)}*m3)\r\n"
                f"{self._water_head}0-2:24.2.1({stamp})({_cubic_metres(water)}*m3)\r\n!"
            )
        return self._tail


def _peak_lines(peak: Peak, history: tuple[Peak, ...]) -> str:
    """Month peak and history. A month before which there is none shows `()`, as meters do."""
    records = "".join(
        f"({belgian_time.stamp(past.capture)})({belgian_time.stamp(past.time)})"
        f"({_kilowatts(past.demand_w)}*kW)"
        for past in history
    )
    return (
        f"1-0:1.6.0({belgian_time.stamp(peak.time)})({_kilowatts(peak.demand_w)}*kW)\r\n"
        f"0-0:98.1.0({len(history)})(1-0:1.6.0)(1-0:1.6.0){records or '()'}\r\n"
    )


def _kilowatts(watts: int) -> str:
    whole, rest = divmod(min(watts, _MOST_W), 1000)
    return f"{whole:02d}.{rest:03d}"


def _cubic_metres(dm3: int) -> str:
    whole, rest = divmod(dm3, 1000)
    return f"{whole % 100000:05d}.{rest:03d}"


def _cut(text: str) -> str:
    return text.encode("utf-8")[:MESSAGE_LIMIT].decode("utf-8", "ignore")


def _hex(text: str) -> str:
    return text.encode("utf-8").hex().upper()
