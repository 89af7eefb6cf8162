# The broker's connection as it stays in memory: what goes out, and the beat. All that is rare, from
# asking for the broker's address to the discovery, is broker.py's.
class Mqtt:
    # chosen: host, port, user, password, prefix with its slash, discovery?, this board's name.
    def __init__(self, board, chosen):
        self.board = board
        self.chosen = chosen
        # What is half sent, and what brings the rest of it.
        self.stream = self.out = self.more = None
        # 0 waiting, 1 asking for the address, 2 knocking, 3 let in; how often it was asked.
        self.step = self.tries = self.dropped = 0
        # Seconds until something is due, and until the next try when this one fails.
        self.left = 0
        self.wait = 2
        # The discovery is to be sent; what came and is not whole.
        self.due = False
        self.held = b""
        self.state = "connecting"
        self.timer = board.loop.after(1000, self.tick, 1000)

    def tick(self):
        self.left -= 1
        if self.board.wifi.online and (self.left < 0 or self.due and not self.out):
            self.board.rare("broker", self)

    # The whole of it goes out, now or soon, or nothing of it: then it gives False. topic and data
    # are bytes.
    def publish(self, topic, data):
        if self.step < 3 or self.out:
            self.dropped += 1
            return False
        self.more = iter((data,))
        self.give(self.head(0x30, topic, len(data)))
        return True

    # How MQTT begins; with a topic below the prefix, before so many bytes.
    def head(self, kind, topic, size):
        topic = self.chosen[4] + topic
        size += len(topic) + 2
        size = (kind, size) if size < 128 else (kind, size & 127 | 128, size >> 7)
        return bytes(size + (0, len(topic))) + topic

    # So much as the network takes of these bytes and all that `more` brings.
    def give(self, out, event=0):
        stream = self.stream
        loop = self.board.loop
        if not event:
            self.out = out
        try:
            while self.out:
                size = stream.write(self.out)
                if not size:
                    return loop.watch(stream, self.give, True)
                self.out = memoryview(self.out)[size:] or self.more and next(self.more, None)
        except (OSError, MemoryError):
            # Half of something that cannot be finished ends the connection too.
            return self.close()
        self.more = None
        loop.watch(stream, self.take)

    def take(self, stream, event):
        self.board.rare("broker", self, stream)

    def close(self, state="no answer"):
        if self.stream:
            self.board.loop.drop(self.stream)
            self.stream.close()
        self.stream = self.out = self.more = None
        self.step = self.tries = 0
        self.held = b""
        self.due = False
        self.state = state
        self.left = self.wait
        self.wait = min(2 * self.wait, 60)
