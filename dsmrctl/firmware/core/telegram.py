"""The board's reading of telegrams: line by line from small slices, never a whole one in memory.

The frame of a telegram and its CRC: DSMR P1 5.0.2, chapter 6.2.
"""

from .cosem import Objects
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
            self.too_long += 1
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
        while n and line[n - 1] in b"\r\n":
            n -= 1
        if self._closing:
            self._closing = False
            sent = _hex(line, 1, n)
            if sent is None:
                # A line of a message that happens to start with "!".
                self._sum(self._view[1:whole], whole - 1, 33)
                return 0
            return self._end(sent)
        first = self._header
        self._header = False
        begun = _header(line, 1 if first else 0, n)
        if begun >= 0:
            # The telegram before was cut in mid-line, or there was noise with a "/".
            if first:
                self.garbage += begun
            else:
                self.cut += 1
            self._begin()
            self._sum(self._view[begun:whole], whole - begun, 0)
            self._header = False
        elif not first:
            self._next.read(line, self._view, n)
        return 0

    def _end(self, sent):
        self._inside = False
        if sent != self._crc and sent != self._crlf:
            self.bad_crc += 1
            return 0
        self._next.finish()
        self.objects, self._next = self._next, self.objects
        self.good += 1
        return 1


def _hex(line, a, z):
    """The CRC as sent, in capitals or not, its leading zeros or not; None when it is none."""
    while z > a and line[z - 1] == 32:
        z -= 1
    if not a < z <= a + 4:
        return -1 if a == z else None
    value = 0
    for i in range(a, z):
        c = line[i] | 32
        if 48 <= c <= 57:
            value = value << 4 | c - 48
        elif 97 <= c <= 102:
            value = value << 4 | c - 87
        else:
            return None
    return value


def _header(line, a, n):
    """Where in the line a header starts ("/", three letters, a digit), or -1."""
    p = line.find(b"/", a, n)
    while p >= 0:
        # An object's line ends with a bracket, so a "/" in its text starts nothing.
        if p + 4 < n and 48 <= line[p + 4] <= 57 and (p == 0 or line[n - 1] != 41):
            if bytes(line[p + 1 : p + 4]).isalpha():
                return p
        p = line.find(b"/", p + 1, n)
    return -1
