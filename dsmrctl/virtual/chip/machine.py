# The chip's machine: pins, UART, watchdog, RTC memory, reset; what the desk sees and drives.
import chip
import select
from i2c import SoftI2C

PWRON_RESET, WDT_RESET, SOFT_RESET, DEEPSLEEP_RESET, HARD_RESET = 0, 1, 4, 5, 6
_CAUSES = {"PWRON": 0, "WDT": 1, "SOFT": 4, "HARD": 6}
_FIFO = 128
_BYTE_US = 87  # ten bits at 115200

_levels = {}
_handlers = {}
# The gate of a triac: its pulses are the mains', and told only when asked for.
_gate = _on_gate = None
_quiet = False


def reset():
    chip.reset("SOFT")


def soft_reset():
    chip.reset("SOFT")


def reset_cause():
    return _CAUSES[chip.config["cause"]]


def unique_id():
    return bytes(reversed(chip.config["mac"][3:])) + b"\0"


def freq(new=None):
    return 80_000_000


def disable_irq():
    return 0


def enable_irq(state):
    pass


class _Pin:
    def __init__(self, gpio):
        self.gpio = gpio

    def init(self, mode=-1, pull=-1, *, value=None):
        if value is not None:
            self.value(value)
        if mode == 1 and value is None:
            self.value(_levels.get(self.gpio, 0))

    def value(self, new=None):
        if new is None:
            return _levels.get(self.gpio, 1)
        new = 1 if new else 0
        if _levels.get(self.gpio) != new:
            _levels[self.gpio] = new
            if self.gpio == _gate:
                _on_gate(new)
                if _quiet:
                    return
            chip.tell(b"P", chip.now_us() * 64 + self.gpio * 2 + new)

    def __call__(self, new=None):
        return self.value(new)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, *, hard=False):
        if hard:
            raise ValueError("hard irq")
        _handlers[self.gpio] = (self, handler, trigger)


# As on the chip, where a pin takes nothing of the heap.
_pins = [_Pin(gpio) for gpio in range(17)]


class _Pins:
    IN, OUT, OPEN_DRAIN, PULL_UP = 0, 1, 2, 1
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __call__(self, gpio, mode=-1, pull=-1, *, value=None):
        pin = _pins[gpio]
        pin.init(mode, pull, value=value)
        return pin


Pin = _Pins()


def _on_pin(gpio, level):
    old = _levels.get(gpio, 1)
    _levels[gpio] = level
    if old != level and gpio in _handlers:
        pin, handler, trigger = _handlers[gpio]
        if handler and trigger & (1 if level else 2):
            handler(pin)


# As on the chip: a ring on the heap of the size asked for, and the hardware's own few bytes.
_ring = bytearray(16 + _FIFO)
_at = _count = lost = 0


class UART:
    def __init__(self, number, baudrate=115200, **more):
        self.init(baudrate, **more)

    def init(self, baudrate=115200, *, rxbuf=None, timeout=0, **more):
        global _ring, _at, _count
        if rxbuf is not None and rxbuf + _FIFO != len(_ring):
            _ring = bytearray(rxbuf + _FIFO)
            _at = _count = 0

    def any(self):
        return 1 if _count else 0

    def event(self):
        return select.POLLOUT | (select.POLLIN if _count else 0)

    def readinto(self, buffer, size=None):
        global _at, _count
        size = min(len(buffer) if size is None else size, _count)
        for index in range(size):
            buffer[index] = _ring[_at]
            _at = (_at + 1) % len(_ring)
        _count -= size
        return size or None

    def read(self, size=None):
        found = bytearray(_count if size is None else min(size, _count))
        return bytes(found) if self.readinto(found) else None

    def write(self, data):
        chip.tell(b"U", chip.now_us(), bytes(data))
        chip.price(max(0, len(data) - _FIFO) * _BYTE_US)
        return len(data)


def _on_uart(data):
    # Interrupts fill the ring while Python works; what neither ring nor FIFO can hold is lost.
    global lost, _count
    for byte in data:
        if _count == len(_ring):
            lost += 1
        else:
            _ring[(_at + _count) % len(_ring)] = byte
            _count += 1


class WDT:
    def __init__(self, number=0):
        chip.feed()

    def feed(self):
        chip.feed()


class RTC:
    def memory(self, data=None):
        if data is None:
            return bytes(_rtc)
        if len(data) > 492:
            raise ValueError("buffer too long")
        _rtc[:] = data
        chip.tell(b"M", 0, bytes(_rtc))


class Timer:
    ONE_SHOT, PERIODIC = 0, 1

    def __init__(self, number):
        pass

    def init(self, *, mode=1, period=0, callback=None):
        self.due = chip.now_us() + period * 1000
        self.every = period * 1000 if mode == Timer.PERIODIC else 0
        self.callback = callback
        chip.alarms.append(self)
        chip.due_us = 0

    def deinit(self):
        if self in chip.alarms:
            chip.alarms.remove(self)


_rtc = bytearray()
chip.on_uart = _on_uart
chip.on_pin = _on_pin
