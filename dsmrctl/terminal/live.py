"""Live views: drawn again and again on a terminal of 80 by 24, restored however they end.

Colours are the terminal's own sixteen, so that its light or dark theme decides, and none says
anything that words or signs beside it do not say too.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

WIDTH, HEIGHT = 80, 24

# Three lines a digit, seven segments each.
_DIGITS = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": ("  ╻", "  ┃", "  ╹"),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", "╺━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    " ": (" ", " ", " "),
    "-": ("   ", "╺━╸", "   "),
}


@dataclass
class FrameView:
    """What the view of frames shows; None is unknown. Powers in W, registers in Wh, times in s.

    least_w: the least month peak that is billed; silent_s: after how long boards switch off.
    beside: lines about what else there is, in place of the registers.
    Text from the network is made harmless here, not by the caller.
    """

    where: str
    age_s: float
    least_w: int = field(kw_only=True)
    silent_s: float = field(kw_only=True)
    frames: int = 0
    refused: int = 0
    refused_why: str | None = None
    lost: int | None = None
    senders: int = 0
    sender: str = ""
    version: int = 0
    tail: Sequence[int] = ()
    minute: int | None = None
    second: int | None = None
    elapsed_s: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    hints: Sequence[str] = ()
    beside: Sequence[str] = ()
    title: str = "dsmrctl listen"


def grouped(number: int | None, unknown: str = "—") -> str:
    """12345 as 12 345."""
    return unknown if number is None else f"{number:,}".replace(",", " ")


def kwh(wh: int | None, unknown: str = "—") -> str:
    """Wh as kWh with three decimals, exact."""
    return unknown if wh is None else f"{grouped(wh // 1000)}.{wh % 1000:03d}"


def big(text: str) -> tuple[str, str, str]:
    """`text` of digits, spaces and - as three lines."""
    shapes = [_DIGITS[each] for each in text]
    first, second, third = (" ".join(shape[line] for shape in shapes) for line in range(3))
    return first, second, third


def _power(view: FrameView, name: str) -> str:
    number = view.values.get(name)
    return grouped(number, "-")


def _big_powers(view: FrameView, fancy: bool) -> list[Text]:
    from rich.text import Text

    left, right = _power(view, "import_w"), _power(view, "export_w")
    heads = Text("  ").append(f"{'IMPORT, W':<38}", "bold").append("EXPORT, W", "bold")
    if not fancy:
        return [heads, Text(), Text(f"  {left:<38}{right}", "bold"), Text()]
    lines = [heads]
    for of_import, of_export in zip(big(left), big(right), strict=True):
        line = Text("  ").append(f"{of_import:<38}", "bold magenta" if left != "0" else "")
        lines.append(line.append(of_export, "bold green" if right != "0" else ""))
    return lines


def bar(so_far: int | None, forecast: int | None, full: int, width: int, fancy: bool) -> str:
    """Demand so far as a bar up to `full`; a mark where the quarter is heading for."""
    solid, empty, mark, beyond = ("█", "░", "┃", "▶") if fancy else ("#", ".", "|", ">")
    cells = [empty] * width
    filled = min(width, (so_far or 0) * width // full)
    cells[:filled] = [solid] * filled
    if forecast is not None:
        place = forecast * width // full
        cells[min(place, width - 1)] = mark if place < width else beyond
    return "".join(cells)


def _row(label: str, value: str, remark: str = "", style: str = "") -> Text:
    from rich.text import Text

    line = Text(f"  {label:<13}").append(f"{value:>11}", style)
    return line.append(f"   {remark}", style) if remark else line


def _quarter(view: FrameView, fancy: bool) -> list[Text]:
    from rich.text import Text

    unknown = "—" if fancy else "-"

    def watts(number: int | None) -> str:
        return unknown if number is None else f"{grouped(number)} W"

    so_far, forecast = view.values.get("quarter_w"), view.values.get("forecast_w")
    peak = view.values.get("month_peak_w")
    full = max(peak or 0, view.least_w, 1)
    left = ""
    if view.elapsed_s is not None:
        minutes, seconds = divmod(900 - view.elapsed_s, 60)
        left = f"{minutes}:{seconds:02d} left"
    lines = [
        _row("Quarter", watts(so_far), f"so far, {left}" if left else "so far"),
        Text("  ").append(bar(so_far, forecast, full, 60, fancy)).append(f" {watts(full)}"),
    ]
    early = view.elapsed_s is not None and view.elapsed_s < 300
    if forecast is None:
        remark = "known from its fifth minute on" if early else "no whole quarter was seen yet"
        lines.append(_row("Forecast", "?" if early else unknown, remark))
    elif forecast > full:
        lines.append(_row("Forecast", watts(forecast), "ABOVE the month peak", "bold red"))
    else:
        lines.append(_row("Forecast", watts(forecast), "not above the month peak"))
    if peak is None:
        lines.append(_row("Month peak", watts(None)))
    elif peak < view.least_w:
        lines.append(
            _row("Month peak", watts(view.least_w), f"the least billed; measured {watts(peak)}")
        )
    else:
        lines.append(_row("Month peak", watts(peak)))
    lines.append(_row("Last quarter", watts(view.values.get("last_quarter_w"))))
    return lines


def _registers(view: FrameView, fancy: bool) -> list[Text]:
    unknown = "—" if fancy else "-"
    tariff = view.values.get("tariff")
    of_country = {
        1: "day in Belgium, night in the Netherlands",
        2: "night in Belgium, day in the Netherlands",
    }
    lines = [_row("Tariff", grouped(tariff, unknown), of_country.get(tariff or 0, ""))]
    for label in ("import", "export"):
        t1, t2 = (view.values.get(f"{label}_{tariff}_wh") for tariff in ("t1", "t2"))
        if label == "import" or t1 is not None or t2 is not None:
            lines.append(
                _row(
                    f"{label.capitalize()}, kWh",
                    f"T1 {kwh(t1, unknown):>11}",
                    f"T2 {kwh(t2, unknown):>11}",
                )
            )
    return lines


def _foot(view: FrameView, fancy: bool) -> list[Text]:
    from rich.text import Text

    dot = " · " if fancy else " | "
    kind = f"frame version {view.version}" if view.version else "foreign frame"
    lines = [Text("  " + dot.join([f"from {safe(view.sender, 40)}", kind]))]
    counts = [f"{grouped(view.frames)} frames", f"{grouped(view.refused)} refused"]
    counts.append("lost: not known here" if view.lost is None else f"{grouped(view.lost)} lost")
    counts.append(f"last {view.age_s:.0f} s ago")
    lines.append(Text("  " + dot.join(counts)))
    if view.refused_why:
        lines.append(Text(f"  ! refused: {safe(view.refused_why, 70)}", "bold"))
    if view.senders > 1:
        lines.append(Text(f"  ! {view.senders} senders contradict each other", "bold red"))
    if view.tail:
        shown = " ".join(map(str, view.tail))
        lines.append(Text(f"  ! not known what the rest is: {safe(shown, 48)}", "bold"))
    if view.age_s >= view.silent_s:
        text = f"  ! frames stopped {view.age_s:.0f} s ago; boards switch their outputs off"
        lines.append(Text(text, "bold red"))
    return lines


def render(view: FrameView, fancy: bool = True) -> Text:
    """The view as at most 24 lines of at most 80 columns; `fancy` False keeps to ASCII."""
    from rich.text import Text

    clock = ""
    if view.minute is not None and view.second is not None:
        clock = f"meter's clock …:{view.minute:02d}:{view.second:02d}"
        clock = clock if fancy else clock.replace("…", "")
    title = f"  {view.title}   {safe(view.where, 36)}"
    lines = [Text(f"{title:<54}").append(clock), Text(("─" if fancy else "-") * WIDTH)]
    if not view.frames:
        lines += [Text(), Text(f"  Waiting for frames: {view.age_s:.0f} s", "bold"), Text()]
        if view.refused:
            lines.append(Text(f"  {grouped(view.refused)} refused: {safe(view.refused_why, 60)}"))
        lines += [Text(f"  {safe(hint, WIDTH)}") for hint in view.hints]
    else:
        lines += [*_big_powers(view, fancy), Text()]
        lines += [*_quarter(view, fancy), Text()]
        beside = [Text(f"  {safe(line, WIDTH)}") for line in view.beside]
        lines += [*(beside or _registers(view, fancy)), Text(), *_foot(view, fancy)]
    lines = lines[: HEIGHT - 1]
    lines.append(Text("  Ctrl-C ends"))
    for line in lines:
        line.truncate(WIDTH)
    screen = Text("\n").join(lines)
    screen.no_wrap, screen.overflow = True, "crop"
    return screen


class LiveView:
    """Draws on the terminal's other screen; leaving it, whatever the reason, brings the first back.

    Also on SIGTERM: a killed view must not leave a terminal without a cursor.
    """

    def __init__(self, terminal: Terminal, console: Console | None = None) -> None:
        self._console = console or terminal.console()
        self.fancy = self._console.encoding.lower().startswith("utf")
        self._restore: Callable[[], Any] = lambda: None

    def __enter__(self) -> LiveView:
        from rich.live import Live

        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGTERM, _terminated)
            self._restore = lambda: signal.signal(signal.SIGTERM, before)
        self._live.__enter__()
        return self

    def show(self, view: FrameView) -> None:
        """Draw it now."""
        self.draw(render(view, self.fancy))

    def draw(self, what: RenderableType) -> None:
        """Draw anything of rich's now."""
        self._live.update(what, refresh=True)

    def __exit__(self, *raised: Any) -> None:
        self._live.__exit__(*raised)
        self._restore()


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)
