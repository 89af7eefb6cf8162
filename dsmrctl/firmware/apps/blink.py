# The smallest board: its LED blinks, its page tells. What an app needs, and nothing more.
import machine

from ..lib import frames


class App:
    def __init__(self, board):
        self.board = board
        gpio, self.rests = board.pins["led"]
        self.pin = machine.Pin(gpio, machine.Pin.OUT, value=self.rests)
        self.led = False
        self.blinks = 0
        self.frames = frames.Frames(board, self.heard)
        self.timer = None

    # The settings, at the start and when they change.
    def configure(self, settings):
        board = self.board
        board.loop.cancel(self.timer)
        period = settings["period_ms"]
        self.timer = board.loop.after(period, self.beat, period)
        board.rare("group", self.frames, settings)

    # The address of a network that came, or None: it went.
    def online(self, ip):
        self.board.rare("group", self.frames, ip)

    def beat(self):
        self.led = not self.led
        self.blinks += self.led
        self.light(self.led)

    # Also for someone who asks which board this is.
    def light(self, on):
        self.pin(1 - self.rests if on else self.rests)

    # A frame's numbers, and the milliseconds since the one before.
    def heard(self, values, ms):
        pass

    # Before a restart: the outputs rest.
    def stop(self):
        self.light(False)

    # The answer to GET /api/status.
    def status(self, client):
        client.reply(200, {"led": self.led, "blinks": self.blinks, "frames": self.frames.taken})
