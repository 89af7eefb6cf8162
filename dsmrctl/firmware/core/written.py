"""A frame exactly as ours and the manual's interface write it: what a board hears every second.

Small, since a board keeps it in memory. All other JSON is `frame.read`'s, and what is wrong too.
"""

VERSION_2 = b'{"v":2,"dsmr":['
VERSION_1 = b'{"dsmr":['
# No house draws more; a register soon does.
MOST_W = 99999
COUNTERS = 1 << 30  # n stays one of the chip's small integers until 2054


def read(data: bytes):
    """(version, values, n) of a good frame so written, None of anything else.

    version 1, 2, or 0: more elements than the manual shows, in an order that is not public. values:
    whole numbers in the order of frame.FIELDS, all that there are; n: the counter of a signed one.
    """
    version = 2
    start = 15
    if data[:15] != VERSION_2:
        version = 0
        start = 9
        if data[:9] != VERSION_1:
            return None
    end = data.find(b"]")
    rest = data[end + 1 :]
    n = None
    if rest != b"}":
        at = len(rest) - 20
        if at < 6 or rest[:5] != b',"n":' or rest[at : at + 6] != b',"m":"' or rest[-2:] != b'"}':
            return None
        n = counter(rest[5:at])
        tag = rest[at + 6 : -2]
        if n is None or b'"' in tag or b"\\" in tag or min(tag) < 32 or max(tag) > 126:
            return None
    values = []
    for text in data[start:end].split(b","):
        if not text.isdigit() or len(text) > 9 or text[0] == 48 and len(text) > 1:
            return None
        values.append(int(text))
    count = len(values)
    if count < (10 if version else 7) or not 0 < values[4] < 3 or max(values[5:7]) > 59:
        return None
    if not version:
        # Elements 3 and 4 are powers by inference: they could be export registers.
        if values[2] > MOST_W or values[3] > MOST_W:
            return None
        if count == 7:
            version = 1
    return version, values, n


def counter(text):
    """The `n` of a signed frame as written, None when it is none."""
    if text.isdigit() and len(text) < 11 and (text[0] != 48 or len(text) == 1):
        n = int(text)
        if n < COUNTERS:
            return n
    return None
