"""Encrypted telegrams, as Luxembourg's meters send them (Smarty, P1 specification, chapter 3).

A frame is `DB 08 title(8) length 30 counter(4) ciphertext tag(12)`: AES-128-GCM over a telegram,
with title and counter as IV and `30 00112233445566778899AABBCCDDEEFF` authenticated beside it.
The grid operator gives each household its own key, 32 hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dsmrctl import errors, keys

if TYPE_CHECKING:
    from dsmrctl.telegram.framing import Framer, Reason, Reject
    from dsmrctl.telegram.telegram import Telegram

# The length (of all that follows it) is BER: one byte below 0x80, or 0x81 and one, 0x82 and two.
_FRAME = re.compile(rb"(?s)\xdb\x08(.{8})(?:\x82(..)|\x81(.)|([\x00-\x7f]))(?=\x30)")
_HEADER = 14  # the longest of these, the 0x30 included
_TAG = 12
_BESIDE = bytes.fromhex("30 00112233445566778899AABBCCDDEEFF")
_VARIABLE = "DSMRCTL_METER_KEY"


class WrongKey(errors.BadData):
    """The key opens none of the meter's frames."""


def looks_encrypted(data: bytes) -> bool:
    """Whether an encrypted frame begins somewhere in `data`."""
    return _FRAME.search(data) is not None


def key_is_needed() -> errors.DsmrError:
    """What to raise when encrypted frames come and there is no key."""
    return errors.UsageError(
        "this meter's telegrams are encrypted (Luxembourg)",
        hint="give the key (32 hexadecimal digits) with --meter-key-file FILE or "
        f"{_VARIABLE}; the grid operator tells it for your meter",
    )


def read_key(file: str | None = None, stdin: keys.Bytewise | None = None) -> bytes | None:
    """The key: from `file` (`-` is standard input), else from DSMRCTL_METER_KEY; None without.

    16 bytes. Raises UsageError, NotFound or Refused; what was read is never part of the error.
    """
    text = keys.read(file, _VARIABLE, "meter key", stdin)
    if text is None:
        return None
    digits = re.sub(rb"[\s:-]", b"", text)
    if not re.fullmatch(rb"[0-9A-Fa-f]{32}", digits):
        raise errors.UsageError(
            f"the meter key in {keys.place(file, _VARIABLE)} is not 32 hexadecimal digits",
            hint=f"{len(digits)} characters are there; it looks like 0123…CDEF, without 0x",
        )
    return bytes.fromhex(digits.decode())


def unseal(title: bytes, sealed: bytes, key: bytes) -> bytes | None:
    """The telegram in a frame; None when the tag does not hold (wrong key, or damage).

    `title` is the meter's 8 bytes, `sealed` all from 0x30 to the tag.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    counter, text, tag = sealed[1:5], sealed[5:-_TAG], sealed[-_TAG:]
    mode = modes.GCM(title + counter, tag, min_tag_length=_TAG)
    opener = Cipher(algorithms.AES(key), mode).decryptor()
    opener.authenticate_additional_data(_BESIDE)
    try:
        return opener.update(text) + opener.finalize()
    except InvalidTag:
        return None


class Unsealer:
    """A Framer's work on a stream with encrypted frames; telegrams in plain text are taken too.

    A frame's rejects have the frame's place in the stream as offset. Raises WrongKey when two
    frames (at the end of the input: one) did not open and none did.
    """

    def __init__(self, key: bytes, limit: int, offset: int = 0) -> None:
        self._key = key
        self._limit = limit
        self._offset = offset  # in the stream, of the buffer's first byte
        self._buffer = b""
        self._plain = self._framer(offset)
        self._opened = 0
        self._failed = 0
        self._found: list[Telegram | Reject] = []

    def feed(self, data: bytes) -> Iterator[Telegram | Reject]:
        self._buffer += data
        return self._go(closed=False)

    def close(self) -> Iterator[Telegram | Reject]:
        return self._go(closed=True)

    def _framer(self, offset: int) -> Framer:
        from dsmrctl.telegram.framing import Framer

        return Framer(self._limit, offset=offset)

    def _go(self, closed: bool) -> Iterator[Telegram | Reject]:
        while self._step(closed):
            pass
        if closed:
            self._found += self._plain.close()
        if not self._opened and self._failed >= (1 if closed else 2):
            raise WrongKey(
                "the key opens none of this meter's frames",
                hint="the key belongs to one meter: compare its serial number with the letter's",
            )
        found, self._found = self._found, []
        return iter(found)

    def _step(self, closed: bool) -> bool:
        """Take what is complete at the front of the buffer; False: more bytes are needed."""
        match = self._header(0)
        if match is None:
            size = len(self._buffer)
            partial = self._buffer.find(b"\xdb", max(0, size - _HEADER + 1))
            self._pass_on(size if closed or partial < 0 else partial)
            return False
        self._pass_on(match.start())
        end = match.end() - match.start() + _size(match)
        size = len(self._buffer)
        if end > size and not closed:
            return False
        text = None
        if end <= size:
            text = unseal(match[1], self._buffer[end - _size(match) : end], self._key)
        if text is None:
            # Bytes were lost when the next frame begins inside this one; its header may go on
            # behind the end.
            if size < end + _HEADER and not closed:
                return False
            following = self._header(1)
            if following is not None and following.start() < end:
                self._reject("truncated", following.start())
            elif end > size:
                self._reject("truncated", size)
            else:
                self._reject("crc", end)
            self._failed += end <= size
            return True
        self._opened += 1
        self._found += self._plain.close()
        inner = self._framer(0)
        self._found += (self._placed(item) for item in [*inner.feed(text), *inner.close()])
        self._drop(end)
        self._plain = self._framer(self._offset)
        return True

    def _header(self, start: int) -> re.Match[bytes] | None:
        """The first frame of a possible length that begins from `start` on."""
        match = _FRAME.search(self._buffer, start)
        while match is not None and not 17 < _size(match) <= self._limit + 17:
            # The mark may stand by chance right before a real one: go on a byte further.
            match = _FRAME.search(self._buffer, match.start() + 1)
        return match

    def _placed(self, item: Telegram | Reject) -> Telegram | Reject:
        from dsmrctl.telegram.framing import Reject

        return item._replace(offset=self._offset) if isinstance(item, Reject) else item

    def _pass_on(self, size: int) -> None:
        """Bytes of no frame."""
        if size:
            self._found += self._plain.feed(self._buffer[:size])
            self._drop(size)

    def _reject(self, reason: Reason, size: int) -> None:
        from dsmrctl.telegram.framing import Reject

        self._found += self._plain.close()
        self._found.append(Reject(reason, self._offset, self._buffer[:size]))
        self._drop(size)
        self._plain = self._framer(self._offset)

    def _drop(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self._offset += size


def _size(match: re.Match[bytes]) -> int:
    return int.from_bytes(match[2] or match[3] or match[4], "big")
