"""A board's HTTP interface (`api` 1), asked by this computer; docs/protocol.md has every call.

What answers need not be a board of ours, nor mean well: sizes, times and types are bounded, and
what it says is text to be made safe before it is shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
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
_GUESSES = 3
# A board's own JSON is four deep, and its longest number has ten digits.
_DEEPEST = 20
_MOST_DIGITS = 40

_POWER = (
    "has it power, and is this computer in its network? dsmrctl discover shows which boards are "
    "there"
)
_RESTARTS = (
    "does it restart just now? try again in a minute; dsmrctl discover shows which are there"
)
_WEAK = "it may be busy, or its WiFi weak: --timeout 20s waits longer"
_PERHAPS = "it may have done it all the same: look first (dsmrctl status, dsmrctl config)"
_ANOTHER = "another device may have that address now: dsmrctl discover shows which boards are there"
_DIFFER = "its firmware may be older than this, or newer: dsmrctl update"
_HINTS = {
    401: "--admin-password-file FILE, or DSMRCTL_ADMIN_PASSWORD; forgotten: "
    "dsmrctl flash KIND --reset-settings, by cable",
    403: "ask it at its own address, which dsmrctl discover shows",
    404: "its firmware may be older than this: dsmrctl update",
    408: _WEAK,
    409: "dsmrctl discover shows what runs on it",
    500: "its page's /api/log tells the fault; please report it",
    503: "try again in a minute",
} | dict.fromkeys((400, 405, 413, 415, 431), _DIFFER)


class BoardGone(errors.NoAnswer):
    """Nothing answers at the board's address, or it stopped in the midst of its answer.

    heard: it may have heard what it was asked.
    """

    def __init__(self, who: str, why: str, heard: bool = False, hint: str = _POWER) -> None:
        super().__init__(f"{who} does not answer: {why}", hint)
        self.heard = heard


class NoBoard(errors.BadData):
    """What answers is no board of ours."""

    code = "no_board"

    def __init__(self, who: str, why: str) -> None:
        super().__init__(f"what answers as {who} is no board of ours: {why}", _ANOTHER)


class BoardRefused(errors.Refused):
    """The board says no, in its own words. `status` is HTTP's, `answer` what came with it."""

    def __init__(self, message: str, hint: str | None, status: int, answer: dict[str, Any]) -> None:
        super().__init__(message, hint)
        self.status, self.answer = status, answer


class WrongValue(errors.UsageError):
    """The board's own rule against a value; `field` is the setting's key."""

    def __init__(self, message: str, field: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
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
        beside = "" if port == 80 else f":{port}"
        self.who = plain(who, 60) or address + beside
        self._place = _place(self.who, address + beside)
        # A name of other letters can be none of a board's.
        self._host = (host if host and host.isascii() else address) + beside
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
            raise self._none("it says no settings")
        if not all(isinstance(rule, dict) for rule in schema.values()):
            raise self._none("it says no settings")
        return settings, schema

    def change(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Changes these, all of them or none; its settings then. Raises WrongValue."""
        found = self._object("PUT", "settings", settings)
        return found["settings"] if isinstance(found.get("settings"), dict) else {}

    def networks(self) -> list[Any]:
        """The WiFi networks it hears: `GET /api/wifi/scan`, items as it says them."""
        found = self.json("GET", "wifi/scan")
        if not isinstance(found, list):
            raise self._none("it says no list of networks")
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
            if _depth(answer.body)[0] > _DEEPEST:
                raise self._none("its answer is nested too deep")
            return json.loads(
                answer.body, parse_float=_exact, parse_int=_whole, parse_constant=_no_number
            )
        except (ValueError, RecursionError):
            raise self._none(f"its answer is not JSON{_told_by(answer)}") from None

    def _object(self, method: str, call: str, body: Any = None) -> dict[str, Any]:
        found = self.json(method, call, body)
        if not isinstance(found, dict):
            raise self._none("its answer has another form")
        return found

    def _request(
        self, method: str, call: str, data: bytes | None, headers: dict[str, str] | None = None
    ) -> http.Answer:
        """A good answer (2xx). A board without memory now, one that wants its password, and one
        whose answer to a reading was cut off are asked again."""
        sent = {"Host": self._host}
        if method != "GET":
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        end = self._clock() + self._timeout
        guesses = 0
        cut = False
        while True:
            # Reading never wants it (docs/protocol.md): who asks then is none of ours.
            if self._password is not None and method != "GET":
                sent["Authorization"] = f"Basic {_pair(self._password)}"
            try:
                answer = self._once(method, call, data, sent, end)
            except BoardGone as gone:
                if not gone.heard or method != "GET" or cut or not self._time_for_another(end):
                    raise
                cut = True
                time.sleep(_AGAIN_S)
                continue
            if 200 <= answer.status < 300:
                return answer
            if answer.status == _BUSY and self._time_for_another(end):
                time.sleep(_AGAIN_S)
            elif answer.status == 401 and method != "GET" and guesses < _GUESSES:
                given = self._ask(self._password is not None) if self._ask else None
                if given is None:
                    raise self._refusal(method, answer)
                guesses += 1
                self._password = given
                end = self._clock() + self._timeout
            else:
                raise self._refusal(method, answer)

    def _time_for_another(self, end: float) -> bool:
        return end - self._clock() > 2 * _AGAIN_S

    def _once(
        self, method: str, call: str, data: bytes | None, headers: dict[str, str], end: float
    ) -> http.Answer:
        where = (self.address, self.port)
        left = max(0.1, end - self._clock())
        changes = method != "GET"
        try:
            answer = http.request(where, method, f"/api/{call}", data, headers, timeout=left)
            if _breaks_off(answer):
                raise http.AnswerLost("its answer was cut off")
            return answer
        except http.Unreached as error:
            raise BoardGone(
                self._place, str(error), hint=_RESTARTS if error.refused else _POWER
            ) from None
        except http.AnswerLost as error:
            hint = _PERHAPS if changes else _WEAK if error.late else _RESTARTS
            why = f"{error} ({self._timeout:g} s)" if error.late else str(error)
            raise BoardGone(self._place, why, heard=True, hint=hint) from None
        except http.NoHttp as error:
            raise self._none(str(error)) from None

    def _none(self, why: str) -> NoBoard:
        return NoBoard(self._place, self._plain(why))

    def _refusal(self, method: str, answer: http.Answer) -> errors.DsmrError:
        status = answer.status
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            found = {}
        told = found.get("error")
        if 300 <= status < 400:
            where = answer.headers.get("location", "")[:60]
            return self._none(f"it sends whoever asks elsewhere ({where}), which is not followed")
        if not isinstance(told, str):
            return self._none(f"it answers with {status}{_told_by(answer)}")
        if status == 401 and method == "GET":
            return self._none("it wants a password only to be read")
        sentence = self._plain(told)
        if status == 422:
            field = self._plain(str(found.get("field", "")), 60)
            hint = "dsmrctl config BOARD shows what its settings may be" if field else None
            return WrongValue(sentence, field, hint)
        if status == 401:
            sentence = "it wants its admin password"
            if self._password is not None:
                sentence = "the admin password is wrong"
        return BoardRefused(f"{self.who}: {sentence}", _HINTS.get(status, _DIFFER), status, found)

    def _plain(self, text: str, most: int = 300) -> str:
        """What it says, also when that is the password it was told."""
        if self._password:
            for secret in (self._password, _pair(self._password)):
                text = text.replace(secret, "***")
        return plain(text, most)


def plain(text: str, most: int = 300) -> str:
    """One line of at most so many characters, none of which drives a terminal."""
    one = " ".join(text.split())[:most]
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in one
    )


def _place(who: str, where: str) -> str:
    """Who is meant and where that is, once when they are the same."""
    return who if who == where else f"{who} ({where})"


def _told_by(answer: http.Answer) -> str:
    """What else is there, as it says itself: what a person may know it by."""
    title = re.search(rb"<title[^>]{0,200}>([^<]{1,200})", answer.body, re.IGNORECASE)
    if title is not None:
        return f": a page called '{plain(title[1].decode('utf-8', 'replace'), 40)}'"
    server = plain(answer.headers.get("server", ""), 40)
    return f": by '{server}'" if server else ""


_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _depth(content: bytes) -> tuple[int, int]:
    """How deep JSON's brackets are nested, and how many of them are not closed at its end."""
    deepest = now = 0
    for found in _BRACKET.finditer(content):
        piece = found[0]
        now += (piece in (b"[", b"{")) - (piece in (b"]", b"}"))
        deepest = max(deepest, now)
    return deepest, now


def _breaks_off(answer: http.Answer) -> bool:
    """A board names no length of JSON that it says piece by piece; without memory it stops."""
    headers = answer.headers
    if "content-length" in headers or "json" not in headers.get("content-type", ""):
        return False
    return _depth(answer.body)[1] > 0


def _pair(password: str) -> str:
    return base64.b64encode(b"admin:" + password.encode()).decode()


def _exact(text: str) -> Decimal | float:
    """The digits as they came; with an exponent they could be a billion of them."""
    if len(text) > _MOST_DIGITS:
        return _no_number(text)
    if "e" not in text.lower():
        return Decimal(text)
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _whole(text: str) -> int:
    return int(text) if len(text) <= _MOST_DIGITS else _no_number(text)


def _no_number(text: str) -> Any:
    raise ValueError(text)
