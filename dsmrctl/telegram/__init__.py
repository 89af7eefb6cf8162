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
from dsmrctl.telegram.objects import CosemObject, Diagnostic, PeakRecord
from dsmrctl.telegram.parser import BadTelegram, parse
from dsmrctl.telegram.telegram import MbusMeter, Telegram
from dsmrctl.telegram.values import Measurement

__all__ = [
    "BadTelegram",
    "CosemObject",
    "Diagnostic",
    "Framer",
    "MbusMeter",
    "Measurement",
    "PeakRecord",
    "Reject",
    "Telegram",
    "parse",
]
