"""Columns on a terminal: as wide as there is room, to scale, plain ASCII where nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.terminal import chart

values = st.lists(
    st.tuples(
        st.none() | st.floats(0, 1e5, allow_nan=False),
        st.none() | st.floats(0, 1e5, allow_nan=False),
    ),
    max_size=150,
)


def test_up_and_down_are_drawn_in_one_scale() -> None:
    lines = chart.columns([2000.0, 0.0], [0.0, 1000.0], [(0, "00"), (1, "01")], "W", width=20)
    assert lines[0].lstrip().startswith("2000 W")
    zero = next(at for at, line in enumerate(lines) if line.lstrip().startswith("0 "))
    up = [line for line in lines[:zero] if "█" in line]
    down = [line for line in lines[zero + 1 :] if "█" in line or "▀" in line]
    assert len(up) in (9, 10)
    assert len(down) == 5
    assert lines[zero + 5].startswith("-1000 W")


def test_the_mark_stands_above_its_column() -> None:
    up = [100.0] * 30
    up[20] = 500.0
    lines = chart.columns(up, [None] * 30, [], "W", width=60, fancy=False, mark=(20, "500 W"))
    assert lines[0].index("v") == lines[1].index("#")
    assert lines[0].endswith("v 500 W")
    late = chart.columns(up, [None] * 30, [], "W", width=40, fancy=False, mark=(29, "500 W"))
    assert late[0].endswith("500 W v")
    assert len(late[0]) <= 40


def test_a_gap_is_a_hole_in_the_ground_and_zero_is_not() -> None:
    lines = chart.columns([1.0, None, 0.0, 1.0], [None] * 4, [], "kWh", width=14, fancy=False)
    ground = next(line for line in lines if line.lstrip().startswith("0 "))
    bars = ground.split("0 ", 1)[1]
    wide = len(bars) // 4
    assert bars == "-" * wide + " " * wide + "-" * (2 * wide)


def test_where_neighbours_share_a_column_the_highest_is_seen() -> None:
    up = [1.0] * 1000
    up[567] = 90.0
    lines = chart.columns(up, [None] * 1000, [], "W", width=60, fancy=False)
    assert lines[0].lstrip().startswith("90 W")
    assert lines[0].count("#") == 1


def test_nothing_at_all_and_nothing_but_zeros_are_drawn() -> None:
    assert chart.columns([], [], [], "W") == []
    assert chart.columns([0.0, 0.0], [0.0, None], [(0, "a")], "W", fancy=False)[0].endswith(
        "0 " + "-" * 12
    )


@given(pairs=values, width=st.integers(1, 200), fancy=st.booleans())
def test_no_line_is_wider_than_the_terminal(
    pairs: list[tuple[float | None, float | None]], width: int, fancy: bool
) -> None:
    up, down = [high for high, _ in pairs], [low for _, low in pairs]
    labels = [(at, str(at)) for at in range(0, len(pairs), 12)]
    mark = (len(pairs) // 2, "12345 W") if pairs else None
    lines = chart.columns(up, down, labels, "kWh", width=width, fancy=fancy, mark=mark)
    assert len(lines) <= 14 + 2 + 3
    for line in lines:
        assert len(line) <= max(width, 26)
        assert fancy or line.isascii()
