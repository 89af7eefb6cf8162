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
            return __import__(self.slot + ".lib." + name, None, None, ("answer",)).answer(
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
        for name in os.listdir("/" + self.slot + "/lib"):
            dog.feed()
            __import__(self.slot + ".lib." + name[:-4])
            self.forget()

    # Someone is at the door of the page; more than two wait there.
    def knock(self, stream, event):
        if not self.web:
            self.web = self.rare("http")
        self.web.accept(stream)

    # The web: what a page asks every two seconds is answered from here; all else one rare module
    # after the other, each of which names the next. One that fails for want of memory is called
    # again (http.py).
    def answer(self, client):
        if (
            client.step == "request"
            and client.buffer[:15] == b"GET /api/status"
            and (client.buffer[15] in b" ?")
        ):
            client.reply(200, self.app.status())
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

    # The list of an update has come.
    def update(self):
        client = self.busy
        try:
            if client:
                self.rare("update")
        except MemoryError:
            self.busy = None
            client.error(503, "not enough memory now; try again, or restart the board first")

    # An event in ms milliseconds. A function of a rare module would keep the whole of it here.
    def later(self, ms, event):
        self.loop.after(ms, lambda: self.rare("events", event))


def start(slot, record, dog, uart, heard, unconfirmed):
    board = Board()
    board.slot = slot
    board.low = gc.mem_free()
    board.warm(dog)
    board.keep = ()
    from . import names, wifi  # noqa: F401 (they stay)

    app = __import__(slot + ".apps." + record["board"], None, None, ("App",)).App
    board.keep = tuple(sys.modules)
    board.rare("events", "begin", record, dog, uart, unconfirmed, app)
    board.rare("settings", None)
    board.configure()
    board.wifi = wifi.Wifi(board)
    if heard:
        board.rare("portal", heard)
    turn = board.loop.turn
    while True:
        turn()
