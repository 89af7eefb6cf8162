# The broker's connection as it stays in memory: what goes out, and the beat. All that is rare, from
# asking for the broker's address to the discovery, is broker.py's.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
class Mqtt:
    # settings: host, port, user, password, prefix with its slash, discovery?, this board's name.
    def __init__(self, board, settings):
        self.board = board
        self.settings = settings
        # What is half sent, and what brings the rest of it.
        self.stream = self.out = self.more = None
        # 0 waiting, 1 to 3 so often asked for the address, 4 knocking, 5 let in, 6 asked if alive.
        self.step = self.dropped = 0
        # Seconds until something is due, and until the next try when this one fails.
        self.left = 0
        self.wait = 2
        # The discovery is to be sent; what came and is not whole.
        self.fresh = False
        self.held = b""
        self.status = "connecting"
        self.timer = board.loop.after(1000, self.tick, 1000)

    def tick(self):
        if self.settings:
            self.left -= 1
            if self.board.wifi.online:
                if self.left < 0:
                    self.board.rare("broker", self)
                elif self.fresh and self.step > 4 and not self.out:
                    self.board.rare("readout", self)
        else:
            self.board.loop.cancel(self.timer)

    # The whole of it goes out, now or soon, or nothing of it: then it gives False. The name below
    # the prefix is bytes, and so are the pieces, none of which is empty.
    def publish(self, name, pieces):
        if self.step < 5 or self.out:
            self.dropped += 1
            return False
        name = self.settings[4] + name
        size = len(name) + 2
        for piece in pieces:
            size += len(piece)
        size = (0x30, size) if size < 128 else (0x30, size & 127 | 128, size >> 7)
        name = bytes(size + (0, len(name))) + name
        self.more = iter(pieces)
        self.give(name)
        return True

    # So much as the network takes of these bytes and of all that `more` brings. With an event it is
    # the loop that calls, with the stream: for the rest of it, or since something came.
    def give(self, out, event=0):
        if not event:
            self.out = out
        elif not self.out:
            return self.board.rare("broker", self, out)
        stream = self.stream
        try:
            while self.out:
                size = stream.write(self.out)
                if not size:
                    break
                self.out = memoryview(self.out)[size:] or self.more and next(self.more, None)
            else:
                self.more = None
            self.board.loop.watch(stream, self.give, self.out)
        except (OSError, MemoryError):
            # Half of something that cannot be finished ends the connection too.
            self.close()

    def close(self, status="no answer"):
        if self.stream:
            self.board.loop.drop(self.stream)
            self.stream.close()
        self.stream = self.out = self.more = None
        self.step = 0
        self.fresh = False
        self.held = b""
        self.status = status
        self.left = self.wait
        self.wait = min(2 * self.wait, 60)
