# The station: is it up? What is rare, the start, the access point and new networks, is joining's.
import network
import time

ACCESS_POINT = "192.168.4.1"


class Wifi:
    def __init__(self, board):
        self.board = board
        self.station = network.WLAN(network.STA_IF)
        self.online = self.had = False
        # The access point is open; a new network is on trial; done(flag) hears of one tried.
        self.portal = self.trial = False
        self.done = self.ssid = self.before = None
        self.since = self.asked = time.ticks_ms()
        board.rare("joining", self, "start")
        board.loop.after(0, self.check)
        board.loop.after(250, self.check, 250)

    def ip(self):
        return self.station.ifconfig()[0]

    def check(self):
        up = self.station.isconnected()
        if up and not self.online:
            self.online = True
            if self.trial or self.done or self.portal:
                self.board.rare("joining", self, "up")
            self.had = True
            self.board.rare("events", "came")
        elif self.online and not up:
            # The SDK tries for ever; no access point now, or anyone could force it open.
            self.online = False
            self.board.rare("events", "went")
        elif not up and (self.done or not self.had):
            waited = time.ticks_diff(time.ticks_ms(), self.since)
            if waited > 15000 or not (self.ssid or self.portal):
                self.board.rare("joining", self, "waited")
