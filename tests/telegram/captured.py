"""The project's own captures, read by their name; a name says what the capture is."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from dsmrctl.telegram import Diagnostic, Telegram, parse

CAPTURES = Path(__file__).parents[1] / "captures" / "p1"
BESIDE = Path(__file__).parents[3] / "shared" / "captures" / "p1"
"""Real captures, an extra where they lie beside the project."""
_sign: dict[str, Any] = runpy.run_path(str(CAPTURES.parent / "sign.py"))
signed, crc16 = _sign["signed"], _sign["crc16"]
"""Of the script that signs captures: a CRC that is not ours."""
NAMES = sorted(file.stem for file in CAPTURES.glob("*.txt"))


def raw(name: str) -> bytes:
    return (CAPTURES / f"{name}.txt").read_bytes()


def capture(name: str) -> Telegram:
    return parse(raw(name))


def odd(telegram: Telegram) -> list[tuple[str, str | None]]:
    """(kind, OBIS code) of each diagnostic."""
    return [(each.kind, each.obis) for each in telegram.diagnostics]


def only(telegram: Telegram, kind: str) -> Diagnostic:
    """The only diagnostic, which is of this kind."""
    (found,) = telegram.diagnostics
    assert found.kind == kind
    return found
