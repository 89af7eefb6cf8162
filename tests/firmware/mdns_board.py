# A board that does nothing but be found: the firmware's own mdns.py and board.py, run by the real
# MicroPython. Started by test_mdns.py: ROOT ADDRESS HOST ID NAME; commands come on stdin.
# pyright: reportMissingImports=false, reportMissingModuleSource=false
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
import gc
import io
import sys

import usocket

root, address, host, ident, name = sys.argv[1:6]


# The chip's kind of socket on this computer: addresses are (text, port), and the interface and
# the TTL are the test's, never the network's.
class Socket(io.IOBase):
    deaf = False

    def __init__(self, family, kind):
        self.real = usocket.socket(family, kind)
        self.real.setsockopt(0, 49, 0)  # IP_MULTICAST_ALL
        self.real.setsockopt(0, 33, 0)  # IP_MULTICAST_TTL
        self.real.setsockopt(0, 32, bytes(map(int, address.split("."))))  # IP_MULTICAST_IF

    # The real poll asks for the file's number.
    def ioctl(self, request, argument):
        return self.real.fileno() if request == 10 else -22

    def setsockopt(self, level, option, value):
        self.real.setsockopt(level, option, value)

    def bind(self, to):
        self.real.bind(usocket.getaddrinfo(to[0], to[1])[0][-1])

    def setblocking(self, flag):
        self.real.setblocking(flag)

    def recvfrom(self, size):
        data, sender = self.real.recvfrom(size)
        return data, (".".join(map(str, sender[4:8])), sender[2] << 8 | sender[3])

    def sendto(self, data, to):
        if Socket.deaf:
            raise OSError(118)
        return self.real.sendto(data, usocket.getaddrinfo(to[0], to[1])[0][-1])

    def close(self):
        self.real.close()


class Sockets:
    AF_INET = usocket.AF_INET
    SOCK_DGRAM = usocket.SOCK_DGRAM
    SOL_SOCKET = usocket.SOL_SOCKET
    SO_REUSEADDR = usocket.SO_REUSEADDR
    IP_ADD_MEMBERSHIP = usocket.IP_ADD_MEMBERSHIP
    socket = Socket


class Station:
    def __init__(self, kind):
        pass


class Network:
    STA_IF = 0
    WLAN = Station


sys.modules["socket"] = Sockets
sys.modules["network"] = Network
sys.path.insert(0, root)
from firmware.lib import board as resident  # noqa: E402

loop = resident.Loop(lambda: None)
gc.collect()
before = gc.mem_alloc()
# Compiled, as on the board, when the test made it so.
from firmware.lib import mdns  # noqa: E402

gc.collect()
imported = gc.mem_alloc()


# As much of lib/board.py as the names need.
class Board:
    kind = "blink"
    version = "1.2.3"
    app = None

    def rare(self, module, *more):
        before = self.wifi.host
        mdns.answer(self, *more)
        if self.wifi.host != before:
            print("renamed", self.wifi.host)

    def later(self, ms, event, module):
        return self.loop.after(ms, lambda: self.rare(module, event))


board = Board()
board.loop = loop
board.record = {"hardware": "esp01s", "port": 8080}
board.ident = ident
board.named = name
board.wifi = resident.Wifi(board, host)
loop.timers.clear()  # the network is there when the test says so


def heap(since):
    gc.collect()
    return gc.mem_alloc() - since


def obey(stream, event):
    words = stream.readline().split()
    if not words or words[0] == "end":
        board.rare("mdns", "stop")
        sys.exit()
    elif words[0] == "start":
        board.rare("mdns", "start", address)
    elif words[0] == "stop":
        board.rare("mdns", "stop")
    elif words[0] == "lost":
        Socket.deaf = True
        board.rare("mdns", "stop")
        Socket.deaf = False
    elif words[0] == "heap":
        del words
        print("heap", imported - before, heap(before))
        return
    print("done")


loop.watch(sys.stdin, obey)
board.rare("mdns", "start", address)
print("started")
while True:
    loop.turn()
