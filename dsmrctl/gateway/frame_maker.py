"""A telegram becomes a frame: quarters and peaks by the meter where it says them, else computed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dsmrctl.errors import UsageError
from dsmrctl.firmware.core import frame, signature
from dsmrctl.firmware.core.demand import Demand
from dsmrctl.telegram.document import WATT_HOURS, quantities, whole

if TYPE_CHECKING:
    from dsmrctl.gateway.memory import Memory
    from dsmrctl.telegram import Telegram

# The firmware counts its seconds from here.
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

# A meter for one tariff, or one that cannot export, has no such object; elsewhere it is an error.
_MAY_BE_ABSENT = (
    ("import_t1_wh", "1-0:1.8.1"),
    ("import_t2_wh", "1-0:1.8.2"),
    ("export_t1_wh", "1-0:2.8.1"),
    ("export_t2_wh", "1-0:2.8.2"),
    ("export_w", "1-0:2.7.0"),
)


class NoFrame(ValueError):
    """This telegram lacks what every frame must say; the text names it."""


class FrameMaker:
    """Makes one frame for each telegram, as an interface board does.

    `version` is 1 or 2. With a `key` (16 to 64 bytes) frames are signed, which only version 2
    can be. `memory` keeps what is computed over a restart. `now` is this computer's clock, for
    meters that have none (DSMR 2 and 3). Raises UsageError for a key or version that cannot be.
    """

    def __init__(
        self,
        version: int = 2,
        key: bytes | None = None,
        memory: Memory | None = None,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        if key is not None and version != 2:
            raise UsageError("version 1 frames cannot be signed", hint="leave out the frame key")
        if key is not None and not 16 <= len(key) <= 64:
            raise UsageError("a frame key has 16 to 64 bytes", hint="the same on every board")
        self._version = version
        self._key = key
        self._memory = memory
        self._now = now
        self._demand = Demand()
        self._begun = False

    def quantities(self, telegram: Telegram) -> dict[str, Any]:
        """The telegram's quantities, with the quarter, forecast and peak it does not say itself.

        A meter with no registers by tariff (Sweden) has its totals as tariff 1. What a meter has
        no object for, a second tariff or export, is 0. Raises NoFrame when the clock, a register
        or a power is there and cannot be read.
        """
        if telegram.crc == "absent" and telegram.version not in (None, "DSMR 2/3"):
            raise NoFrame("its CRC was lost, so its numbers may be wrong")
        found = quantities(telegram)
        when = telegram.time
        if when is None and telegram.get("0-0:1.0.0") is None:
            when = self._now()
            found["time"] = when.isoformat(timespec="seconds")
        if when is None:
            raise NoFrame("the meter's clock is not set")
        split = any(telegram.get(f"1-0:1.8.{tariff}") for tariff in (1, 2))
        if not split:
            found["import_t1_wh"] = whole(telegram.import_total, WATT_HOURS)
            found["export_t1_wh"] = whole(telegram.export_total, WATT_HOURS)
            found["tariff"] = found["tariff"] or 1
            if found["import_t1_wh"] is None:
                raise NoFrame("it does not say an import register")
        for name, code in _MAY_BE_ABSENT:
            if found[name] is None and telegram.get(code) is None:
                found[name] = 0
        for name in ("import_t1_wh", "import_t2_wh", "import_w", "export_w", "tariff"):
            if found[name] is None:
                raise NoFrame(f"it does not say {name}")
        if found["tariff"] not in (1, 2):
            raise NoFrame(f"its tariff is {found['tariff']}, and frames know 1 and 2")
        self._follow(telegram, found, when)
        return found

    def _follow(self, telegram: Telegram, found: dict[str, Any], when: datetime) -> None:
        """Let the rule that also runs on the board follow the quarter."""
        for name in ("quarter_w", "month_peak_w"):
            if found[name] is not None and found[name] < 0:
                found[name] = None
        computed = found["month_peak_w"] is None
        if computed and not self._begun and self._memory is not None:
            self._memory.recall(self._demand, telegram.serial)
        self._begun = True
        utc_s = int((when - EPOCH).total_seconds())
        offset = when.utcoffset()
        ended = self._demand.update(
            utc_s + (round(offset.total_seconds()) if offset else 0),
            found["import_t1_wh"] + found["import_t2_wh"],
            import_w=found["import_w"],
            utc_s=utc_s,
            quarter_w=found["quarter_w"],
            month_peak_w=found["month_peak_w"],
        )
        for name in ("quarter_w", "last_quarter_w", "forecast_w", "month_peak_w"):
            found[name] = getattr(self._demand, name)
        if ended and computed and self._memory is not None:
            self._memory.keep(self._demand, telegram.serial)

    def frame(self, found: dict[str, Any]) -> bytes:
        """The frame of what `quantities` gave. Raises NoFrame for numbers no frame can hold."""
        when = datetime.fromisoformat(found["time"])
        values = [*(found.get(name) for name in frame.FIELDS)]
        values[frame.FIELDS.index("minute")] = when.minute
        values[frame.FIELDS.index("second")] = when.second
        try:
            data = frame.build(values, self._version)
            if self._key is None:
                return data
            return signature.sign(data, self._key, int((when - EPOCH).total_seconds()))
        except ValueError as error:
            raise NoFrame(f"its numbers fit in no frame ({error})") from None
