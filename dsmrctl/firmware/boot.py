# The first of ours that runs. The outputs rest before anything else; then, for two seconds, a
# person at the serial line can stop the board or hand it a network. Nothing here may raise: the
# chip does not run main.py after a boot.py that failed.
import gc
import json
import machine
import micropython
import network
import os
import time

board = {}
uart = timer = None
heard = b""
stopped = False


def rest():
    # Inputs are bare numbers; an output is [gpio, the level at which it rests].
    for pin in board["pins"].values():
        try:
            machine.Pin(pin[0], machine.Pin.OUT, value=pin[1])
        except TypeError:
            pass


def silence(ms):
    # What the serial line brings in so long.
    found = b""
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0 and len(found) < 300:
        part = uart.read(64)
        if part:
            found += part
        else:
            time.sleep_ms(10)
    return found


def window():
    # True: a person pressed Ctrl-C. One byte 03 among others is noise, or a telegram.
    global heard
    end = time.ticks_add(time.ticks_ms(), 2000)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        found = silence(100)
        if b"\x03" in found and not (found + silence(200)).strip(b"\x03\r\n"):
            return True
        heard = (heard + found)[-300:]
        if b"IMPROV" in heard:
            return False
    heard = b""
    return False


try:
    # A byte 03 of noise would be Ctrl-C, as long as the prompt listens.
    micropython.kbd_intr(-1)
    with open("/board.json") as file:
        board = json.load(file)
    rest()
except BaseException as error:
    print("board.json:", error)
try:
    # A prepared file system skips MicroPython's own set-up, which may leave an open access point.
    network.WLAN(network.AP_IF).active(False)
    network.WLAN(network.STA_IF).active(True)
    try:
        # For whoever looks on: once the app has the line, nothing is printed there.
        with open("/crash.txt") as file:
            for line in file:
                print("crash log:", line, end="")
    except OSError:
        pass
    print("dsmrctl", board.get("board"), board.get("hardware"), "- Ctrl-C within 2 s stops it")
    os.dupterm(None, 1)
    uart = machine.UART(0, 115200, rxbuf=256, timeout=0)
    stopped = window()
    if stopped:
        os.dupterm(uart, 1)
        micropython.kbd_intr(3)
        print("stopped; it starts again in 10 minutes, or by machine.reset()")
        timer = machine.Timer(-1)
        timer.init(
            mode=machine.Timer.ONE_SHOT, period=600_000, callback=lambda timer: machine.reset()
        )
except BaseException as error:
    print("boot:", error)
del rest, silence, window
gc.collect()
