# The station: is it up? What is rare, the start, the access point and new networks, is joining's.
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
        board.rare("joining", self, "start")
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
