"""The same columns as a picture: SVG that reads in light and dark, and to a screen reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

_STYLE = (
    ":root{color-scheme:light dark}"
    "text{font:12px system-ui,sans-serif;fill:#333;font-variant-numeric:tabular-nums}"
    ".title{font-size:15px;font-weight:600}"
    ".up{fill:#2563a8}.down{fill:#3c8c50}.peak{fill:#c2410c}.gap{fill:#8884}"
    "line{stroke:#8888;stroke-width:1}.back{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.back{fill:#16181c}.up{fill:#6ea8e8}"
    ".down{fill:#7ccf90}.peak{fill:#fb923c}}"
)
_LEFT, _TOP, _FOOT = 84, 48, 72


def columns(
    title: str,
    up: Sequence[float | None],
    down: Sequence[float | None],
    labels: Sequence[tuple[int, str]],
    unit: str,
    *,
    summary: str = "",
    peak: int | None = None,
    legend: Mapping[str, str] = MappingProxyType({}),
    width: int = 900,
    height: int = 360,
) -> str:
    """An SVG document; up, down: values ≥ 0, None for a gap; peak: the index that is marked.

    labels: (index, text) below the columns. summary: a sentence for who cannot see it. legend: what
    the colours mean, by "up", "down", "peak" and "gap".
    """
    most_up = max((value for value in up if value), default=0.0)
    most_down = max((value for value in down if value), default=0.0)
    inner = height - _TOP - _FOOT
    scale = inner / ((most_up + most_down) or 1)
    zero = _TOP + most_up * scale if most_up + most_down else _TOP + inner
    step = (width - _LEFT - 16) / max(len(up), 1)
    bar = max(step * 0.8, 0.5)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="title summary"><title id="title">{escape(title)}</title>'
        f'<desc id="summary">{escape(summary)}</desc><style>{_STYLE}</style>'
        f'<rect class="back" width="{width}" height="{height}"/>'
        f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>'
    ]
    for value, at in ((most_up, _TOP), (-most_down, zero + most_down * scale)):
        if value:
            parts.append(
                f'<line x1="{_LEFT}" x2="{width - 16}" y1="{at:.1f}" y2="{at:.1f}"/>'
                f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">'
                f"{value:.4g} {unit}</text>"
            )
    for index, (high, low) in enumerate(zip(up, down, strict=True)):
        x = _LEFT + index * step
        if high is None and low is None:
            parts.append(
                f'<rect class="gap" x="{x:.2f}" y="{_TOP}" width="{step:.2f}" height="{inner}"/>'
            )
        if high:
            name = "peak" if index == peak else "up"
            size = high * scale
            parts.append(
                f'<rect class="{name}" x="{x:.2f}" y="{zero - size:.2f}" width="{bar:.2f}" '
                f'height="{size:.2f}"/>'
            )
        if low:
            parts.append(
                f'<rect class="down" x="{x:.2f}" y="{zero:.2f}" width="{bar:.2f}" '
                f'height="{low * scale:.2f}"/>'
            )
    parts.append(f'<line x1="{_LEFT}" x2="{width - 16}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    # Under a wide column in its middle, else from where it begins.
    middle, anchor = (bar / 2, ' text-anchor="middle"') if step > 12 else (0.0, "")
    parts += [
        f'<text x="{_LEFT + index * step + middle:.1f}" y="{height - _FOOT + 20}"{anchor}>'
        f"{escape(text)}</text>"
        for index, text in labels
    ]
    x = float(_LEFT)
    for name, text in legend.items():
        parts.append(
            f'<rect class="{name}" x="{x:.0f}" y="{height - 30}" width="12" height="12"/>'
            f'<text x="{x + 18:.0f}" y="{height - 20}">{escape(text)}</text>'
        )
        x += 48 + 6.6 * len(text)
    return "".join(parts) + "</svg>\n"
