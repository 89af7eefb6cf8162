# What the stand-ins for the chip's modules share: time, its price, and the line to the desk.
#
# Everything on the line is 16 bytes, kind, length, number, and as many bytes of content:
# board.py on the desk's side knows the same kinds.
import json
import struct
import sys

import uselect
import utime

HEAD = "<BBHIq"
TICKS = (1 << 30) - 1
# The simulated chip starts so long before its milliseconds wrap, as on a chip after twelve days.
_BEFORE_WRAP_MS = 60_000
_DOG_US = 5_000_000

line = open(int(sys.argv[2]), "r+b", 0)
config = {}

simulated = False
_start_us = 0
_now_us = 0
_granted_us = 0
_worked = 0
_fed_us = None
_told_us = 0
# Before this time nothing is due: no alarm, no zero crossing, no bite of the watchdog.
due_us = 0
_ready = uselect.poll()
_ready.register(line, uselect.POLLIN)

# What the desk tells: set by machine, network and flash.
on_uart = on_pin = on_air = on_cut = on_mains = None
# Called whenever time has passed; and the time an interrupt lives in, while one runs.
on_time = irq_us = None
alarms = []
figures = None


def tell(kind, number=0, content=b""):
    line.write(struct.pack(HEAD, kind[0], 0, len(content), 0, number) + content)


def fault(sentence):
    tell(b"X", now_us(), sentence.encode())


def _take():
    # One thing from the desk; gives the kind and number.
    global _now_us, _granted_us
    head = line.read(16)
    if len(head or b"") < 16:
        sys.exit()  # the desk is gone
    kind, _, size, _, number = struct.unpack(HEAD, head)
    kind = bytes([kind])
    content = line.read(size) if size else b""
    if kind == b"G":
        _granted_us = number
        _now_us = max(_now_us, number)
    elif kind == b"u":
        on_uart(content)
    elif kind == b"i":
        on_pin(number >> 1, number & 1)
    elif kind == b"a":
        on_air(json.loads(content))
    elif kind == b"c":
        on_cut(number)
    elif kind == b"m":
        on_mains(json.loads(content))
    elif kind == b"h":
        tell(b"H", 0, json.dumps(figures()).encode())
    elif kind == b"z":
        config.update(json.loads(content))
    return kind


def begin():
    global simulated, _start_us, _now_us
    while _take() != b"z":
        pass
    simulated = config["simulated"]
    _start_us = utime.ticks_us()
    _now_us = config["now_us"]


# Microseconds since the world began; what it costs to ask keeps a loop that waits for it moving.
def now_us():
    if irq_us is not None:
        return irq_us
    if simulated:
        return _now_us
    return utime.ticks_diff(utime.ticks_us(), _start_us) + config["now_us"]


def ticks_us():
    return now_us() - config["now_us"] + (TICKS + 1) * 1000 - _BEFORE_WRAP_MS * 1000


# Work that takes time on the chip and none here.
def price(us):
    global _now_us
    if simulated and irq_us is None:
        _now_us += us
        if _now_us >= due_us:
            _after()


def _after():
    global due_us
    now = now_us()
    # A crossing of the mains is found late rather than looked for at each price.
    due_us = now + 20_000 if on_time else now + 1_000_000
    if on_time:
        on_time()
    if _fed_us is not None and now - _fed_us > _DOG_US:
        reset("WDT")
    for alarm in list(alarms) if alarms else ():
        if now >= alarm.due:
            if alarm.every:
                alarm.due += alarm.every
            else:
                alarms.remove(alarm)
            alarm.callback(alarm)
        due_us = min(due_us, alarm.due)


def feed():
    global _fed_us, _told_us
    _fed_us = now_us()
    # On the desk's clock the desk watches too: a loop without end cannot be stopped from here.
    if not simulated and (not _told_us or _fed_us - _told_us > 500_000):
        _told_us = _fed_us
        tell(b"D")


def worked():
    global _worked
    _worked = 1


# Work that had a price has taken the chip ahead of the others: they catch up first.
def level():
    if simulated and _now_us - _granted_us > 5000:
        wait(_now_us)


# Until then, or until the desk has something; looks(ms) waits for the sockets on the real clock.
def wait(until_us, looks=None):
    global _worked
    for alarm in alarms:
        until_us = min(until_us, alarm.due)
    if _fed_us is not None:
        until_us = min(until_us, _fed_us + _DOG_US + 1)
    if simulated:
        tell(b"W", until_us * 2 + _worked, struct.pack("<q", _now_us))
        _worked = 0
        while _take() != b"G":
            pass
    else:
        ms = max(0, (until_us - now_us() + 999) // 1000)
        if looks:
            looks(ms)
        else:
            _ready.poll(ms)
        take_all()
    _after()


def take_all():
    while not simulated and _ready.poll(0):
        _take()


def sleep_us(us):
    global irq_us
    if irq_us is not None:
        irq_us += us
        return
    end = now_us() + us
    while now_us() < end:
        wait(end)


# The chip stops here; the desk starts it anew.
def reset(cause):
    tell(b"R", now_us(), cause.encode())
    stop()


def stop():
    while True:
        line.read(1) or sys.exit()
