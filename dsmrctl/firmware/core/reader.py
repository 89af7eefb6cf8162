"""What an interface reads each second: telegrams, from slices of what the P1 port sends.

It stays in memory, so it is compact: what is rare is in `history`, what is handy in `telegram`.
Telegram and CRC: DSMR P1 5.0.2, chapter 6.2; objects: chapter 6, eMUCS-P1 chapter 5.
"""

from binascii import unhexlify

# Of a longer line only a history is read, in pieces; of the rest the CRC is kept.
LINE = 128
# A message may hold 2048 characters; this much without an end is no telegram.
MOST_BYTES = 16384
BLANK = b" \t\r\n\0\xff"  # what may stand around a line
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
# In `told` 27 is the serial number, as sent; then medium, time and reading of channels 1 to 4: 40.


def crc16(line, start, end, crc):
    """CRC-16/ARC of line[start:end], going on from `crc`; by parity, since a table costs heap."""
    for i in range(start, end):
        c = (line[i] ^ crc) & 255
        crc = crc >> 8 ^ c << 6 ^ c << 7
        if 0x6996 >> ((c ^ c >> 4) & 15) & 1:
            crc ^= 0xC001
    return crc


def moment(date, time):
    """Seconds since 2020-01-01 00:00 of YYMMDD and hhmmss as numbers, None for no such date."""
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
    # The months by a line through their lengths, were February one of 30 days; 2020 began on 7305.
    day += year * 365 + (year + 3) // 4 + (367 * month - 362) // 12 - 7306
    return day * 86400 + hour * 3600 + minute * 60 + time


def stamp(line, start, end):
    """YYMMDDhhmmss[SW] as seconds of the local clock; UNSET for no such date, None for no stamp."""
    end -= start
    if not 12 <= end <= 13 or end == 13 and line[start + 12] not in b"SW":
        return None
    date = time = 0
    for i in range(start, start + 12):
        c = line[i] - 48
        if not 0 <= c <= 9:
            return None
        if i < start + 6:
            date = date * 10 + c
        else:
            time = time * 10 + c
    # A clock that was never set starts in 2000.
    time = moment(date, time) if date > 9999 else None
    return UNSET if time is None else time


def number(line, start, end, kind):
    """line[start:end] as an integer, halves away from zero; None when it is none in that unit.

    Behind it must stand a bracket or a blank.
    kind: 0 W, 1 V (in tenths), 2 A (in hundredths), 3 m3 (in thousandths), 4 Wh, 8 without a unit.
    """
    sign = 1
    if line[start] == 45:
        sign = -1
        start += 1
    value = digits = point = 0
    places = kind % 4
    while start < end:
        c = line[start]
        if 48 <= c <= 57:
            value = value * 10 + c - 48
            digits += 1
            places -= point
        elif c == 46 and digits and not point:
            point = 1
        else:
            break
        start += 1
    # A point has figures on both sides.
    if not 0 < digits < 13 or line[start - 1] == 46:
        return None
    unit = b"WVAMW\0\0\0\0"[kind]
    if start < end:
        if line[start] != 42 or not unit:
            return None
        start += 1
        if line[start] | 32 == 107 and not kind % 4:
            places += 3
            start += 1
        if line[start] & 95 != unit:
            return None
        start += 1
        if kind > 2:
            # The 3 of m3, the h of Wh.
            if line[start] | 32 != (51 if kind == 3 else 104):
                return None
            start += 1
        if start != end:
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
    Others use `feed`, the counts, `told`, `peaks` and `wanted`. What is the reader's own has names
    that Python has already, since each new one costs heap.
    """

    def __init__(self):
        self.good = self.bad_crc = self.too_long = 0
        self.cut = 0  # a new telegram began inside one
        self.garbage = 0  # bytes outside telegrams
        self.told: list = [None] * 40
        self.next: list = [None] * 40
        # The months' peaks for history.peaks(), None when the meter does not tell them. They are
        # long, so only read when `wanted`: 1 from the next good telegram, 2 from every one.
        self.peaks = None
        self.wanted = 1
        self.line = bytearray(LINE)
        self.start()
        self._inside = 0

    def start(self):
        for i in range(40):
            self.next[i] = None
        self._months = None
        self.n = 0
        # 1 in the header, 2 behind it.
        self._inside = 1
        # The second CRC is as if each line ended in CR LF; None until one does not (something on
        # the way took the CR out, the meter never does).
        self.crc = self.bytes = 0
        self._crlf = None
        # Of a line that is too long 1; and 2 when it is the history, 4 a message that goes on.
        self._long = 0
        self.open = False  # a bracket: the line that comes goes on with a message
        # 1 when there was an end whose CRC did not hold, which a message may have told.
        self._failed = 0

    def feed(self, buf, n):
        """Take the first `n` bytes of `buf`; how many good telegrams ended in them."""
        good = self.good
        line = self.line
        start = 0
        while start < n:
            if not self._inside:
                end = buf.find(b"/", start, n)
                if end < 0:
                    self.garbage += n - start
                    break
                self.garbage += end - start
                self.start()
                start = end
            length = self.n
            end = min(buf.find(b"\n", start, n) + 1 or n, start + LINE - length)
            self.bytes += end - start
            for start in range(start, end):  # slices would leave a lot to collect
                line[length] = buf[start]
                length += 1
            self.n = length
            start = end
            if line[length - 1] == 10:
                self.readline()
            elif length == LINE:
                self.flush()
            if self.bytes > MOST_BYTES and self._inside:
                self.too_long += 1 - self._failed
                self._inside = 0
        return self.good - good

    def flush(self):
        """The line is too long: only its end is kept, from the last bracket on."""
        line = self.line
        if self._inside == 1:
            # No header is that long: noise that held a "/".
            self.garbage += LINE
            self._inside = 0
            return
        end = max(line.rfind(b")") + 1, LINE - 64)
        if not self._long:
            self._long = 1 + 4 * self.open
            if self._months is None and self.wanted:
                text = bytes(line[:end]).lstrip(BLANK)
                if text[3:11] == b":98.1.0(" and text[0] == 48:
                    self._long |= 2
        self.sum(0, end)
        if self._long & 2:
            self.history(line, end)
        self.n = LINE - end
        for i in range(end, LINE):
            line[i - end] = line[i]

    def history(self, line, end):
        from . import history

        self._months = history.read(self._months, line, end)

    def sum(self, start, end):
        """Add to the CRC, and see whether a bracket stays open."""
        line = self.line
        crc = self._crlf
        if line[end - 1] == 10 and (end < start + 2 or line[end - 2] != 13):
            crc = crc16(line, start, end - 1, self.crc if crc is None else crc)
            self._crlf = crc16(b"\r\n", 0, 2, crc)
        elif crc is not None:
            self._crlf = crc16(line, start, end, crc)
        self.crc = crc16(line, start, end, self.crc)
        last = line.rfind(b"(", start, end)
        end = line.rfind(b")", start, end)
        if last != end:
            self.open = last > end

    def readline(self):
        line = self.line
        length = end = self.n
        self.n = 0
        while end and line[end - 1] in BLANK:
            end -= 1
        first = self._inside == 1
        self._inside = 2
        long = self._long
        self._long = 0
        is_open = long & 4 if long else self.open
        whole = False
        if line[0] == 33 and not long:
            # The CRC, in capitals or not. When it does not hold the line belongs to a message, or
            # a byte fell over, and the next header will tell which.
            self.sum(0, 1)
            try:
                # Without digits it is the end of a telegram that has no CRC: not to be trusted.
                sent = int(bytes(line[1 : min(end, 5)]) or b"-1", 16)
            except ValueError:
                sent = None
            whole = sent is not None and (sent == self.crc or sent == self._crlf)
            if whole:
                self.bad_crc -= self._failed
                self.close()
            else:
                self.sum(1, length)
                if sent is not None and not self._failed:
                    self._failed = 1
                    self.bad_crc += 1
        else:
            self.sum(0, length)
        if whole or self._failed or not is_open:
            # A header: "/", three letters, a digit. An object's line ends with a bracket, so a "/"
            # in its text starts nothing.
            at = line.find(b"/", first, end)
            while at >= 0:
                if line[end - 1] != 41 or (at == 0 and not is_open):
                    if at + 4 < end and bytes(line[at + 4 : at + 5]).isdigit():
                        if bytes(line[at + 1 : at + 4]).isalpha():
                            # The telegram before was cut in mid-line, or there was noise with a
                            # "/", or the end of the line behind its CRC was lost.
                            if first:
                                self.garbage += at
                            elif not whole:
                                self.cut += 1 - self._failed
                            self.start()
                            self._inside = 2
                            self.sum(at, length)
                            return
                at = line.find(b"/", at + 1, end)
        if long & 2:
            self.history(line, end)
        elif not (first or whole or long):
            self.read(end)

    def close(self):
        """A telegram is whole: gas and water are the newest such reading, then the first.

        So a channel goes on whose meter is gone, with its last reading or none.
        """
        values = self.next
        for medium in (3, 7):
            newest = None
            for i in range(28, 40, 3):
                if values[i] == medium and values[i + 2] is not None:
                    if newest is None or values[i + 1] > newest:
                        newest = values[i + 1]
                        values[25 if medium == 3 else 26] = values[i + 2]
        self.next = self.told
        self.told = values
        if self.wanted:
            self.peaks = self._months and self._months[3]
            self.wanted &= 2
        self._months = None
        self._inside = 0
        self.good += 1

    def read(self, n):
        """Take in the object in the line's first `n` bytes; what is unclear stays unknown."""
        line = self.line
        if line[0] in BLANK:
            line = bytes(line[:n]).lstrip(BLANK) + b"\n"
            n = len(line) - 1
        start = line.find(b"(", 0, n) + 1
        # Any B counts for electricity (Wallonia: 1-1:1.8.1).
        if start < 9 or line[1] != 45 or line[3] != 58:
            return
        at = _CODES.find(bytes(line[3 : min(start, 11)])) >> 3
        if at < 0 or line[0] != (49 if at < 20 else 48):
            return
        if at == 23:
            if self.wanted and self._months is None:
                self.history(line, n)
            return
        values = self.next
        channel = line[2] - 48
        place = at
        if at == 24:
            place = 27
            if channel:
                return
        elif at > 24:
            place = 25 + 3 * channel + (at > 25) * 2
            if not 1 <= channel <= 4:
                return
        if values[place] is not None:
            return
        value = None
        when = UNSET
        kind = 8
        if at < 20:
            kind = 4 if at < 4 else (at > 13) + (at > 16)
        elif at > 25:
            kind = 3
        while start:
            end = line.find(b")", start, n)
            if end < 0:
                end = n  # some lines have lost what closes the last
            if at == 24:
                value = bytes(line[start:end]) or None
            elif at == 21 and end - start == 10 and bytes(line[start:end]).isdigit():
                # Since 2026 some send the version's digits in hex.
                value = number(unhexlify(line[start:end]) + b")", 0, 5, 8)
            else:
                # A number and its time stand in either order.
                time = stamp(line, start, end)
                if time is None or kind == 8 and at != 22:
                    if value is None:
                        value = number(line, start, end, kind)
                elif value is None or when == UNSET:
                    when = time
            if at == 22:
                if when == UNSET or end - start < 13:
                    return  # without its flag it is two times in October
                value = when
                values[23] = 2 if line[end - 1] == 83 else 1
            if kind == 8:
                break  # only the first bracket counts
            start = line.find(b"(", end, n) + 1
        if at > 25:
            # Zero at no time is what a dead meter says.
            if not value and when == UNSET:
                return
            values[place - 1] = when
        elif at == 7 and value is not None and when != UNSET:
            values[24] = when
        values[place] = value
