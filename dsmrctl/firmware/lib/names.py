# This board's names on the network: what stays in memory of them. mdns.py does the talking.
class Names:
    def __init__(self, board):
        self.board = board
        self.loop = board.loop
        # In lower case and without .local; two boards of a kind differ by a number.
        self.host = self.plain = board.host
        self.number = 1
        self.id = b"\tid=" + board.ident.encode()
        self.socket = self.timer = None
        self.turn = 0
        self.name = b""

    def later(self, ms):
        self.timer = self.loop.after(ms, lambda: self.board.rare("mdns", "step"))

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
