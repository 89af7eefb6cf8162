"""A JSON object taken apart by hand into its members, as written.

The two interpreters' json disagree: the chip's takes "[1 2]" and raw control characters, CPython's
takes NaN, both take a key twice, and both recurse on "[[[[". Here both give one verdict.
"""

# Nothing recurses; this only stops nonsense.
_DEPTH = 8


def members(data: bytes) -> dict | None:
    """{key: value}, both as the bytes written; None when `data` is no JSON object.

    A key twice is an error. Objects, arrays and strings as values are balanced, not checked inside.
    """
    found = {}
    closers = []
    start = colon = 0
    quoted = escaped = False
    for i in range(len(data)):
        c = data[i]
        if quoted:
            if c < 32:
                return None
            if escaped:
                escaped = False
            elif c == 92:  # backslash
                escaped = True
            elif c == 34:
                quoted = False
        elif c == 34:  # "
            quoted = True
        elif c == 123 or c == 91:  # { [
            if (c == 91 if i == 0 else not closers) or len(closers) == _DEPTH:
                return None
            closers.append(c + 2)
            if i == 0:
                start = 1
        elif not closers or c < 32 and c not in b"\t\n\r":
            return None
        elif c == 125 or c == 93:  # } ]
            if closers.pop() != c:
                return None
            if not closers:
                empty = not found and not data[start:i].strip()
                whole = empty or _add(found, data, start, colon, i)
                return found if whole and i + 1 == len(data) else None
        elif len(closers) == 1 and c == 58 and colon < start:  # the member's first colon
            colon = i
        elif len(closers) == 1 and c == 44:  # ,
            if not _add(found, data, start, colon, i):
                return None
            start = i + 1
    return None


def _add(found, data, start, colon, end):
    """Keep the member in data[start:end]; False when it is none."""
    key = data[start:colon].strip() if colon >= start else b""
    value = data[colon + 1 : end].strip()
    if len(key) < 2 or key[0] != 34 or key[-1] != 34 or key in found or not value:
        return False
    found[key] = value
    if value[0] in b'"[{':
        return value[-1] in b'"]}'
    return value in (b"true", b"false", b"null") or not value.strip(b"0123456789+-.eE")
