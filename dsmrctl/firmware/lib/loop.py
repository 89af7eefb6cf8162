# The one place where a board waits: sockets, the UART and timers by one select.poll.
import gc
import select
import time


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
