# The serial line's ear: Improv, by which a computer on the cable hands this board its network.
# In memory only while the access point is open, or for a minute after someone asked at the start.
from ..core import improv


class Serial:
    def __init__(self, board, heard):
        self.board = board
        self.reader = improv.Reader()
        self.buffer = bytearray(64)
        board.loop.watch(board.uart, self.take)
        self.timer = board.loop.after(60000, self.over)
        self.feed(heard)

    def stop(self):
        self.board.loop.drop(self.board.uart)
        self.board.loop.cancel(self.timer)
        # The line is the app's own again.
        if hasattr(self.board.app, "listen"):
            self.board.app.listen()

    def over(self):
        if not self.board.portal:
            self.board.rare("portal", False)

    def take(self, stream, event):
        size = stream.readinto(self.buffer)
        if size:
            # A meter may be on this line too.
            if hasattr(self.board.app, "heard_serial"):
                self.board.app.heard_serial(self.buffer, size)
            self.feed(memoryview(self.buffer)[:size])

    def feed(self, data):
        for kind, content in self.reader.feed(data):
            self.board.loop.cancel(self.timer)
            self.timer = self.board.loop.after(60000, self.over)
            for piece in improv.answer(kind, content, self):
                self.board.uart.write(piece)

    # What core/improv.py asks of a board.
    def url(self):
        board = self.board
        if not board.wifi.online:
            return ""
        port = "" if board.port == 80 else ":%d" % board.port
        return "http://%s%s/" % (board.wifi.ip(), port)

    def joining(self):
        return self.board.wifi.done is not None

    def info(self):
        board = self.board
        return "dsmrctl " + board.kind, board.version, "ESP8266", board.named

    def scan(self):
        return self.board.rare("joining", self.board.wifi, "scan")

    def join(self, ssid, password):
        return self.board.rare("joining", self.board.wifi, "join", ssid, password, self.joined)

    def joined(self, good):
        self.board.uart.write(improv.joined(self.url() if good else ""))
