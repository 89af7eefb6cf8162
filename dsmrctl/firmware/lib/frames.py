# The frames: their group is joined again and again, since access points forget who listens, and
# what comes is checked. What is seldom is group.py's.
# pyright: reportAttributeAccessIssue=false
import machine
import socket
import time

from ..core import written


class Frames:
    # heard(values, ms) is called for each good frame: whole numbers in the order of frame.FIELDS, 7
    # or more, and the milliseconds since the frame before; None when that was long ago, or never.
    def __init__(self, board, heard):
        self.board = board
        self.heard = heard
        self.sock = self.ip = self.at = None
        self.address = ""
        self.port = self.silent = self.beats = 0
        # What another wrote in a way of its own is read too, so many times in five seconds.
        self.odd = 5
        self.taken = self.refused = 0
        # With a key: who checks it, the last counter, and how many valid frames there were.
        self.key = self.n_of = None
        self.last_n = self.valid = 0
        board.loop.after(5000, self.check, 5000)
        Frames.__init__ = None  # as for all of which there is one: see board.py

    # Milliseconds since the last frame, as good as an hour at most; None before the first.
    def age(self):
        if self.at is not None:
            return time.ticks_diff(time.ticks_ms(), self.at)

    # Every five seconds.
    def check(self):
        self.beats += 1
        self.silent += 1
        self.odd = 5
        if self.sock and (self.beats % 12 == 0 or self.silent > 1):
            self.join()
        if self.beats % 720 == 0:
            # Milliseconds compare over six days only.
            if self.silent > 720:
                self.at = time.ticks_add(time.ticks_ms(), -3600000)
            if self.key:
                self.board.rare("group", self, True)

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
                data = stream.recv(513)
            except OSError:
                return
            if not self.good(data):
                self.refused += 1

    # Is it one? Then it is handed on.
    def good(self, data):
        found = None
        if len(data) < 513:
            found = written.read(data)
            if not found and self.odd:
                self.odd -= 1
                found = self.board.rare("group", self, data)
        if not found:
            return False
        if self.key:
            n = self.n_of(data, self.key)
            if n is None or n < self.last_n:
                return False
            if n == self.last_n:
                return True  # it came by another way too
            self.last_n = n
            # Twice, so that what a power cut leaves there is no number.
            machine.RTC().memory(b"%d %d" % (n, n))
            self.valid += 1
            # After a restart two are wanted: an old one alone shall not switch anything.
            if self.valid < 2:
                return True
        self.taken += 1
        self.silent = 0
        ms = self.age()
        self.at = time.ticks_ms()
        # Of a foreign order the first seven are known.
        values = found[1] if found[0] else found[1][:7]
        self.heard(values, ms if ms is not None and ms < 3000000 else None)
        return True
