"""The portal's client, against WiFiManager's pages of two ages, our own, and what is none."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wifi_manager import AccessPoint, Heard, ours, running, version_0_16, version_2

from dsmrctl import errors
from dsmrctl.provisioning import Network, pages
from dsmrctl.provisioning.portal import NoPortal, NotAPortal, NotSaved, Portal, Unconfirmed

ADDRESS = "127.0.0.9"
PASSWORD = "correct & horse+é%"
HEARD = [
    Heard("home", -48, True),
    Heard("Tom & Jerry's", -62, True),
    Heard("café gratuit  50%", -80, False),
    Heard("far", -101, True),
]


@pytest.fixture(params=[version_2, version_0_16, ours])
def point(request: pytest.FixtureRequest) -> AccessPoint:
    return AccessPoint(ADDRESS, list(HEARD), request.param)


@contextmanager
def portal(point: AccessPoint) -> Iterator[Portal]:
    with running(point) as port:
        yield Portal(ADDRESS, port)


def test_the_networks_come_with_their_signal_and_whether_they_are_open(point: AccessPoint):
    with portal(point) as client:
        assert client.networks() == [
            Network("home", -50, True),
            Network("Tom & Jerry's", -62, True),
            Network("café gratuit  50%", -80, False),
            Network("far", -100, True),
        ]
    assert point.hosts == ["192.168.4.1"]


def test_no_networks_is_an_answer_too(point: AccessPoint):
    point.heard = []
    with portal(point) as client:
        assert client.networks() == []


def test_names_a_person_would_not_choose_come_through():
    odd = [Heard(name, -60, True) for name in ("<b>", "a'b\"c", "&amp;", " x ", "\N{LOCK}", "100%")]
    for form in (version_2, ours):
        with portal(AccessPoint(ADDRESS, odd, form)) as client:
            assert {network.ssid for network in client.networks()} == {one.ssid for one in odd}


def test_at_most_a_hundred_are_read():
    many = [Heard(f"net {n}", -60, True) for n in range(200)]
    with portal(AccessPoint(ADDRESS, many, version_0_16)) as client:
        assert len(client.networks()) == 100


def test_a_network_is_saved(point: AccessPoint):
    with portal(point) as client:
        said = client.save("café gratuit  50%", PASSWORD)
        client.save("open", "")
        client.save("", PASSWORD)
    assert "Credentials Saved Trying to connect" in said
    assert point.saved == [("café gratuit  50%", PASSWORD), ("open", ""), ("", PASSWORD)]


def test_what_no_network_can_have_is_not_sent(point: AccessPoint):
    client = Portal(ADDRESS, 1)
    for ssid, password in (
        ("", ""),
        ("x" * 33, PASSWORD),
        ("home", "short"),
        ("", "short"),
        ("\udcff", ""),
    ):
        with pytest.raises(errors.UsageError):
            client.save(ssid, password)


def test_the_board_says_what_it_is():
    expected = {"Chip ID": "a1b2c3", "Flash": "Used 1 < 2", "Station MAC": "5C:CF"}
    for form in (version_2, version_0_16):
        with portal(AccessPoint(ADDRESS, [], form)) as client:
            assert client.info() == expected
    with portal(AccessPoint(ADDRESS, [], ours)) as client:
        assert client.info() == {"board": "blink esp01s 0.4.0 a1b2c3"}


def test_a_refusal_is_told_in_the_boards_words_and_never_shows_the_password():
    point = AccessPoint(ADDRESS, HEARD, ours)
    point.refuses = (422, '{"error": "a WiFi password has at least\\u001b 8 characters"}')
    with portal(point) as client, pytest.raises(NotSaved, match="at least") as error:
        client.save("home", PASSWORD)
    shown = "".join(traceback.format_exception(error.value)) + repr(vars(client))
    assert PASSWORD not in shown
    assert "\x1b" not in shown
    assert error.value.exit_code == errors.REFUSED
    point.refuses = (422, '{"error": "not correct & horse+é%"}')
    with portal(point) as client, pytest.raises(NotSaved, match=r"not \(password\)$"):
        client.save("home", PASSWORD)
    for status, text in ((403, "forbidden"), (400, "[" * 60000), (413, '{"error": 5}')):
        point.refuses = (status, text)
        with portal(point) as client, pytest.raises(NotSaved):
            client.save("home", PASSWORD)
    point.refuses = (500, "x")
    with portal(point) as client, pytest.raises(NotAPortal):
        client.save("home", PASSWORD)


def test_a_board_leads_strangers_away_but_not_who_names_its_address():
    point = AccessPoint(ADDRESS, HEARD, version_0_16)
    with running(point) as port:
        assert Portal(ADDRESS, port).info()["Chip ID"] == "a1b2c3"
        with pytest.raises(NotAPortal, match="302"):
            Portal(ADDRESS, port, host="example.org").info()
    assert point.hosts == ["192.168.4.1", "192.168.4.1", "example.org"]


def test_nothing_there_says_which_network_to_join():
    with pytest.raises(NoPortal) as error:
        Portal(ADDRESS, 1).networks()
    assert error.value.exit_code == errors.NO_ANSWER
    assert "AutoConnectAP" in (error.value.hint or "")


@contextmanager
def saying(*said: bytes, pause: float = 0.0, hold: bool = False) -> Iterator[int]:
    """One connection whose other side says this, piece by piece, whatever it is asked."""
    done = threading.Event()

    def serve() -> None:
        try:
            line, _ = server.accept()
        except TimeoutError:
            return
        with line:
            line.settimeout(5)
            try:
                line.recv(4096)
                for piece in said:
                    line.sendall(piece)
                    if done.wait(pause):
                        return
                if hold:
                    done.wait(5)
                line.shutdown(socket.SHUT_WR)
                while line.recv(4096):
                    pass
            except OSError:
                pass

    with socket.create_server((ADDRESS, 0)) as server:
        server.settimeout(5)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "said",
    [
        OK + b"\r\n<html>A printer<form><input name=q></form>",
        OK + b"\r\n",
        OK + b"\r\n" + b"<input name=s>" * 8000,
        OK + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 70000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\xfe" * 100 + b"\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n",
        b"HTTP/1.1 500 no\r\n\r\n<input name=s>",
        OK + b"a: b\r\n" * 200 + b"\r\n",
        OK + b"a: " + b"b" * 70000 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_portal_is_not_believed(said: bytes):
    with saying(said) as port, pytest.raises((NotAPortal, NoPortal)) as error:
        Portal(ADDRESS, port).networks()
    assert error.value.hint


def test_an_answer_that_drips_ends_in_time():
    pieces = [OK] + [b"x: y\r\n"] * 50
    with saying(*pieces, pause=0.05) as port:
        start = time.monotonic()
        with pytest.raises(NoPortal, match="too long"):
            Portal(ADDRESS, port, timeout=0.3).networks()
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("said", [b"", OK, OK + b"Content-Length: 100\r\n\r\nSav"])
def test_an_answer_that_is_cut_off_leaves_it_open_whether_it_was_saved(said: bytes):
    with saying(said) as port, pytest.raises(Unconfirmed) as error:
        Portal(ADDRESS, port).save("home", PASSWORD)
    assert "gone" in (error.value.hint or "")
    with saying(said) as port, pytest.raises(NoPortal):
        Portal(ADDRESS, port).networks()


def test_silence_ends_in_time():
    with saying(hold=True) as port, pytest.raises(Unconfirmed):
        Portal(ADDRESS, port, timeout=0.2).save("home", PASSWORD)


TAGS = (
    *("<a data-ssid='x' onclick='c(this)'>", "<a", "<a onclick='c(this)'>", "</a>", "<", ">", "'"),
    *('"', "&#39;", "&", "&#x110000;", "70%", "999%", "<input name=s>", "<!--", "-->", "<![x["),
    *("<script>", "</script>", "<dt>", "</dt>", "<dd>", "</dd>", "class='l'", "data-ssid="),
    *("\x00", "\ud800", "\x1b[2J"),
)


@given(st.lists(st.sampled_from(TAGS) | st.text(max_size=10), max_size=30).map("".join))
def test_any_text_is_read_without_harm(content: str):
    for network in pages.networks(content):
        assert network.ssid
        assert network.rssi_dbm is None or -100 <= network.rssi_dbm <= -50
    for name, value in pages.terms(content).items():
        assert (name + value).isprintable()
    assert pages.words(content).isprintable()
    pages.fields(content)


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<a x='", "<!--", "</a", "&", "<a data-ssid=x>", "<div title='1%' ", "<dt>a<dd>"],
)
@pytest.mark.parametrize("reading", [pages.networks, pages.terms, pages.words, pages.fields])
def test_no_page_takes_long_to_read(piece: str, reading: Callable[[str], object]):
    start = time.process_time()
    reading((piece * 65536)[:65536])
    assert time.process_time() - start < 1
