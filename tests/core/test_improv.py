"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import improv
from dsmrctl.firmware.core.improv import CURRENT, ERROR, INFO, RESULT, RPC, SCAN, STATE, WIFI

# An RPC of the specification: the current state is asked.
ASK = b"IMPROV\x01\x03\x02\x02\x00\xe5\n"
LOG = b"\r\nets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\nIMPROVED? I IM IMP\r\n"
TELEGRAM = b"/FLU5\\253770234_A\r\n\r\n0-0:96.1.4(50217)\r\n1-0:1.7.0(00.338*kW)\r\n!1234\r\n"


class Board:
    """What lib/serial.py is to `answer`: the network, without a network."""

    def __init__(self):
        self.at = ""
        self.trying = False
        self.asked = []
        self.takes = True

    def url(self):
        return self.at

    def joining(self):
        return self.trying

    def info(self):
        return "dsmrctl blink", "0.4.0", "ESP8266", "blink-a1b2c3"

    def scan(self):
        return [("home", -50, True), ("caf\u00e9", -80, False)]

    def join(self, ssid, password):
        self.asked.append((ssid, password))
        self.trying = self.takes
        return self.takes


def told(board, kind, data):
    """What a board answers, as a client reads it."""
    return improv.Reader().feed(b"".join(improv.answer(kind, data, board)))


def ask(board, command, *texts):
    return told(board, *improv.Reader().feed(improv.result(command, texts, RPC))[0])


def test_the_bytes_are_those_of_the_specification():
    assert improv.build(RPC, b"\x02\x00") == b"\n" + ASK
    assert improv.result(CURRENT, (), RPC) == b"\n" + ASK
    assert improv.result(WIFI, ("a", b"bc")) == b"\nIMPROV\x01\x04\x07\x01\x05\x01a\x02bc\x18\n"


def test_a_datagram_comes_out_as_it_went_in():
    for data in (b"", b"\x02", bytes(range(255)), b"\n" * 255):
        assert improv.Reader().feed(improv.build(RESULT, data)) == [(RESULT, data)]
    try:
        improv.build(RESULT, bytes(256))
    except ValueError:
        return
    raise AssertionError


def test_it_is_found_byte_by_byte_and_between_logs_and_telegrams():
    line = LOG + ASK + TELEGRAM + ASK[:-1] + LOG + ASK
    whole = improv.Reader().feed(line)
    assert whole == [(RPC, b"\x02\x00")] * 3
    reader = improv.Reader()
    single = []
    for byte in line:
        single += reader.feed(byte)
    assert single == whole
    reader = improv.Reader()
    slices = []
    for at in range(0, len(line), 64):
        slices += reader.feed(memoryview(line)[at : at + 64])
    assert slices == whole


def test_it_needs_no_line_of_its_own():
    assert improv.Reader().feed(b"I" + ASK[:-1] + b"IMPROVIMPROV" + ASK) == [(RPC, b"\x02\x00")] * 2


def test_a_damaged_datagram_is_refused_and_the_next_is_heard():
    for at in range(12):
        for flip in (1, 0x80):
            damaged = bytearray(ASK)
            damaged[at] ^= flip
            reader = improv.Reader()
            found = reader.feed(damaged + ASK)
            assert found + reader.quiet() == [(RPC, b"\x02\x00")], at
    assert improv.Reader().feed(b"IMPROV\x02\x03\x02\x02\x00\xe6\n") == []


def test_a_datagram_that_was_cut_does_not_swallow_the_next():
    long = improv.build(RESULT, bytes(200))
    for cut in range(len(long) - 1):
        reader = improv.Reader()
        found = reader.feed(long[:cut] + ASK)
        # A telegram a second, and what was cut is over.
        found += reader.feed(TELEGRAM * 3)
        assert found == [(RPC, b"\x02\x00")], cut
        reader = improv.Reader()
        found = reader.feed(long[:cut] + ASK)
        found += reader.quiet()
        assert found == [(RPC, b"\x02\x00")], cut
        assert reader.held == b""


def test_a_datagram_within_another_is_data():
    evil = improv.build(STATE, b"\x04")[1:-1]
    outer = improv.result(SCAN, (evil, "-50", "NO"))
    reader = improv.Reader()
    found = []
    for byte in outer:
        found += reader.feed(byte)
    assert len(found) == 1
    assert improv.strings(found[0][1]) == [evil, b"-50", b"NO"]
    assert reader.quiet() == []


def test_memory_stays_bounded_whatever_comes():
    reader = improv.Reader()
    for noise in (b"I", b"IMPROV\x01\x04\xff", b"IMPROV\x01", b"\xff", TELEGRAM):
        for _ in range(300):
            reader.feed(noise)
            assert len(reader.held) < 300
    reader.quiet()
    assert reader.feed(ASK) == [(RPC, b"\x02\x00")]


def test_texts_are_taken_only_when_every_length_is_right():
    assert improv.strings(b"\x01\x05\x01a\x02bc") == [b"a", b"bc"]
    assert improv.strings(b"\x04\x00") == []
    assert improv.strings(b"\x01\x02\x00\x00") == [b"", b""]
    for data in (b"", b"\x01", b"\x01\x01", b"\x01\x00a", b"\x01\x02\x02a", b"\x01\x03\x01ab"):
        assert improv.strings(data) is None


def test_a_board_tells_whether_it_has_a_network():
    board = Board()
    assert ask(board, CURRENT) == [(STATE, b"\x02")]
    board.trying = True
    assert ask(board, CURRENT) == [(STATE, b"\x03")]
    board.at = "http://127.0.0.2/"
    assert ask(board, CURRENT) == [(STATE, b"\x03")]
    board.trying = False
    state, where = ask(board, CURRENT)
    assert state == (STATE, b"\x04")
    assert where[0] == RESULT
    assert where[1][0] == CURRENT
    assert improv.strings(where[1]) == [b"http://127.0.0.2/"]


def test_a_board_tells_what_it_is_and_which_networks_it_hears():
    ((kind, data),) = ask(Board(), INFO)
    assert (kind, data[0]) == (RESULT, INFO)
    assert improv.strings(data) == [b"dsmrctl blink", b"0.4.0", b"ESP8266", b"blink-a1b2c3"]
    found = [improv.strings(data) for _, data in ask(Board(), SCAN)]
    assert found == [[b"home", b"-50", b"YES"], ["caf\u00e9".encode(), b"-80", b"NO"], []]


def test_a_board_tries_a_network():
    board = Board()
    assert ask(board, WIFI, "home", "a password") == [(ERROR, b"\x00"), (STATE, b"\x03")]
    assert board.asked == [("home", "a password")]
    assert ask(board, WIFI, "other", "a password") == [(ERROR, b"\xff")]
    assert board.asked == [("home", "a password")]
    found = improv.Reader().feed(improv.joined("http://127.0.0.2/"))
    assert found[0] == (STATE, b"\x04")
    assert found[1][1][0] == WIFI
    assert improv.strings(found[1][1]) == [b"http://127.0.0.2/"]
    assert improv.Reader().feed(improv.joined("")) == [(ERROR, b"\x03"), (STATE, b"\x02")]


def test_an_open_network_has_no_password():
    board = Board()
    ask(board, WIFI, "caf\u00e9", "")
    assert board.asked == [("caf\u00e9", "")]


def test_what_cannot_be_joined_is_error_3():
    board = Board()
    board.takes = False
    assert ask(board, WIFI, "home", "short") == [(ERROR, b"\x03")]


def test_a_malformed_request_is_error_1():
    board = Board()
    for data in (
        b"",
        b"\x01",
        b"\x02",
        b"\x02\x01",
        b"\x03\x00\x00",
        b"\x01\x00",
        b"\x01\x02\x01a",
        b"\x01\x05\x04home",
        b"\x01\x0c\x04home\x09secre",
        b"\x01\x09\x04home\x01a\x01b",
        b"\x01\x02\x00\x00",
        b"\x01\x03\x01\xff\x00",
    ):
        assert told(board, RPC, data) == [(ERROR, b"\x01")], data
    assert ask(board, WIFI, "h" * 33, "a password") == [(ERROR, b"\x01")]
    assert ask(board, WIFI, "h" * 32, "a password")[-1] == (STATE, b"\x03")
    assert len(board.asked) == 1


def test_an_unknown_request_is_error_2():
    for command in (0, 5, 6, 7, 255):
        assert told(Board(), RPC, bytes((command, 0))) == [(ERROR, b"\x02")]


def test_a_board_does_not_answer_its_own_words():
    for kind in (0, STATE, ERROR, RESULT, 5, 255):
        assert told(Board(), kind, b"\x02\x00") == []
