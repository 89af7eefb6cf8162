"""The board's reading of telegrams: line by line from small slices, never a whole one in memory.

The frame of a telegram and its CRC: DSMR P1 5.0.2, chapter 6.2.
"""

from .cosem import BLANK, Objects
from .crc16 import crc16

# 13 months of peaks take 580 bytes. A longer line is summed and passed over.

LINE = 768
# A message may hold 2048 characters; this much without an end is no telegram.
MOST_BYTES = 16384


class TelegramReader:
    """Reads telegrams from slices; `objects` is what the last good one told.

    It stays as it is until the next good one, and is filled again after that: copy what you keep.
    """

    def __init__(self):
        self.good = 0
        self.bad_crc = 0
        self.cut = 0  # a new telegram began inside one
        self.too_long = 0
        self.garbage = 0  # bytes outside telegrams
        self._line = bytearray(LINE)
        self._view = memoryview(self._line)
        self.objects = Objects()
        self._next = Objects()
        self._begin()
        self._inside = False

    @property
    def bad(self) -> int:
        """Telegrams that were dropped, for whatever reason."""
        return self.bad_crc + self.cut + self.too_long

    @property
    def values(self) -> dict[str, int | None]:
        """What the last good telegram told: {name of cosem.NAMES: integer or None}."""
        return self.objects.values

    def feed(self, buf: bytes | bytearray | memoryview, n: int | None = None) -> int:
        """Take the first `n` bytes (None: all) of `buf`; how many good telegrams ended in them."""
        if n is None:
            n = len(buf)
        view = memoryview(buf)
        if isinstance(buf, memoryview):
            buf = bytes(buf[:n])  # a view cannot be searched
        ended = start = 0
        while start < n:
            if not self._inside:
                found = buf.find(b"/", start, n)
                self.garbage += (n if found < 0 else found) - start
                if found < 0:
                    break
                self._begin()
                start = found
            end = buf.find(b"\n", start, n)
            stop = n if end < 0 else end + 1
            self._keep(view[start:stop], stop - start)
            start = stop
            if end >= 0 and self._inside:
                ended += self._end_line()
        return ended

    def _begin(self):
        self._next.clear()
        self._inside = self._header = True
        self._crc = 0
        # The CRC as if each line ended in CR LF; None until one does not (something on the way
        # took the CR out, the meter never does).
        self._crlf = None
        self._length = self._bytes = 0
        # In a line that starts with "!", only that byte counts in the CRC, until it is told to be
        # no end but part of a message.
        self._closing = False
        # A bracket is open: the line that comes goes on with a message.
        self._open = False
        # 1 when there was an end whose CRC did not hold, which a message may have told.
        self._failed = 0

    def _keep(self, part, n):
        """Add to the line and the CRC."""
        length = self._length
        if length == 0 and part[0] == 33:  # !
            self._closing = True
            self._sum(part, 1, 0)
        elif not self._closing:
            self._sum(part, n, self._line[length - 1] if 0 < length <= LINE else 0)
        if length + n <= LINE:
            self._view[length : length + n] = part
        elif self._header:
            # No header is that long: noise that held a "/".
            self.garbage += length + n
            self._inside = False
        self._length = length + n
        self._bytes += n
        if self._bytes > MOST_BYTES and self._inside:
            self.too_long += 1 - self._failed
            self._inside = False

    def _sum(self, part, n, before):
        """Add to the CRC; `before` is the byte ahead of `part`."""
        if n > 1:
            before = part[n - 2]
        bare = part[n - 1] == 10 and before != 13
        if bare or self._crlf is not None:
            crc = self._crc if self._crlf is None else self._crlf
            crc = crc16(part, n - 1 if bare else n, crc)
            self._crlf = crc16(b"\r\n", 2, crc) if bare else crc
        self._crc = crc16(part, n, self._crc)

    def _end_line(self):
        """A line is complete; 1 when with it a good telegram is."""
        n = self._length
        self._length = 0
        if n > LINE:
            self._closing = False
            return 0
        line = self._line
        whole = n
        while n and line[n - 1] in BLANK:
            n -= 1
        ended = 0
        if self._closing:
            self._closing = False
            ended = self._end(n, whole)
        first = self._header
        self._header = False
        begun = -1
        if ended or not self._open or self._failed:
            begun = _header(line, 1 if first else 0, n, self._open)
        if begun >= 0:
            # The telegram before was cut in mid-line, or there was noise with a "/", or the end
            # of the line behind its CRC was lost.
            if first:
                self.garbage += begun
            elif not ended:
                self.cut += 1 - self._failed
            self._begin()
            self._sum(self._view[begun:whole], whole - begun, 0)
            self._header = False
        elif not first and not ended:
            opened = line.rfind(b"(", 0, n)
            closed = line.rfind(b")", 0, n)
            if opened != closed:
                self._open = opened > closed
            self._next.read(line, self._view, n)
        return ended

    def _end(self, n, whole):
        """A line that starts with "!" and the CRC, in capitals or not: 1 when that holds.

        Else it belongs to a message, or a byte fell over, and the next header will tell which.
        """
        try:
            # Without digits it is the end of a telegram that has no CRC, which cannot be trusted.
            sent = int(bytes(self._view[1 : min(n, 5)]) or b"-1", 16)
        except ValueError:
            sent = None
        if sent is None or (sent != self._crc and sent != self._crlf):
            self._sum(self._view[1:whole], whole - 1, 33)
            if sent is not None and not self._failed:
                self._failed = 1
                self.bad_crc += 1
            return 0
        self._inside = False
        self.bad_crc -= self._failed
        self._next.finish()
        self.objects, self._next = self._next, self.objects
        self.good += 1
        return 1


def _header(line, a, n, inside_message):
    """Where in the line a header starts ("/", three letters, a digit), or -1."""
    p = line.find(b"/", a, n)
    while p >= 0:
        # An object's line ends with a bracket, so a "/" in its text starts nothing.
        if p + 4 < n and 48 <= line[p + 4] <= 57:
            if line[n - 1] != 41 or (p == 0 and not inside_message):
                if bytes(line[p + 1 : p + 4]).isalpha():
                    return p
        p = line.find(b"/", p + 1, n)
    return -1
