# The mini switch: a relay by tariff or by export, or by hand. A SonOff has a LED too.
import machine

from ..lib import switching


class App(switching.Switching):
    def __init__(self, board):
        gpio, self.rests = board.pins["relay"]
        self.pin = machine.Pin(gpio, machine.Pin.OUT, value=self.rests)
        self.led = None
        self.pulses = 0
        # Its LED's test: three blinks.
        self.test = ()
        if "led" in board.pins:
            gpio, self.dark = board.pins["led"]
            self.led = machine.Pin(gpio, machine.Pin.OUT, value=self.dark)
            self.test = (self.led, None) * 3
            board.later(0, 0, "lamptest")
        switching.Switching.__init__(self, board)

    def drive(self):
        self.pin(self.rests ^ (self.level > 0))
        if self.led and not self.test and not self.board.blinks:
            # 500 ms on and off while no frames come.
            self.light(self.pulses & 2 if self.silent else self.level)

    def pulse(self):
        self.pulses += 1
        switching.Switching.pulse(self)

    # Also for someone who asks which board this is.
    def light(self, on):
        if self.led:
            self.led(self.dark ^ (1 if on else 0))

    # Before a restart: the outputs rest.
    def stop(self):
        self.pin(self.rests)
        self.light(False)
