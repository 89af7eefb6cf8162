# The captive portal of the open access point: every name leads here, and the page takes a network.
import socket

from . import serial, wifi


# flag: the access point is open, or not; or what the serial line brought in the first seconds.
def answer(board, flag):
    if flag and not board.serial and board.uart:
        board.serial = serial.Serial(board, flag if isinstance(flag, bytes) else b"")
    if flag is True:
        board.portal = Portal(board)
    elif not flag:
        if board.portal:
            board.portal.stop()
        if board.serial:
            board.serial.stop()
        board.portal = board.serial = None


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
            address = bytes([int(part) for part in wifi.ACCESS_POINT.split(".")])
            answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address
        try:
            stream.sendto(answer, sender)
        except OSError:
            pass
