"""A picture that stands alone: well formed, to scale, told to a screen reader, light and dark."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.terminal import picture

SPACE = "{http://www.w3.org/2000/svg}"
numbers = st.none() | st.integers(0, 10**9).map(lambda wh: wh / 1000)


def drawn(*args: object, **options: object) -> ElementTree.Element:
    return ElementTree.fromstring(picture.columns(*args, **options))  # type: ignore[arg-type]


def test_bars_are_to_scale_and_meet_at_zero() -> None:
    root = drawn("t", [100.0, 50.0, None], [0.0, 25.0, None], [], "W", peak=0)
    sizes = {
        rect.get("class"): float(rect.get("height", "0")) for rect in root.iter(f"{SPACE}rect")
    }
    assert round(sizes["peak"] / sizes["up"], 1) == 2.0
    assert round(sizes["up"] / sizes["down"], 1) == 2.0
    assert "gap" in sizes
    (up,) = root.findall(f"{SPACE}rect[@class='up']")
    (down,) = root.findall(f"{SPACE}rect[@class='down']")
    bottom = float(up.get("y", "0")) + float(up.get("height", "0"))
    assert abs(bottom - float(down.get("y", "0"))) < 0.1


def test_a_screen_reader_is_told_what_is_seen() -> None:
    root = drawn("2026-11", [1.0], [None], [], "kWh", summary="One column.")
    assert root.get("role") == "img"
    named = {one.get("id"): one.text for one in root if one.get("id")}
    assert [named[name] for name in root.get("aria-labelledby", "").split()] == [
        "2026-11", "One column.",
    ]  # fmt: skip


def test_it_names_nothing_outside_and_has_both_schemes() -> None:
    text = picture.columns("t", [1.0], [2.0], [(0, "1")], "kWh", legend={"up": "imported"})
    assert "prefers-color-scheme:dark" in text
    assert "tabular-nums" in text
    outside = text.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in outside
    assert "url(" not in outside
    assert "<script" not in outside
    assert ">imported</text>" in text


@given(
    pairs=st.lists(st.tuples(numbers, numbers), max_size=120),
    title=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
)
def test_whatever_is_drawn_is_well_formed_and_inside(
    pairs: list[tuple[float | None, float | None]], title: str
) -> None:
    title = "".join(one for one in title if one not in "\ufffe\uffff")
    up, down = [high for high, _ in pairs], [low for _, low in pairs]
    root = drawn(title, up, down, [(0, title)] if pairs else [], "W", legend={"up": title})
    assert root[0].text in (title, None)
    for rect in root.iter(f"{SPACE}rect"):
        if rect.get("y") is not None:
            y, height = float(rect.get("y", "0")), float(rect.get("height", "0"))
            assert -0.01 <= y <= y + height <= 360.01
