# The chip's esp module: what the firmware asks of it.
import chip

SLEEP_NONE, SLEEP_LIGHT, SLEEP_MODEM = 0, 1, 2


def osdebug(level):
    pass


def sleep_type(kind=None):
    return SLEEP_NONE


def flash_size():
    return chip.config["flash_size"]


def flash_id():
    return 0x1440EF
