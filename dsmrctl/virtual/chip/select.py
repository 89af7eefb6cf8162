# The chip's poll: real sockets, the stand-in UART, and simulated time.
import uselect

import chip

POLLIN, POLLOUT, POLLERR, POLLHUP = (
    uselect.POLLIN,
    uselect.POLLOUT,
    uselect.POLLERR,
    uselect.POLLHUP,
)
_TURN_US = 1000


class poll:
    def __init__(self):
        self._real = uselect.poll()
        self._real.register(chip.line, POLLIN)
        self._all = {}

    def register(self, stream, events=POLLIN | POLLOUT):
        self._all[id(stream)] = (stream, events)

    def modify(self, stream, events):
        if id(stream) not in self._all:
            raise OSError(2)
        self._all[id(stream)] = (stream, events)

    def unregister(self, stream):
        real = getattr(stream, "real", None)
        if real is not None and id(stream) in self._all:
            try:
                self._real.unregister(real)
            except (OSError, KeyError):
                pass
        self._all.pop(id(stream), None)

    def _look(self, ms):
        # On the real clock this waits, for the sockets that are up and for the desk.
        back = {}
        for stream, events in self._all.values():
            real = getattr(stream, "real", None)
            if real is None:
                continue
            if stream.up():
                self._real.register(real, events)
                back[id(real)] = stream
            else:
                try:
                    self._real.unregister(real)
                except (OSError, KeyError):
                    pass
        found = []
        for real, event in self._real.poll(ms):
            if real is not chip.line:
                found.append((back[id(real)], event))
        for stream, events in self._all.values():
            if getattr(stream, "real", None) is None:
                event = stream.event() & events
                if event:
                    found.append((stream, event))
        return found

    def ipoll(self, ms=-1, flags=0):
        chip.price(_TURN_US)
        chip.level()
        chip.take_all()
        until = chip.now_us() + (ms if ms >= 0 else 1 << 40) * 1000
        found = self._look(0)
        while not found and chip.now_us() < until:
            chip.wait(until, self._look)
            found = self._look(0)
        # A client may wait for what is read of its connection; nobody does for datagrams, bytes of
        # the serial line and time.
        for stream, event in found:
            if getattr(stream, "kind", 0):
                chip.worked()
        return iter(found)

    def poll(self, ms=-1):
        return list(self.ipoll(ms))
