"""The computer's end of Improv, against the board's own end on a line that is simulated."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.firmware.core import improv
from dsmrctl.provisioning import Network
from dsmrctl.provisioning.improv import (
    CannotJoin,
    Improv,
    Info,
    LineLost,
    NoImprov,
    RequestRefused,
    State,
)

PASSWORD = "correct horse"
URL = "http://127.0.0.2/"
TELEGRAM = b"/FLU5\\253770234_A\r\n\r\n1-0:1.7.0(00.338*kW)\r\n!1234\r\n"


class Line:
    """A serial line with a board at its other end, in simulated time: reading nothing takes 0.1 s.

    `starts`: the board's second of waking; `window`: for how long it then listens.
    """

    def __init__(self, *, starts: float = 0.0, window: float = 1e9) -> None:
        self.now = 0.0
        self.timeout: float | None = None
        self.starts = starts
        self.window = window
        self.networks = {"home": PASSWORD, "café": ""}
        self.heard: list[tuple[str, int, bool]] = [("café", -80, False), ("home", -50, True)]
        self.at = ""
        self.pending: tuple[str, str] | None = None
        self.done_at: float | None = None
        self.wanted: list[float] = []
        self.written = b""
        self.chatter = b""
        self.lost: Callable[[bytes], bytes] = lambda out: out
        self._reader = improv.Reader()
        self._out = bytearray()

    # The computer's end.
    @property
    def in_waiting(self) -> int:
        return len(self._out)

    def clock(self) -> float:
        return self.now

    def read(self, size: int = 1, /) -> bytes:
        self._live()
        if not self._out:
            self.now += self.timeout or 0.0
            self._live()
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def write(self, b: bytes, /) -> int:
        self.written += b
        self.wanted.append(self.now)
        if self.starts <= self.now < self.starts + self.window:
            for kind, data in self._reader.feed(b):
                for out in improv.answer(kind, data, self):
                    self._say(out)
        return len(b)

    # The board's end.
    def url(self) -> str:
        return self.at

    def joining(self) -> bool:
        return self.pending is not None

    def info(self) -> tuple[str, ...]:
        return ("dsmrctl blink", "0.4.0", "ESP8266", "blink\x1b[31m-a1b2c3")

    def scan(self) -> list[tuple[str, int, bool]]:
        self.now += 2.0
        return self.heard

    def join(self, ssid: str, password: str) -> bool:
        self.pending = (ssid, password)
        self.done_at = self.now + (3.0 if ssid in self.networks else 15.0)
        return True

    def _live(self) -> None:
        if self.pending and self.done_at is not None and self.now >= self.done_at:
            (ssid, password), self.pending = self.pending, None
            self.at = URL if self.networks.get(ssid) == password else ""
            self._say(improv.joined(self.at))

    def _say(self, out: bytes) -> None:
        self._out += self.chatter + self.lost(out) + self.chatter


def client(line: Line) -> Improv:
    return Improv(line, clock=line.clock)


def outcome(ask: Callable[[Improv], object], board: Improv) -> errors.DsmrError | None:
    """The error a person is told, if one is; anything else that is raised fails the test."""
    try:
        ask(board)
    except errors.DsmrError as error:
        return error
    return None


def hint(error: pytest.ExceptionInfo[errors.DsmrError]) -> str:
    assert error.value.hint
    return error.value.hint


def test_a_board_without_a_network_says_so_and_what_it_is():
    line = Line()
    assert client(line).state() == State("ready", None)
    assert client(line).info() == Info("dsmrctl blink", "0.4.0", "ESP8266", "blink?[31m-a1b2c3")


def test_the_networks_come_strongest_first_and_each_name_once():
    line = Line()
    line.heard += [("home", -40, True), ("home", -90, False), ("\x1b[2J", -70, True)]
    assert client(line).networks() == [
        Network("home", -40, True),
        Network("\x1b[2J", -70, True),
        Network("café", -80, False),
    ]


def test_a_board_is_handed_its_network():
    line = Line()
    assert client(line).connect("home", PASSWORD) == URL
    assert client(line).state() == State("joined", URL)
    assert client(line).connect("café", "") == URL


def test_everything_works_among_logs_and_telegrams():
    line = Line()
    line.chatter = TELEGRAM + b"[D] scanning... IMPROV I\xff\x00"
    assert client(line).state() == State("ready", None)
    assert client(line).info().version == "0.4.0"
    assert len(client(line).networks()) == 2
    assert client(line).connect("home", PASSWORD) == URL


def test_a_board_that_starts_later_is_caught_in_its_two_seconds():
    line = Line(starts=6.3, window=2.0)
    assert client(line).state() == State("ready", None)
    assert 6.3 <= line.now < 8.3
    assert [round(time) for time in line.wanted] == list(range(len(line.wanted)))


def test_no_answer_says_what_to_do():
    line = Line(starts=1e9)
    with pytest.raises(NoImprov, match="nothing comes") as error:
        client(line).state(timeout=5)
    assert 5 <= line.now < 5.5
    assert error.value.exit_code == errors.NO_ANSWER
    assert "unplug" in hint(error)
    line._out += TELEGRAM
    with pytest.raises(NoImprov, match="other things"):
        client(line).state(timeout=5)
    for ask in (Improv.info, Improv.networks, lambda board: board.connect("home", PASSWORD)):
        with pytest.raises(NoImprov):
            ask(client(line))


def test_a_wrong_password_is_refused_and_never_shown():
    line = Line()
    wrong = "correct hearse"
    board = client(line)
    with pytest.raises(CannotJoin, match="'home'") as error:
        board.connect("home", wrong)
    assert error.value.exit_code == errors.REFUSED
    assert "password" in hint(error)
    shown = "".join(traceback.format_exception(error.value)) + repr(board) + repr(vars(board))
    assert wrong not in shown
    assert error.value.__context__ is None


def test_a_network_out_of_reach_is_refused_within_the_time():
    line = Line()
    with pytest.raises(CannotJoin):
        client(line).connect("neighbour", PASSWORD)
    assert line.now < 20
    with pytest.raises(CannotJoin):
        client(line).connect("neighbour", PASSWORD, timeout=5)


@pytest.mark.parametrize(
    "ssid, password",
    [
        ("", PASSWORD),
        ("é" * 17, PASSWORD),
        ("home", "seven77"),
        ("home", "x" * 64),
        ("home", "0" * 65),
    ],
)
def test_what_no_network_can_have_is_not_sent(ssid: str, password: str):
    line = Line()
    with pytest.raises(errors.UsageError) as error:
        client(line).connect(ssid, password)
    assert line.written == b""
    assert password not in str(error.value)


def test_a_key_of_64_digits_is_sent():
    line = Line()
    line.networks["home"] = "0aF9" * 16
    assert client(line).connect("home", "0aF9" * 16) == URL


def test_an_answer_that_was_lost_is_asked_for_again():
    line = Line()
    gone = improv.result(improv.WIFI, (URL,))
    line.lost = lambda out: out.replace(gone, gone[:-6])
    assert client(line).connect("home", PASSWORD) == URL
    assert line.now < 7
    line = Line()
    fault = improv.build(improv.ERROR, b"\x03")
    line.lost = lambda out: out.replace(fault, b"")
    with pytest.raises(CannotJoin):
        client(line).connect("home", "wrong password")


def test_a_list_whose_end_is_lost_is_given_as_it_came():
    line = Line()
    end = improv.result(improv.SCAN, ())
    line.lost = lambda out: b"" if out == end else out
    assert len(client(line).networks()) == 2
    line.lost = lambda out: out[:-4]
    with pytest.raises(NoImprov):
        client(line).networks()


def test_an_endless_list_ends():
    line = Line()
    line.heard = [(f"net {n}", -50, True) for n in range(5000)]
    assert len(client(line).networks()) == 100


def test_what_a_name_holds_is_no_answer():
    line = Line()
    line.heard = [(improv.build(improv.STATE, b"\x04").decode("latin-1"), -50, False)]
    board = client(line)
    assert len(board.networks()) == 1
    assert board.state() == State("ready", None)


@pytest.mark.parametrize(
    "number, text", [(1, "not understand"), (2, "cannot be asked"), (255, "busy"), (7, "error 7")]
)
def test_an_error_of_the_board_is_told(number: int, text: str):
    line = Line()
    line.lost = lambda out: improv.build(improv.ERROR, bytes([number]))
    for ask in (
        Improv.state,
        Improv.info,
        Improv.networks,
        lambda board: board.connect("home", PASSWORD),
    ):
        with pytest.raises(RequestRefused, match=text) as error:
            ask(client(line))
        assert hint(error)


def test_an_older_error_on_the_line_is_nobodys_answer():
    line = Line()
    line._out += improv.build(improv.ERROR, b"\x03") * 3
    assert client(line).connect("home", PASSWORD) == URL


@pytest.mark.parametrize(
    "url, given",
    [
        ("https://board.local/a?b=c", "https://board.local/a?b=c"),
        ("javascript:alert(1)", None),
        ("http://a\x1b]0;b", None),
        ("http://a b", None),
        ("http://é", None),
    ],
)
def test_only_a_plain_url_is_handed_on(url: str, given: str | None):
    line = Line()
    line.at = url
    assert client(line).state() == State("joined", given)


def test_a_board_without_a_page_is_joined_all_the_same():
    line = Line()
    line.at = URL
    line.lost = lambda out: out if out[8] == improv.STATE else b""
    assert client(line).state() == State("joined", None)
    assert line.now < 3


def test_a_board_that_says_too_little_is_bad_data():
    line = Line()
    line.info = lambda: ("one", "two")  # type: ignore[method-assign]
    with pytest.raises(errors.BadData):
        client(line).info()


def test_a_pulled_cable_is_told():
    class Pulled(Line):
        def read(self, size: int = 1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(LineLost) as error:
        client(Pulled()).connect("home", PASSWORD)
    assert "cable" in hint(error)


@given(st.binary(max_size=600), st.integers(0, 3))
def test_any_answer_is_taken_or_refused(noise: bytes, which: int):
    line = Line()
    line.lost = lambda out: noise
    found = outcome(
        (Improv.state, Improv.info, Improv.networks, lambda b: b.connect("home", PASSWORD))[which],
        client(line),
    )
    assert found is None or found.hint


@given(st.integers(0, 3), st.lists(st.tuples(st.integers(1, 4), st.binary(max_size=60))))
def test_any_datagrams_are_taken_or_refused(which: int, said: list[tuple[int, bytes]]):
    line = Line()
    line.lost = lambda out: b"".join(improv.build(kind, data) for kind, data in said)
    ask: Callable[[Improv], object] = (
        lambda board: board.state(timeout=3),
        lambda board: board.info(timeout=3),
        lambda board: board.networks(timeout=3),
        lambda board: board.connect("home", PASSWORD, timeout=3),
    )[which]
    found = outcome(ask, client(line))
    assert found is None or found.hint
    assert PASSWORD not in str(found)
