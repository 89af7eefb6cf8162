"""A telegram becomes a frame: quarters and peaks by the meter where it says them, else computed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dsmrctl.errors import DsmrError
from dsmrctl.firmware.core import frame
from dsmrctl.firmware.core.demand import Demand

if TYPE_CHECKING:
    from dsmrctl.telegram import Telegram

# The firmware counts its seconds from here.
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class NoFrame(ValueError):
    """This telegram lacks what every frame must say; the text names it."""


class FrameMaker:
    """Makes one frame for each telegram, as an interface board does.

    `version` is 1 or 2. With a `key` (16 to 64 bytes) frames are signed, which only version 2
    can be. Raises DsmrError for a key of another length.
    """

    def __init__(self, version: int = 2, key: bytes | None = None) -> None:
        if key is not None and version != 2:
            raise DsmrError("version 1 frames cannot be signed", hint="leave out the frame key")
        if key is not None and not 16 <= len(key) <= 64:
            raise DsmrError("a frame key has 16 to 64 bytes", hint="the same on every board")
        self._version = version
        self._key = key
        self._demand = Demand()

    def quantities(self, telegram: Telegram) -> dict[str, Any]:
        """The telegram's quantities, with the quarter, forecast and peak it does not say itself.

        A meter with no registers by tariff (Sweden) has its totals as tariff 1.
        Raises NoFrame when the clock, a register or a power is missing.
        """
        from dsmrctl.telegram.document import quantities

        found = quantities(telegram)
        when = telegram.time
        if when is None:
            raise NoFrame("the meter's clock is not set")
        for name, total in (("import", telegram.import_total), ("export", telegram.export_total)):
            if found[f"{name}_t1_wh"] is None and total is not None:
                found[f"{name}_t1_wh"] = round(total.number * 1000)
                found[f"{name}_t2_wh"] = 0
        for name in ("import_t1_wh", "import_t2_wh", "import_w", "export_w"):
            if found[name] is None:
                raise NoFrame(f"it does not say {name}")
        found["tariff"] = found["tariff"] or 1
        self._follow(found, when)
        return found

    def _follow(self, found: dict[str, Any], when: datetime) -> None:
        """Let the rule that also runs on the board follow the quarter."""
        utc_s = int((when - EPOCH).total_seconds())
        offset = when.utcoffset()
        self._demand.update(
            utc_s + (round(offset.total_seconds()) if offset else 0),
            found["import_t1_wh"] + found["import_t2_wh"],
            import_w=found["import_w"],
            utc_s=utc_s,
            quarter_w=found["quarter_w"],
            month_peak_w=found["month_peak_w"],
        )
        for name in ("quarter_w", "last_quarter_w", "forecast_w", "month_peak_w"):
            found[name] = getattr(self._demand, name)

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
            return frame.sign(data, self._key, int((when - EPOCH).total_seconds()))
        except ValueError as error:
            raise NoFrame(f"its numbers fit in no frame ({error})") from None
