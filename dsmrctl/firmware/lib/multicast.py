# The group of the frames: joined again and again, since access points forget who listens.
# pyright: reportAttributeAccessIssue=false
import socket


class Group:
    # heard(data, sender) is called for each datagram; None: it only sends.
    def __init__(self, board, heard):
        self.board = board
        self.heard = heard
        self.sock = self.ip = None
        self.address = ""
        self.port = 0
        self.silent = self.beats = 0

    # Every five seconds.
    def check(self):
        self.beats += 1
        self.silent += 1
        if self.sock and (self.beats % 12 == 0 or self.silent > 1 and self.heard):
            self.join()

    def join(self):
        try:
            address = self.address + "." + self.ip
            self.sock.setsockopt(
                0, socket.IP_ADD_MEMBERSHIP, bytes([int(part) for part in address.split(".")])
            )
        except OSError:
            pass

    def take(self, stream, event):
        # The chip keeps four datagrams: all that came are taken in one turn.
        for _ in range(4):
            try:
                data, sender = stream.recvfrom(513)
            except OSError:
                return
            self.silent = 0
            self.heard(data, sender)

    # True when the chip took it.
    def send(self, data, target=None):
        try:
            self.sock.sendto(data, (target or self.address, self.port))
            return True
        except (OSError, AttributeError):
            return False
