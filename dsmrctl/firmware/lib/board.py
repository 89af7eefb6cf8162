# What stays in memory of every board, in one file since each module costs heap: the one place where
# it waits, its network, and the loading of all else. What is rare is loaded for one use, by `rare`,
# and then forgotten: the chip has 38 KB for everything.
# pyright: reportAttributeAccessIssue=false
import gc
import network
import os
import select
import sys
import time

ACCESS_POINT = "192.168.4.1"


# Sockets, the UART and timers by one select.poll.
class Loop:
    # feed: called every turn (the watchdog's).
    def __init__(self, feed):
        self.feed = feed
        self.poll = select.poll()
        self.handlers = {}
        self.timers = []
        # What alone is heard while it must be, and till when.
        self.first = self.till = None

    # handler(stream, event) is called when the stream can be read, or written to (write).
    def watch(self, stream, handler, write=False):
        self.handlers[id(stream)] = handler
        self.poll.register(stream, select.POLLOUT if write else select.POLLIN)

    def drop(self, stream):
        if self.handlers.pop(id(stream), None):
            self.poll.unregister(stream)

    # call() in ms milliseconds, and then every `every` milliseconds; gives the timer for cancel().
    def after(self, ms, call, every=0):
        timer = [time.ticks_add(time.ticks_ms(), ms), every, call]
        self.timers.append(timer)
        return timer

    def cancel(self, timer):
        if timer in self.timers:
            self.timers.remove(timer)

    # For so many milliseconds only `first` is heard, and no timer runs; 0: all is as ever.
    def hold(self, ms):
        self.till = time.ticks_add(time.ticks_ms(), ms) if ms else None

    # One wait of at most a second, and what came of it.
    def turn(self):
        self.feed()
        now = time.ticks_ms()
        wait = 1000
        for timer in self.timers:
            wait = min(wait, time.ticks_diff(timer[0], now))
        alone = None
        if self.till is not None:
            left = time.ticks_diff(self.till, now)
            if left > 0:
                alone = self.first
                wait = left
            else:
                self.till = None
        for stream, event in self.poll.ipoll(max(wait, 0)):
            # A handler before this one may have closed the stream.
            handler = self.handlers.get(id(stream))
            if handler and (not alone or stream is alone):
                try:
                    handler(stream, event)
                except MemoryError:
                    gc.collect()  # a datagram less; whoever sent it asks again
        if alone:
            return
        now = time.ticks_ms()
        for timer in list(self.timers):
            late = time.ticks_diff(now, timer[0])
            if late >= 0 and timer in self.timers:
                # Beats that were missed, during a long write to flash, are left out.
                every = timer[1]
                timer[0] = time.ticks_add(now, every - late % every if every > 0 else 500)
                try:
                    if every <= 0:
                        self.timers.remove(timer)
                    timer[2]()
                except MemoryError:
                    gc.collect()
                    # What is called once is tried ten times, half a second apart.
                    if -10 < every <= 0:
                        timer[1] -= 1
                        self.timers.append(timer)


# The station: is it up, and who asks for this board by name? What is rare is done by others: the
# start, the access point and new networks by joining.py, the talk about names by mdns.py.
class Wifi:
    def __init__(self, board, host):
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
        self.host = self.plain = host
        self.number = 1
        self.socket = self.timer = None
        self.turn = 0
        self.name = b""
        board.loop.after(0, self.check)
        # An app that has a pulse of its own calls check by it.
        board.loop.after(250, getattr(board.app, "pulse", self.check), 250)

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


class Board:
    # Of the class, where choose.py finds it when all else has failed.
    app = None

    # Loads a module of lib, calls its answer(board, *more), and forgets it.
    def rare(self, name, *more):
        # Low in the heap and close together: garbage between would leave holes.
        gc.collect()
        try:
            return __import__(self.slot + "." + name, None, None, ("answer",)).answer(self, *more)
        finally:
            # The least memory that was ever free is told by /api/info.
            gc.collect()
            self.low = min(self.low, gc.mem_free())
            self.forget()

    def forget(self):
        for name in list(sys.modules):
            if name not in self.keep:
                del sys.modules[name]
                package, child = name.rsplit(".", 1)
                package = sys.modules.get(package)
                if hasattr(package, child):
                    delattr(package, child)
        gc.collect()

    # The names that the modules bring stay for ever: all of them now, at the bottom of the heap,
    # so that none lies later where a module should. (A .mpy begins with a table of its names.)
    def warm(self, dog):
        for file in os.listdir("/" + self.slot):
            dog.feed()
            if file[-4:] == ".mpy":
                for name in (file[:-4], self.slot + "." + file[:-4], self.slot + "/" + file):
                    getattr(self, name, None)
                with open("/" + self.slot + "/" + file, "rb") as table:
                    table.read(4)
                    count = number(table)
                    number(table)
                    for _ in range(count):
                        size = number(table)
                        if not size & 1:
                            getattr(self, table.read((size >> 1) + 1)[:-1].decode(), None)

    # Someone is at the door of the page; more than two wait there.
    def knock(self, stream, event):
        try:
            if self.clients:
                type(self.clients[0])(self, stream)
            else:
                self.rare("http", stream)
        except OSError:
            pass  # it is gone again

    # The web: what a page asks every two seconds is answered from here; all else one rare module
    # after the other, each of which names the next. One that fails for want of memory is called
    # again (http.py).
    def answer(self, client):
        if (
            client.step == "request"
            and client.buffer[:15] == b"GET /api/status"
            and (client.buffer[15] in b" ?")
        ):
            self.app.status(client)
        else:
            while client.step:
                client.step = self.rare(client.step, client)
            if self.fresh:
                self.loop.after(0, self.configure)

    # The app is given new settings when what checked them has left the memory.
    def configure(self):
        if self.fresh:
            self.app.configure(self.fresh)
            self.fresh = None

    # An event in ms milliseconds. A function of a rare module would keep the whole of it here.
    def later(self, ms, event, module="events"):
        return self.loop.after(ms, lambda: self.rare(module, event))


# A .mpy's numbers: seven bits a byte, the highest first.
def number(file):
    value = 128
    found = 0
    while value & 128:
        value = file.read(1)[0]
        found = found << 7 | value & 127
    return found


# Gives what waits. It, `number` and `warm` are thrown away when they have run.
def prepare(slot, record, dog, uart, heard, unconfirmed):
    board = Board()
    # Garbage goes early, so that what stays lies at the bottom and leaves room in one piece above.
    gc.threshold(500)
    board.slot = slot
    board.low = gc.mem_free()
    board.warm(dog)
    Board.warm = None  # `del` would keep it in the class's table
    board.loop = Loop(dog.feed)
    board.keep = ()
    app = __import__(slot + "." + record["board"], None, None, ("App",)).App
    board.keep = tuple(sys.modules)
    board.rare("events", "begin", record, dog, uart, unconfirmed, app)
    board.rare("settings", None)
    board.configure()
    board.wifi = Wifi(board, record.get("host", "dsmr_" + board.kind))
    board.rare("joining", board.wifi, "start")
    if heard:
        board.rare("portal", heard)
    # There is one of each; how it began is no longer wanted.
    for used in (Loop, Wifi, app):
        used.__init__ = None
    gc.threshold(2000)
    return board.loop.turn


def start(*given):
    global number, prepare
    turn = prepare(*given)
    del number, prepare
    gc.collect()
    while True:
        turn()
