"""dsmrctl doctor: what stands in the way, and what to do next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dsmrctl import errors, options
from dsmrctl.commands import reading
from dsmrctl.terminal.findings import Findings, Line
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsmrctl.diagnosis.finding import Finding
    from dsmrctl.telegram.sources import Source


def doctor(
    source: options.Source = None,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    group: options.Group = None,
    nic: options.Nic = None,
    layout: options.Layout = None,
    frame_key_file: options.FrameKeyFile = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> int:
    """What stands in the way, and what to do next.

    Looks at this computer, its serial ports, the network, the frames and the boards,
    and with a SOURCE at the meter: its telegrams, and its clock against this one.
    Each finding tells what is, why it matters and the exact next step. Nothing is
    changed. Exit 0 when nothing stands in the way, else 1; notes do not count.
    Waits 5 s for frames and 11 s for a telegram, unless --timeout says otherwise.

    \b
    Examples:
      dsmrctl doctor
      dsmrctl doctor --json
      dsmrctl doctor /dev/ttyUSB0
      dsmrctl doctor tcp://192.168.1.30:8088 --timeout 30s
    """
    from dsmrctl.diagnosis import whole
    from dsmrctl.network import frames, multicast

    terminal = Terminal(as_json)
    asked = whole.Asked(
        group or (multicast.GROUP, multicast.PORT),
        nic,
        timeout,
        None if layout is None else frames.parse_layout(layout),
        reading.frame_key(frame_key_file),
        _opening(terminal, source, dsmr2, meter_key_file),
        _port(source),
    )
    if as_json:
        found = list(whole.look(asked))
        counts = _counted(found)
        terminal.record(
            {
                "well": not counts["trouble"],
                "counts": counts,
                "findings": [each.document() for each in found],
            }
        )
    else:
        counts = _counted(_shown(terminal, asked))
    return errors.FAILED if counts["trouble"] else errors.DONE


app = options.command(doctor)


def _opening(
    terminal: Terminal, source: str | None, dsmr2: bool, key_file: str | None
) -> Callable[[], Source] | None:
    """What opens the meter's source; the port there may be is a programmer's: none unless asked."""
    if source is None:
        return None
    key = reading.meter_key(key_file)

    def opened() -> Source:
        from dsmrctl.telegram import sources

        if sources.kind(source) in ("household", "frames"):
            return reading.open_telegrams(source, terminal).__enter__()
        return sources.open_source(source, dsmr2=dsmr2, key=key, reconnect=False)

    return opened


def _port(source: str | None) -> str | None:
    """The path of a SOURCE that is a serial port."""
    from dsmrctl.telegram import sources

    return source if source is not None and sources.kind(source) == "serial" else None


def _shown(terminal: Terminal, asked: object) -> list[Finding]:
    from dsmrctl.diagnosis import whole
    from dsmrctl.diagnosis.finding import KINDS

    assert isinstance(asked, whole.Asked)
    view = Findings(terminal)
    found = []
    for each in whole.look(asked):
        found.append(each)
        subject = KINDS[each.name].subject
        view.show(Line(subject, each.severity, each.what, each.why, each.next))
    counts = _counted(found)
    ways = counts["trouble"]
    what = "nothing stands in the way" if not ways else f"{ways} in the way"
    notes = f"{counts['note']} note{'s' * (counts['note'] != 1)}"
    view.end(f"{what}; {notes}, {counts['ok']} ok")
    return found


def _counted(found: list[Finding]) -> dict[str, int]:
    counts = Counter(each.severity for each in found)
    return {name: counts[name] for name in ("ok", "note", "trouble")}
