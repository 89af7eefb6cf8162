# The web server, in memory as long as someone is connected: two browsers at once, heads of 1 KB,
# answers in pieces. Reading a request is request.py's.
# pyright: reportAttributeAccessIssue=false
import json


def answer(board):
    return Server(board)


class Server:
    def __init__(self, board):
        self.board = board
        self.clients = []
        self.timer = board.loop.after(1000, self.check, 1000)

    def accept(self, stream):
        try:
            # The memory first: who cannot be served yet waits in the chip's own queue.
            client = Client(self)
            client.stream = stream.accept()[0]
            client.stream.setblocking(False)
            self.clients.append(client)
            self.board.loop.watch(client.stream, client.take)
            if len(self.clients) >= 2:
                self.board.loop.drop(stream)
        except OSError:
            pass
        finally:
            self.last()

    def last(self):
        if not self.clients:
            self.board.loop.cancel(self.timer)
            self.board.web = None

    def check(self):
        for client in list(self.clients):
            client.left_s -= 1
            if client.left_s < 0:
                if client.out is None and client.step:
                    client.error(503, "not enough memory now; try again")
                    client.left_s = 1
                elif client.out is None:
                    client.error(408, "the request took longer than 8 s")
                    client.left_s = 1
                else:
                    client.close()


class Client:
    def __init__(self, server):
        self.server = server
        self.buffer = bytearray(1024)
        self.size = 0  # bytes in the buffer
        self.length = self.left = 0  # of the body; of these, still to come
        self.left_s = 8
        # The module that works, that waits for the whole body.
        self.step = self.call = None
        self.path = None  # until the head is read
        self.feed = None  # or what takes it in pieces
        self.out = self.more = None  # the answer's bytes to be sent now; what brings the next
        self.extra = ""

    def close(self):
        server = self.server
        if self in server.clients:
            server.clients.remove(self)
            server.board.loop.drop(self.stream)
            self.stream.close()
            server.board.loop.watch(server.board.door, server.board.knock)
            if self.more:
                self.more.close()
            if self.feed:
                self.feed(self, None)
            server.last()

    # Something can be read: more of the request, or its end.
    def take(self, stream, event):
        try:
            buffer = self.buffer
            size = stream.readinto(memoryview(buffer)[self.size :])
            if not size:
                if size == 0:
                    self.close()
                return
            self.size += size
            if self.out is not None:
                self.size = 0  # of a request that was refused: thrown away
            elif self.feed:
                self.feed(self, self.size)
            elif self.call:
                if self.size >= self.length:
                    self.left = 0
                    self.step = self.call
            elif not self.step and (
                self.size == 1024 or buffer.find(b"\r\n\r\n", 0, self.size) >= 0
            ):
                self.step = "request"
        except OSError:
            return self.close()
        except Exception as error:
            return self.failed(error)
        if self.step:
            self.work()

    # The modules that read and answer it. Without memory again in half a second, as long as the
    # client has time: others have gone by then.
    def work(self):
        board = self.server.board
        try:
            if self.out is None and self in self.server.clients:
                board.loop.watch(self.stream, self.take)
                board.answer(self)
        except Exception as error:
            if not isinstance(error, MemoryError) or self.feed or self.out is not None:
                return self.failed(error)
            board.loop.drop(self.stream)
            board.loop.after(500, self.work)

    def failed(self, error):
        if isinstance(error, OSError):
            self.close()
        elif not isinstance(error, MemoryError):
            # Whoever finds a fault of ours by what he sends shall not restart the board by it.
            self.server.board.rare("info", error)
            if self.out is None:
                self.error(500, "a fault in the firmware: GET /api/log tells it")
        elif self.out is None:
            self.error(503, "not enough memory now; try again")

    def error(self, status, sentence):
        self.reply(status, {"error": sentence})

    # content: bytes, or something for JSON, or None when `more` brings it: a file or a generator.
    # Nobody who is gone gets one.
    def reply(self, status, content, kind="application/json", more=None):
        if self not in self.server.clients:
            return
        if content is None:
            content = b""
        else:
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.extra += "Content-Length: %d\r\n" % len(content)
        self.out = (
            "HTTP/1.1 %d \r\nContent-Type: %s\r\nConnection: close\r\n%s\r\n"
            % (status, kind, self.extra)
        ).encode() + content
        self.more = more
        self.left_s = 8
        self.server.board.loop.watch(self.stream, self.give, True)

    # Something can be written.
    def give(self, stream, event):
        try:
            if self.out:
                size = stream.write(self.out)
                self.out = self.out[size or 0 :]
            more = self.more
            if not self.out and more:
                self.out = more.read(256) if hasattr(more, "read") else next(more, b"")
            if not self.out:
                if self.left > 0:
                    # A connection closed on unread bytes would take the answer back: the rest of
                    # a body that was refused is thrown away for a while.
                    self.left_s = 2
                    self.server.board.loop.watch(stream, self.take)
                else:
                    self.close()
        except Exception as error:
            if not isinstance(error, (OSError, MemoryError)):
                self.server.board.rare("info", error)
            self.close()
