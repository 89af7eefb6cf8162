# The board found by name: dsmr_x.local, dsmr-x.local, and its page in the list of services.
# board.py stays in memory and calls this when there is something to say.
import socket
from struct import pack, unpack_from

GROUP = ("224.0.0.251", 5353)


def answer(board, what, *more):
    if what == "heard":
        heard(board.wifi, *more)
    elif what == "step":
        step(board.wifi)
    elif what == "start":
        start(board.wifi, *more)
    else:
        stop(board.wifi)


def later(names, ms):
    names.timer = names.board.later(ms, "step", "mdns")


def label(text):
    return bytes([len(text)]) + text


# The name at `at` in b, written out, in lower case (a length is below "A"), and where it ended.
def read(b, at):
    name = b""
    end = 0
    # Labels and jumps together: a circle of jumps ends too.
    for _ in range(40):
        if len(name) > 255:
            break
        n = b[at]
        if n > 63:
            end = end or at + 2
            at = (n & 63) << 8 | b[at + 1]
        else:
            name += b[at : at + n + 1]
            at += n + 1
            if not n:
                return name.lower(), end or at
    raise ValueError


# At every connection. 224.0.0.x needs no joining again: no switch withholds it.
def start(names, ip):
    stop(names)
    join = bytes(map(int, (GROUP[0] + "." + ip).split(".")))
    names.own = join[4:]
    names.name = label(names.board.named.encode())
    names.turn = 0
    names.socket = s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setblocking(False)
    try:
        s.bind(("0.0.0.0", 5353))
        s.setsockopt(0, socket.IP_ADD_MEMBERSHIP, join)
    except OSError:
        pass  # the WiFi is gone already; it will call again
    names.board.loop.watch(s, names.take)
    step(names)


def stop(names):
    if names.socket:
        names.board.loop.cancel(names.timer)
        if names.turn > 3:
            say(names, 0)
        names.board.loop.drop(names.socket)
        names.socket.close()
        names.socket = None


# Asks three times whether our names are taken, then tells twice what they stand for.
def step(names):
    names.timer = None
    say(names, 120)
    names.turn += 1
    if names.turn < 5:
        later(names, 1000 if names.turn == 4 else 250)


# Owner, type (1 A, 12 PTR, 16 TXT, 33 SRV), data. SRV names the host with "-": no resolver
# refuses that. A host's TXT is our id and goes wherever its A goes: of two boards that claim
# one name both see at once, in one datagram, who keeps it. The last is no record.
def records(names):
    host = label(names.host.encode()) + b"\5local\0"
    dash = host.replace(b"_", b"-")
    board = names.board
    ours = b""
    for text in (
        "txtvers=1",
        "board=" + board.kind,
        "hw=" + board.record["hardware"],
        "fw=" + board.version,
        "id=" + board.ident,
        "frames=1,2",
        "api=1",
    ):
        ours += label(text.encode())
    for kind, txt in (b"\5_http", b"\6path=/"), (b"\5_dsmr", ours):
        kind += b"\4_tcp" + b"\5local\0"
        name = names.name + kind
        yield b"\t_services\7_dns-sd\4_udp" + b"\5local\0", 12, kind
        yield kind, 12, name
        yield name, 33, pack(">3H", 0, 0, board.record["port"]) + dash
        yield name, 16, txt
    for name in host, dash:
        yield name, 1, names.own
        yield name, 16, b"\tid=" + names.board.ident.encode()
    yield b"", 0, b""


# Before turn 3 the question whether our names are taken. Then all there is, a datagram a name;
# or what was asked and is not known yet, with what goes with it. b: a question to repeat.
def say(names, ttl, asked=None, known=(), to=GROUP, b=bytes(6)):
    first = more = b""
    count = extra = 0
    ident, flags, again = unpack_from(">3H", b)
    b = b[12:]
    for owner, kind, data in records(names):
        record = owner + pack(">HHIH", kind, 1 if b or kind == 12 else 0x8001, ttl, len(data))
        record += data
        low = owner.lower()
        if names.turn < 3:
            if kind == 1 or kind == 33:
                first += owner + pack(">HH", 255, 1)
                count += 1
            if kind == 1 or kind == 16 and b"\5_dsmr" in low:
                more += record
                extra += 1
            asked = names
        elif kind and (not asked or (low, kind) in asked or (low, 255) in asked):
            if kind != 12 or data.lower() not in known:
                first += record
                count += 1
        elif kind and kind != 12 and (owner in first or owner in more):
            more += record
            extra += 1
        if count and (not kind or kind == 16 and not asked):
            if asked is names:
                head = 0, 0, count, 0, extra, 0
            else:
                head = ident, 0x8400, again, count, 0, extra
            try:
                names.socket.sendto(pack(">6H", *head) + b + first + more, to)
            except OSError:
                pass
            first = b""
            count = 0


# One datagram that may be for us (names.py), whatever it holds.
def heard(names, b, sender):
    ident, flags, questions, answers, claims, others = unpack_from(">6H", b)
    told = flags > 0x7FFF
    alone = far = sender[1] != 5353
    # Only plain questions, and good answers by a responder; no echo of our own.
    if (
        flags & 0x7800
        or told
        and (far or flags & 15)
        or names.own == bytes(map(int, sender[0].split(".")))
    ):
        return
    asked = []
    known = []
    lost = end = 0
    at = 12
    try:
        for _ in range(questions):
            name, at = read(b, at)
            kind, flags = unpack_from(">HH", b, at)
            at += 4
            alone |= flags > 0x7FFF
            asked.append((name, kind))
        end = at
        for answers in range(answers, -claims - others, -1):
            name, at = read(b, at)
            kind, flags, ttl, size = unpack_from(">HHIH", b, at)
            at += 10
            data = b[at : at + size]
            if kind == 12:
                data = read(b, at)[0]
            elif kind == 33:
                data = data[:6] + read(b, at + 6)[0]
            at += size
            # What a question says is known is no claim; nor is a goodbye.
            if answers > 0 and not told:
                if ttl > 59:
                    known.append(data)
            elif ttl and kind != 12:
                for owner, ours, mine in records(names):
                    if ours == kind and mine != data and owner.lower() == name:
                        lost |= 2 if b"\4_tcp" in name else 1
    except (IndexError, ValueError):
        pass  # what came before it counts
    if lost:
        at = b.find(b"\tid=")
        ident = b[at + 4 : at + 10]
        own = names.board.ident.encode()
        if at < 0:
            # No board of ours: it may have the name, but not by asking when it is ours.
            if names.turn > 3 and not told:
                lost = 0
        elif ident >= own:
            # The lower id keeps the name, and says so if it is not doing that already.
            if told and ident > own and not names.timer:
                names.turn = 4
                later(names, 100)
            lost = 0
    if lost:
        if lost & 2 and len(names.name) < 40:
            names.name = label(names.name[1:] + b"-" + names.board.ident.encode())
        if lost & 1 and names.number < 99:
            names.number += 1
            names.host = "%s-%d" % (names.plain, names.number)
        names.board.loop.cancel(names.timer)
        names.turn = 0
        later(names, 250)
    elif end and asked and names.turn > 3:
        to = sender if alone else GROUP
        if not far:
            say(names, 120, asked, known, to)
        elif end < 280:
            say(names, 10, asked, known, to, b[:end])
