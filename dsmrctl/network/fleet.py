"""Which board is meant: by kind, name, id or address; and many boards asked at a time."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TypeVar

from dsmrctl import boards, errors
from dsmrctl.network import discovery, known
from dsmrctl.network.board_client import TIMEOUT, BoardClient, NoBoard, Password, plain
from dsmrctl.network.discovery import Found

S = TypeVar("S")
T = TypeVar("T")
COLUMNS = ("name", "board", "hardware", "firmware", "address", "id")
# Threads are made as they are needed: behind silent boards nobody has to wait for a turn.
_AT_A_TIME = discovery.MOST


class Several(errors.UsageError):
    """Several boards fit where one is meant; `rows` are they, under COLUMNS."""

    def __init__(self, wanted: str, fit: list[Found]) -> None:
        names = ", ".join(plain(one.name, 40) for one in fit)
        super().__init__(
            f"{len(fit)} boards are a {wanted}: {names}",
            hint=f"name the one that is meant, for example {plain(fit[0].name, 40)}, or --all",
        )
        self.rows = [row(one) for one in fit]


class NoneFits(errors.NotFound):
    """No board that was meant is on the network."""


def row(one: Found) -> tuple[str, ...]:
    """A board's cells under COLUMNS."""
    return (one.name, one.board, one.hardware, one.version, one.url, one.id)


def fits(wanted: str) -> Callable[[Found], bool]:
    """Whether a board is meant by that word: its kind, its name, its id or its host name."""
    word = wanted.lower()

    def its(one: Found) -> bool:
        if word in boards.BOARDS:
            return one.board == word
        host = one.host.lower().removesuffix(".local").replace("_", "-")
        asked = word.removesuffix(".local").replace("_", "-")
        return word in (one.name.lower(), one.id.lower()) or asked == host

    return its


def find(
    wanted: str | None, *, nic: str | None = None, timeout: float = discovery.WAIT_S
) -> list[Found]:
    """The boards that are meant by that word, all for None; by name. Raises NoneFits, NotFound.

    A board meant by its kind is waited for till no other comes: there may be two of them.
    """
    meant = fits(wanted) if wanted else lambda _: True
    if wanted is None:
        heard = discovery.browse(timeout, nic)
    elif wanted.lower() in boards.BOARDS:
        # Known from before: waited for to the end.
        least = max(1, sum(map(meant, known.read())))
        heard = discovery.one_of(meant, timeout, nic, least)
    else:
        heard = discovery.browse(
            timeout, nic, enough=lambda now: any(map(meant, now.boards.values()))
        )
    there = sorted(heard.boards.values(), key=lambda one: (one.name.lower(), one.id))
    known.remember(there, all_of_them=wanted is None and bool(there))
    found = [one for one in there if meant(one)]
    if not found:
        raise _absent(wanted, there, timeout)
    return found


def one(wanted: str, *, nic: str | None = None, timeout: float = discovery.WAIT_S) -> Found:
    """The one board that is meant by that word. Raises Several, NoneFits, NotFound."""
    found = find(wanted, nic=nic, timeout=timeout)
    if len(found) > 1:
        raise Several(wanted, found)
    return found[0]


def at(host: str, wanted: str | None = None, timeout: float = TIMEOUT) -> Found:
    """The board at an address or name, with a port if it is not 80; no discovery.

    Raises NotFound (no such name), UsageError (no address, or another board than `wanted`), and
    what BoardClient raises.
    """
    name, port = split(host)
    address = _address(name, timeout)
    info = BoardClient(address, port, who=host, host=name, timeout=timeout).info()

    def said(key: str) -> str:
        return plain(str(info.get(key) or ""), 64)

    board, ident = said("board"), said("id")
    if not board or not ident:
        raise NoBoard(host, "it does not say which board it is")
    named = said("name") or f"{board}-{ident}"
    found = Found(named, address, port, board, said("hw"), said("fw"), ident, said("host"))
    if wanted and wanted.lower() in boards.BOARDS and found.board != wanted.lower():
        raise errors.UsageError(
            f"the board at {host} is a {found.board}, not a {wanted}",
            hint=f"say {found.board}, or another --host",
        )
    return found


def client(
    board: Found, *, timeout: float = TIMEOUT, password: Password | None = None
) -> BoardClient:
    """The way to ask a board."""
    return BoardClient(
        board.address, board.port, who=board.name, timeout=timeout, password=password
    )


def each(wanted: Iterable[S], ask: Callable[[S], T]) -> list[tuple[S, T | errors.DsmrError]]:
    """What each gives, or the error it gave, in their order; many at a time."""
    from concurrent.futures import ThreadPoolExecutor

    def safely(one: S) -> T | errors.DsmrError:
        try:
            return ask(one)
        except errors.DsmrError as error:
            return error

    all_ = list(wanted)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(zip(all_, pool.map(safely, all_), strict=True))


def _absent(wanted: str | None, there: list[Found], timeout: float) -> NoneFits:
    if not there:
        return NoneFits(
            f"no board answered in {timeout:g} s",
            hint="is this computer in the boards' network (--nic)? an access point may keep WiFi "
            "and cable apart: then --host ADDRESS. Nothing bought yet? dsmrctl demo",
        )
    names = ", ".join(f"{plain(one.name, 40)} ({plain(one.board, 20)})" for one in there[:8])
    more = " and more" if len(there) > 8 else ""
    what = f"no board here is called {wanted!r}"
    if wanted in boards.BOARDS:
        what = f"no {wanted} answered in {timeout:g} s"
    return NoneFits(what, hint=f"there are: {names}{more}; or --host ADDRESS")


def split(host: str) -> tuple[str, int]:
    """The name or address, and the port. Raises UsageError."""
    text = host.removeprefix("http://").rstrip("/")
    name, colon, port = text.partition(":")
    good = name and all(letter.isalnum() or letter in "-_." for letter in name)
    if not good or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
        raise errors.UsageError(
            f"'{host}' is no host", hint="for example 192.168.1.20, or dsmr-minisw.local"
        )
    return name, int(port) if colon else 80


def _address(name: str, timeout: float) -> str:
    """The IPv4 address of a name; one that ends with .local is asked for on the network."""
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, name))
    except OSError:
        pass
    found = discovery.resolve(name, timeout) if name.lower().endswith(".local") else None
    if found is not None:
        return found
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
    except (OSError, UnicodeError):
        raise errors.NotFound(
            f"there is no host {name!r}", hint="dsmrctl discover shows the boards' addresses"
        ) from None
