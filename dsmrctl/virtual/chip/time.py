# The chip's time: ticks wrap at 2**30, and asking has a price in simulated time.
import chip

_PERIOD = 1 << 30
_SINCE_2000 = 10_957 * 86400  # the chip counts from 2000, the desk from 1970


def ticks_us():
    chip.price(10)
    return chip.ticks_us() & chip.TICKS


def ticks_ms():
    chip.price(10)
    return chip.ticks_us() // 1000 & chip.TICKS


def ticks_cpu():
    return ticks_us()


def ticks_add(ticks, delta):
    return (ticks + delta) & chip.TICKS


def ticks_diff(end, start):
    return ((end - start + _PERIOD // 2) & chip.TICKS) - _PERIOD // 2


def sleep_us(us):
    chip.sleep_us(us)


def sleep_ms(ms):
    chip.sleep_us(ms * 1000)


def sleep(seconds):
    chip.sleep_us(int(seconds * 1_000_000))


def time():
    return chip.now_us() // 1_000_000
