# What a board tells of itself: who it is, how it is, its last crashes. And: which one is it?
import gc
import machine
import os
import sys
import time

from . import store


# No client: an hour has passed; or a fault of ours instead of one.
def answer(board, client):
    if not client:
        return uptime(board)
    if isinstance(client, Exception):
        return crashed(client)
    call = client.path[5:]
    if call == "info":
        client.reply(200, info(board))
    elif call == "log":
        client.reply(200, None, "text/plain; charset=utf-8", log())
    elif call == "restart":
        client.reply(202, {})
        board.later(1000, "stop")
    else:
        if not board.blinks:
            board.later(250, "blink")
        board.blinks = 40
        client.reply(200, {})


def info(board):
    gc.collect()
    wifi = board.wifi
    settings = store.read("/settings.json") or {}
    return {
        "board": board.kind,
        "hw": board.record["hardware"],
        "fw": board.version,
        "id": board.ident,
        "name": board.named,
        "host": board.wifi.host + ".local",
        "language": settings.get("language", "nl"),
        "micropython": "%d.%d.%d" % tuple(sys.implementation.version[:3]),
        "frames": [1, 2],
        "uptime_s": uptime(board),
        "reset_cause": cause(),
        "heap_free": gc.mem_free(),
        "heap_low": board.low,
        "unconfirmed": board.unconfirmed,
        "access_point": wifi.portal,
        "wifi": {
            "ssid": wifi.ssid,
            "rssi_dbm": wifi.station.status("rssi") if wifi.online else None,
            "ip": wifi.ip() if wifi.online else None,
        },
    }


def cause():
    found = machine.reset_cause()
    if found == 3:
        return "wdt"  # the SDK's own number for it
    for name in ("PWRON", "WDT", "SOFT", "HARD", "DEEPSLEEP"):
        if getattr(machine, name + "_RESET", None) == found:
            return name.lower()
    return str(found)


def log():
    for name in ("/crash.old", "/crash.txt"):
        try:
            with open(name, "rb") as file:
                while piece := file.read(256):
                    yield piece
        except OSError:
            pass


# The chip's milliseconds wrap after twelve days: summed up by the hour.
def uptime(board):
    now = time.ticks_ms()
    board.up_ms += time.ticks_diff(now, board.ticked)
    board.ticked = now
    return board.up_ms // 1000


# The last crashes, in two files of a few kilobytes, of which the older is thrown away.
def crashed(error):
    try:
        if os.stat("/crash.txt")[6] > 2000:
            os.rename("/crash.txt", "/crash.old")
    except OSError:
        pass
    try:
        with open("/crash.txt", "a") as file:
            file.write("reset cause %d\n" % machine.reset_cause())
            sys.print_exception(error, file)
    except OSError:
        pass  # the flash is full
