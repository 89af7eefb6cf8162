"""Every kind of board as data: hardware kinds, chip, flash, pins, settings, mDNS name.

GPIO numbers that the manual does not print come from the makers' device pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dsmrctl.errors import UsageError
from dsmrctl.firmware.core import setting


@dataclass(frozen=True)
class Pin:
    """A GPIO; off is the level (0 or 1) at which an output rests, None for an input."""

    gpio: int
    off: int | None = None


def high(gpio: int) -> Pin:
    """An output that is on when high."""
    return Pin(gpio, 0)


def low(gpio: int) -> Pin:
    """An output that is on when low."""
    return Pin(gpio, 1)


@dataclass(frozen=True)
class Programmer:
    """How a person puts a chip into its bootloader, and starts it afterwards; step by step.

    restarts: its port has the lines (DTR, RTS) that do both without a hand.
    """

    enter: tuple[str, ...]
    after: tuple[str, ...]
    restarts: bool = False

    def guide(self) -> str:
        """The way into the bootloader, a step a line."""
        return _steps(self.enter)

    def start(self) -> str:
        """What is done by hand once it is flashed, a step a line."""
        return _steps(self.after)


def _steps(steps: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


_ESP01 = Programmer(
    (
        "unplug the programmer",
        "hold its button, or set its switch to PROG (that is GPIO0 to GND)",
        "plug it in while you hold the button",
    ),
    ("unplug the programmer", "let the button go, or set the switch to UART", "plug it in again"),
)
_SONOFF = Programmer(
    (
        "never with the mains connected: unplug it and open it",
        "programmer at 3.3 V: 3.3 V, GND, TX to RX, RX to TX",
        "hold its button while you plug the programmer in",
    ),
    ("unplug the programmer", "close it before the mains is connected"),
)
_RFR2 = Programmer(
    (
        *_SONOFF.enter[:2],
        "its button is likely on the radio chip: bridge GPIO0's pad to GND, plug the programmer in",
    ),
    ("unplug the programmer and take the bridge off", "close it before the mains is connected"),
)
_NODEMCU = Programmer(
    (
        "take it out of its socket: what hangs on TX and RX disturbs",
        "plug its USB cable in; its CP2102 or CH340 may need a driver",
        "still silent: hold FLASH, tap RST, let both go",
    ),
    ("put it back into its socket",),
    restarts=True,
)
_D1_MINI = Programmer(
    (
        "never with the mains connected: take the D1 mini out of the dimmer",
        "plug its USB cable in; its CH340 may need a driver",
        "still silent: connect D3 to GND, tap RST, take the wire off",
    ),
    ("put it back into the dimmer before the mains is connected",),
    restarts=True,
)
_DIMMER_V2 = Programmer(
    (
        "never with the mains connected",
        "FTDI adapter with its jumper at 3.3 V: TX to RX, RX to TX, GND, 3.3 V",
        "hold PROG, tap RST, let both go",
    ),
    ("tap RST", "take the adapter off before the mains is connected"),
)


_LIGHTS = {
    "led": "its LED blinks",
    "peak": "all its LEDs blink",
    "oled_sda": "its display blinks, if it has one",
}


@dataclass(frozen=True)
class Hardware:
    """One kind of hardware a board's firmware runs on."""

    name: str
    title: str
    pins: dict[str, Pin]
    variant: str = "FLASH_1M"  # MicroPython's build: "" is the generic one, from 2 MB
    programmer: Programmer = _ESP01
    flash_mode: str = "keep"

    @property
    def light(self) -> str:
        """What a person sees blink when it is asked to show itself; empty for nothing."""
        return next((told for name, told in _LIGHTS.items() if name in self.pins), "")

    def record(self, board: str) -> dict[str, object]:
        """What /board.json says, so that boot.py drives the outputs off before all else."""
        pins = {
            name: pin.gpio if pin.off is None else [pin.gpio, pin.off]
            for name, pin in self.pins.items()
        }
        return {"board": board, "hardware": self.name, "pins": pins}


@dataclass(frozen=True)
class Board:
    """A kind of board: its firmware, the hardware it runs on and its name on the network."""

    name: str
    title: str
    host: str
    hardware: tuple[Hardware, ...]
    needs: dict[str, str] = field(default_factory=dict)
    # What its status tells that stands beside its settings, and cannot be set.
    told: tuple[str, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """The keys of its settings, in the order they are shown."""
        return tuple(setting.keys(self.name))

    def kind(self, name: str) -> Hardware:
        """The hardware kind of that name. Raises UsageError."""
        for hardware in self.hardware:
            if hardware.name == name:
                return hardware
        known = ", ".join(hardware.name for hardware in self.hardware)
        raise UsageError(f"{self.name} has no hardware {name!r}", hint=f"one of {known}")


# The NodeMCU's and D1 mini's names of their pins.
D0, D1, D2, D3, D4, D5, D6, D7, D8 = 16, 5, 4, 0, 2, 14, 12, 13, 15
TX, RX = 1, 3

BLINK = Board(
    "blink",
    "the smallest board: it blinks and serves a page",
    "dsmr_blink",
    (
        Hardware("esp01s", "ESP-01S on its programmer", {"led": low(2)}),
        Hardware("nodemcu-v3", "NodeMCU V3", {"led": low(D4)}, "", _NODEMCU),
    ),
)
INTERFACE = Board(
    "interface",
    "reads the meter and sends frames",
    "dsmr_if",
    (
        Hardware("esp01s", "ESP-01S (LED on GPIO2)", {"led": low(2)}),
        Hardware("esp01", "ESP-01 (1 MB, its LED hangs on TX)", {}),
    ),
    told=("mqtt",),
)
MINISWITCH = Board(
    "miniswitch",
    "switches a relay by tariff or export",
    "dsmr_minisw",
    (
        Hardware("esp01-relay", "ESP-01S on its relay board", {"relay": low(0)}),
        Hardware(
            "sonoff-basic",
            "SonOff Basic",
            {"relay": high(12), "led": low(13)},
            programmer=_SONOFF,
            flash_mode="dout",
        ),
        Hardware(
            "sonoff-rfr2",
            "SonOff RFR2",
            {"relay": high(12), "led": low(13)},
            programmer=_RFR2,
            flash_mode="dout",
        ),
    ),
    told=("output",),
)
MONITOR = Board(
    "monitor",
    "shows import and export as bars and warns of a quarter peak",
    "dsmr_mon",
    (
        Hardware(
            "nodemcu-v3",
            "NodeMCU V3",
            {
                **{f"export{n}": high(gpio) for n, gpio in enumerate((D4, D3, D2, D1, D0), 1)},
                **{f"import{n}": high(gpio) for n, gpio in enumerate((D5, D6, D7, D8), 1)},
                "peak": high(TX),
                "status": high(RX),
            },
            "",
            _NODEMCU,
        ),
    ),
    told=("threshold_w", "month_peak_w"),
)
_DIMMER = {"zero_cross": Pin(D1), "oled_sda": Pin(D4), "oled_scl": Pin(D5)}
SWITCHER = Board(
    "switcher",
    "gives a boiler what would be exported",
    "dsmr_switcher",
    (
        Hardware(
            "dimmer-v1", "D1 mini, gate on D0 (1.1.2)", {"gate": high(D0), **_DIMMER}, "", _D1_MINI
        ),
        Hardware(
            "dimmer-v1-d2", "D1 mini, bridged to D2", {"gate": high(D2), **_DIMMER}, "", _D1_MINI
        ),
        Hardware(
            "dimmer-v2", "native ESP8266 (1.1.3+)", {"gate": high(D2), **_DIMMER}, "", _DIMMER_V2
        ),
    ),
    told=("output",),
)

BOARDS = {board.name: board for board in (INTERFACE, MINISWITCH, MONITOR, SWITCHER, BLINK)}


def find(name: str) -> Board:
    """The board of that name. Raises UsageError."""
    try:
        return BOARDS[name]
    except KeyError:
        raise UsageError(
            f"there is no board {name!r}", hint=f"one of {', '.join(BOARDS)}"
        ) from None
