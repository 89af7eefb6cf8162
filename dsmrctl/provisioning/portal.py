"""A board's access point: the web page on which a person types the network, read by a program.

WiFiManager's paths and pages, since 0.16 (https://github.com/tzapu/WiFiManager): those of the
manual's own firmware, and of our boards, which keep to them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import urlencode

from dsmrctl import errors
from dsmrctl.network import http
from dsmrctl.provisioning import Network, check, check_password, pages, strongest_first

ACCESS_POINT = "AutoConnectAP"
ADDRESS = "192.168.4.1"
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
        except http.AnswerLost:
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
        except http.AnswerLost as error:
            raise NoPortal(f"{self._address[0]}: {error}", hint=_IS_IT_OPEN) from None

    def _request(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """The status and the text of an answer. Raises NoPortal, NotAPortal, http.AnswerLost."""
        headers = {"Host": self._host}
        body = None
        if form is not None:
            body = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            answer = http.request(
                self._address, method, path, body, headers,
                timeout=self._timeout, clock=self._clock,
            )  # fmt: skip
        except http.Unreached as error:
            raise NoPortal(
                f"no board's access point at {self._address[0]}: {error}", hint=_IS_IT_OPEN
            ) from None
        except http.NoHttp as error:
            raise NotAPortal(str(error)) from None
        # http.client takes the end of the connection for the end of the head.
        if answer.status == 200 and not answer.body:
            raise http.AnswerLost("its answer was cut off")
        return answer.status, answer.body.decode("utf-8", "replace")


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
