# The station: is it up, and who asks for this board by name? What is rare is done by others: the
# start, the access point and new networks by joining.py, the talk about names by mdns.py.
import network
import time

ACCESS_POINT = "192.168.4.1"


class Wifi:
    def __init__(self, board):
        self.board = board
        self.station = network.WLAN(network.STA_IF)
        self.online = self.had = False
        # The access point should be open, and is; a new network is on trial.
        self.portal = self.open = self.trial = False
        # A network that came over the serial line, what was there before, and how it ended.
        self.ssid = self.wanted = self.before = self.result = None
        self.since = self.asked = time.ticks_ms()
        # So long after that joining looks what to do when there is still no network.
        self.patience = 15000
        # In lower case and without .local; two boards of a kind differ by a number.
        self.host = self.plain = board.host
        self.number = 1
        self.id = b"\tid=" + board.ident.encode()
        self.socket = self.timer = None
        self.turn = 0
        self.name = b""
        board.loop.after(0, self.check)
        board.loop.after(250, self.check, 250)

    def ip(self):
        return self.station.ifconfig()[0]

    def check(self):
        up = self.station.isconnected()
        rare = self.board.rare
        if self.wanted:
            rare("joining", self, "join")
        elif up != self.online:
            # Lost, the SDK tries for ever; no access point now, or anyone could force it open.
            if up and (self.trial or self.before or self.portal):
                rare("joining", self, "up")
            self.had = True
            ip = self.ip() if up else None
            rare("mdns", "start" if up else "stop", ip)
            if hasattr(self.board.app, "online"):
                self.board.app.online(ip)
            # Last: what could not be done for want of memory is done again.
            self.online = up
        elif not up and (self.before or not self.had):
            if time.ticks_diff(time.ticks_ms(), self.since) >= self.patience:
                rare("joining", self, "waited")
        # What was decided is done when the module that did it has left the memory.
        if self.portal != self.open:
            self.open = self.portal
            rare("portal", self.portal)
        if self.result is not None:
            rare("serial", False)

    # Of all that is said on a network little is for us: the rest is not read.
    def take(self, stream, event):
        try:
            data, sender = stream.recvfrom(512)
        except OSError:
            return
        low = data.lower().replace(b"-", b"_")
        if len(data) > 12 and (b"dsmr" in low or b"\5_http" in low or b"\t_services" in low):
            # Others tell of themselves too: an answer is for us when it is about our host or page.
            for name in (self.plain.encode(), self.name.lower().replace(b"-", b"_")):
                if data[2] < 128 or name in low:
                    return self.board.rare("mdns", "heard", data, sender)
