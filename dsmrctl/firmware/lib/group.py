# What is seldom about frames: their group, their key, and those that another wrote in his own way.
import machine
import socket

from . import store

_FILE = "/signed.json"


# what: the address of a network that came, or None: it went; the settings; a datagram, whose frame
# is given back; True: an hour has passed.
def answer(board, frames, what):
    if what is True:
        keep(frames)
    elif isinstance(what, bytes):
        return read(what)
    elif isinstance(what, dict):
        frames.address, port = what["frame_group"].split(":")
        frames.port = int(port)
        key = what["frame_key"].encode()
        if key != frames.key:
            if key or frames.key:
                lock(frames, key)
            frames.key = key
        listen(board, frames, frames.ip)
    else:
        listen(board, frames, what)


def listen(board, frames, ip):
    if frames.sock:
        board.loop.drop(frames.sock)
        frames.sock.close()
        frames.sock = None
    frames.ip = ip
    if ip:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", frames.port))
        s.setblocking(False)
        frames.sock = s
        frames.join()
        board.loop.watch(s, frames.take)


# The key, at the start or when it changed; no later frame may be below the counter.
def lock(frames, key):
    frames.last_n = frames.valid = 0
    frames.n_of = None
    if frames.key is None:
        # The board starts: what it last took is in the clock's memory, or an hour old in flash.
        try:
            once, again = machine.RTC().memory().split(b" ")
            if once == again:
                frames.last_n = int(once)
        except ValueError:
            pass
        found = store.read(_FILE)
        if isinstance(found, dict) and isinstance(found.get("n"), int):
            frames.last_n = max(frames.last_n, found["n"])
    else:
        # Another key: nothing was ever signed by it.
        machine.RTC().memory(b"")
        store.remove(_FILE)
    if key:
        from ..core import sealed, sending

        # It stays as long as there is a key; what only a sender needs does not.
        del sending.build, sending.sign
        frames.n_of = sealed.n_of


def keep(frames):
    try:
        store.write(_FILE, {"n": frames.last_n})
    except OSError:
        pass  # the flash is full; the clock's memory has it


def read(data):
    from ..core import frame

    try:
        found = frame.read(data)
    except frame.FrameError:
        return None
    return found.version, found.values + found.tail, found.n
