# The switcher: what would be exported heats a boiler, by whole cycles of the mains; or a switch.
# pyright: reportAttributeAccessIssue=false
import machine
import time

from ..core import regulator
from ..lib import switching


class App(switching.Switching):
    def __init__(self, board):
        self.gate = machine.Pin(board.pins["gate"][0], machine.Pin.OUT, value=0)
        self.regulator = regulator.Regulator()
        # Half cycles that may still conduct until the loop shows that it runs; the cycle of the
        # second, which of its halves, and is it one that heats?
        self.fuel = self.cycle = 0
        self.crossed = time.ticks_us()
        self.second = self.heats = False
        # Zero crossings come: so many, and as many as the last pulse saw.
        self.mains = False
        self.seen = self.crossings = 0
        # The display, if there is one; what it shows, and for how many pulses.
        self.oled = board.rare("oled", None)
        self.shown = None
        self.shown_for = 0
        self.inverted = False
        switching.Switching.__init__(self, board)
        pin = machine.Pin(board.pins["zero_cross"], machine.Pin.IN)
        pin.irq(handler=self.cross, trigger=machine.Pin.IRQ_RISING)

    # The mains go through zero, a hundred times a second. The gate is pulsed, never held: when this
    # comes late or not at all, the triac is off.
    def cross(self, pin):
        now = time.ticks_us()
        if time.ticks_diff(now, self.crossed) < 5000:
            return  # noise, or one that waited while Python was busy
        self.crossed = now
        self.crossings = (self.crossings + 1) & 1023
        self.second = not self.second
        # Whole cycles only, so that no direct current flows.
        if self.second:
            self.cycle = (self.cycle + 1) % 50
            self.heats = self.fuel > 0 and regulator.conducts(self.level, self.cycle)
        if self.fuel:
            self.fuel -= 1
        if self.heats:
            self.gate(1)
            time.sleep_us(400)
            self.gate(0)

    def drive(self):
        if not self.level:
            self.heats = False

    def pulse(self):
        self.mains = self.crossings != self.seen
        self.seen = self.crossings
        switching.Switching.pulse(self)
        # A second of the mains.
        self.fuel = 100
        self.shown_for += 1
        if self.oled and self.shown_for >= 20:
            show = self.told()
            if show != self.shown:
                self.shown_for = 0
                self.shown = show
                self.oled = self.board.rare("oled", show)

    # What the display says.
    def told(self):
        wifi = self.board.wifi
        values = (0, 0, None, None) if self.silent else self.values
        return (
            "hand" if self.hand is not None else self.switch.mode,
            self.level * 2,
            values[2],
            values[3],
            "wifi" if not wifi.online else "silent" if self.silent
            else wifi.ip() if self.mains else "mains",
            self.inverted,
            self.language,
        )  # fmt: skip

    # For someone who asks which board this is.
    def light(self, on):
        if self.oled:
            self.inverted = on
            self.shown_for = 20

    # Before a restart: the outputs rest.
    def stop(self):
        self.fuel = 0
        self.heats = False
        self.gate(0)
