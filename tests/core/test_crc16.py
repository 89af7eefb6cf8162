"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core.crc16 import crc16


def test_the_published_check_value_of_crc_16_arc():
    assert crc16(b"123456789") == 0xBB3D


def test_nothing_has_crc_zero():
    assert crc16(b"") == 0


def test_it_goes_on_from_slice_to_slice():
    assert crc16(b"6789", None, crc16(b"12345")) == 0xBB3D


def test_only_the_first_n_bytes_count():
    assert crc16(bytearray(b"123456789 and more"), 9) == 0xBB3D


def test_it_reads_views():
    assert crc16(memoryview(b"x123456789x")[1:10]) == 0xBB3D
