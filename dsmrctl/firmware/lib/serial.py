# Improv on the serial line, by which a computer on the cable hands this board its network.
from . import networks
from ..core import improv


# quiet: nothing came for a second.
def answer(board, quiet):
    line = Line(board)
    wifi = board.wifi
    if wifi.result is not None:
        board.uart.write(improv.joined(line.url() if wifi.result else ""))
        wifi.result = None
    ear = board.serial
    if ear:
        reader = improv.Reader()
        found = reader.feed(ear.held)
        if quiet:
            found += reader.quiet()
        ear.held = reader.held
        for kind, content in found:
            ear.still_s = 60
            ear.used = True
            for piece in improv.answer(kind, content, line):
                board.uart.write(piece)


# What core/improv.py asks of a board.
class Line:
    def __init__(self, board):
        self.board = board

    def url(self):
        board = self.board
        if not board.wifi.online:
            return ""
        port = "" if board.record["port"] == 80 else ":%d" % board.record["port"]
        return "http://%s%s/" % (board.wifi.ip(), port)

    def joining(self):
        return bool(self.board.wifi.wanted or self.board.wifi.before)

    def info(self):
        board = self.board
        return "dsmrctl " + board.kind, board.version, "ESP8266", board.named

    def scan(self):
        return networks.scan(self.board.wifi)

    # Whether these can be right is seen when they are tried.
    def join(self, ssid, password):
        self.board.wifi.wanted = (ssid, password)
        return True
