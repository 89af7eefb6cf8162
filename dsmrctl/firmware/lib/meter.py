# What an interface does seldom: its start, its settings, the end of a quarter, a reader by TCP.
import machine
import socket
from struct import pack_into, unpack

from . import store
from ..core import reader

_HISTORY = "/history.json"
# In the clock's memory, which a restart leaves as it is: what a quarter needs to go on.
_KEPT = 30
_TELEGRAMS = 8088


def answer(board, app, what):
    if what is None:
        begin(board, app)
    elif isinstance(what, dict):
        configure(board, app, what)
    elif what == "ended":
        ended(app)
    elif what == "stop":
        app.light(False)
        if app.mqtt:
            app.mqtt.close()
    elif what == "spare":
        if app.mqtt:
            app.mqtt.close("waiting")
            app.mqtt.left = 60
        if app.tcp:
            part(board, app, True)
    elif what in ("part", "drop"):
        part(board, app, what == "drop")
    else:
        accept(board, app, what)


def begin(board, app):
    # The broker, who reads telegrams by TCP, and the key of frames.
    app.mqtt = app.tcp = app.key = app.pin = None
    # Of the last telegram, once there was one; a frame is due.
    app.age_s = -1 << 30
    app.due = False
    # What a meter that does not tell its peaks had, by core/months.py: this month's, and the months
    # before, packed as by core/history.py. And which quantities the meter told.
    app.month_peak_w = None
    app.past = b""
    app.seen = app.frames = 0
    if "led" in board.pins:
        app.pin = machine.Pin(board.pins["led"][0], machine.Pin.OUT, value=1)
    app.udp = s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setblocking(False)
    app.door = s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("0.0.0.0", _TELEGRAMS))
        s.listen(1)
        s.setblocking(False)
        board.loop.watch(s, app.knock)
    except OSError:
        s.close()  # of virtual boards: another program has this port
    board.loop.after(1000, app.tick, 1000)
    # Seven figures, see core/quarter.py: what a restart in mid-quarter goes on from.
    app.quarter = (None, None, None, None, None, None, 0)
    kept = machine.RTC().memory()
    if len(kept) >= _KEPT and reader.crc16(kept, 0, _KEPT, 1) == 0:
        app.quarter = tuple([None if n == -1 else n for n in unpack("<7i", kept[:28])])
    app.listen()


def configure(board, app, settings):
    group, port = settings["frame_group"].split(":")
    port = int(port)
    app.to = [(group, port)]
    if settings["frame_target"]:
        app.to.append((settings["frame_target"], port))
    app.key = settings["frame_key"].encode()


# A quarter has begun, or the first telegram came.
def ended(app):
    told = app.reader.told
    kept = bytearray(_KEPT)
    pack_into("<7i", kept, 0, *[-1 if n is None else n for n in app.quarter])
    pack_into("<H", kept, _KEPT - 2, reader.crc16(kept, 0, _KEPT - 2, 1))
    machine.RTC().memory(kept)
    # The history is read again with the next telegram.
    app.reader.wanted = 1
    if told[7] is not None:
        return
    from ..core import months

    peaks = months.found(store.text(_HISTORY), told[27])
    last_quarter_w = app.quarter[3]
    if last_quarter_w is not None:
        raised = months.raised(peaks, told[22] - told[22] % 900, last_quarter_w)
        if raised:
            peaks = raised
            store.put(_HISTORY, months.kept(told[27], peaks))
    app.month_peak_w = months.now(peaks, told[22])[0]
    app.past = months.packed(months.past(peaks, told[22]))


# One client: whoever comes while it is there is turned away.
def accept(board, app, door):
    stream = door.accept()[0]
    if app.tcp:
        stream.close()
        return
    stream.setblocking(False)
    app.tcp = stream
    board.loop.watch(stream, app.part)


# What it says is not heard; its end is.
def part(board, app, dropped):
    stream = app.tcp
    try:
        dropped = dropped or stream.read(64) == b""
    except OSError:
        dropped = True
    if dropped:
        board.loop.drop(stream)
        stream.close()
        app.tcp = None
