# What stays in memory of every board: little. What is rare is loaded for one use, by `rare`, and
# then forgotten, since the chip has 38 KB for everything.
# pyright: reportAttributeAccessIssue=false
import gc
import os
import sys


class Board:
    # Loads a module of lib, calls its answer(board, *more), and forgets it.
    def rare(self, name, *more):
        # Low in the heap and close together: garbage between would leave holes.
        gc.collect()
        try:
            return __import__(self.slot + "." + name, None, None, ("answer",)).answer(
                self, *more
            )
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

    # Every module once, while the heap is empty: the names it brings stay for ever, and what grew
    # for it, and they shall lie together at the bottom.
    def warm(self, dog):
        self.keep = tuple(sys.modules)
        for name in os.listdir("/" + self.slot):
            dog.feed()
            if name[-4:] == ".mpy":
                __import__(self.slot + "." + name[:-4])
                self.forget()

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


# Gives what waits. It and `warm` are thrown away when they have run.
def prepare(slot, record, dog, uart, heard, unconfirmed):
    board = Board()
    board.slot = slot
    board.low = gc.mem_free()
    board.warm(dog)
    del Board.warm
    board.keep = ()
    from . import wifi

    app = __import__(slot + "." + record["board"], None, None, ("App",)).App
    board.keep = tuple(sys.modules)
    board.rare("events", "begin", record, dog, uart, unconfirmed, app)
    board.rare("settings", None)
    board.configure()
    board.wifi = board.names = wifi.Wifi(board)
    board.rare("joining", board.wifi, "start")
    if heard:
        board.rare("portal", heard)
    return board.loop.turn


def start(*given):
    global prepare
    turn = prepare(*given)
    del prepare
    gc.collect()
    while True:
        turn()
