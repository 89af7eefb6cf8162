"""Improv over serial: how a computer on the cable gives a board its network. Both ends use this.

A board has it in memory only while it may be asked. https://www.improv-wifi.com/serial/
"""

HEAD = b"IMPROV\x01"
# A datagram is the head, its type, a length, so much data, and the low byte of the sum of all that.
STATE, ERROR, RPC, RESULT = 1, 2, 3, 4
# The data of a request or result is a command, a length, and texts, each behind its own length.
WIFI, CURRENT, INFO, SCAN = 1, 2, 3, 4
READY, JOINING, JOINED = 2, 3, 4
NONE, MALFORMED, UNKNOWN, NOT_JOINED, BUSY = 0, 1, 2, 3, 255


class Reader:
    """Finds the datagrams among whatever else is on the line; never raises, holds < 300 bytes."""

    def __init__(self):
        self.held = b""

    def feed(self, data) -> list:
        """The (type, data) of every datagram that is complete with these bytes, or this byte."""
        found = []
        if isinstance(data, int):
            data = bytes((data,))
        for at in range(0, len(data), 32):
            self.held += bytes(data[at : at + 32])
            self._take(found)
        return found

    def quiet(self) -> list:
        """What a datagram that was cut off kept back: for a line that has been silent a while.

        Not sooner: a network's name may hold a whole datagram, which is nobody's word.
        """
        found = []
        while self.held:
            self.held = self.held[1:]
            self._take(found)
        return found

    def _take(self, found):
        held = self.held
        at = 0
        while at < len(held):
            if not HEAD.startswith(held[at : at + 7]):
                at = held.find(b"I", at + 1)
                if at < 0:
                    at = len(held)
                continue
            end = at + 9 + held[at + 8] if at + 8 < len(held) else len(held)
            if end >= len(held):
                break
            if sum(held[at:end]) & 255 == held[end]:
                found.append((held[at + 7], held[at + 9 : end]))
                at = end + 1
            else:
                # Damaged or cut off: another may begin within it.
                at += 1
        self.held = held[at:]


def build(kind: int, data: bytes) -> bytes:
    """A datagram on lines of its own, as others' readers want it; at most 255 bytes of data."""
    if len(data) > 255:
        raise ValueError("too long")
    text = HEAD + bytes((kind, len(data))) + data
    return b"\n" + text + bytes((sum(text) & 255, 10))


def result(command: int, texts, kind: int = RESULT) -> bytes:
    """The datagram of a result, or with RPC of a request, of these texts (str or bytes)."""
    data = b""
    for text in texts:
        if isinstance(text, str):
            text = text.encode()
        data += bytes((len(text),)) + text
    return build(kind, bytes((command, len(data))) + data)


def strings(data: bytes):
    """The texts in a request or result, as bytes; None when their lengths are not right."""
    if len(data) < 2 or data[1] != len(data) - 2:
        return None
    texts = []
    at = 2
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            return None
        texts.append(data[at + 1 : end])
        at = end
    return texts


def answer(kind: int, data: bytes, board):
    """What a board sends for a datagram it heard, piece by piece.

    `board`: url() -> "" without a network; joining() -> whether one is being tried; info() ->
    (firmware, version, chip, name); scan() -> [(ssid, dBm, secure)]; join(ssid, password) -> False
    when these cannot be right. Is that known, the board sends `joined`.
    """
    if kind != RPC:
        return  # a board's own words, echoed
    command = data[0] if data else 0
    if len(data) < 2 or data[1] != len(data) - 2:
        yield _error(MALFORMED)
    elif command == WIFI:
        texts = strings(data)
        try:
            ssid, password = [text.decode() for text in texts]
        except (TypeError, ValueError):
            yield _error(MALFORMED)
            return
        if not 0 < len(texts[0]) < 33:
            yield _error(MALFORMED)
        elif board.joining():
            yield _error(BUSY)
        elif board.join(ssid, password):
            yield _error(NONE)
            yield _state(JOINING)
        else:
            yield _error(NOT_JOINED)
    elif command == CURRENT:
        url = board.url()
        yield _state(JOINING if board.joining() else JOINED if url else READY)
        if url and not board.joining():
            yield result(CURRENT, (url,))
    elif command == INFO:
        yield result(INFO, board.info())
    elif command == SCAN:
        for ssid, rssi, secure in board.scan():
            yield result(SCAN, (ssid, str(rssi), "YES" if secure else "NO"))
        yield result(SCAN, ())
    else:
        yield _error(UNKNOWN)


def joined(url: str) -> bytes:
    """What a board sends when the network it tried took it, or (url is "") did not."""
    if url:
        return _state(JOINED) + result(WIFI, (url,))
    return _error(NOT_JOINED) + _state(READY)


def _state(number):
    return build(STATE, bytes((number,)))


def _error(number):
    return build(ERROR, bytes((number,)))
