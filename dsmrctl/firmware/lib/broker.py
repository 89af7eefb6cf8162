# What is rare of the broker's connection: its settings, its address, being let in, what comes.
# Loaded for one use; mqtt.py stays in memory, and what the app tells the broker is its own.
# pyright: reportAttributeAccessIssue=false
import os
import socket

_BIRTH = b"\0\x14homeassistant/status"
# Longer ones are thrown away: nothing that we asked for is as long.
_MOST = 128


# what: settings; or a stream that can be read; or None: something is due. Of settings the answer is
# what stays in memory, or None.
def answer(board, mqtt, what=None):
    if isinstance(what, dict):
        return configure(board, mqtt, what)
    try:
        if not what:
            step(mqtt)
        elif mqtt.step < 4:
            named(mqtt)
        else:
            heard(mqtt)
    except (OSError, ValueError, IndexError, MemoryError):
        # What was half done is begun anew.
        mqtt.close()
    return None


def configure(board, mqtt, settings):
    chosen = None
    if settings["mqtt_enabled"] and settings["mqtt_host"]:
        chosen = (
            settings["mqtt_host"],
            settings["mqtt_port"],
            settings["mqtt_user"],
            settings["mqtt_password"],
            (settings["mqtt_prefix"].encode() or b"dsmrctl/" + board.ident.encode()) + b"/",
            settings["ha_discovery"],
            board.named,
        )
    if not mqtt:
        if chosen:
            from .mqtt import Mqtt

            mqtt = Mqtt(board, chosen)
            Mqtt.__init__ = None  # as for all of which there is one: see board.py
    elif mqtt.settings != chosen:
        # The broker tells that we are gone: the last will.
        mqtt.close("connecting")
        mqtt.settings = chosen
        mqtt.left = 0
        mqtt.wait = 2
        if not chosen:
            mqtt = None
    return mqtt


# Something is due.
def step(mqtt):
    if mqtt.step == 0:
        begin(mqtt)
    elif mqtt.step < 4:
        ask(mqtt)
    elif mqtt.step == 4 or mqtt.left < -15:
        mqtt.close()
    elif mqtt.out:
        pass
    elif mqtt.left < 0:
        # It lived long enough to be tried again at once when it ends; is it alive?
        mqtt.wait = 2
        if mqtt.step == 5:
            mqtt.step = 6
            mqtt.give(b"\xc0\0")


# The broker's address: written as such, or to be asked for.
def begin(mqtt):
    host = mqtt.settings[0]
    parts = host.rstrip(".").split(".")
    b = part = b""
    for part in parts:
        part = part.encode()
        if not 0 < len(part) < 64:
            return mqtt.close("name not found")
        b += bytes((len(part),)) + part
    if len(parts) == 4 and "".join(parts).isdigit():
        return connect(mqtt, host)
    local = part.lower() == b"local"
    mqtt.held = os.urandom(2) + (b"\0\0" if local else b"\1\0")
    mqtt.held += b"\0\1\0\0\0\0\0\0" + b + b"\0\0\1\0\1"
    mqtt.stream = s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    mqtt.board.loop.watch(s, mqtt.give)
    ask(mqtt)


# Where the names of this host are known: a name that ends in .local by everyone.
def server(mqtt):
    if b"\5local\0\0\1" in mqtt.held.lower():
        return "224.0.0.251", 5353
    return mqtt.board.wifi.station.ifconfig()[3], 53


def ask(mqtt):
    if mqtt.step == 3:
        return mqtt.close("name not found")
    mqtt.step += 1
    mqtt.left = mqtt.step
    try:
        mqtt.stream.sendto(mqtt.held, server(mqtt))
    except OSError:
        pass  # it is asked again


def named(mqtt):
    b, sender = mqtt.stream.recvfrom(480)
    to = server(mqtt)
    local = to[1] != 53
    question = mqtt.held
    # Of somebody else, or to another question.
    if b[:2] != question[:2] or len(b) < 12 or b[2] < 128:
        return
    if sender[1] != to[1] or not local and sender[0] != to[0]:
        return
    at = 12
    if b[5]:
        at = len(question)
        if b[12:at].lower() != question[12:].lower():
            return
    address = None
    try:
        for _ in range(b[7]):
            while 0 < b[at] < 64:
                at += b[at] + 1
            at += 2 if b[at] else 1
            size = b[at + 8] << 8 | b[at + 9]
            # An alias may come before the address that it leads to.
            if b[at : at + 2] == b"\0\1" and size == 4:
                address = "%d.%d.%d.%d" % tuple(b[at + 10 : at + 14])
                break
            at += 10 + size
    except (IndexError, TypeError):
        pass
    if address:
        mqtt.board.loop.drop(mqtt.stream)
        mqtt.stream.close()
        mqtt.stream = None
        connect(mqtt, address)
    elif not local:
        mqtt.close("name not found")


def text(b):
    return bytes((0, len(b))) + b


def connect(mqtt, address):
    host, port, user, password, prefix, _, _ = mqtt.settings
    flags = 0x26  # a new session; a last will, which is retained
    login = b""
    if user or password:
        flags |= 0x80
        login = text(user.encode())
    if password:
        flags |= 0x40
        login += text(password.encode())
    ident = b"dsmrctl-" + mqtt.board.ident.encode()
    b = text(b"MQTT") + b"\4" + bytes((flags,)) + b"\0\x3c"
    b += text(ident) + text(prefix + b"status") + text(b"offline") + login
    size = len(b)
    b = bytes((0x10, size) if size < 128 else (0x10, size & 127 | 128, size >> 7)) + b
    mqtt.held = b""
    mqtt.step = 4
    mqtt.left = 10
    mqtt.stream = s = socket.socket()
    s.setblocking(False)
    try:
        s.connect((address, port))
    except OSError:
        pass  # it is under way; and what cannot be, the first write tells
    mqtt.out = b
    mqtt.board.loop.watch(s, mqtt.give, True)


def heard(mqtt):
    data = mqtt.stream.read(_MOST)
    if data is None:
        return
    if not data:
        return mqtt.close()
    held = mqtt.held
    if isinstance(held, int):
        # The rest of what was too long.
        mqtt.held = held - len(data)
        if mqtt.held >= 0:
            return
        data = data[held:]
        held = b""
    b = held + data
    mqtt.held = b""
    if mqtt.step == 4 and b[0] != 0x20:
        return mqtt.close("refused: no broker")
    if mqtt.step == 6:
        mqtt.step = 5
        mqtt.left = 45
    while b and mqtt.stream:
        size = shift = 0
        at = 1
        while at < len(b):
            size |= (b[at] & 127) << shift
            shift += 7
            at += 1
            if b[at - 1] < 128:
                break
        else:
            if at > 4:
                raise ValueError
            mqtt.held = b
            return
        if at + size > len(b):
            mqtt.held = at + size - len(b) if size > _MOST else b
            return
        one(mqtt, b[0], b[at : at + size])
        b = b[at + size :]


def one(mqtt, kind, b):
    if mqtt.step == 4:
        if b[1] == 4 or b[1] == 5:
            mqtt.close("refused: user or password")
        elif b[1]:
            mqtt.close("refused: code %d" % b[1])
        else:
            mqtt.step = 5
            mqtt.status = "connected"
            mqtt.left = 10
            mqtt.fresh = mqtt.settings[5]
            name = mqtt.settings[4] + b"status"
            out = bytes((0x31, len(name) + 8)) + text(name) + b"online"
            if mqtt.fresh:
                out += b"\x82\x19\0\1" + _BIRTH + b"\0"
            mqtt.give(out)
    elif kind & 0xF0 == 0x30 and b == _BIRTH + b"online":
        mqtt.fresh = mqtt.settings[5]
