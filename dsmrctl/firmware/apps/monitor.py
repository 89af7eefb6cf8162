# The monitor: bars of LEDs for export and import, and a warning before a quarter becomes a peak.
# pyright: reportAttributeAccessIssue=false
from ..core import ledbar, warning
from ..lib import frames


class App:
    dark = 0

    def __init__(self, board):
        self.board = board
        self.warning = warning.PeakWarning()
        warning.PeakWarning.__init__ = warning.Quarter.__init__ = None  # see board.py
        self.values = None
        self.silent = True
        self.pulses = 0
        # Export 1 to 5, import 1 to 4, peak, status: so they are tested, too.
        self.pins = self.test = ()
        self.frames = frames.Frames(board, self.heard)
        board.loop.after(0, self.listen)

    # The serial line is ours: two of the LEDs hang on it. Nobody hands us a network by it any more.
    def listen(self):
        board = self.board
        if not board.serial:
            board.uart = None
            self.pins = board.rare("showing", None)
            self.test = self.pins
            board.later(0, 0, "lamptest")

    # The settings, at the start and when they change.
    def configure(self, settings):
        self.board.rare("showing", settings)

    # The address of a network that came, or None: it went.
    def online(self, ip):
        self.board.rare("group", self.frames, ip)

    def heard(self, values, ms):
        self.silent = False
        self.values = values
        self.warning.take(ms, values)
        self.show()

    # Four times a second, the network's beat included: see board.py.
    def pulse(self):
        self.pulses += 1
        if not self.silent and self.frames.age() > 10000:
            self.silent = True
        self.show()
        self.board.wifi.check()

    # How many of each bar are lit, and the two lamps: 0 dark, 1 lit, 2 it blinks.
    def lit(self):
        if not self.board.wifi.online:
            return 0, 0, 1, 0
        if self.silent:
            return 0, 0, 0, 2
        values = self.values
        return (
            ledbar.lit(values[3], self.max_export_w, 5),
            ledbar.lit(values[2], self.max_import_w, 4),
            2 if self.warning.warns else 0,
            1,
        )

    def show(self):
        if self.test or self.board.blinks or not self.pins:
            return
        exports, imports, peak, status = self.lit()
        place = 0
        for pin in self.pins:
            if place < 5:
                on = place < exports
            elif place < 9:
                on = place < 5 + imports
            else:
                # The red one blinks twice as fast.
                on = peak if place < 10 else status
                if on > 1:
                    on = self.pulses & (1 if place < 10 else 2)
            pin(on)
            place += 1

    # Also for someone who asks which board this is: all of them.
    def light(self, on):
        for pin in self.pins:
            pin(on)

    # Before a restart: the outputs rest.
    def stop(self):
        self.light(False)

    # The answer to GET /api/status.
    def status(self, client):
        self.board.rare("showing", client)
