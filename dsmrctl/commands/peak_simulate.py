"""dsmrctl peak simulate: every quarter as interface and monitor would have had it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import log_show, peak_drawn
from dsmrctl.commands.peak_sources import PeakSource, Year, local, opened
from dsmrctl.firmware.core.warning import LEAST_W
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.peak.simulation import Simulated


class Forecaster(StrEnum):
    """How a quarter's end is foretold."""

    power = "power"
    linear = "linear"


ByWhat = Annotated[
    Forecaster,
    typer.Option(
        "--forecaster", help="By the power of now as well, or as the quarter went (the manual's)."
    ),
]
Threshold = Annotated[
    int,
    typer.Option(
        "--threshold", metavar="W", min=0, max=99999, help="The monitor's manual threshold."
    ),
]
Months = Annotated[bool, typer.Option("--months", help="Rows are months, not quarters.")]


def simulate(
    source: PeakSource = None,
    seed: options.Seed = 1,
    year: Year = None,
    forecaster: ByWhat = Forecaster.power,
    threshold: Threshold = LEAST_W,
    months: Months = False,
    csv: log_show.Csv = False,
    svg: log_show.Svg = None,
    meter_key_file: options.MeterKeyFile = None,
    as_json: options.Json = False,
) -> int:
    """Follow a meter through its past: demand, forecasts, warnings, month peaks.

    By the rules that run on the boards, to the watt. A month's peak is the highest
    quarter that is known; what is missing is told, never guessed.

    \b
    Examples:
      dsmrctl peak simulate
      dsmrctl peak simulate meter.raw --json
      dsmrctl peak simulate household --seed 4 --months --csv
      dsmrctl peak simulate meter.db --forecaster linear --threshold 4000
    """
    from dsmrctl.peak.simulation import simulate as followed

    terminal = Terminal(as_json)
    if csv and as_json:
        raise errors.UsageError("--json and --csv exclude each other")
    with ExitStack() as stack:
        found = opened(source, terminal, stack, seed=seed, year=year, meter_key_file=meter_key_file)
        rows = csv or as_json
        if not rows:
            terminal.line(found.label, flush=True)
        else:
            terminal.note(found.label)
        done = followed(found.blocks, forecaster=forecaster.value, manual_w=threshold)
    if not len(done.rows.utc):
        raise errors.BadData(
            f"{found.label}: no quarter is in it", hint="dsmrctl telegram decode shows what is"
        )
    if svg is not None:
        peak_drawn.draw(svg, done, found.label)
        terminal.note(f"drawn in {svg}")
    if rows:
        documents = month_documents(done) if months else quarter_documents(done)
        _write(terminal, documents, as_csv=csv)
    else:
        peak_drawn.page(terminal, done)
    _tell(terminal, done)
    return errors.DONE


def quarter_documents(done: Simulated) -> Iterator[dict[str, Any]]:
    """A quarter each; forecast_w: at the minutes 5 to 14, warned_minute: of its first warning."""
    rows = done.rows
    columns = (rows.utc, rows.demand_w, rows.forecast_w, done.threshold_w, done.month_peak_w)
    told = zip(*(column.tolist() for column in (*columns, done.warned_at)), strict=True)
    for utc, demand_w, forecast_w, threshold_w, month_peak_w, warned in told:
        yield {
            "time": local(utc).isoformat(),
            "demand_w": _known(demand_w),
            "forecast_w": [_known(each) for each in forecast_w],
            "threshold_w": threshold_w,
            "month_peak_w": _known(month_peak_w),
            "warned_minute": _known(warned),
        }


def month_documents(done: Simulated) -> Iterator[dict[str, Any]]:
    """A month each; quarters: how many are known, of: how many it has."""
    for one in done.months():
        yield {
            "month": f"{one.year}-{one.month:02d}",
            "peak_w": one.peak_w,
            "peak_time": None if one.peak_utc is None else local(one.peak_utc).isoformat(),
            "import_wh": one.import_wh,
            "quarters": one.quarters,
            "of": one.of,
            "warned": one.warned,
        }


def _known(value: int) -> int | None:
    return None if value < 0 else value


def _write(terminal: Terminal, documents: Iterable[dict[str, Any]], *, as_csv: bool) -> None:
    if not as_csv:
        for one in documents:
            terminal.record(one)
        return
    from dsmrctl.peak.quarters import MINUTES

    writer = csv.writer(terminal.out, lineterminator="\n")
    for number, one in enumerate(documents):
        each = one.pop("forecast_w", None)
        if each is not None:
            one |= {f"forecast_{m}_w": value for m, value in zip(MINUTES, each, strict=True)}
        if not number:
            writer.writerow(one)
        writer.writerow(one.values())


def _tell(terminal: Terminal, done: Simulated) -> None:
    """What is missing, and what no one meter does."""
    for change in done.changes:
        if change.kind == "clock":
            what = f"the clock was set back by {-change.went} s"
        else:
            what = f"the register fell by {-change.went} Wh: another meter"
        terminal.note(f"{local(change.then):%Y-%m-%d %H:%M:%S}: {what}")
    gaps = done.gaps()
    for gap in gaps[:_SHOWN]:
        quarters = (gap.end - gap.begin) // 900
        begin, end = local(gap.begin), local(gap.end)
        one = "1 quarter is" if quarters == 1 else f"{quarters} quarters are"
        terminal.note(f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: {one} not known")
    if len(gaps) > _SHOWN:
        terminal.note(f"and {len(gaps) - _SHOWN} more gaps: --json tells every quarter")


_SHOWN = 8
