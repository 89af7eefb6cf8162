"""The frame: the datagram of JSON that tells every board once a second what the meter says.

Version 1 is the manual's, 2 is ours, 0 stands for a foreign order; docs/protocol.md describes them.
"""

from . import sending, written
from .written import MOST_W, counter

FIELDS = (
    "import_t1_wh",
    "import_t2_wh",
    "import_w",
    "export_w",
    "tariff",
    "minute",
    "second",
    "month_peak_w",
    "quarter_w",
    "last_quarter_w",
)
VERSION_1 = FIELDS[:7]
REASONS = (
    "too-long",
    "not-utf8",
    "not-json",
    "no-array",
    "too-few",
    "not-integer",
    "negative",
    "tariff",
    "clock",
    "looks-like-registers",
    "version",
    "signature",
    "replayed",
)
MAX_BYTES = 512


class FrameError(ValueError):
    """A frame is refused; `reason` is one of REASONS."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Frame:
    """A frame that passed every check; a field it does not carry is None, an unknown one 0."""

    import_t1_wh: int | None = None
    import_t2_wh: int | None = None
    import_w: int | None = None
    export_w: int | None = None
    tariff: int | None = None
    minute: int | None = None
    second: int | None = None
    month_peak_w: int | None = None
    quarter_w: int | None = None
    last_quarter_w: int | None = None

    def __init__(
        self,
        version: int,
        names: tuple[str, ...],
        values: tuple[int, ...],
        tail: tuple[int, ...],
        n: int | None,
    ):
        self.version = version
        self.names = names
        self.values = values
        self.tail = tail
        self.n = n
        for name, value in zip(names, values):
            setattr(self, name, value)

    def get(self, name: str) -> int | None:
        """The value of one field, None when this frame does not carry it."""
        return self.values[self.names.index(name)] if name in self.names else None


def build(values, version: int = 2) -> bytes:
    """The frame of 7 (version 1) or 10 values in the order of FIELDS; None means unknown: 0."""
    if version not in (1, 2):
        raise FrameError("version")
    names = FIELDS if version == 2 else VERSION_1
    if len(values) < len(names):
        raise FrameError("too-few")
    numbers = []
    for value in values[: len(names)]:
        if value is None:
            value = 0
        if type(value) is not int or value > 999999999:
            raise FrameError("not-integer")
        if value < 0:
            raise FrameError("negative")
        numbers.append(value)
    _check(names, numbers, version)
    if version == 2:
        return sending.build(numbers) or b""  # they are known to be good
    return ('{"dsmr":' + str(numbers).replace(" ", "") + "}").encode()


def read(data: bytes | bytearray | memoryview, layout: tuple[str, ...] | None = None) -> Frame:
    """The frame in a datagram; `layout` names the elements where no version does.

    Takes signed frames too, but does not check who signed: see `check`. Raises FrameError.
    """
    if len(data) > MAX_BYTES:
        raise FrameError("too-long")
    data = bytes(data)
    # Nearly every frame; a tenth of the work of reading any JSON.
    found = written.read(data) if layout is None else None
    if found:
        version, values, n = found
        names = FIELDS if version == 2 else VERSION_1
        values = tuple(values)
        return Frame(version, names, values[: len(names)], values[len(names) :], n)
    version, texts, n = _as_json(data)
    numbers = tuple([_integer(text) for text in texts])
    if version == 2:
        names = FIELDS
    elif layout is None:
        names = VERSION_1
        # More than the manual shows: its newer firmware, whose order is not public.
        version = 1 if len(numbers) == len(names) else 0
    else:
        names = layout
    if len(numbers) < len(names):
        raise FrameError("too-few")
    _check(names, numbers, version if layout is None else 2)
    return Frame(version, names, numbers[: len(names)], numbers[len(names) :], n)


def _check(names, numbers, version):
    """What every reader asks of the values, whoever sent them."""
    named = dict(zip(names, numbers))
    if named.get("tariff", 1) not in (1, 2):
        raise FrameError("tariff")
    if named.get("minute", 0) > 59 or named.get("second", 0) > 59:
        raise FrameError("clock")
    # Elements 3 and 4 are powers by inference: with no version they could be export registers.
    if version != 2 and (numbers[2] > MOST_W or numbers[3] > MOST_W):
        raise FrameError("looks-like-registers")


def _integer(text):
    """The element `text` as written: nine digits at most, so the chip's small integers hold it."""
    if text.isdigit() and len(text) < 10 and (text[0] != 48 or len(text) == 1):
        return int(text)
    if not text:
        raise FrameError("not-json")
    raise FrameError("negative" if text[0] == 45 and text[1:].isdigit() else "not-integer")


def _as_json(data):
    """(version or 0, elements, n) of any JSON object with these members; others are passed over."""
    try:
        data.decode()
    except UnicodeError:
        raise FrameError("not-utf8")
    # Only here: a board that hears just our frames never loads it.
    from .members import members

    found = members(data.strip(b" \t\r\n"))
    if found is None:
        raise FrameError("not-json")
    array = found.get(b'"dsmr"', b"")
    if array[:1] != b"[":
        raise FrameError("no-array")
    version = found.get(b'"v"')
    if version not in (None, b"2"):
        raise FrameError("version")
    array = array[1:-1].strip()
    texts = [text.strip() for text in array.split(b",")] if array else []
    return 0 if version is None else 2, texts, counter(found.get(b'"n"', b""))
