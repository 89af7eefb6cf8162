"""From datagrams to frames a person or a program can use: quantities, and what was refused and why.

The rules of a frame live in `firmware/core/frame`, the quarter's in `firmware/core/demand`: what is
shown here is what a board decides by.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

from dsmrctl import errors
from dsmrctl.firmware.core import frame as core
from dsmrctl.firmware.core.demand import QUARTER, Demand
from dsmrctl.firmware.core.layout import check_layout
from dsmrctl.firmware.core.signature import Gate
from dsmrctl.firmware.core.warning import SWAPPED_S
from dsmrctl.network.multicast import Datagram
from dsmrctl.terminal.output import safe

# Reason -> what a person should know. A test holds the keys equal to the core's.
REASONS = {
    "too-long": f"longer than {core.MAX_BYTES} bytes",
    "not-utf8": "not UTF-8 text",
    "not-json": "not a JSON object",
    "no-array": 'no array "dsmr" in it',
    "too-few": "too few numbers: a frame has 7 or more",
    "not-integer": "something in it is no whole number of at most nine digits",
    "negative": "a negative number",
    "tariff": "a tariff other than 1 or 2",
    "clock": "a minute or second above 59",
    "looks-like-registers": "a power above 99 999 W: it looks like registers; see --layout",
    "version": "a version this program does not know; is there a newer one?",
    "signature": "not signed with our key",
    "replayed": "signed, but not newer than the frame before: sent twice or replayed",
}

# What a frame can tell, in this order; a column never comes and goes.
NAMES = (
    "time",
    "import_t1_wh",
    "import_t2_wh",
    "export_t1_wh",
    "export_t2_wh",
    "import_w",
    "export_w",
    "tariff",
    "quarter_w",
    "last_quarter_w",
    "forecast_w",
    "month_peak_w",
    "threshold_w",
)

# More than these are counted together: a stranger may send from any number of addresses.
_MOST_SENDERS = 16
# Frames that stay away longer may have left out an hour of the meter's clock.
_LONG_GAP_NS = 600 * 10**9
_SHOWN = 60


class Received(NamedTuple):
    """A good frame: who sent it, when it came (ns since 1970), and the quarter it belongs to.

    `quarter_w` and `last_quarter_w` are the frame's own, else computed from the registers once a
    whole quarter was followed; None while unknown. `forecast_w` is None before minute 5.
    """

    frame: core.Frame
    sender: tuple[str, int]
    time_ns: int
    quarter_w: int | None = None
    last_quarter_w: int | None = None
    forecast_w: int | None = None


class Refused(NamedTuple):
    """The first datagram refused for a reason: its sender and its text, harmless to show."""

    sender: str
    text: str


def parse_layout(text: str) -> tuple[str, ...]:
    """`NAME,NAME,…` as a layout for the core; UsageError names what is wrong."""
    try:
        return check_layout([name.strip() for name in text.split(",")])
    except ValueError as error:
        raise errors.UsageError(
            f"--layout: {safe(error)}",
            hint=f"name the elements in their order, for example {','.join(core.VERSION_1)}",
        ) from None


class _Quarter:
    """One sender's quarter, by the rule that runs on the boards.

    A frame says only the minute and second; the hour is taken from when it came. Then it follows
    the meter's clock, so that a replay at sixty times the speed has the right quarters too.
    """

    def __init__(self) -> None:
        self._demand = Demand()
        self._clock_s = 0
        self._arrived_ns: int | None = None
        self._known: tuple[int | None, int | None, int | None] | None = None

    def follow(self, frame: core.Frame, time_ns: int) -> tuple[int | None, int | None, int | None]:
        """(quarter_w, last_quarter_w, forecast_w) with this frame."""
        minute, second = frame.minute, frame.second
        t1_wh, t2_wh = frame.import_t1_wh, frame.import_t2_wh
        if minute is None or second is None or t1_wh is None or t2_wh is None:
            return frame.quarter_w or None, frame.last_quarter_w or None, None
        gap_ns = None if self._arrived_ns is None else time_ns - self._arrived_ns
        if gap_ns is None or not -_LONG_GAP_NS < gap_ns < _LONG_GAP_NS:
            self._clock_s = time_ns // 10**9
        self._arrived_ns = time_ns
        ahead_s = (minute * 60 + second - self._clock_s) % 3600
        if self._known is not None and ahead_s >= 3600 - SWAPPED_S:
            return self._known  # overtaken on the way by the one before: nothing new in it
        # The next moment at which the meter's clock says so.
        self._clock_s += ahead_s
        demand = self._demand
        demand.update(
            self._clock_s, t1_wh + t2_wh, frame.import_w, quarter_w=frame.quarter_w or None
        )
        last_w = frame.last_quarter_w or demand.last_quarter_w
        self._known = demand.quarter_w, last_w, demand.forecast_w
        return self._known


class Intake:
    """Takes datagrams, keeps count of what was good and why the rest was not.

    layout: names of the elements of frames that say no version (`parse_layout`). key: 16 to 64
    bytes; with it only frames are taken that are signed by it and newer than the last.
    """

    def __init__(self, layout: tuple[str, ...] | None = None, key: bytes | None = None) -> None:
        self._gate = None if key is None else Gate(key)
        self.good = 0
        self.refused: Counter[str] = Counter()
        self.first_refused: dict[str, Refused] = {}
        self.senders: Counter[str] = Counter()
        self._layout = layout
        self._quarters: dict[str, _Quarter] = {}

    def take(self, datagram: Datagram) -> Received | None:
        """The frame in it, or None: refused, and counted by its reason."""
        data, sender, time_ns, _ = datagram
        try:
            if self._gate is not None:
                self._gate.take(data)
            frame = core.read(data, self._layout)
        except core.FrameError as error:
            self._refuse(error.reason, sender, data)
            return None
        self.good += 1
        host = sender[0]
        if host not in self.senders and len(self.senders) >= _MOST_SENDERS:
            host = "others"
        self.senders[host] += 1
        quarter = self._quarters.get(host)
        if quarter is None:
            quarter = self._quarters[host] = _Quarter()
        return Received(frame, sender, time_ns, *quarter.follow(frame, time_ns))

    def _refuse(self, reason: str, sender: tuple[str, int], data: bytes) -> None:
        self.refused[reason] += 1
        if reason not in self.first_refused:
            text = safe(data[: 4 * _SHOWN].decode("utf-8", "replace"), _SHOWN)
            self.first_refused[reason] = Refused(f"{sender[0]}:{sender[1]}", text)

    def explain_refused(self) -> list[str]:
        """A line for each reason, the most frequent first, with the first that was refused."""
        return [
            f"{count} {REASONS[reason]} (from {self.first_refused[reason].sender}: "
            f"{self.first_refused[reason].text})"
            for reason, count in self.refused.most_common()
        ]


def quantities(received: Received) -> dict[str, Any]:
    """What the frame says by the names of `quantities`; the time is when it came.

    A month peak of 0 is unknown, so None; the threshold is a monitor's own setting, which no frame
    tells, so it is always None. The names are always NAMES, in that order.
    """
    frame = received.frame
    seconds, nanoseconds = divmod(received.time_ns, 10**9)
    when = datetime.fromtimestamp(seconds).astimezone().replace(microsecond=nanoseconds // 1000)
    return {
        "time": when.isoformat(timespec="milliseconds"),
        "import_t1_wh": frame.import_t1_wh,
        "import_t2_wh": frame.import_t2_wh,
        "export_t1_wh": frame.get("export_t1_wh"),
        "export_t2_wh": frame.get("export_t2_wh"),
        "import_w": frame.import_w,
        "export_w": frame.export_w,
        "tariff": frame.tariff,
        "quarter_w": received.quarter_w,
        "last_quarter_w": received.last_quarter_w,
        "forecast_w": received.forecast_w,
        "month_peak_w": frame.month_peak_w or None,
        "threshold_w": None,
    }


def document(received: Received) -> dict[str, Any]:
    """`quantities`, and under "frame" what is the frame's own: version, meter's clock, sender.

    A foreign frame's unknown elements are there as "tail", a signed frame's counter as "n".
    """
    frame = received.frame
    own: dict[str, Any] = {
        "version": frame.version,
        "minute": frame.minute,
        "second": frame.second,
        "sender": f"{received.sender[0]}:{received.sender[1]}",
    }
    if frame.tail:
        own["tail"] = frame.tail
    if frame.n is not None:
        own["n"] = frame.n
    found = quantities(received)
    found["frame"] = own
    return found


def elapsed_s(frame: core.Frame) -> int | None:
    """Seconds of the running quarter that are over, by the meter's clock."""
    if frame.minute is None or frame.second is None:
        return None
    return (frame.minute * 60 + frame.second) % QUARTER
