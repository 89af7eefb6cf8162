# The chip's sockets: real ones of this computer at the board's own address, with lwIP's limits.
import usocket
from usocket import AF_INET, SO_BROADCAST, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET

import chip
import network

IPPROTO_IP = 0
IP_ADD_MEMBERSHIP = 35
# lwIP drops the SYN of a sixth connection in silence; it sends two segments of 536 at once.
_MOST_TCP = 5
_SENDS = 1072
_tcp = set()


def _ip4(address):
    return bytes([int(part) for part in address.split(".")])


def getaddrinfo(host, port, *more):
    parts = host.split(".")
    if len(parts) != 4 or not all([part.isdigit() for part in parts]):
        # Seven seconds a server, and nothing feeds the watchdog meanwhile.
        chip.fault("getaddrinfo of a name blocks: " + host)
        chip.price(7_000_000)
        raise OSError(-2)
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


def _real(address):
    host, port = address
    return usocket.getaddrinfo(host, port)[0][-1]


class socket:
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, protocol=0, real=None):
        self.real = real or usocket.socket(AF_INET, kind)
        self.kind = 0 if kind == SOCK_DGRAM else 1  # 2: listens
        if not real:
            self.real.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            if kind == SOCK_DGRAM:
                self.real.setsockopt(0, 49, 0)  # IP_MULTICAST_ALL: only groups that were joined
                self.real.setsockopt(0, 33, 0)  # TTL: never off this computer
                self.real.setsockopt(0, 32, _ip4(chip.config["address"]))

    # A listener is not heard while the chip has no connection to give.
    def up(self):
        return network.up() and not (self.kind == 2 and len(_tcp) >= _MOST_TCP)

    def setsockopt(self, level, option, value):
        if (level, option) == (0, IP_ADD_MEMBERSHIP):
            chip.tell(b"J", chip.now_us(), value[:4])
            value = value[:4] + _ip4(chip.config["address"])
        if (level, option) == (SOL_SOCKET, SO_REUSEADDR):
            return
        try:
            self.real.setsockopt(level, option, value)
        except OSError as error:
            if error.errno != 98:  # joined already: nothing to lwIP
                raise

    def bind(self, address):
        host, port = address
        if host in ("0.0.0.0", "") and (self.kind or port in (0, 53)):
            host = chip.config["address"]
        self.real.bind(_real((host, port)))

    def listen(self, backlog=1):
        self.kind = 2
        self.real.listen(50)  # who is dropped on the chip asks again a second later

    def accept(self):
        real, address = self.real.accept()
        # This computer's kernel would hold small pieces back, in its own time.
        real.setsockopt(6, 1, 1)  # TCP_NODELAY
        new = socket(real=real)
        _tcp.add(id(new))
        return new, _from(address)

    def connect(self, address):
        if not network.up():
            raise OSError(118)
        if len(_tcp) >= _MOST_TCP:
            raise OSError(12)
        _tcp.add(id(self))
        chip.worked()
        self.real.bind(_real((chip.config["address"], 0)))
        self.real.connect(_real(address))

    def setblocking(self, flag):
        self.real.setblocking(flag)

    def settimeout(self, seconds):
        self.real.settimeout(seconds)

    def _out(self):
        if not network.up():
            raise OSError(118)  # EHOSTUNREACH of lwIP
        chip.worked()

    def sendto(self, data, address):
        self._out()
        return self.real.sendto(data, _real(address))

    def recvfrom(self, size):
        data, address = self.real.recvfrom(size)
        return data, _from(address)

    def send(self, data):
        self._out()
        return self.real.send(memoryview(data)[:_SENDS])

    def write(self, data):
        self._out()
        return self.real.write(memoryview(data)[:_SENDS])

    def recv(self, size):
        return self.real.recv(size)

    def read(self, size=-1):
        return self.real.read(size)

    def readinto(self, buffer, size=-1):
        return self.real.readinto(buffer, size) if size >= 0 else self.real.readinto(buffer)

    def close(self):
        if id(self) in _tcp:
            chip.worked()
            _tcp.discard(id(self))
        self.real.close()


def _from(address):
    # The Unix build gives a raw sockaddr: family, port, address.
    if isinstance(address, tuple):
        return address
    return (".".join([str(byte) for byte in address[4:8]]), address[2] << 8 | address[3])
