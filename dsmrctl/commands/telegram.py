"""dsmrctl telegram: read, parse and decode what the meter sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsmrctl import errors, options
from dsmrctl.commands import reading
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.telegram import Telegram
    from dsmrctl.telegram.sources import Source

app = options.new_app("Read, parse and explain what the meter sends.")


@app.command()
def read(
    source: options.Source = None,
    count: options.Count = None,
    timeout: options.Timeout = None,
    follow: options.Follow = False,
    strict: options.Strict = False,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    record: options.Record = None,
    as_json: options.Json = False,
) -> int:
    """Raw telegrams: whole and valid ones only, byte for byte.

    Noise and cut telegrams are left out and counted on stderr. --record keeps the
    telegrams with their times, to replay them; of a port what was no telegram, too.

    \b
    Examples:
      dsmrctl telegram read meter.raw
      dsmrctl telegram read meter.raw --record telegrams.ndjson.gz
      dsmrctl telegram read /dev/ttyUSB0 --count 10 > ten.txt
    """
    terminal = Terminal(as_json)
    asked = reading.Reading(source, count, timeout, follow, strict, dsmr2, meter_key_file)
    return _raw(terminal, asked, record, anonymise=False)


@app.command()
def anonymise(
    source: options.Source = None,
    count: options.Count = None,
    timeout: options.Timeout = None,
    follow: options.Follow = False,
    strict: options.Strict = False,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    record: options.Record = None,
    as_json: options.Json = False,
) -> int:
    """Raw telegrams without what names you, to show to others.

    The same quantities, times and valid CRCs; serial numbers and EAN codes are
    invented, messages empty, unknown values crossed out. Registers and times stay
    what they were: who knows them already, knows whose they are.

    \b
    Examples:
      dsmrctl telegram anonymise meter.raw > shared.raw
      dsmrctl telegram anonymise meter.raw --record shared.ndjson.gz
    """
    terminal = Terminal(as_json)
    asked = reading.Reading(source, count, timeout, follow, strict, dsmr2, meter_key_file)
    return _raw(terminal, asked, record, anonymise=True)


def _raw(
    terminal: Terminal, asked: reading.Reading, record: Path | None, *, anonymise: bool
) -> int:
    """Telegrams byte for byte or anonymous, and into a recording when one is named."""

    def show(telegram: Telegram) -> None:
        if terminal.json:
            terminal.record({"ident": telegram.ident, "crc": telegram.crc, **_data(telegram.raw)})
        else:
            terminal.raw(telegram.raw)

    if record is None and not anonymise:
        return asked.each(terminal, show)
    from dsmrctl.commands.telegram_kept import Keeper

    with Keeper(terminal, record, anonymise) as keeper:

        def use(telegrams: Iterator[Telegram], opened: Source, tally: reading.Tally) -> None:
            keeper.begin(opened)
            for telegram in telegrams:
                show(keeper.take(telegram))

        return asked.run(terminal, use, keeper.reject)


@app.command()
def parse(
    source: options.Source = None,
    csv: Annotated[bool, typer.Option("--csv", help="Rows of quantities, with a header.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="FILE", help="Write the quantities to a Parquet file."),
    ] = None,
    count: options.Count = None,
    timeout: options.Timeout = None,
    follow: options.Follow = False,
    strict: options.Strict = False,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    as_json: options.Json = False,
) -> int:
    """As JSON: one telegram, one line; or as CSV or Parquet.

    Numbers keep the meter's own digits. Names and units: docs/protocol.md, Quantities.

    \b
    Examples:
      dsmrctl telegram parse --json telegram.txt
      dsmrctl telegram parse /dev/ttyUSB0 | jq .import_w
      dsmrctl telegram parse --csv month.raw.gz > month.csv
    """
    from dsmrctl.telegram import document

    terminal = Terminal(as_json)
    if csv + (parquet is not None) + as_json > 1:
        raise errors.UsageError("--json, --csv and --parquet exclude each other")
    asked = reading.Reading(source, count, timeout, follow, strict, dsmr2, meter_key_file)
    if csv or parquet:
        return _columns(terminal, asked, parquet)

    def show(telegram: Telegram) -> None:
        terminal.record(document.document(telegram))

    return asked.each(terminal, show)


@app.command()
def decode(
    source: options.Source = None,
    language: options.Language = "en",
    count: options.Count = None,
    timeout: options.Timeout = None,
    follow: options.Follow = False,
    strict: options.Strict = False,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    as_json: options.Json = False,
) -> int:
    """Every line explained for a person, with what is wrong beside it.

    \b
    Examples:
      dsmrctl telegram decode telegram.txt
      dsmrctl telegram decode --language nl telegram.txt
    """
    from dsmrctl.telegram import explain

    if language not in explain.LANGUAGES:
        raise errors.UsageError(
            f"no explanations in '{language}'", hint=f"there are: {', '.join(explain.LANGUAGES)}"
        )
    terminal = Terminal(as_json)

    def show(telegram: Telegram) -> None:
        if as_json:
            terminal.record(explain.as_document(telegram, language))
        else:
            from dsmrctl.terminal.telegrams import show_explained

            show_explained(terminal, explain.explain(telegram, language))

    asked = reading.Reading(source, count, timeout, follow, strict, dsmr2, meter_key_file)
    return asked.each(terminal, show)


def _data(raw: bytes) -> dict[str, str]:
    """The bytes as text, or in base64 where they are none: as in a recording."""
    try:
        return {"data": raw.decode("utf-8")}
    except UnicodeDecodeError:
        import base64

        return {"data_b64": base64.b64encode(raw).decode("ascii")}


def _columns(terminal: Terminal, asked: reading.Reading, parquet: Path | None) -> int:
    """The quantities of every telegram as CSV on stdout, or in a Parquet file."""
    from dsmrctl.telegram import columns

    def use(telegrams: Iterator[Telegram], opened: Source, tally: reading.Tally) -> None:
        # What is wanted to the last telegram, or waited for, is read by the telegram.
        whole = asked.count is None and not asked.follow
        blocks = columns.blocks_of(opened) if whole else None
        if blocks is not None:
            blocks = tally.watch_blocks(blocks)
        if parquet is not None:
            frames = map(columns.frame_of_block, blocks) if blocks else columns.frames_of(telegrams)
            rows = columns.write_parquet(frames, parquet)
            terminal.note(f"{rows} telegrams in {parquet}")
            return
        columns.csv_header(terminal.out)
        if blocks is None:
            columns.csv_rows(telegrams, terminal.out, flush=opened.live or asked.follow)
            return
        for block in blocks:
            columns.csv_block(block, terminal.out)

    return asked.run(terminal, use)
