"""A board's HTTP interface (`api` 1), asked by this computer; docs/protocol.md has every call.

What answers need not be a board of ours, nor mean well: sizes, times and types are bounded, and
what it says is text to be made safe before it is shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dsmrctl import errors
from dsmrctl.network import http

TIMEOUT = 8.0
"""Seconds for an answer: a board gives its clients 8, and a scan takes it 2."""
_BUSY = 503  # no memory just now, or two clients already
_AGAIN_S = 0.5


class BoardGone(errors.NoAnswer):
    """Nothing answers at the board's address, or it stopped in the midst of its answer."""

    def __init__(self, who: str, why: str, heard: bool = False) -> None:
        super().__init__(
            f"{who} does not answer: {why}",
            hint="has it power, and is this computer in its network? dsmrctl discover shows "
            "which boards are there",
        )
        self.heard = heard


class NoBoard(errors.BadData):
    """What answers is no board of ours."""

    code = "no_board"

    def __init__(self, who: str, why: str) -> None:
        super().__init__(
            f"what answers as {who} is no board of ours: {why}",
            hint="dsmrctl discover shows which boards are there",
        )


class BoardRefused(errors.Refused):
    """The board says no, in its own words. `status` is HTTP's, `answer` what came with it."""

    def __init__(self, message: str, hint: str | None, status: int, answer: dict[str, Any]) -> None:
        super().__init__(message, hint)
        self.status, self.answer = status, answer


class WrongValue(errors.UsageError):
    """The board's own rule against a value; `field` is the setting's key."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


Password = Callable[[bool], str | None]
"""Asked for the admin password when a board wants it; True: the one before was wrong."""


class BoardClient:
    """The board at `address`, called `who` in what is told of it; times are in seconds.

    host: what the requests name, its address unless it was given by name. Every call raises
    BoardGone, NoBoard, BoardRefused, and what it names.
    """

    def __init__(
        self,
        address: str,
        port: int = 80,
        *,
        who: str = "",
        host: str | None = None,
        timeout: float = TIMEOUT,
        password: Password | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self.port = address, port
        self.who = plain(who) or address
        self._host = (host or address) + ("" if port == 80 else f":{port}")
        self._timeout = timeout
        self._ask = password
        self._password: str | None = None
        self._clock = clock

    def info(self) -> dict[str, Any]:
        """Who the board is and how it is: `GET /api/info`."""
        return self._object("GET", "info")

    def status(self) -> dict[str, Any]:
        """Its live values: `GET /api/status`."""
        return self._object("GET", "status")

    def settings(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Its settings by their keys, and the schema of each."""
        found = self._object("GET", "settings")
        settings, schema = found.get("settings"), found.get("schema")
        if not isinstance(settings, dict) or not isinstance(schema, dict):
            raise NoBoard(self.who, "it says no settings")
        if not all(isinstance(rule, dict) for rule in schema.values()):
            raise NoBoard(self.who, "it says no settings")
        return settings, schema

    def change(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Changes these, all of them or none; its settings then. Raises WrongValue."""
        found = self._object("PUT", "settings", settings)
        return found["settings"] if isinstance(found.get("settings"), dict) else {}

    def networks(self) -> list[Any]:
        """The WiFi networks it hears: `GET /api/wifi/scan`, items as it says them."""
        found = self.json("GET", "wifi/scan")
        if not isinstance(found, list):
            raise NoBoard(self.who, "it says no list of networks")
        return found

    def log(self) -> str:
        """Its last crashes and restarts, as text with its own control characters."""
        return self._request("GET", "log", None).body.decode("utf-8", "replace")

    def call(self, method: str, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any call that changes something: ("PUT", "output", {"level": 100}). Raises WrongValue."""
        return self._object(method, call, {} if body is None else body)

    def send(self, path: str, data: bytes, sha256: str) -> None:
        """A file of an update, into the slot that does not run."""
        headers = {"Content-Type": "application/octet-stream", "X-SHA256": sha256}
        self._request("PUT", f"files/{path}", data, headers)

    def begin_update(self, listing: bytes, *, again: bool = False) -> None:
        """Hands over the list of a new version's files; the board restarts into it when it has all.

        again: it has the list already, so that only its sum travels. What it lacks is `missing` of
        the BoardRefused.answer (409).
        """
        headers = {"X-SHA256": hashlib.sha256(listing).hexdigest()}
        self._request("POST", "update", None if again else listing, headers)

    def json(self, method: str, call: str, body: Any = None) -> Any:
        """The JSON that a call is answered with. Raises WrongValue."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        answer = self._request(method, call, data)
        try:
            return json.loads(answer.body, parse_float=_exact, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise NoBoard(self.who, "its answer is not JSON") from None

    def _object(self, method: str, call: str, body: Any = None) -> dict[str, Any]:
        found = self.json(method, call, body)
        if not isinstance(found, dict):
            raise NoBoard(self.who, "its answer has another form")
        return found

    def _request(
        self, method: str, call: str, data: bytes | None, headers: dict[str, str] | None = None
    ) -> http.Answer:
        """A good answer (2xx). A board without memory now, and one that wants its password, are
        asked again."""
        sent = {"Host": self._host}
        if method != "GET":
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        end = self._clock() + self._timeout
        while True:
            # Reading never wants it (docs/protocol.md): who asks then is none of ours.
            if self._password is not None and method != "GET":
                sent["Authorization"] = f"Basic {_pair(self._password)}"
            answer = self._once(method, call, data, sent, end)
            if 200 <= answer.status < 300:
                return answer
            if answer.status == _BUSY and end - self._clock() > 2 * _AGAIN_S:
                time.sleep(_AGAIN_S)
            elif answer.status == 401 and method != "GET" and self._ask is not None:
                given = self._ask(self._password is not None)
                if given is None:
                    raise self._refusal(answer)
                self._password = given
                end = self._clock() + self._timeout
            else:
                raise self._refusal(answer)

    def _once(
        self, method: str, call: str, data: bytes | None, headers: dict[str, str], end: float
    ) -> http.Answer:
        where = (self.address, self.port)
        left = max(0.1, end - self._clock())
        try:
            return http.request(where, method, f"/api/{call}", data, headers, timeout=left)
        except http.Unreached as error:
            raise BoardGone(self.who, str(error)) from None
        except http.AnswerLost as error:
            raise BoardGone(self.who, str(error), heard=True) from None
        except http.NoHttp as error:
            raise NoBoard(self.who, str(error)) from None

    def _refusal(self, answer: http.Answer) -> errors.DsmrError:
        status = answer.status
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            found = {}
        told = found.get("error")
        if 300 <= status < 400:
            return NoBoard(self.who, "it sends whoever asks elsewhere, which is not followed")
        if not isinstance(told, str):
            return NoBoard(self.who, f"it answers with {status}")
        sentence = self._plain(told)
        if status == 422:
            return WrongValue(sentence, self._plain(str(found.get("field", ""))))
        hint = None
        if status == 401:
            sentence = "it wants its admin password"
            if self._password is not None:
                sentence = "the admin password is wrong"
            hint = (
                "--admin-password-file FILE, or DSMRCTL_ADMIN_PASSWORD; forgotten: "
                "dsmrctl flash KIND --reset-settings, by cable"
            )
        elif status == 404:
            hint = "its firmware may be older than this: dsmrctl update"
        return BoardRefused(f"{self.who}: {sentence}", hint, status, found)

    def _plain(self, text: str) -> str:
        """What it says, also when that is the password it was told."""
        if self._password:
            for secret in (self._password, _pair(self._password)):
                text = text.replace(secret, "***")
        return plain(text)


def plain(text: str, most: int = 300) -> str:
    """One line of at most so many characters, none of which drives a terminal."""
    one = " ".join(text.split())[:most]
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in one
    )


def _pair(password: str) -> str:
    return base64.b64encode(b"admin:" + password.encode()).decode()


def _exact(text: str) -> Decimal | float:
    """The digits as they came; with an exponent they could be a billion of them."""
    if "e" not in text.lower():
        return Decimal(text)
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> Any:
    raise ValueError(text)
