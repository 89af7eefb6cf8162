"""A board's client against what answers and is no board: it ends in time and says what it is."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hostile_boards import (
    ESCAPES,
    Act,
    Stand,
    begins,
    drips,
    echoes,
    endless,
    in_turn,
    raw,
    resets,
    says,
    silent,
    text,
    whole,
)
from hypothesis import example, given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.network import fleet
from dsmrctl.network.board_client import BoardClient, BoardGone, BoardRefused, NoBoard, WrongValue

PASSWORD = "korrekt horse 9"
TOLD = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
TIMEOUT = 0.3
# Beside its timeout a call may take so long: two cores that others use too.
MARGIN = 0.6
CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NESTED = b"[" * 30000 + b"]" * 30000
Kind = type[errors.DsmrError]


def client(board: Stand, **more: Any) -> BoardClient:
    """Knows the admin password, and tells it once."""
    more = {"timeout": TIMEOUT, "who": f"the {ESCAPES}boiler", "password": tells()} | more
    return BoardClient(board.address, board.port, **more)


def tells(*passwords: str) -> Any:
    left = list(passwords or [PASSWORD])
    return lambda wrong: left.pop(0) if left else None


def judge(error: errors.DsmrError) -> None:
    """Nothing in it drives a terminal, or tells a secret."""
    for said in (error.message, error.hint or "", str(error), getattr(error, "field", "")):
        assert not CONTROL.search(said), ascii(said)
        assert PASSWORD not in said
        assert TOLD not in said
        assert len(said) < 600


# At once: the answer ends, or is cut off when it is too long.
AT_ONCE: dict[str, tuple[Act, Kind]] = {
    "escapes in an error": (says({"error": ESCAPES}, 409), BoardRefused),
    "escapes in a wrong value": (says({"error": ESCAPES, "field": ESCAPES}, 422), WrongValue),
    "a field that is no text": (says({"error": "no", "field": [ESCAPES]}, 422), WrongValue),
    "an error that is no text": (says({"error": [ESCAPES]}, 409), NoBoard),
    "an error that is no JSON": (text(ESCAPES.encode("utf-8", "replace"), 500), NoBoard),
    "escapes in the status": (raw(b"HTTP/1.1 500 \x1b[2J\r\n\x1b: \x1b\r\n\r\n\x1b"), NoBoard),
    "an error without end of words": (says({"error": "word " * 9000}, 409), BoardRefused),
    "an error nested deep": (text(NESTED, 409), NoBoard),
    "the password told back": (in_turn(says({"error": "who?"}, 401), echoes(409)), BoardRefused),
    "the password told back as a value": (
        in_turn(says({"error": "who?"}, 401), echoes(422)),
        WrongValue,
    ),
    "10 MB of JSON": (text(b'{"a": "' + b"x" * 10_000_000 + b'"}'), NoBoard),
    "10 MB without a length": (raw(HEAD + b"\r\n" + b"[" * 10_000_000), NoBoard),
    "10 MB in chunks": (raw(CHUNKED + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 2500), NoBoard),
    "JSON nested deep": (text(NESTED), NoBoard),
    "JSON nested 100 000 deep": (text(b"[" * 100_000 + b"]" * 100_000), NoBoard),
    "JSON nested deep in an object": (text(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), NoBoard),
    "a number with 100 000 digits": (text(b'{"a": ' + b"9" * 100_000 + b"}"), NoBoard),
    "a number with 60 000 digits": (text(b'{"a": ' + b"9" * 60_000 + b"}"), NoBoard),
    "1e999999999": (text('{"a": 1e999999999}'), NoBoard),
    "-1.5E+99999": (text('{"a": -1.5E+99999}'), NoBoard),
    "NaN": (text('{"a": NaN}'), NoBoard),
    "Infinity": (text('{"a": -Infinity}'), NoBoard),
    "bytes that are no UTF-8": (text(b'{"a": "\xff\xfe"}'), NoBoard),
    "a list": (says([]), NoBoard),
    "a text": (says(ESCAPES), NoBoard),
    "nothing at all": (raw(b""), BoardGone),
    "no body": (text(b""), NoBoard),
    "null": (says(None), NoBoard),
    "a true answer": (says(True), NoBoard),
    "a head of many lines": (endless(HEAD, b"X-More: and more\r\n"), NoBoard),
    "a line without end": (endless(HEAD + b"X-More: ", b"and more" * 512), NoBoard),
    "a status without end": (endless(b"HTTP/1.1 200 ", b"O" * 4096), NoBoard),
    "chunks without end": (endless(CHUNKED, b"4\r\n    \r\n"), NoBoard),
    "a chunk that is no number": (raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), BoardGone),
    "a chunk below nothing": (raw(CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n"), NoBoard),
    "a chunk of 16 EB": (raw(CHUNKED + b"ffffffffffffffff\r\n{}"), BoardGone),
    "a length that is too long": (raw(HEAD + b"Content-Length: 900\r\n\r\n{}"), BoardGone),
    "a length of 16 EB": (
        raw(HEAD + b"Content-Length: 18446744073709551615\r\n\r\n{}"),
        BoardGone,
    ),
    "a length that is too short": (
        raw(HEAD + b'Content-Length: 5\r\n\r\n{"board": "x"}'),
        NoBoard,
    ),
    "reset at once": (resets(), BoardGone),
    "reset in the head": (resets(HEAD), BoardGone),
    "reset in the midst": (resets(HEAD + b'Content-Length: 90\r\n\r\n{"a": '), BoardGone),
    "packed": (text(b"\x1f\x8b\x08\x00", 200, "Content-Encoding: gzip"), NoBoard),
    "401 for ever": (says({"error": ESCAPES}, 401), BoardRefused),
    "401 of something else": (text(b"<h1>Who?</h1>", 401, "WWW-Authenticate: Basic"), NoBoard),
    "404": (says({"error": "no such call"}, 404), BoardRefused),
    "a page": (text(b"<html>\x1b[2J</html>"), NoBoard),
    "999": (text(b"{}", 999), NoBoard),
    "SSH": (raw(b"SSH-2.0-OpenSSH_9.2p1 \x1b[2J\r\n"), NoBoard),
    "bytes": (raw(bytes(range(256)) * 4), NoBoard),
    "HTTP/0.9": (raw(b'{"board": "miniswitch"}'), NoBoard),
    "a trailer without end": (endless(CHUNKED + b"0\r\n", b"X-More: and more\r\n"), NoBoard),
    "100 for ever": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), NoBoard),
    "a head that ends": (raw(HEAD), BoardGone),
    "a body that ends": (raw(HEAD + b'\r\n{"a": {"b": "x}'), BoardGone),
    "an escape that ends": (raw(HEAD + b'\r\n{"a": "x\\'), BoardGone),
    "quotes without end": (raw(HEAD + b'\r\n{"' + b'\\"' * 30000), BoardGone),
    "nested 21 deep": (text(b'{"a": ' * 21 + b"1" + b"}" * 21), NoBoard),
    "a number of 41 digits": (text('{"a": ' + "1" * 41 + "}"), NoBoard),
    "a fraction of 100 digits": (text('{"a": 0.' + "1" * 100 + "}"), NoBoard),
    "a title of escapes": (text(f"<title>{ESCAPES}".encode("utf-8", "replace")), NoBoard),
    "a server of escapes": (raw(b"HTTP/1.1 404 \r\nServer: \x1b[2J\x9b\r\n\r\n"), NoBoard),
    "titles": (text(b"<title" * 10000), NoBoard),
    "500": (says({"error": ESCAPES}, 500), BoardRefused),
    "418": (says({"error": ESCAPES}, 418), BoardRefused),
    "another protocol": (raw(b"HTTP/1.1 101 Now\r\nUpgrade: websocket\r\n\r\n"), NoBoard),
}
# Only its timeout ends these.
LASTING: dict[str, tuple[Act, Kind]] = {
    "never answered": (silent, BoardGone),
    "a byte every 0.3 s": (drips(whole(b'{"board": "miniswitch"}')), BoardGone),
    "a byte every 0.05 s": (drips(whole(b'{"board": "miniswitch"}'), 0.05), BoardGone),
    "a head that stops": (begins(HEAD), BoardGone),
    "a body that stops": (begins(whole(b'{"a": 1}')[:-1]), BoardGone),
    "a chunk that stops": (begins(CHUNKED + b"40\r\n{"), BoardGone),
    "chunks that do not stop": (endless(CHUNKED, b"1\r\n \r\n", 0.05), BoardGone),
    "503 for ever": (says({"error": "busy"}, 503), BoardRefused),
    "503 of something else": (text(b"<h1>Busy</h1>", 503), NoBoard),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_no_good_answer_is_told_of_at_once(name: str) -> None:
    act, kind = AT_ONCE[name]
    with Stand(act) as board:
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            # A timeout that it must not need.
            client(board, timeout=10).call("PUT", "output", {"level": 100})
        assert time.monotonic() - began < 3
    assert type(caught.value) is kind
    judge(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_end_is_ended(name: str) -> None:
    act, kind = LASTING[name]
    with Stand(act) as board:
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            client(board).info()
        assert time.monotonic() - began < TIMEOUT + MARGIN
    assert type(caught.value) is kind
    judge(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_password_goes_there(status: int) -> None:
    with Stand(says({"board": "miniswitch"}), "127.0.0.92") as elsewhere:
        there = f"Location: http://{elsewhere.address}:{elsewhere.port}/api/info"
        wants = says({"error": "password"}, 401)
        with Stand(in_turn(wants, says({"error": ESCAPES}, status, there))) as board:
            for method in ("PUT", "GET"):
                with pytest.raises(NoBoard, match="elsewhere") as caught:
                    client(board).json(method, "info", None)
                judge(caught.value)
            assert TOLD.encode() in board.asked[1]
        assert elsewhere.asked == []


def test_the_password_is_told_only_to_a_board_that_wants_it() -> None:
    with Stand(in_turn(says({}), says({"error": "who?"}, 401), says({"level": 1}))) as board:
        asked = client(board)
        assert asked.info() == {}
        assert TOLD.encode() not in board.asked[0]
        assert asked.call("PUT", "output") == {"level": 1}
        assert TOLD.encode() not in board.asked[1]
        assert TOLD.encode() in board.asked[2]
        asked.info()
        assert TOLD.encode() not in board.asked[3]


def test_who_wants_a_password_to_be_read_is_none_of_ours_and_is_told_none() -> None:
    with Stand(says({"error": "who?"}, 401)) as board:
        with pytest.raises(NoBoard, match="to be read"):
            client(board).info()
        assert len(board.asked) == 1
        assert b"Authorization" not in board.asked[0]


def test_401_for_ever_ends_when_there_is_no_other_password() -> None:
    with Stand(says({"error": "who?"}, 401)) as board:
        with pytest.raises(BoardRefused, match="password is wrong") as caught:
            client(board, password=tells("one", "two", PASSWORD)).call("PUT", "x")
        assert len(board.asked) == 4
        judge(caught.value)
        with pytest.raises(BoardRefused, match="wants its admin password"):
            client(board, password=None).call("PUT", "x")
        assert b"Authorization" not in board.asked[4]


def test_nobody_is_asked_for_a_fourth_password() -> None:
    with Stand(says({"error": "who?"}, 401)) as board:
        with pytest.raises(BoardRefused, match="password is wrong"):
            client(board, password=lambda wrong: "one more").call("PUT", "x")
        assert len(board.asked) == 4


def test_each_error_says_what_to_do_next() -> None:
    statuses = (400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 431, 500, 503)
    for status in statuses:
        with Stand(says({"error": "a reason"}, status)) as board:
            with pytest.raises(BoardRefused) as caught:
                client(board, timeout=0.9, password=None).call("PUT", "x")
            assert caught.value.hint
            assert caught.value.status == status
    rule = says({"error": "threshold_w is 0 to 10000", "field": "threshold_w"}, 422)
    with Stand(rule) as board, pytest.raises(WrongValue) as wrong:
        client(board).change({"threshold_w": -1})
    assert wrong.value.message == "threshold_w is 0 to 10000"
    assert "dsmrctl config" in (wrong.value.hint or "")
    assert wrong.value.field == "threshold_w"


def test_what_has_the_boards_address_is_named_as_far_as_it_says() -> None:
    page = text(b"<html><TITLE lang=nl>FRITZ!Box \x1b[2J</title>", 404, "Server: none")
    served = text(b"no such file", 404, "Server: lighttpd/1.4")
    told = {page: "404: a page called 'FRITZ!Box", served: "404: by 'lighttpd/1.4'"}
    for act, sentence in told.items():
        with Stand(act) as board, pytest.raises(NoBoard, match=re.escape(sentence)) as caught:
            client(board, who="boiler").info()
        assert f"boiler ({board.address}:{board.port})" in caught.value.message
        judge(caught.value)
    good = Stand(text(b"<title>Hello</title>"))
    with good, pytest.raises(NoBoard, match="not JSON: a page called 'Hello'"):
        client(good, who="").info()


def test_a_change_whose_answer_was_lost_may_have_been_made() -> None:
    with Stand(resets(HEAD)) as board:
        with pytest.raises(BoardGone) as caught:
            client(board, timeout=8).call("PUT", "output", {"level": 1})
        assert len(board.asked) == 1
    assert "may have done it" in (caught.value.hint or "")


@pytest.mark.slow
def test_what_was_asked_to_be_read_is_asked_once_more_when_its_answer_breaks_off() -> None:
    short = raw(HEAD + b'\r\n{"settings": {"name": "boi')
    with Stand(in_turn(short, says({"settings": {}, "schema": {}}))) as board:
        assert client(board, timeout=8).settings() == ({}, {})
    with Stand(in_turn(resets(), short, says({}))) as board:
        with pytest.raises(BoardGone, match="cut off") as caught:
            client(board, timeout=8).info()
        assert len(board.asked) == 2
    assert "restart" in (caught.value.hint or "")


def test_a_file_whose_answer_is_cut_off_was_not_taken() -> None:
    for data in (b"", b"HTTP/1.1 200", HEAD, whole(b"{}")[:-1]):
        with Stand(raw(data)) as board:
            with pytest.raises(BoardGone) as caught:
                client(board).send("a.py", b"x", "00")
            assert caught.value.heard
            with pytest.raises(BoardGone):
                client(board).begin_update(b"{}")


def test_a_name_of_any_letters_may_lead_to_a_board() -> None:
    with Stand(says({"board": "miniswitch"})) as board:
        assert client(board, host="中国.example").info()
        assert client(board, host="dsmr-boiler.local").info()
    hosts = [f"{board.address}:{board.port}", f"dsmr-boiler.local:{board.port}"]
    for host, request in zip(hosts, board.asked, strict=True):
        assert f"\r\nHost: {host}\r\n".encode() in request


def test_a_password_of_any_characters_is_told_as_they_are() -> None:
    odd = "é\r\nX-Evil: 1\x00🔑" * 40
    with Stand(in_turn(says({"error": "who?"}, 401), says({"a": 1}))) as board:
        assert client(board, password=tells(odd)).call("PUT", "x") == {"a": 1}
        assert b"X-Evil" not in board.asked[1]
        pair = base64.b64encode(b"admin:" + odd.encode())
        assert b"Basic " + pair + b"\r\n" in board.asked[1]


@pytest.mark.slow
def test_a_board_that_is_busy_is_asked_again() -> None:
    busy = says({"error": "no memory"}, 503)
    with Stand(in_turn(busy, busy, says({"board": "miniswitch"}))) as board:
        assert client(board, timeout=8).info() == {"board": "miniswitch"}
        assert len(board.asked) == 3


def test_what_is_not_there_does_not_answer() -> None:
    with Stand(silent) as board:
        pass
    with pytest.raises(BoardGone, match="refused") as caught:
        client(board).info()
    assert not caught.value.heard
    judge(caught.value)


def test_a_call_that_may_have_been_heard_says_so() -> None:
    with Stand(resets(HEAD)) as board, pytest.raises(BoardGone) as caught:
        client(board).call("POST", "update")
    assert caught.value.heard


@pytest.mark.parametrize("found", [{}, {"settings": [], "schema": {}}, {"settings": {"a": 1}}])
def test_settings_of_another_form_are_no_boards(found: Any) -> None:
    with Stand(says(found)) as board, pytest.raises(NoBoard):
        client(board).settings()


@pytest.mark.parametrize("rule", [None, 1, "text", []])
def test_a_schema_of_another_form_is_no_boards(rule: Any) -> None:
    found = {"settings": {"a": 1}, "schema": {"a": rule}}
    with Stand(says(found)) as board, pytest.raises(NoBoard):
        client(board).settings()


def test_digits_come_as_they_are() -> None:
    with Stand(text('{"a": 0.10, "b": 1.5e3, "c": -7, "[": ["]]]{", "\\"{"]}')) as board:
        found = client(board).info()
    assert found == {"a": Decimal("0.10"), "b": 1500.0, "c": -7, "[": ["]]]{", '"{']}
    assert str(found["a"]) == "0.10"


@pytest.mark.parametrize(
    "info",
    [{}, {"board": "miniswitch"}, {"id": "a1b2c3"}, {"board": 0, "id": []}, {"board": "", "id": 1}],
)
def test_what_does_not_say_which_board_it_is_is_none(info: Any) -> None:
    with Stand(says(info)) as board, pytest.raises(NoBoard) as caught:
        fleet.at(f"{board.address}:{board.port}", timeout=TIMEOUT)
    judge(caught.value)


def test_who_a_board_says_it_is_is_made_plain() -> None:
    keys = ("board", "id", "name", "hw", "fw", "host")
    with Stand(says(dict.fromkeys(keys, ESCAPES * 30))) as board:
        found = fleet.at(f"{board.address}:{board.port}", timeout=TIMEOUT)
    for said in (one for one in found if isinstance(one, str)):
        assert not CONTROL.search(said), ascii(said)
        assert len(said) <= 64


# ---- whatever comes

ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda data: b"HTTP/1.1 " + data),
    st.binary(max_size=300).map(lambda data: HEAD + data),
    st.binary(max_size=300).map(lambda data: HEAD + b"\r\n" + data),
    st.binary(max_size=300).map(lambda data: CHUNKED + data),
    st.tuples(st.integers(-1, 1200), st.binary(max_size=200)).map(
        lambda pair: f"HTTP/1.1 {pair[0]} \r\n\r\n".encode() + pair[1]
    ),
)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """One for all the examples, each of which sets its `act`."""
    with Stand(silent) as board:
        yield board


@pytest.mark.slow
@given(data=ANSWERS)
@example(data=b"HTTP/1.1 200 OK\r\n\r\n{}")
@example(data=b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}")
@example(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}")
def test_any_bytes_are_an_object_or_one_of_our_errors(stand: Stand, data: bytes) -> None:
    stand.act = raw(data)
    asked = client(stand, timeout=0.9)  # too short to ask again
    for call in (asked.info, asked.settings, asked.networks, asked.log):
        try:
            found = call()
        except errors.DsmrError as error:
            judge(error)
        else:
            assert isinstance(found, (dict, tuple, list, str))
