# The mains at a dimmer: a pin that rises at each zero crossing, a triac that a pulse at its gate
# switches on until the next. Crossings are caught up with whenever time has passed, each at its own
# time: nothing on the board can happen between two of them that it would not have done anyway.
import chip
import machine
import struct

HALF_US = 10_000

_wired = None
_next_us = 0
_halves = 0
_conducts = False
# Half cycles that conducted, of either polarity: in this second, and in all; in the second before.
_fired = [0, 0, 0, 0]
_second = (0, 0)
_told = None


# {"zero_cross": gpio, "gate": gpio, "late_us": how late interrupts come, "loud": tell each pulse};
# None: the mains are off.
def wire(told):
    global _wired, _next_us, _conducts
    if told and not _wired:
        _next_us = (chip.now_us() // HALF_US + 1) * HALF_US
    _wired = told
    _conducts = False
    chip.on_time = _catch_up if told else None
    machine._gate = told["gate"] if told else None
    machine._quiet = bool(told and not told.get("loud"))
    if not told:
        _end()


def _catch_up():
    global _next_us, _halves, _conducts
    now = chip.now_us()
    while _next_us <= now:
        if _conducts:
            _fired[_halves & 1] += 1
            _fired[2 + (_halves & 1)] += 1
        _halves += 1
        # A gate that is held fires the next half too.
        _conducts = machine._levels.get(_wired["gate"]) == 1
        chip.irq_us = _next_us + _wired.get("late_us", 0)
        machine._on_pin(_wired["zero_cross"], 1)
        machine._levels[_wired["zero_cross"]] = 0
        chip.irq_us = None
        _next_us += HALF_US
        if _halves % 100 == 0:
            _end(_fired[0], _fired[1])
    _tell()


# A second of the mains is over.
def _end(one=0, other=0):
    global _second
    _second = (one, other)
    _fired[0] = _fired[1] = 0
    _tell()


def _tell():
    global _told
    told = struct.pack("<HHII", _second[0], _second[1], _fired[2], _fired[3])
    if told != _told:
        _told = told
        chip.tell(b"E", _next_us, told)


def _on_gate(level):
    global _conducts
    if level:
        _conducts = True


machine._on_gate = _on_gate
chip.on_mains = wire
