"""A board's access point: the web page on which a person types the network, read by a program.

WiFiManager's paths and pages, since 0.16 (https://github.com/tzapu/WiFiManager): those of the
manual's own firmware, and of our boards, which keep to them.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from dsmrctl import errors
from dsmrctl.provisioning import Network, check, check_password, pages, strongest_first

ACCESS_POINT = "AutoConnectAP"
ADDRESS = "192.168.4.1"
MOST_BYTES = 65536
"""A page of WiFiManager with 50 networks and its pictures has 20 KB."""
_IS_IT_OPEN = f"is this computer on the board's network {ACCESS_POINT}, and on no other?"


class NoPortal(errors.NoAnswer):
    """Nothing answers at the access point's address."""


class NotAPortal(errors.BadData):
    """Something answers, but it is no page to hand a network to."""

    def __init__(self, what: str) -> None:
        super().__init__(f"what answers is no board's access point: {what}", hint=_IS_IT_OPEN)


class NotSaved(errors.Refused):
    """The board refused the network it was handed."""


class Unconfirmed(errors.NoAnswer):
    """The network was handed over, but the board's answer did not come."""

    def __init__(self) -> None:
        super().__init__(
            "the board did not confirm that it keeps the network",
            hint=f"it may be joining it: is {ACCESS_POINT} gone after a minute? else run again",
        )


class Portal:
    """The portal at `address`, for requests that name it `host`; times are in seconds.

    `timeout` is for a whole answer: a board scans for 2 to 5 s before it sends the first byte.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        port: int = 80,
        *,
        host: str = ADDRESS,
        timeout: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = (address, port)
        self._host = host
        self._timeout = timeout
        self._clock = clock

    def networks(self) -> list[Network]:
        """The networks the board hears, the strongest first. Raises NoPortal, NotAPortal.

        WiFiManager tells the signal as a percentage; the dBm are those it was made of.
        """
        status, content = self._get("/wifi")
        if status != 200:
            raise NotAPortal(f"/wifi is answered with {status}")
        if "s" not in pages.fields(content):
            raise NotAPortal("its page asks for no network")
        return strongest_first(pages.networks(content))

    def save(self, ssid: str, password: str) -> str:
        """Hand the board a network; what its page then says, as plain text.

        It says so before it tries: that it succeeded shows only when the access point vanishes. An
        empty `ssid` changes the known network's password. Raises UsageError, NoPortal, NotAPortal,
        NotSaved, Unconfirmed.
        """
        if ssid:
            check(ssid, password)
        elif password:
            check_password(password)
        else:
            raise errors.UsageError("neither a network nor a password to save")
        try:
            status, content = self._request("POST", "/wifisave", {"s": ssid, "p": password})
        except _AnswerLost:
            raise Unconfirmed from None
        if status in (400, 403, 413, 422):
            told = _without(password, _sentence(content))
            raise NotSaved(f"the board refuses the network: {told}", _IS_IT_OPEN)
        if status != 200:
            raise NotAPortal(f"to a network it says {status}")
        return _without(password, pages.words(content))

    def info(self) -> dict[str, str]:
        """What the board says of itself, by the names it gives it; ours has only "board"."""
        status, content = self._get("/info")
        if status == 404:
            status, content = self._get("/i")  # WiFiManager before 2.0
        if status != 200:
            raise NotAPortal(f"of itself it says {status}")
        if found := pages.terms(content):
            return found
        if "<" in content:
            raise NotAPortal("it says nothing of itself")
        return {"board": pages.plain(content)}

    def _get(self, path: str) -> tuple[int, str]:
        try:
            return self._request("GET", path)
        except _AnswerLost as error:
            raise NoPortal(f"{self._address[0]}: {error}", hint=_IS_IT_OPEN) from None

    def _request(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """The status and the text of an answer. Raises NoPortal, NotAPortal, _AnswerLost."""
        end = self._clock() + self._timeout
        headers = {"Host": self._host, "Connection": "close"}
        body = None
        if form is not None:
            body = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            line = socket.create_connection(self._address, timeout=self._timeout)
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
            raise NoPortal(
                f"no board's access point at {self._address[0]}: {reason or error}",
                hint=_IS_IT_OPEN,
            ) from None
        connection = http.client.HTTPConnection(*self._address)
        with line:
            connection.sock = _Deadline(line, end, self._clock)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                content = answer.read(MOST_BYTES + 1)
                answer.close()
            except OSError:  # RemoteDisconnected is one too
                raise _AnswerLost("its answer was cut off, or took too long") from None
            except http.client.IncompleteRead:
                raise _AnswerLost("its answer was cut off") from None
            except (http.client.HTTPException, ValueError):
                raise NotAPortal("it does not speak HTTP") from None
            finally:
                connection.close()
        if len(content) > MOST_BYTES:
            raise NotAPortal(f"its page has more than {MOST_BYTES // 1024} KB")
        # http.client takes the end of the connection for the end of the head, and of the body.
        if answer.length or (answer.status == 200 and not content):
            raise _AnswerLost("its answer was cut off")
        return answer.status, content.decode("utf-8", "replace")


class _AnswerLost(Exception):
    """The request may have been heard; the answer was not."""


class _Deadline:
    """A socket for http.client on which all reading together ends in time, drip or no drip."""

    def __init__(self, line: socket.socket, end: float, clock: Callable[[], float]) -> None:
        self._line = line
        self._end = end
        self._clock = clock

    def _wait(self) -> socket.socket:
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        return self._line

    def sendall(self, data: Any) -> None:
        self._wait().sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._wait))

    def close(self) -> None:
        """Not yet: http.client closes it when the body is still to come."""


class _Incoming(io.RawIOBase):
    def __init__(self, wait: Callable[[], socket.socket]) -> None:
        self._wait = wait

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._wait().recv_into(buffer)


def _without(password: str, text: str) -> str:
    """`text` to be shown, should a board repeat what it was handed."""
    return text.replace(password, "(password)") if password else text


def _sentence(content: str) -> str:
    """The sentence of our boards' error, or whatever else is said."""
    try:
        told = json.loads(content)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        told = None
    return pages.plain(told) if isinstance(told, str) else pages.words(content) or "no reason given"
