"""The live view on a recorded console of 80 by 24: what it says, its size, its colours."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import terminal_theme
from rich.color import ColorType
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from dsmrctl.terminal import live
from dsmrctl.terminal.live import FrameView, LiveView, render
from dsmrctl.terminal.output import Terminal, safe

VALUES = {
    "import_t1_wh": 83_125_000,
    "import_t2_wh": 27_689_123,
    "export_t1_wh": None,
    "export_t2_wh": None,
    "import_w": 2351,
    "export_w": 0,
    "tariff": 1,
    "quarter_w": 1204,
    "last_quarter_w": 900,
    "forecast_w": 1637,
    "month_peak_w": 2589,
}
VIEW = FrameView(
    where="224.0.1.3:8266",
    age_s=0.4,
    least_w=2500,
    silent_s=10.0,
    frames=1234,
    lost=0,
    senders=1,
    sender="192.168.1.5:4097",
    version=2,
    minute=11,
    second=2,
    elapsed_s=662,
    values=VALUES,
)


def with_values(**changed: Any) -> FrameView:
    return replace(VIEW, values=VALUES | changed)


def shown(view: FrameView, fancy: bool = True) -> str:
    console = Console(width=80, height=24, file=io.StringIO(), record=True, emoji=False)
    console.print(render(view, fancy))
    return console.export_text()


def test_the_view_says_everything_a_frame_does() -> None:
    text = shown(VIEW)
    for words in ("IMPORT, W", "EXPORT, W", "83 125.000", "27 689.123", "1 204 W   so far, 3:58",
                  "1 637 W   not above", "2 589 W", "900 W", "…:11:02", "from 192.168.1.5:4097",
                  "frame version 2", "1 234 frames", "0 refused", "0 lost", "last 0 s ago",
                  "day in Belgium", "224.0.1.3:8266", "Ctrl-C"):  # fmt: skip
        assert words in text
    for line in live.big("2 351"):
        assert line.rstrip() in text


def test_without_utf_8_the_view_keeps_to_ascii() -> None:
    text = shown(replace(VIEW, values={}, tail=(1, 2), refused=2, refused_why="no"), fancy=False)
    assert text.isascii()
    assert shown(VIEW, fancy=False).isascii()
    assert "2 351" in shown(VIEW, fancy=False)


def test_before_the_fifth_minute_the_forecast_is_a_question_mark() -> None:
    text = shown(replace(with_values(forecast_w=None), elapsed_s=120))
    assert "?   known from its fifth minute on" in text


def test_a_quarter_not_seen_whole_is_a_dash() -> None:
    text = shown(with_values(forecast_w=None, quarter_w=None))
    assert "—   no whole quarter was seen yet" in text
    assert "Quarter                —   so far" in text


def test_a_forecast_above_the_peak_is_told_in_words() -> None:
    assert "2 590 W   ABOVE the month peak" in shown(with_values(forecast_w=2590))
    assert "2 589 W   not above the month peak" in shown(with_values(forecast_w=2589))


def test_a_month_peak_counts_at_least_2500_w() -> None:
    text = shown(with_values(month_peak_w=1800, forecast_w=2400))
    assert "2 500 W   the least billed; measured 1 800 W" in text
    assert "2 400 W   not above the month peak" in text


def test_frames_that_stop_are_told_after_ten_seconds() -> None:
    assert "stopped" not in shown(replace(VIEW, age_s=9.9))
    assert "! frames stopped 12 s ago" in shown(replace(VIEW, age_s=12.2))


def test_what_is_odd_is_told_beside_the_numbers() -> None:
    odd = replace(
        VIEW, senders=2, tail=(7, 8), version=0, refused=3, refused_why="x\x1b[2J", lost=None
    )
    text = shown(odd)
    for words in ("2 senders contradict", "rest is: 7 8", "foreign frame", "3 refused",
                  "! refused: x", "lost: not known here"):  # fmt: skip
        assert words in text
    assert "\x1b" not in text


def test_the_least_billed_peak_and_the_silence_that_matters_are_the_callers() -> None:
    changed = replace(with_values(month_peak_w=2589), least_w=3100, silent_s=3.0, age_s=4.0)
    assert "3 100 W   the least billed; measured 2 589 W" in shown(changed)
    assert "frames stopped 4 s ago" in shown(changed)
    assert "frames stopped" not in shown(replace(VIEW, age_s=4.0))


def test_the_view_is_headed_by_what_runs() -> None:
    assert "dsmrctl demo   224.0.1.3:8266" in shown(replace(VIEW, title="dsmrctl demo"))


def test_while_nothing_comes_the_view_says_what_to_look_at() -> None:
    text = shown(
        replace(VIEW, frames=0, age_s=12.0, refused=2, refused_why="not JSON", hints=["power?"])
    )
    for words in ("Waiting for frames: 12 s", "2 refused: not JSON", "power?", "Ctrl-C"):
        assert words in text


def test_the_bar_fills_with_the_demand_and_marks_the_forecast() -> None:
    assert live.bar(1000, 2000, 4000, 8, True) == "██░░┃░░░"
    assert live.bar(None, None, 4000, 4, True) == "░░░░"
    assert live.bar(9000, 9000, 4000, 4, True) == "███▶"
    assert live.bar(1000, 4001, 4000, 4, False) == "#..>"


POWERS = st.none() | st.integers(0, 999_999_999)
VIEWS = st.builds(
    FrameView,
    where=st.text(max_size=60),
    age_s=st.floats(0, 1e7),
    frames=st.integers(0, 10**9),
    refused=st.integers(0, 10**9),
    refused_why=st.none() | st.text(max_size=300),
    lost=st.none() | st.integers(0, 10**9),
    senders=st.integers(0, 17),
    sender=st.text(max_size=60),
    version=st.integers(0, 2),
    tail=st.lists(st.integers(0, 999_999_999), max_size=60),
    minute=st.none() | st.integers(0, 59),
    second=st.none() | st.integers(0, 59),
    elapsed_s=st.none() | st.integers(0, 899),
    values=st.fixed_dictionaries(dict.fromkeys(VALUES, POWERS)),
    hints=st.lists(st.text(max_size=200), max_size=40),
)


@given(VIEWS, st.booleans())
def test_no_view_is_wider_than_80_or_higher_than_24(view: FrameView, fancy: bool) -> None:
    console = Console(width=80, height=24, file=io.StringIO(), emoji=False)
    lines = console.render_lines(render(view, fancy), pad=False)
    assert len(lines) <= 24
    for line in lines:
        text = "".join(segment.text for segment in line)
        assert sum(segment.cell_length for segment in line) <= 80
        assert text == safe(text)


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """WCAG 2's ratio of two colours."""

    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [
            (c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "theme",
    [terminal_theme.DEFAULT_TERMINAL_THEME, terminal_theme.DIMMED_MONOKAI],
    ids=["light", "dark"],
)
def test_its_colours_are_the_terminals_own_and_readable_in_both_themes(
    theme: TerminalTheme,
) -> None:
    console = Console(width=80, file=io.StringIO(), color_system="standard", force_terminal=True)
    view = replace(with_values(forecast_w=9999, export_w=5), age_s=20.0, senders=2, tail=(1,))
    used: set[Style] = set()
    for line in console.render_lines(render(view)):
        used |= {segment.style for segment in line if segment.style}
    colours = {style.color for style in used if style.color and not style.color.is_default}
    assert len(colours) >= 2
    assert not any(style.bgcolor or style.dim for style in used)
    for colour in colours:
        assert colour.type is ColorType.STANDARD
        triplet = tuple(colour.get_truecolor(theme))
        assert contrast(triplet, tuple(theme.background_color)) >= 3  # type: ignore[arg-type]


def test_leaving_the_view_brings_the_terminal_back() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)

    def interrupted() -> None:
        with LiveView(Terminal(), console) as view:
            view.show(VIEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    text = out.getvalue()
    assert text.index("\x1b[?1049h") < text.index("IMPORT") < text.index("\x1b[?1049l")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
