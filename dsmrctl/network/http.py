"""One HTTP request to something small that nobody vouches for: bounded in time and in size.

No redirect is followed, no cookie kept, nothing unpacked. `timeout` is for the whole answer, so
that who sends a byte now and then does not hold anybody up; `most` bounds its body, and all that
comes beside it (heads, chunks, trailers) in proportion.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

MOST_BYTES = 65536
"""An answer may have so many: a board's longest has 5 KB, a portal's page 20 KB."""
_HEAD_BYTES = 16384
_LATE = "its answer took too long"
_CUT = "its answer was cut off"


class Unreached(Exception):
    """No connection: nothing was asked. `refused`: a computer is there, and nothing listens."""

    def __init__(self, why: str, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class AnswerLost(Exception):
    """The request may have been heard; its answer did not come (`late`: in time), or not whole."""

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class NoHttp(Exception):
    """What answers does not speak HTTP, or without end."""


class Answer(NamedTuple):
    """Status, headers by their lower-case names, and the body's bytes."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(
    address: tuple[str, int],
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    timeout: float,
    most: int = MOST_BYTES,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """The answer to one request, within `timeout` seconds. Raises Unreached, AnswerLost, NoHttp."""
    import http.client

    end = clock() + timeout
    line = _reached(address, timeout)
    connection = http.client.HTTPConnection(*address)
    with line, closing(connection):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held: Any = _Deadline(line, end, clock, most)
        connection.sock = held
        _ask(connection, method, path, body, {"Connection": "close"} | (headers or {}))
        try:
            answer = connection.getresponse()
            # http.client takes the end of the connection for the end of the head, and of the body.
            whole = not held.ended
            content = answer.read(most + 1)
            answer.close()
        except TimeoutError:
            raise AnswerLost(_LATE, late=True) from None
        except (OSError, http.client.IncompleteRead):  # RemoteDisconnected is an OSError
            raise AnswerLost(_CUT) from None
        except (http.client.HTTPException, ValueError):
            raise NoHttp("it does not speak HTTP") from None
    if len(content) > most:
        raise _endless(most)
    if answer.length or not whole:
        raise AnswerLost(_CUT)
    found = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, found, content)


def _reached(address: tuple[str, int], timeout: float) -> socket.socket:
    try:
        return socket.create_connection(address, timeout=timeout)
    except TimeoutError:
        raise Unreached("no answer") from None
    except ConnectionRefusedError:
        raise Unreached("connection refused", refused=True) from None
    except OSError as error:
        raise Unreached((error.strerror or str(error)).lower()) from None


def _ask(connection: Any, method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    try:
        connection.request(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
        pass  # it does not want the rest of the body, and may have said why before it closed
    except TimeoutError:
        raise AnswerLost("it took too long to take what it was sent", late=True) from None
    except OSError:
        raise AnswerLost(_CUT) from None


def _endless(most: int) -> NoHttp:
    return NoHttp(f"its answer has more than {most // 1024} KB")


class _Deadline:
    """A socket for http.client on which all reading and writing together ends in time.

    ended: the other side has closed.
    """

    def __init__(
        self, line: socket.socket, end: float, clock: Callable[[], float], most: int
    ) -> None:
        self.ended = False
        self._line = line
        self._end = end
        self._clock = clock
        self._most = most
        self._left = 2 * most + _HEAD_BYTES

    def _wait(self) -> socket.socket:
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
        return self._line

    def sendall(self, data: Any) -> None:
        self._wait().sendall(data)

    def take(self, buffer: Any) -> int:
        """What came, into `buffer`. Raises TimeoutError, NoHttp when it has no end."""
        if self._left <= 0:
            raise _endless(self._most)
        size = self._wait().recv_into(buffer)
        self._left -= size
        self.ended = not size
        return size

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self.take))

    def close(self) -> None:
        """Not yet: http.client closes it when the body is still to come."""


class _Incoming(io.RawIOBase):
    def __init__(self, take: Callable[[Any], int]) -> None:
        self._take = take

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._take(buffer)
