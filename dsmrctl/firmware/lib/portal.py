# What there is besides while someone may hand this board a network: the open access point, on which
# every name leads here, and an ear on the serial line. Pages and Improv are rare.
import socket

from .board import ACCESS_POINT


# flag: the access point is open, or not; or what the serial line brought in the first seconds.
def answer(board, flag):
    if flag and not board.serial and board.uart:
        board.serial = Ear(board)
        if isinstance(flag, bytes):
            board.serial.hear(flag)
    if flag is True:
        board.portal = Portal(board)
    elif not flag:
        if board.portal:
            board.portal.stop()
            board.portal = None
        # Others' tools ask once more after a network was joined.
        if board.serial:
            board.serial.still_s = 60 if board.serial.used else 0


class Ear:
    def __init__(self, board):
        self.board = board
        self.buffer = bytearray(64)
        self.held = b""
        self.still_s = 60
        self.quiet = True
        self.used = False
        board.loop.watch(board.uart, self.take)
        self.timer = board.loop.after(1000, self.tick, 1000)

    # A minute after the last word, when there is no access point, the line is the app's again.
    def tick(self):
        board = self.board
        self.still_s -= 1
        # A datagram that was cut off may hold another back.
        if self.quiet and self.held:
            board.rare("serial", True)
        self.quiet = True
        if self.still_s < 0 and not board.portal:
            board.serial = None
            board.loop.cancel(self.timer)
            board.loop.drop(board.uart)
            if hasattr(board.app, "listen"):
                board.app.listen()

    def take(self, stream, event):
        size = stream.readinto(self.buffer)
        if size:
            self.quiet = False
            # A meter may be on this line too.
            if hasattr(self.board.app, "heard_serial"):
                self.board.app.heard_serial(self.buffer, size)
            self.hear(bytes(memoryview(self.buffer)[:size]))

    # Improv is loaded when its name was heard, not for noise.
    def hear(self, data):
        self.held += data
        if b"IMPROV" in self.held:
            self.board.rare("serial", False)
        else:
            self.held = self.held[-5:]


class Portal:
    def __init__(self, board):
        self.loop = board.loop
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", 53))
        s.setblocking(False)
        self.socket = s
        self.loop.watch(s, self.name)

    def stop(self):
        self.loop.drop(self.socket)
        self.socket.close()

    # Every question of one name is answered with this board's address.
    def name(self, stream, event):
        try:
            data, sender = stream.recvfrom(256)
        except OSError:
            return
        if len(data) < 17 or data[2] & 0x80 or data[4:6] != b"\0\1":
            return
        end = 12
        while end < len(data) and data[end]:
            end += data[end] + 1
        question = data[12 : end + 5]
        if len(question) < 6 or len(question) != end - 7:
            return
        kind = question[-4:]
        count = b"\0\1" if kind == b"\0\1\0\1" else b"\0\0"
        answer = data[:2] + b"\x84\0\0\1" + count + b"\0\0\0\0" + question
        if count[1]:
            address = bytes([int(part) for part in ACCESS_POINT.split(".")])
            answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address
        try:
            stream.sendto(answer, sender)
        except OSError:
            pass
