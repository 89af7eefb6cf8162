# The web server, in memory as long as someone is connected: two browsers at once, heads of 1 KB,
# answers in pieces. Reading a request is request.py's.
# pyright: reportAttributeAccessIssue=false
import json


# Someone is at the door.
def answer(board, door):
    Client(board, door)


class Client:
    def __init__(self, board, door):
        self.board = board
        # The memory first: who cannot be served yet waits in the chip's own queue.
        self.buffer = bytearray(512)
        self.size = 0  # bytes in the buffer
        self.length = self.left = 0  # of the body; of these, still to come
        self.left_s = 8
        # The module that works, that waits for the whole body; what takes it in pieces; the head's
        # path; the answer's bytes to be sent now; what brings the next.
        self.step = self.call = self.feed = self.path = self.out = self.more = None
        self.extra = ""
        self.stream = door.accept()[0]
        self.stream.setblocking(False)
        self.timer = board.loop.after(1000, self.tick, 1000)
        board.clients.append(self)
        board.loop.watch(self.stream, self.take)
        if len(board.clients) >= 2:
            board.loop.drop(door)

    def tick(self):
        self.left_s -= 1
        if self.left_s < 0:
            if self.out is not None:
                self.close()
            elif self.step:
                self.error(503, "not enough memory now; try again")
            else:
                self.error(408, "the request took longer than 8 s")
            self.left_s = 1

    def close(self):
        board = self.board
        if self in board.clients:
            board.clients.remove(self)
            board.loop.cancel(self.timer)
            board.loop.drop(self.stream)
            self.stream.close()
            board.loop.watch(board.door, board.knock)
            if hasattr(self.more, "close"):
                self.more.close()
            if self.feed:
                self.feed(self, None)

    # Something can be read: more of the request, or its end. No stream: there was no memory to
    # answer it, half a second ago; others have gone by now.
    def take(self, stream=None, event=0):
        board = self.board
        buffer = self.buffer
        try:
            if stream:
                size = stream.readinto(memoryview(buffer)[self.size :])
                if not size:
                    if size == 0:
                        self.close()
                    return
                self.size += size
                if self.size == 512 and len(buffer) == 512:
                    buffer.extend(bytes(512))
            if self.out is not None:
                self.size = 0  # of a request that was refused: thrown away
            elif self.feed:
                self.feed(self, self.size)
            elif self in board.clients:
                if self.call:
                    if self.size >= self.length and not self.step:
                        self.left = 0
                        self.step = self.call
                elif self.size == 1024 or buffer.find(b"\r\n\r\n", 0, self.size) >= 0:
                    self.step = self.step or "request"
                if self.step:
                    board.loop.watch(self.stream, self.take)
                    board.answer(self)
        except OSError:
            self.close()
        except MemoryError:
            if self.out is None:
                if self.feed:
                    self.error(503, "not enough memory now; try again")
                else:
                    if self.call and self.left_s < 7 and hasattr(board.app, "spare"):
                        board.app.spare()
                    board.loop.drop(self.stream)
                    board.loop.after(500, self.take)
        except Exception as error:
            # Whoever finds a fault of ours by what he sends shall not restart the board by it.
            board.rare("info", error)
            if self.out is None:
                self.error(500, "a fault in the firmware: GET /api/log tells it")

    def error(self, status, sentence):
        self.reply(status, {"error": sentence})

    # content: bytes, or something for JSON, or None when `more` brings it: a file or a generator.
    # Nobody who is gone gets one.
    def reply(self, status, content, kind="application/json", more=None):
        if self not in self.board.clients:
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
        self.board.loop.watch(self.stream, self.give, True)

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
                    self.board.loop.watch(stream, self.take)
                else:
                    self.close()
        except Exception as error:
            if not isinstance(error, (OSError, MemoryError)):
                self.board.rare("info", error)
            self.close()
