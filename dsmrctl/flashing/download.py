"""Fetching one file over HTTP: resumed where it broke off, bounded, and never half a file.

Beside the file that is wanted lies `.part` with what came so far, and `.part.json` with what the
server called that version of it. Proxy variables are obeyed.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dsmrctl import __version__
from dsmrctl.errors import BadData, DsmrError, NoAnswer, NotFound, Refused, UsageError
from dsmrctl.terminal.output import safe

if TYPE_CHECKING:
    from dsmrctl.terminal.progress import Progress

_PIECE = 16 * 1024
_TRIES = 3
_LONGEST = 30  # times the longest silence
_OTHERWISE = "get that file elsewhere, and name it: --base FILE"


class _BrokeOff(Exception):
    """The connection ended before the file did."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            fp.close()
            raise _leads_away(req.full_url, f"to {safe(after, 16)}://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(
    url: str, path: Path, begins: bytes, most: int, progress: Progress | None, timeout: float
) -> bytes:
    """The bytes at `url`, at most so many; what broke off before goes on from there.

    path: where the file is meant to lie; this writes only beside it. begins: what a file of its
    kind begins with. timeout: seconds without a byte; the whole takes at most 30 times that.
    Raises UsageError, NotFound, NoAnswer, Refused, BadData; OSError when it cannot be written.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            "the base image is fetched from an http or https address, with no user in it",
            hint="see DSMRCTL_BASE_URL",
        )
    return _Fetch(url, path, begins, most, progress, timeout).whole()


class _Fetch:
    def __init__(
        self,
        url: str,
        path: Path,
        begins: bytes,
        most: int,
        progress: Progress | None,
        timeout: float,
    ) -> None:
        self._url, self._path, self._begins, self._most = url, path, begins, most
        self._progress, self._timeout = progress, timeout
        self._half = path.with_name(path.name + ".part")
        self._about = path.with_name(path.name + ".part.json")
        self._until = time.monotonic() + _LONGEST * timeout
        self._opener = urllib.request.build_opener(_Redirects)

    def whole(self) -> bytes:
        """The file; what came so far stays for the next time when it breaks off."""
        if self._progress:
            self._progress.stage("fetching MicroPython")
        with self._part() as part:
            data = self._tried(part)
            self._forget(part)
        return data

    def _tried(self, part: IO[bytes]) -> bytes:
        for _ in range(_TRIES - 1):
            try:
                return self._once(part)
            except _BrokeOff:
                continue
        try:
            return self._once(part)
        except _BrokeOff as broke:
            raise self._unreached(str(broke), part.seek(0, 2)) from None

    @contextmanager
    def _part(self) -> Iterator[IO[bytes]]:
        """What came so far, to add to; nobody else does meanwhile."""
        empty = False
        try:
            with self._half.open("a+b") as part:
                self._lock(part)
                try:
                    yield part
                finally:
                    empty = not part.seek(0, 2)
        finally:
            if empty:
                with suppress(OSError):
                    self._half.unlink()

    def _lock(self, part: IO[bytes]) -> None:
        try:
            from fcntl import LOCK_EX, LOCK_NB, flock

            flock(part, LOCK_EX | LOCK_NB)
        except ImportError:
            pass  # Windows: two at once would spoil it, and its MD5 would tell
        except BlockingIOError:
            raise Refused(
                f"another dsmrctl is fetching {self._path.name}", hint="wait until it is done"
            ) from None

    def _once(self, part: IO[bytes]) -> bytes:
        so_far = part.seek(0, 2)
        mark = self._mark() if so_far else ""
        headers = {"User-Agent": f"dsmrctl/{__version__}"}
        if mark:
            headers |= {"Range": f"bytes={so_far}-", "If-Range": mark}
        request = urllib.request.Request(self._url, headers=headers)
        try:
            answer = self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and mark:
                    self._forget(part)
                    raise _BrokeOff("what was here already is of another file") from None
                raise self._answered(error.code) from None
        except urllib.error.URLError as error:
            raise self._unreached(_words(error.reason, self._timeout), so_far) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            # A ValueError is an address that it was led to and that is none.
            raise self._unreached(_words(error, self._timeout), so_far) from None
        with answer:
            return self._taken(answer, part, so_far, mark)

    def _taken(
        self, answer: http.client.HTTPResponse, part: IO[bytes], so_far: int, mark: str
    ) -> bytes:
        """The whole file, from what was here and what this answer adds."""
        its_mark = _mark_of(answer)
        start = 0
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            at = re.match(r"bytes ([0-9]{1,9})-", answer.headers.get("Content-Range", ""))
            if not mark or at is None or int(at[1]) != so_far or its_mark not in ("", mark):
                self._forget(part)
                raise _BrokeOff("the server sent another part than was asked for")
            start = so_far
        elif answer.status != HTTPStatus.OK:
            raise self._answered(answer.status)
        if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise self._page()
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if re.fullmatch("[0-9]{1,12}", length) else 0
        if total > self._most:
            raise self._bad(f"{total} bytes; it has at most {self._most}")
        if self._progress:
            self._progress.total = total
            self._progress.to(start)
        done = start
        while piece := self._piece(answer, done):
            if done == 0 and not piece.startswith(self._begins):
                # Only now: what was here is better than what is no such file.
                raise self._page() if piece.lstrip()[:1] == b"<" else self._bad("not that file")
            if done == start == 0:
                self._forget(part)
                self._remember(its_mark)
            done += len(piece)
            if done > self._most:
                self._forget(part)
                raise self._bad(f"more than {self._most} bytes")
            part.write(piece)
            if self._progress:
                self._progress.to(done)
        part.flush()
        if done < total or done == 0:
            raise _BrokeOff(f"the answer broke off after {done} of {total} bytes")
        part.seek(0)
        return part.read()

    def _piece(self, answer: http.client.HTTPResponse, done: int) -> bytes:
        if time.monotonic() > self._until:
            raise self._unreached(f"too slow: not done in {_LONGEST * self._timeout:g} s", done)
        try:
            return answer.read1(_PIECE)
        except TimeoutError as error:
            raise self._unreached(_words(error, self._timeout), done) from None
        except (OSError, http.client.HTTPException):
            return b""  # as when the other side just ends

    def _mark(self) -> str:
        """What the server called the version that is half here; "" when that is not known."""
        try:
            about = json.loads(self._about.read_bytes())
            return str(about["mark"]) if about["url"] == self._url else ""
        except (OSError, ValueError, LookupError, TypeError):
            return ""

    def _remember(self, mark: str) -> None:
        self._about.write_text(json.dumps({"url": self._url, "mark": mark}), "utf-8")

    def _forget(self, part: IO[bytes]) -> None:
        part.truncate(0)
        self._about.unlink(missing_ok=True)

    def _answered(self, code: int) -> DsmrError:
        """What an answer that is not the file means."""
        words = f"{code} {HTTPStatus(code).phrase}" if code in _CODES else str(code)
        if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return NotFound(f"{self._url} is not there ({words})", hint=_OTHERWISE)
        if 300 <= code < 400:
            return _leads_away(self._url, "on elsewhere")
        if code >= 500:
            return NoAnswer(
                f"{self._url} cannot be had now ({words})", hint=f"try later; or {_OTHERWISE}"
            )
        return Refused(f"{self._url} was refused ({words})", hint=_OTHERWISE)

    def _bad(self, why: str) -> BadData:
        return BadData(f"{self._url}: {why}", hint=_OTHERWISE)

    def _page(self) -> BadData:
        return BadData(
            f"{self._url}: a web page came in place of the file",
            hint="a network that wants you to log in first? Open that address in a browser;\n"
            f"or {_OTHERWISE}",
        )

    def _unreached(self, why: str, so_far: int) -> NoAnswer:
        again = "run it again: it goes on from there\n" if so_far else ""
        return NoAnswer(
            f"cannot fetch {self._url}: {why}",
            hint=f"{again}without a network: put that file at {self._path},\n"
            "or name it: --base FILE",
        )


_CODES = {status.value for status in HTTPStatus}


def _leads_away(url: str, where: str) -> Refused:
    return Refused(f"{url} leads {where}, which is not followed", hint=_OTHERWISE)


def _mark_of(answer: http.client.HTTPResponse) -> str:
    """What names this version of the file for If-Range: a strong ETag, else its date."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _words(error: object, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {timeout:g} s"
    return safe(getattr(error, "strerror", None) or error)
