# The interface: reads the meter's telegrams and tells the others, a frame for each. Only the
# reading stays in memory: what is done once a second is second.py's, what is seldom meter.py's.
# pyright: reportAttributeAccessIssue=false
from ..core import reader


class App:
    def __init__(self, board):
        self.board = board
        self.reader = reader.Reader()
        reader.Reader.__init__ = None  # as for all of which there is one: see board.py
        self.buffer = bytearray(64)
        board.rare("meter", self, None)

    # The settings, at the start and when they change.
    def configure(self, settings):
        self.board.rare("meter", self, settings)
        self.mqtt = self.board.rare("broker", self.mqtt, settings)

    # The answer to GET /api/status.
    def status(self, client):
        self.board.rare("readout", client)

    # Before a restart.
    def stop(self):
        self.board.rare("meter", self, "stop")

    # A change wants memory: whoever can come back later goes.
    def spare(self):
        self.board.rare("meter", self, "spare")

    # The serial line is the meter's; someone who hands this board a network may have had it.
    def listen(self):
        self.board.loop.watch(self.board.uart, self.take)

    def take(self, stream, event):
        size = stream.readinto(self.buffer)
        if size:
            self.heard_serial(self.buffer, size)

    def heard_serial(self, buffer, size):
        loop = self.board.loop
        if self.tcp:
            try:
                # Whoever reads telegrams too slowly is left rather than waited for.
                if self.tcp.write(memoryview(buffer)[:size]) != size:
                    self.part()
            except OSError:
                self.part()
        good = self.reader.feed(buffer, size)
        # In the midst of a telegram all else waits: the line brings a byte each 87 µs.
        loop.hold(60 if self.reader._inside else 0)
        if good and (not self.due or self.age_s > 8):
            # By a timer, which is tried again when there was no memory, though not for ever.
            self.due = True
            loop.after(0, self.second)

    def second(self):
        self.board.rare("second")
        self.due = False

    # Also for someone who asks which board this is.
    def light(self, on):
        if self.pin:
            self.pin(not on)

    def dark(self):
        self.light(False)

    # Each second: so long ago was the last telegram.
    def tick(self):
        self.age_s += 1

    # Someone comes to read telegrams, or goes.
    def knock(self, stream, event):
        self.board.rare("meter", self, stream)

    def part(self, stream=None, event=0):
        self.board.rare("meter", self, "part" if stream else "drop")
