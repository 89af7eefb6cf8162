"""What a person in front of the boards would see: a relay, a percentage, LEDs; one line each."""

from __future__ import annotations

from collections.abc import Iterable

from dsmrctl import boards
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.loads import Load

_GOT_IP = 5
_BARS = (("export", 5), ("import", 4))
_NAMES = {"miniswitch": "mini switch"}


def line(name: str, board: VirtualBoard, loads: Iterable[Load], fancy: bool = True) -> str:
    """A board by its pins, with what hangs on it; `fancy` False keeps to ASCII."""
    told = f"{_NAMES.get(name, name):<12}"
    if board.wifi != _GOT_IP:
        return told + "no network"
    if name == "monitor":
        return told + _leds(board, fancy)
    for load in loads:
        if load.board is board:
            if name == "miniswitch":
                return told + f"{'ON' if load.power_w else 'off':<6}{load.name} {load.power_w} W"
            percent = 100 * load.power_w // load.watts
            return told + f"{f'{percent} %':<6}{load.name} {load.power_w} W"
    return told.rstrip()


def _leds(board: VirtualBoard, fancy: bool) -> str:
    pins = boards.MONITOR.hardware[0].pins
    dot, dark = ("●", "○") if fancy else ("#", ".")
    lamps = {
        name: dot if board.pins.get(pin.gpio, 0) != pin.off else dark for name, pin in pins.items()
    }
    bars = ["".join(lamps[f"{kind}{n}"] for n in range(1, most + 1)) for kind, most in _BARS]
    shown = [f"export {bars[0]}", f"import {bars[1]}", f"peak {lamps['peak']}"]
    return " ".join([*shown, f"status {lamps['status']}"])
