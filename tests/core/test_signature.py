"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import frame, signature
from dsmrctl.firmware.core.frame import FrameError
from dsmrctl.firmware.core.signature import Gate

MANUAL = b'{"dsmr":[83125000,27689000,0,0,1,11,2]}'
OURS = b'{"v":2,"dsmr":[83125000,27689000,3210,0,1,11,2,4065,1840,2200]}'
# The test vector of docs/protocol.md.
KEY = b"a key of 16 byte"
N = 214272000
SIGNED = (
    b'{"v":2,"dsmr":[83125000,27689000,3210,0,1,11,2,4065,1840,2200],'
    b'"n":214272000,"m":"0PaEa/uSehs="}'
)


def failure(function, *arguments):
    try:
        function(*arguments)
    except FrameError as error:
        return error.reason
    except ValueError as error:
        return str(error)
    return ""


def test_signing_gives_the_bytes_of_the_vector():
    assert signature.sign(OURS, KEY, N) == SIGNED
    assert signature.check(SIGNED, KEY, N - 1) == N


def test_a_signed_frame_is_read_by_boards_without_a_key():
    taken = frame.read(SIGNED)
    assert (taken.version, taken.n, taken.month_peak_w) == (2, N, 4065)


def test_an_older_or_equal_counter_is_replayed():
    assert failure(signature.check, SIGNED, KEY, N) == "replayed"
    assert failure(signature.check, SIGNED, KEY, N + 1) == "replayed"


def test_any_changed_byte_breaks_the_signature():
    for i in range(len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[i] ^= 1
        assert failure(signature.check, bytes(changed), KEY, 0) == "signature", i


def test_another_key_or_no_signature():
    assert failure(signature.check, SIGNED, b"another key of 16", 0) == "signature"
    assert failure(signature.check, OURS, KEY, 0) == "signature"
    assert failure(signature.check, MANUAL, KEY, 0) == "signature"
    assert failure(signature.check, b"", KEY, 0) == "signature"
    assert failure(signature.check, SIGNED + b" ", KEY, 0) == "signature"
    assert failure(signature.check, SIGNED * 6, KEY, 0) == "too-long"


def test_a_key_has_16_to_64_bytes():
    for key in (b"", b"k" * 15, b"k" * 65):
        assert "16 to 64" in failure(signature.sign, OURS, key, N)
        assert "16 to 64" in failure(Gate, key)
    for key in (b"k" * 16, b"k" * 64):
        assert signature.check(signature.sign(OURS, key, 1), key, 0) == 1


def test_only_version_2_is_signed_and_the_counter_stays_small():
    assert failure(signature.sign, MANUAL, KEY, N) == "version"
    assert failure(signature.sign, OURS, KEY, -1)
    assert failure(signature.sign, OURS, KEY, 1 << 30)
    assert signature.check(signature.sign(OURS, KEY, (1 << 30) - 1), KEY, 0) == (1 << 30) - 1


def test_a_gate_without_a_key_takes_all_that_is_right():
    gate = Gate(None)
    assert gate.ready
    assert gate.take(MANUAL).version == 1
    assert gate.take(SIGNED).version == 2
    assert failure(gate.take, b"{}") == "no-array"
    assert gate.refused == 1


def test_a_gate_with_a_key_takes_newer_signed_frames_only():
    gate = Gate(KEY)
    assert gate.take(SIGNED).n == N
    assert gate.last_n == N
    assert failure(gate.take, SIGNED) == "replayed"
    assert failure(gate.take, OURS) == "signature"
    assert failure(gate.take, MANUAL) == "signature"
    assert gate.refused == 3
    assert gate.take(signature.sign(OURS, KEY, N + 1)).n == N + 1


def test_after_a_reset_two_valid_frames_make_a_gate_ready():
    gate = Gate(KEY, N)
    assert not gate.ready
    assert failure(gate.take, SIGNED) == "replayed"
    gate.take(signature.sign(OURS, KEY, N + 1))
    assert not gate.ready
    assert failure(gate.take, MANUAL) == "signature"
    gate.take(signature.sign(OURS, KEY, N + 2))
    assert gate.ready


def test_a_signed_frame_with_bad_values_does_not_move_the_counter():
    bad = b'{"v":2,"dsmr":[1,2,3,4,1,60,6,7,8,9]}'
    gate = Gate(KEY, N)
    assert failure(gate.take, signature.sign(bad, KEY, N + 5)) == "clock"
    assert gate.last_n == N
    gate.take(signature.sign(OURS, KEY, N + 1))
