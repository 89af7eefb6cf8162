"""A log for tests: a house whose registers are known at every second, recorded as fast as it goes.

Import rises by a Wh every four seconds (900 W) and export by one every eight, since 2020.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsmrctl import belgian_time
from dsmrctl.history.recorder import Recorder

_BEGIN = 1_577_836_800
NAMES = ("import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh", "import_w", "gas_m3")


def import_wh(utc: int) -> int:
    return (utc - _BEGIN) // 4


def export_wh(utc: int) -> int:
    return (utc - _BEGIN) // 8


def said(utc: int) -> dict[str, Any]:
    """What the meter says at a second, as a telegram's quantities."""
    here = dt.timezone(dt.timedelta(seconds=belgian_time.offset_s(utc)))
    night = import_wh(utc) // 3
    return {
        "time": dt.datetime.fromtimestamp(utc, here).isoformat(),
        "import_t1_wh": import_wh(utc) - night,
        "import_t2_wh": night,
        "export_t1_wh": export_wh(utc),
        "export_t2_wh": 0,
        "import_w": 900,
        "tariff": 1,
    }


def kept(path: Path, seconds: Iterable[int], **options: Any) -> Recorder:
    """Record those seconds; the recorder, closed."""
    options = {"now": lambda: 4e9} | options
    with Recorder(path, **options) as recorder:
        for utc in seconds:
            recorder.take(said(utc))
    return recorder
