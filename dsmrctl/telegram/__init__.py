"""The meter's side: telegrams from a source, framed, checked and read.

>>> from dsmrctl.telegram import parse
>>> telegram = parse(data)
>>> telegram.import_t1
Measurement(number=Decimal('559.373'), unit='kWh', time=None)
>>> telegram["1-0:1.7.0"].measurement.unit
'kW'
"""

from __future__ import annotations

from dsmrctl.telegram.framing import Framer, Reject
from dsmrctl.telegram.meters import MbusMeter
from dsmrctl.telegram.objects import CosemObject, Diagnostic
from dsmrctl.telegram.parser import BadTelegram, parse
from dsmrctl.telegram.readings import Failure, PeakRecord
from dsmrctl.telegram.telegram import Telegram
from dsmrctl.telegram.values import Measurement

__all__ = [
    "BadTelegram",
    "CosemObject",
    "Diagnostic",
    "Failure",
    "Framer",
    "MbusMeter",
    "Measurement",
    "PeakRecord",
    "Reject",
    "Telegram",
    "parse",
]
