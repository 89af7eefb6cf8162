"""One request: ended in time and in size whatever answers, and nobody else is asked."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Iterator
from http.client import InvalidURL

import pytest
from hostile_boards import (
    Act,
    Stand,
    begins,
    drips,
    endless,
    in_pieces,
    raw,
    resets,
    says,
    silent,
    whole,
)
from hypothesis import example, given
from hypothesis import strategies as st

from dsmrctl.network import http

TIMEOUT = 0.3
MARGIN = 0.6
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def ask(
    stand: Stand, timeout: float = 10, body: bytes | None = None, most: int = 65536
) -> http.Answer:
    return http.request(
        (stand.address, stand.port),
        "GET" if body is None else "PUT",
        "/api/info",
        body,
        timeout=timeout,
        most=most,
    )


def test_an_answer_comes_as_it_is() -> None:
    answer = whole(b"\x00\xff{}", 207, "X-Two: a", "x-two: b")
    with Stand(raw(answer)) as stand:
        found = ask(stand)
    assert (found.status, found.body) == (207, b"\x00\xff{}")
    assert found.headers["x-two"] in ("a", "b")
    request = stand.asked[0]
    assert request.startswith(b"GET /api/info HTTP/1.1\r\n")
    assert b"Connection: close\r\n" in request
    assert b"\r\nAccept-Encoding: identity\r\n" in request


@pytest.mark.parametrize(
    "data",
    [
        whole(b"12345"),
        HEAD + b"\r\n12345",
        CHUNKED + b"2\r\n12\r\n3;x=y\r\n345\r\n0\r\nX-After: 1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n12345",
        b"HTTP/1.1 100 Continue\r\n\r\n" + whole(b"12345"),
        HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 5\n\n12345",
        HEAD + b"Content-Length: 5\r\n\r\n12345and more",
    ],
)
def test_every_way_to_end_an_answer_is_read_whole(data: bytes) -> None:
    for act in (raw(data), in_pieces(data, *[1] * len(data)), in_pieces(data, len(data) - 2)):
        with Stand(act) as stand:
            assert ask(stand).body == b"12345"


CUT: list[bytes] = [
    b"",
    b"HTTP/1.1 200",
    HEAD[:-1],
    HEAD,
    HEAD + b"Content-Type: text/plain",
    HEAD + b"Content-Type: text/plain\r\n",
    HEAD + b"Content-Type: text/plain\r\n\r",
    HEAD + b"Content-Length: 5\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\n1234",
    CHUNKED,
    CHUNKED + b"5\r\n1234",
    CHUNKED + b"5\r\n12345",
    CHUNKED + b"5\r\n12345\r\n",
]


@pytest.mark.parametrize("data", CUT)
def test_an_answer_that_is_cut_off_anywhere_is_none(data: bytes) -> None:
    for act in (raw(data), resets(data)):
        with Stand(act) as stand, pytest.raises(http.AnswerLost, match="cut off") as caught:
            ask(stand)
        assert not caught.value.late


ENDLESS: dict[str, Act] = {
    "a body": endless(HEAD + b"\r\n", b"x" * 4096),
    "a body with a length": endless(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 4096),
    "chunks": endless(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "chunks of a byte": endless(CHUNKED, b"1\r\nx\r\n" * 500),
    "what chunks are called": endless(CHUNKED, b"1;" + b"y" * 4000 + b"\r\nx\r\n"),
    "a trailer": endless(CHUNKED + b"0\r\n", b"X-More: and more\r\n" * 200),
    "a head": endless(HEAD, b"X-More: and more\r\n"),
    "a line": endless(HEAD + b"X-More: ", b"and more" * 512),
    "a status": endless(b"HTTP/1.1 200 ", b"O" * 4096),
    "no status": endless(b"", b"\x00" * 4096),
    "100": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 200),
    "100 with a head": endless(
        b"", b"HTTP/1.1 100 Continue\r\n" + b"X-More: and more\r\n" * 90 + b"\r\n"
    ),
    "102": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 200),
    "HTTP/0.9": endless(b"<html>\n", b"x" * 4096),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_left_at_once_and_takes_no_memory(name: str) -> None:
    with Stand(ENDLESS[name]) as stand:
        tracemalloc.start()
        began = time.monotonic()
        try:
            # 102 is taken for an answer without a body.
            found = ask(stand)
        except http.NoHttp:
            found = None
        took = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert took < 3
    assert peak < 3_000_000
    assert found is None or (name == "102" and found.body == b"")


LASTING: dict[str, Act] = {
    "nothing": silent,
    "a head that stops": begins(HEAD),
    "a body that stops": begins(whole(b"12345")[:-1]),
    "a drip": drips(whole(b"12345"), 0.05),
    "a slow head": endless(HEAD, b"X: y\r\n", 0.02),
    "slow chunks": endless(CHUNKED, b"1\r\nx\r\n", 0.02),
    "slow 100s": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LASTING)
def test_what_takes_too_long_is_left_in_time(name: str) -> None:
    with Stand(LASTING[name]) as stand:
        began = time.monotonic()
        with pytest.raises(http.AnswerLost, match="too long") as caught:
            ask(stand, TIMEOUT)
        assert TIMEOUT - 0.05 < time.monotonic() - began < TIMEOUT + MARGIN
    assert caught.value.late


def test_the_time_is_up_between_two_pieces() -> None:
    times = iter([0.0, 0.0, 0.0, 5.0])
    with Stand(begins(HEAD)) as stand, pytest.raises(http.AnswerLost) as caught:
        http.request(
            (stand.address, stand.port), "GET", "/", timeout=5, clock=lambda: next(times, 99.0)
        )
    assert caught.value.late


@pytest.mark.slow
def test_who_does_not_take_what_it_is_sent_is_left_in_time() -> None:
    with Stand(silent, takes=False) as stand:
        began = time.monotonic()
        with pytest.raises(http.AnswerLost, match="take what it was sent") as caught:
            ask(stand, TIMEOUT, bytes(30_000_000))
        assert time.monotonic() - began < TIMEOUT + MARGIN
    assert caught.value.late


def test_who_refuses_what_it_is_still_sent_is_heard() -> None:
    # More than the sockets hold, so that it is still being sent when the other side closes.
    with Stand(says({"error": "too long"}, 413), takes=False) as stand:
        assert ask(stand, body=bytes(30_000_000)).status == 413


def test_the_bound_is_exact() -> None:
    for data in (whole(b"x" * 100), HEAD + b"\r\n" + b"x" * 100):
        with Stand(raw(data)) as stand:
            assert len(ask(stand, most=100).body) == 100
            with pytest.raises(http.NoHttp, match="more than"):
                ask(stand, most=99)


def test_nothing_is_followed_kept_or_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(bytes(50_000_000))
    with Stand(says({}), "127.0.0.92") as elsewhere:
        there = f"http://{elsewhere.address}:{elsewhere.port}/"
        monkeypatch.setenv("http_proxy", there)
        monkeypatch.setenv("ALL_PROXY", there)
        headers = (
            f"Location: {there}",
            f"Refresh: 0; url={there}",
            "Content-Encoding: gzip",
            "Set-Cookie: a=b",
        )
        with Stand(raw(whole(packed, 302, *headers))) as stand:
            found = ask(stand)
            assert (found.status, found.body) == (302, packed)
            ask(stand)
        assert b"cookie" not in stand.asked[1].lower()
        assert elsewhere.asked == []


def test_who_is_not_there_was_asked_nothing() -> None:
    with Stand(silent) as stand:
        pass
    with pytest.raises(http.Unreached, match="refused") as caught:
        ask(stand)
    assert caught.value.refused
    # Loopback's network is there, this part of it is not routed.
    with pytest.raises(http.Unreached) as caught:
        http.request(("240.0.0.1", 80), "GET", "/", timeout=TIMEOUT)
    assert not caught.value.refused


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/a b", {}), ("/a\r\nX: y", {}), ("/", {"Host": "a\r\nX: y"}), ("/", {"Host": "中国"})],
)
def test_a_fault_of_ours_is_none_of_the_others(path: str, headers: dict[str, str]) -> None:
    with Stand(says({})) as stand, pytest.raises((ValueError, InvalidURL)):
        http.request((stand.address, stand.port), "GET", path, None, headers, timeout=1)
    assert not any(b"X: y" in data for data in stand.asked)


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.0 200\r\n",
                b"HTTP/1.1 100 \r\n\r\n",
                b"\r\n",
                b"\n",
            ),
            *(
                b"Content-Length: ",
                b"Transfer-Encoding: chunked\r\n",
                b"0",
                b"5",
                b"-1",
                b"9" * 5000,
            ),
            *(b"\r\n\r\n", b"5\r\n12345\r\n", b"0\r\n\r\n", b"{}", b"ffffffffffffffffff\r\n", b":"),
            *(b"HTTP/9.9 ", b"HTTP/1.1 ", b" ", b"\xff", b"\x00", b"Connection: keep-alive\r\n"),
        ]
    )
    | st.binary(max_size=20),
    max_size=25,
).map(b"".join)


@pytest.fixture(scope="module")
def anyone() -> Iterator[Stand]:
    """One for all the examples, each of which sets its `act`."""
    with Stand(silent) as stand:
        yield stand


@pytest.mark.slow
@given(data=PIECES | PIECES.map(HEAD.__add__), sizes=st.lists(st.integers(1, 40), max_size=3))
@example(data=HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", sizes=[])
@example(data=CHUNKED + b"f" * 5000 + b"\r\n{}", sizes=[1])
def test_any_bytes_are_an_answer_or_one_of_three_errors(
    anyone: Stand, data: bytes, sizes: list[int]
) -> None:
    anyone.act = in_pieces(data, *sizes)
    wrong: Exception | None = None
    found = None
    try:
        found = ask(anyone, 5, most=1000)
    except (http.AnswerLost, http.NoHttp) as error:
        wrong = error
    assert str(wrong).isprintable()
    assert not isinstance(wrong, http.AnswerLost) or not wrong.late
    if found is not None:
        assert 0 < found.status < 1000
        assert len(found.body) <= 1000
        assert all(name == name.lower() for name in found.headers)
