"""What the beginning and the end of a telegram look like; what is known of an open beginning."""

from __future__ import annotations

import re

from dsmrctl.telegram import crc

HEADER = re.compile(rb"/[A-Za-z]{3}")
# IEC 62056-21 forbids / and ! in the identification; after it comes an empty line or an object.
WHOLE_HEADER = re.compile(rb"/[A-Za-z]{3}[ \"-'*-.0-~]{0,64}\r?\n(?:\r?\n|[0-9])")
# At the start of a line (four bytes back), else whole. The "/" in front makes the search fast.
BEGIN = re.compile(
    rb"(?s:/[A-Za-z]{3}(?:(?<![^\r\n\x00\xff]....)|"
    + WHOLE_HEADER.pattern.removeprefix(HEADER.pattern)
    + rb"))"
)
# What a telegram consists of: an OBIS code at the start of a line, and a bracket.
OBJECT = re.compile(rb"[\r\n][0-9]{1,3}-[0-9]{1,3}:[0-9.:*]{5,20}\(")
_LONGEST_CODE = 32
LINE_END = re.compile(rb"[\r\n]")
END = re.compile(rb"!([0-9A-Fa-f]{0,4})[ \t\x00\xff]{0,8}(\r\n|\n|\r)?")


class Beginning:
    """An open beginning and what is known of the bytes from it on.

    CRC and brackets run on from end mark to end mark, so that many marks cost no more than few.
    """

    __slots__ = (
        "at",
        "bare",
        "checked",
        "counted",
        "crc",
        "crlf",
        "depth",
        "end",
        "inside",
        "looked",
        "object",
        "opened",
    )

    def __init__(self, at: int) -> None:
        self.at = at
        self.end = 0  # behind the last end mark before the next beginning
        self.checked = at  # `crc` is of the bytes up to here
        self.crc = 0
        self.crlf = 0  # the CRC with bare line feeds counted as CR LF
        self.bare = True  # no CR yet
        self.counted = at  # and the brackets are of those up to here
        self.opened = 0
        self.depth = 0
        self.inside = False  # the last bracket is an opening one
        self.looked = at  # and an object was looked for up to here
        self.object = False

    def holds(self, buffer: bytes, upto: int, digits: bytes) -> bool:
        """Whether `digits` are the CRC from here up to `upto`."""
        piece = buffer[self.checked : upto]
        self.checked = upto
        self.crc = crc.crc16(piece, self.crc)
        self.bare = self.bare and b"\r" not in piece
        if self.bare:
            self.crlf = crc.crc16(piece.replace(b"\n", b"\r\n"), self.crlf)
        wanted = int(digits, 16)
        return self.crc == wanted or (self.bare and self.crlf == wanted)

    def balances(self, buffer: bytes, upto: int) -> bool:
        """Whether every bracket from here up to `upto` has its counterpart."""
        opened = buffer.count(b"(", self.counted, upto)
        closed = buffer.count(b")", self.counted, upto)
        if opened or closed:
            last_opened = buffer.rfind(b"(", self.counted, upto)
            self.inside = last_opened > buffer.rfind(b")", self.counted, upto)
        self.opened += opened
        self.depth += opened - closed
        self.counted = upto
        return self.depth == 0 and not self.inside

    def has_object(self, buffer: bytes, upto: int) -> bool:
        """Whether a COSEM object stands between here and `upto`; noise has none."""
        if not self.object:
            start = max(self.at, self.looked - _LONGEST_CODE)
            self.object = OBJECT.search(buffer, start, upto) is not None
            self.looked = upto
        return self.object

    def shift(self, by: int) -> None:
        self.at -= by
        self.end = max(0, self.end - by)
        self.checked -= by
        self.counted -= by
        self.looked -= by
