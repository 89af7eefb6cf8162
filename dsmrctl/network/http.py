"""One HTTP request to something small that nobody vouches for: bounded in time and in size.

No redirect is followed, no cookie kept, nothing unpacked. `timeout` is for the whole answer, so
that who sends a byte now and then does not hold anybody up.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

MOST_BYTES = 65536
"""An answer may have so many: a board's longest has 5 KB, a portal's page 20 KB."""


class Unreached(Exception):
    """No connection: nothing was asked."""


class AnswerLost(Exception):
    """The request may have been heard; its answer did not come, or not whole."""


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
    try:
        line = socket.create_connection(address, timeout=timeout)
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        raise Unreached(reason or str(error)) from None
    connection = http.client.HTTPConnection(*address)
    with line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held: Any = _Deadline(line, end, clock)
        connection.sock = held
        try:
            connection.request(method, path, body, {"Connection": "close"} | (headers or {}))
            answer = connection.getresponse()
            content = answer.read(most + 1)
            answer.close()
        except OSError:  # RemoteDisconnected is one too
            raise AnswerLost("its answer was cut off, or took too long") from None
        except http.client.IncompleteRead:
            raise AnswerLost("its answer was cut off") from None
        except (http.client.HTTPException, ValueError):
            raise NoHttp("it does not speak HTTP") from None
        finally:
            connection.close()
    if len(content) > most:
        raise NoHttp(f"its answer has more than {most // 1024} KB")
    # http.client takes the end of the connection for the end of the head, and of the body.
    if answer.length:
        raise AnswerLost("its answer was cut off")
    found = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, found, content)


class _Deadline:
    """A socket for http.client on which all reading and writing together ends in time."""

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
