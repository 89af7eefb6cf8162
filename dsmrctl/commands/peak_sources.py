"""Where quarters come from: recordings, archives, the log, or the virtual household."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dsmrctl import belgian_time, errors
from dsmrctl.commands import reading
from dsmrctl.peak.readings import UNKNOWN, Readings
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    import numpy as np

    from dsmrctl.telegram.block import Block, Column

PeakSource = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]",
        help="A file of telegrams, a recording of frames, a log (.db), - or household. Without it: "
        "the user's log if there is one, else the household.",
    ),
]
Year = Annotated[
    int | None,
    typer.Option(
        "--year",
        min=2000,
        max=2199,
        help="The household's whole year; without it, its last month.",
    ),
]
_CHUNK = 50_000
_SQLITE = b"SQLite format 3\0"
_REGISTERS = ("import_t1_wh", "import_t2_wh")


class Opened(NamedTuple):
    """label: what it is, for a person; blocks: its readings, to be read once."""

    label: str
    blocks: Iterator[Readings]


def opened(
    source: str | None, terminal: Terminal, stack: ExitStack, *, seed: int = 1,
    year: int | None = None, meter_key_file: str | None = None,
) -> Opened:  # fmt: skip
    """Open a SOURCE; what it holds open is closed with `stack`.

    Raises UsageError for what has no past (a port, frames), NotFound, BadData.
    """
    if source is None:
        from dsmrctl.history import schema

        path = schema.default_path()
        source = str(path) if year is None and path.is_file() else "household"
    if source == "household":
        return _household(seed, year)
    if year is not None:
        raise errors.UsageError("--year is the household's", hint="leave it out, or SOURCE")
    if source == "frames" or source.startswith(("tcp://", "/dev/tty", "COM")):
        raise errors.UsageError(
            f"{safe(source)} tells of now, not of the past",
            hint="dsmrctl log record keeps what it says; then dsmrctl peak simulate",
        )
    if source != "-" and _begins(Path(source), _SQLITE):
        return _log(Path(source), stack)
    recording = _frames(source, terminal, stack)
    if recording is not None:
        return recording
    return _telegrams(source, terminal, stack, meter_key_file)


def _begins(path: Path, head: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(head)) == head


# --- the household --------------------------------------------------------------------------------


def _household(seed: int, year: int | None) -> Opened:
    if year is not None:
        begin, end = belgian_time.month_start(year, 1), belgian_time.month_start(year + 1, 1)
        return Opened(f"the virtual household {seed}, {year}", household(seed, begin, end))
    now_year, now_month = belgian_time.month_of(int(datetime.now(UTC).timestamp()))
    last = (now_year - (now_month == 1), (now_month - 2) % 12 + 1)
    begin, end = belgian_time.month_start(*last), belgian_time.month_start(now_year, now_month)
    name = f"{last[0]}-{last[1]:02d}"
    return Opened(f"the virtual household {seed}, {name}", household(seed, begin, end))


def household(seed: int, begin: int, end: int) -> Iterator[Readings]:
    """Every second of a household from begin until end (UTC, midnights), a day at a time."""
    import numpy as np

    from dsmrctl.virtual.household import Household

    home = Household(datetime.fromtimestamp(begin, UTC), seed)
    work = 0
    days = range(belgian_time.day(begin), belgian_time.day(end))
    for ordinal in days:
        at, until = (belgian_time.midnight(each) - begin for each in (ordinal, ordinal + 1))
        segments = [(one[1] - one[0], one[2] + one[3] + one[4]) for one in home.segments(at, until)]
        seconds, net = np.array(segments, np.int64).T
        import_w = np.repeat(np.maximum(net, 0), seconds)
        upto = np.cumsum(import_w) + work
        utc = np.arange(at, until, dtype=np.int64) + begin + 1
        work = int(upto[-1])
        if not at:
            # The moment it begins, at which nothing was drawn yet.
            utc = np.concatenate(([begin], utc))
            upto = np.concatenate(([0], upto))
            import_w = np.concatenate(([UNKNOWN], import_w))
        yield Readings(utc, upto // 3600, import_w, fresh=not at)


# --- the log --------------------------------------------------------------------------------------


def _log(path: Path, stack: ExitStack) -> Opened:
    from dsmrctl.history.store import History

    history = stack.enter_context(History(path))
    last = history.last_day()
    if last is None:
        raise errors.NotFound(f"{path} is empty", hint="dsmrctl log record fills it")
    first = next(history.seconds(_REGISTERS[:1]), (1 << 40,))[0]

    def blocks() -> Iterator[Readings]:
        found: Iterator[dict[str, Any]]
        seconds: Iterator[dict[str, Any]]
        # Seconds are kept for a month; before them there are quarters, which foretell nothing.
        edges: dict[int, int] = {}
        for one in history.quarters(0, first // 900 * 900):
            if one.import_start_wh is not None:
                edges[one.utc] = one.import_start_wh
                if one.import_wh is not None:
                    edges[one.utc + 900] = one.import_start_wh + one.import_wh
        edges.pop(first, None)
        found = (
            {"utc": utc, "import_t1_wh": wh} for utc, wh in sorted(edges.items()) if utc < first
        )
        names = (*_REGISTERS, "import_w", "month_peak_w")
        seconds = (dict(zip(("utc", *names), row, strict=True)) for row in history.seconds(names))
        yield from _of_rows(itertools.chain(found, seconds))

    return Opened(f"the log {path}, until {last}", blocks())


# --- recordings and archives ----------------------------------------------------------------------


def _frames(source: str, terminal: Terminal, stack: ExitStack) -> Opened | None:
    """A recording or a capture of frames; anything else is None."""
    from dsmrctl.gateway import from_frames
    from dsmrctl.network.frames import Intake
    from dsmrctl.recordings.opening import open_recording

    if not Path(source).is_file():
        return None
    try:
        found = open_recording(Path(source), on_note=terminal.note)
    except errors.DsmrError:
        return None  # whoever reads telegrams says what is wrong with it
    if found.kind != "frames":
        found.close()
        return None
    stack.enter_context(found)
    rows = from_frames.recorded(found, Intake(), terminal.note)
    return Opened(f"the frames in {safe(source)}", _of_rows(map(_timed, rows)))


def _telegrams(
    source: str, terminal: Terminal, stack: ExitStack, meter_key_file: str | None
) -> Opened:
    from dsmrctl.history.telegrams import by_tariff, of_telegram
    from dsmrctl.telegram import Reject, columns
    from dsmrctl.telegram.sources import open_source, telegrams

    key = reading.meter_key(meter_key_file)
    meter = stack.enter_context(reading.open_telegrams(source, terminal, key=key))
    tally = reading.Tally()
    plain = source != "-" and key is None
    if plain:
        with open_source(source) as looked_at:
            items = (one for one in telegrams(looked_at) if not isinstance(one, Reject))
            first = next(items, None)
            plain = first is not None and by_tariff(first)
    blocks = columns.blocks_of(meter) if plain else None

    def found() -> Iterator[Readings]:
        if blocks is not None:
            first = True
            for block in tally.watch_blocks(blocks):
                part = _of_block(block, fresh=first)
                first = first and not len(part.utc)
                yield part
        else:
            each = tally.watch(telegrams(meter))
            yield from _of_rows(_timed(of_telegram(telegram, None)) for telegram in each)
        tally.finish(terminal, meter.name)

    return Opened(f"the telegrams in {safe(source)}", found())


def _of_block(block: Block, *, fresh: bool) -> Readings:
    import numpy as np

    names = block.columns
    known = ~np.isnat(block.time)
    known &= names["import_t1_wh"].valid | names["import_t2_wh"].valid

    def column(one: Column) -> np.ndarray:
        return np.where(one.valid, one.values // 10**one.decimals, UNKNOWN)[known]

    registers = sum(names[name].values // 10 ** names[name].decimals for name in _REGISTERS)
    others = (names[name] for name in ("import_w", "quarter_w", "month_peak_w"))
    power, quarter, peak = (column(one) if one.valid.any() else None for one in others)
    utc = block.time[known].astype("datetime64[s]").astype(np.int64)
    if power is None:
        power = np.full(len(utc), UNKNOWN)
    return Readings(
        utc, np.asarray(registers)[known], power, quarter_w=quarter, month_peak_w=peak, fresh=fresh
    )


def _timed(found: dict[str, Any]) -> dict[str, Any]:
    """Quantities with their second."""
    when = found.get("time")
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    return found | {"utc": None if moment is None else int(moment.timestamp())}


def _of_rows(rows: Iterable[dict[str, Any]]) -> Iterator[Readings]:
    """Rows of quantities as blocks; those without a second or a register are left out."""
    import numpy as np

    good = (
        (
            row["utc"],
            sum(row.get(name) or 0 for name in _REGISTERS),
            *(
                UNKNOWN if row.get(name) is None else int(row[name])
                for name in ("import_w", "quarter_w", "month_peak_w")
            ),
        )
        for row in rows
        if row["utc"] is not None and any(row.get(name) is not None for name in _REGISTERS)
    )
    fresh = True
    while chunk := list(itertools.islice(good, _CHUNK)):
        utc, register, power, quarter, peak = np.array(chunk, np.int64).T
        yield Readings(utc, register, power, quarter_w=quarter, month_peak_w=peak, fresh=fresh)
        fresh = False


def local(utc: int) -> datetime:
    """A moment as the clock on the wall shows it, with its offset."""
    from datetime import timedelta, timezone

    zone = timezone(timedelta(seconds=belgian_time.offset_s(utc)))
    return datetime.fromtimestamp(utc, zone)


def day_of(utc: int) -> date:
    """The civil day."""
    return date.fromordinal(belgian_time.day(utc))
