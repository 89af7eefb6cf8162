# Starts the chip's firmware from the flash image, with these stand-ins in place of the chip's.
import gc
import sys

# The chip's heap is one piece and empty at first. So is the app's: this piece is kept for it
# while the stand-ins are loaded, and what else is free then is filled.
filler = None
empty_image = int(sys.argv[4])
stand_ins = 0
kept_free = bytearray(int(sys.argv[3]) + empty_image)
sys.path[:] = [sys.argv[1]]

import chip

chip.begin()
import esp
import flash
import json
import machine
import mains
import network
import os
import select
import socket
import struct
import time
import vfs


def _figures():
    gc.collect()
    return {
        "alloc": gc.mem_alloc() - stand_ins,
        "free": gc.mem_free(),
        "programs": flash.programs,
        "erases": flash.erases,
        "uart_lost": machine.lost,
    }


def _fill():
    filler = None
    for size in (4096, 512, 64, 0):
        try:
            while True:
                filler = (filler, bytearray(size)) if size else (filler,)
        except MemoryError:
            pass
    return filler


def _run(name):
    try:
        execfile(name)
    except OSError as error:
        if error.errno != 2:
            raise
        print("no", name)


class _Names:
    pass


def _room_for_names():
    # MicroPython keeps names in tables that double. The stand-ins' names have filled the small
    # ones, so that the app's first would take a table far larger than on the chip, where most of
    # the modules' names are in ROM: that table is made here, on the stand-ins' account.
    number = 0
    grown = 0
    while grown < 5000:
        before = gc.mem_alloc()
        setattr(_Names, "n%d" % number, None)
        number += 1
        delattr(_Names, "n%d" % (number - 1))
        grown = gc.mem_alloc() - before
    gc.collect()


_room_for_names()
chip.figures = _figures
flash.begin(chip.config["image"])
machine._rtc.extend(bytes(chip.config["rtc"]))
network._on_air(chip.config["air"])
mains.wire(chip.config["mains"])
if flash.sdk_read()[0]:
    network.WLAN(network.STA_IF).connect()
vfs.umount("/")
try:
    vfs.mount(flash.Blocks(chip.config["offset"], chip.config["blocks"]), "/")
except OSError:
    chip.fault("the file system does not mount: the chip would wait for ever")
    chip.stop()
sys.path[:] = ["", "/lib"]
sys.argv[:] = []
gc.collect()
gc.disable()
filler = _fill()
del kept_free
gc.enable()
gc.collect()
stand_ins = gc.mem_alloc() + empty_image
try:
    _run("/boot.py")
    _run("/main.py")
except SystemExit:
    pass
except BaseException as error:
    sys.print_exception(error)
# The prompt of the serial line waits here.
print("MicroPython (virtual ESP8266)\n>>>")
while True:
    chip.wait(chip.now_us() + 3_600_000_000)
