"""The peaks of past months that a meter tells (0-0:98.1.0), packed small; loaded when wanted.

By shape: when it was captured, when it occurred, the value. Hungary's line has another.
"""

from .reader import UNSET, number, stamp

_MOST = 13
# Packed: the month as 202604, when it occurred and W, both from UNSET on; 4 bytes each.
_BYTES = 12


def read(found, line: bytearray, n: int):
    """Take in line[:n], a piece of the line that ends where a bracket does; `found`: None at first.

    What comes back goes in with the next piece; its [3] is the peaks, packed, for `peaks`.
    """
    # How many stamps came one after the other (-1: the line's first bracket is to come); the month
    # that ended with the last but one, None when that is no date; the last.
    dates, month, late, packed, time_s = found or (-1, None, None, b"", UNSET)
    start = line.find(b"(", 0, n) + 1
    while start:
        end = line.find(b")", start, n)
        if end < 0:
            end = n
        when = stamp(line, start, end)
        if dates < 0:
            dates = 0
        elif when is not None:
            month = late
            time_s = when
            late = None
            if when != UNSET:
                # As YYMM; captured at 00:00 on the first day of the next month.
                late = int(bytes(line[start : start + 4]))
                if line[start + 4 : start + 12] == b"01000000":
                    late -= 89 if late % 100 == 1 else 1
            dates += 1
        else:
            if dates == 2 and month is not None and len(packed) < _MOST * _BYTES:
                peak_w = number(line, start, end, 0)
                if peak_w is not None and UNSET <= peak_w < -UNSET:
                    for value in (200000 + month, time_s - UNSET, peak_w - UNSET):
                        packed += value.to_bytes(4, "big")
            dates = 0
        start = line.find(b"(", end, n) + 1
    return dates, month, late, packed, time_s


def peaks(packed: bytes | None) -> list[tuple[int, int | None, int]]:
    """The history, oldest first: [(month as 202604, time_s or None, W)]."""
    found = []
    packed = packed or b""
    for i in range(0, len(packed), _BYTES):
        time_s = int.from_bytes(packed[i + 4 : i + 8], "big") + UNSET
        found.append(
            (
                int.from_bytes(packed[i : i + 4], "big"),
                None if time_s == UNSET else time_s,
                int.from_bytes(packed[i + 8 : i + 12], "big") + UNSET,
            )
        )
    return sorted(found, key=lambda peak: peak[0])
