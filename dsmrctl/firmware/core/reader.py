"""What an interface reads each second: telegrams, from slices of what the P1 port sends.

It stays in memory for as long as a board runs, so it is compact: what is rare is in `history`, what
is convenient in `telegram`. The frame of a telegram and its CRC: DSMR P1 5.0.2, chapter 6.2; the
objects: eMUCS-P1 chapter 5, DSMR P1 chapter 6.
"""

from binascii import unhexlify

# Of a longer line only a history is read, in pieces; of the rest the CRC is kept.
LINE = 256
# A message may hold 2048 characters; this much without an end is no telegram.
MOST_BYTES = 16384
# What may stand around a line.
BLANK = b" \t\r\n\0\xff"
UNSET = -(1 << 30)  # a stamp that is no date: older than all

# The first eight bytes of the codes, in the order of `told` (names: telegram.NAMES), then others.
# Places: registers 0 to 3, powers 4 and 5, quarter 6, month peak 7, phases 8 to 19, tariff 20,
# version 21, time 22 (then its offset 23, the month peak's time 24, gas 25, water 26).
_CODES = (
    b":1.8.1( :1.8.2( :2.8.1( :2.8.2( :1.7.0( :2.7.0( :1.4.0( :1.6.0( "
    b":21.7.0(:41.7.0(:61.7.0(:22.7.0(:42.7.0(:62.7.0("
    b":32.7.0(:52.7.0(:72.7.0(:31.7.0(:51.7.0(:71.7.0("
    b":96.14.0:96.1.4(:1.0.0( "
    # 23 history, 24 serial number; 25 to 27 a channel's medium and its reading.
    b":98.1.0(:96.1.1(:24.1.0(:24.2.1(:24.2.3("
)
# In `told` 27 is the serial number, as sent; then medium, time and reading of channels 1 to 4.
_SERIAL = 27
_PLACES = 40


def crc16(data, crc=0):
    """CRC-16/ARC of `data`, going on from `crc`; by parity, since a table costs heap."""
    for c in data:
        c = (c ^ crc) & 255
        crc = crc >> 8 ^ c << 6 ^ c << 7
        if 0x6996 >> ((c ^ c >> 4) & 15) & 1:
            crc ^= 0xC001
    return crc


def moment(date, time):
    """Seconds since 2020-01-01 00:00 of YYMMDD and hhmmss as numbers, None when there is no such."""
    year = date // 10000
    month = date // 100 % 100
    day = date % 100
    hour = time // 10000
    minute = time // 100 % 100
    time %= 100
    # How much shorter than 30 days February is.
    short = 2 if year % 4 else 1
    if (
        # In 2054 the chip's small integers end.
        year > 53
        or not 1 <= month <= 12
        or not 1 <= day <= (30 - short if month == 2 else 30 + (month + (month >> 3) & 1))
        or hour > 23
        or minute > 59
        or time > 59
    ):
        return None
    if month > 2:
        day -= short
    # The months before by a line through their lengths, were February one of 30 days; 2020-01-01
    # is day 7305.
    day += year * 365 + (year + 3) // 4 + (367 * month - 362) // 12 - 7306
    return day * 86400 + hour * 3600 + minute * 60 + time


def stamp(text):
    """YYMMDDhhmmssX as seconds of the local clock; UNSET for no such date, None for no stamp.

    Some leave out the X, which is S in summer and W in winter.
    """
    if not 12 <= len(text) <= 13 or not text[:12].isdigit() or text[12:] not in b"SW":
        return None
    when = moment(int(text[:6]), int(text[6:12]))
    # A clock that was never set starts in 2000.
    return UNSET if when is None or text[:2] == b"00" else when


def number(text, kind):
    """`text` as an integer, halves away from zero; None when it is no number in that unit.

    kind: 0 W, 1 V (in tenths), 2 A (in hundredths), 3 m3 (in thousandths), 4 Wh, 8 without a unit.
    """
    places = kind % 4
    unit = b"w v a m3wh"[kind * 2 : kind * 2 + 2].strip()
    parts = text.split(b"*", 1)
    sign = 1
    text = parts[0]
    if text[:1] == b"-":
        sign = -1
        text = text[1:]
    figures = text.split(b".", 1)
    text = b"".join(figures)
    # A point has figures on both sides.
    if not text.isdigit() or len(text) > 12 or b"" in figures:
        return None
    places -= len(text) - len(figures[0])
    value = int(text)
    if len(parts) > 1:
        text = parts[1].lower()
        if text[:1] == b"k" and not kind % 4:
            places += 3
            text = text[1:]
        if not unit or text != unit:
            return None
    elif unit and value:
        # Only zero is the same in every unit.
        return None
    if places < 0:
        places = 10**-places
        return (value + places // 2) // places * sign
    return value * 10**places * sign


class Reader:
    """Reads telegrams from slices; `told` is what the last good one said, by place, else None.

    In whole units: Wh, W, 0.1 V, 0.01 A, dm3; time in seconds since 2020-01-01 00:00 of the
    meter's clock, offset in hours before UTC. The list is filled again later: copy what you keep.
    """

    def __init__(self):
        self.good = self.bad_crc = self.too_long = 0
        self.cut = 0  # a new telegram began inside one
        self.garbage = 0  # bytes outside telegrams
        self.told = [None] * _PLACES
        self._next = [None] * _PLACES
        # The months' peaks for history.peaks(), None when the meter does not tell them. They are
        # long, so only read when `wanted`: 1 from the next good telegram, 2 from every one.
        self.peaks = None
        self.wanted = 1
        self._begin()
        self._inside = 0

    def _begin(self):
        for i in range(_PLACES):
            self._next[i] = None
        self._months = None
        self._line = b""
        # 1 in the header, 2 behind it.
        self._inside = 1
        # The second CRC is as if each line ended in CR LF; None until one does not (something on
        # the way took the CR out, the meter never does).
        self._crc = self._bytes = 0
        self._crlf = None
        # Of the line that is too long, 2 when it is the history.
        self._long = 0
        # A bracket is open: the line that comes goes on with a message.
        self._open = False
        # 1 when there was an end whose CRC did not hold, which a message may have told.
        self._failed = 0

    def feed(self, buf, n):
        """Take the first `n` bytes of `buf`; how many good telegrams ended in them."""
        buf = bytes(memoryview(buf)[:n])
        good = self.good
        start = 0
        while start < n:
            if not self._inside:
                end = buf.find(b"/", start)
                if end < 0:
                    end = n
                self.garbage += end - start
                if end == n:
                    break
                self._begin()
                start = end
            end = buf.find(b"\n", start) + 1 or n
            line = self._line = self._line + buf[start:end]
            self._bytes += end - start
            start = end
            if len(line) > LINE:
                if self._inside == 1:
                    # No header is that long: noise that held a "/".
                    self.garbage += len(line)
                    self._inside = 0
                    continue
                self._spill(line)
            if self._bytes > MOST_BYTES:
                self.too_long += 1 - self._failed
                self._inside = 0
            elif buf[end - 1] == 10:
                self._end_line()
        return self.good - good

    def _spill(self, line):
        """Only the end of a line that is too long is kept: from its last bracket on."""
        end = max(line.rfind(b")"), len(line) - 64)
        self._line = line[end:]
        line = line[:end]
        self._sum(line)
        if not self._long:
            self._long = 1
            if line[3:11] == b":98.1.0(" and self._months is None and self.wanted:
                self._long = 2
        if self._long == 2:
            self._history(line)

    def _history(self, line):
        from . import history

        self._months = history.read(self._months, line)

    def _sum(self, line):
        """Add to the CRC, and see whether a bracket stays open."""
        crc = self._crlf
        if line.endswith(b"\n") and not line.endswith(b"\r\n"):
            self._crlf = crc16(b"\r\n", crc16(line[:-1], self._crc if crc is None else crc))
        elif crc is not None:
            self._crlf = crc16(line, crc)
        self._crc = crc16(line, self._crc)
        start = line.rfind(b"(")
        end = line.rfind(b")")
        if start != end:
            self._open = start > end

    def _end_line(self):
        line = self._line
        self._line = b""
        # Blanks before it stay, so that each byte keeps its place.
        text = line.rstrip(BLANK)
        first = self._inside == 1
        self._inside = 2
        long = self._long
        self._long = 0
        is_open = self._open
        end = False
        if line[:1] == b"!" and not long:
            # The CRC, in capitals or not. When it does not hold the line belongs to a message, or
            # a byte fell over, and the next header will tell which.
            self._sum(b"!")
            try:
                # Without digits it is the end of a telegram that has no CRC: not to be trusted.
                sent = int(text[1:5] or b"-1", 16)
            except ValueError:
                sent = None
            end = sent is not None and (sent == self._crc or sent == self._crlf)
            if end:
                self.bad_crc -= self._failed
                self._take_over()
            else:
                self._sum(line[1:])
                if sent is not None and not self._failed:
                    self._failed = 1
                    self.bad_crc += 1
        else:
            self._sum(line)
        if end or self._failed or not is_open:
            # A header: "/", three letters, a digit. An object's line ends with a bracket, so a "/"
            # in its text starts nothing.
            at = text.find(b"/", first)
            while at >= 0:
                if text[at + 4 : at + 5].isdigit() and text[at + 1 : at + 4].isalpha():
                    if text[-1:] != b")" or (at == 0 and not is_open):
                        # The telegram before was cut in mid-line, or there was noise with a "/",
                        # or the end of the line behind its CRC was lost.
                        if first:
                            self.garbage += at
                        elif not end:
                            self.cut += 1 - self._failed
                        self._begin()
                        self._inside = 2
                        self._sum(line[at:])
                        return
                at = text.find(b"/", at + 1)
        if long == 2:
            self._history(text)
        elif not (first or end or long):
            self._read(text.lstrip(BLANK))

    def _take_over(self):
        """A telegram is whole: gas and water are the newest such reading, then the first.

        So a channel goes on whose meter is gone, with its last reading or none.
        """
        values = self._next
        for medium in (3, 7):
            newest = None
            for i in range(_SERIAL + 1, _PLACES, 3):
                if values[i] == medium and values[i + 2] is not None:
                    if newest is None or values[i + 1] > newest:
                        newest = values[i + 1]
                        values[25 if medium == 3 else 26] = values[i + 2]
        self._next = self.told
        self.told = values
        if self.wanted:
            self.peaks = self._months and self._months[3]
            self.wanted &= 2
        self._inside = 0
        self.good += 1

    def _read(self, text):
        """Take in the object; what it cannot make out stays unknown and costs nothing else.

        Lines are not joined: a value that goes on in the next one stays unknown.
        """
        start = text.find(b"(") + 1
        # Any B counts for electricity (Wallonia: 1-1:1.8.1).
        if start < 9 or text[1] != 45 or text[3] != 58:
            return
        at = _CODES.find(text[3 : min(start, 11)]) >> 3
        if at < 0 or text[0] != (49 if at < 20 else 48):
            return
        if at == 23:
            if self.wanted and self._months is None:
                self._history(text)
            return
        # Only a first bracket counts, but for what may have its time beside it.
        first = text[start:].split(b")", 1)[0]
        values = self._next
        channel = text[2] - 48
        place = at
        if at == 24:
            place = _SERIAL
            if channel:
                return
        elif at > 24:
            place = 25 + 3 * channel + (at > 25) * 2
            if not 1 <= channel <= 4:
                return
        if values[place] is not None:
            return
        if at == 22:
            value = stamp(first)
            # Without its flag it is two times in October.
            if value is None or value == UNSET or len(first) < 13:
                return
            values[23] = 2 if first[12] == 83 else 1
        elif at == 24:
            value = first or None
        elif 20 <= at < 26:
            if at == 21 and len(first) == 10 and first.isdigit():
                # Since 2026 some send the version's digits in hex.
                first = unhexlify(first)
            value = number(first, 8)
        else:
            # The number and its time stand in either order; what closes the last may be lost.
            value = None
            when = UNSET
            for text in text.split(b")"):
                start = text.find(b"(") + 1
                if start:
                    text = text[start:]
                    time = stamp(text)
                    if time is None:
                        if value is None:
                            value = number(
                                text, 3 if at > 25 else 4 if at < 4 else (at > 13) + (at > 16)
                            )
                    elif value is None or when == UNSET:
                        when = time
            if at > 25:
                # Zero at no time is what a dead meter says.
                if not value and when == UNSET:
                    return
                values[place - 1] = when
            elif at == 7 and value is not None and when != UNSET:
                values[24] = when
        values[place] = value
