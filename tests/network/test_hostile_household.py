"""Boards that say anything of how they are, and the program that has to show it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hostile_boards import (
    ESCAPES,
    Act,
    Stand,
    by_call,
    drips,
    endless,
    raw,
    resets,
    says,
    silent,
    text,
    whole,
)
from hypothesis import example, given
from hypothesis import strategies as st
from ran import Run

from dsmrctl import quantities
from dsmrctl.commands import discover, status
from dsmrctl.network import census, household
from dsmrctl.network.discovery import Found
from dsmrctl.terminal.output import dumps, safe

CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

KEYS = [
    *("output", "reason", "timer_s", "export_leds", "import_leds", "forecast_w", "threshold_w"),
    *("peak_led", "telegrams", "telegrams_bad", "telegram_age_s", "frame_age_s", "refused"),
    *("mqtt", "wifi", "ssid", "rssi_dbm", "uptime_s", "unconfirmed", "error", "field"),
    *quantities.BY_NAME,
]
TEXTS = st.text(max_size=30) | st.sampled_from(
    [ESCAPES, "\ud800", "silent", "off", "blink", "proportional", "9" * 3000]
)
NUMBERS = (
    st.integers() | st.integers(-3, 120) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**4200, -(10**4200), 1e300, 5e-324])
)  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=8)
    ),
    max_leaves=25,
)
STATUS = st.dictionaries(st.sampled_from(KEYS), ANY, max_size=12) | ANY


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """One for all the examples, each of which sets its `act`."""
    with Stand(silent) as board:
        yield board


@pytest.mark.slow
@given(info=STATUS, now=STATUS)
@example(info={"wifi": {"ssid": ESCAPES}}, now={"telegrams": 10**4200, "mqtt": ESCAPES})
@example(info={"wifi": 3, "uptime_s": 1e300}, now={"output": True, "timer_s": 1 << 39})
def test_no_status_breaks_the_household(stand: Stand, info: Any, now: Any) -> None:
    stand.act = by_call(info=info, status=now)
    board = Found("boiler", stand.address, stand.port, "miniswitch", "hw", "1.0.0", "a1b2c3")
    seen = census.look(board, 5)
    shown(seen)


def shown(seen: census.Seen) -> None:
    """As a document and on the screen: no fault, nothing that drives a terminal."""
    home = household.of(census.Census([seen], []))
    document = dumps(status.document(home))
    json.loads(document.encode())
    cells = [safe(cell) for cell in (*discover.row(seen), *status._row(home.members[0]))]
    told = (seen.fault.message, seen.fault.hint or "") if seen.fault else ()
    for line in (document, *cells, *told, home.members[0].advice or ""):
        assert not CONTROL.search(line), ascii(line)


KINDS = [
    {"output": 100, "reason": "export", "timer_s": 9, "frame_age_s": 1},
    {"export_leds": 1, "peak_led": "blink", "forecast_w": 1, "threshold_w": 1, "frame_age_s": 60},
    {"telegrams": 9, "telegrams_bad": 1, "telegram_age_s": 1, "mqtt": "connected"},
]
ODD = [
    None,
    True,
    -1,
    10**4200,
    0.5,
    Decimal("0." + "1" * 5000),
    ESCAPES,
    "x" * 60000,
    [],
    [[]],
    {},
]


@pytest.mark.parametrize("kind", KINDS, ids=["switch", "monitor", "interface"])
@pytest.mark.slow
def test_no_value_of_another_type_breaks_the_household(kind: dict[str, Any]) -> None:
    board = Found("boiler", "127.0.0.91", 80, "miniswitch", "hw", "1.0.0", "a1b2c3")
    for key in (*KEYS, ESCAPES):
        for value in ODD:
            now = kind | {key: value}
            shown(census.Seen(board, sends="telegrams" in now, frame_age_s=3, status=now))


# ---- the program

PASSWORD = "korrekt horse 9"
INFO = {"board": "miniswitch", "id": "a1b2c3", "name": "boiler", "hw": "esp01s", "fw": "1.0.0"}
EVIL = dict.fromkeys(["threshold_w", "name", "\x1b[2J", "x" * 5000, "language"], ESCAPES)
RULE = {"type": ESCAPES, "unit": ESCAPES, "min": "x", "choices": [ESCAPES]}
RULES = dict.fromkeys(EVIL, RULE)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def settings(held: Any, schema: Any) -> Act:
    """A board that is one but for its settings."""
    return by_call(info=INFO, settings={"settings": held, "schema": schema})


# What it is, the exit codes it may end with.
HOSTILE: dict[str, tuple[Act, set[int]]] = {
    "escapes everywhere": (settings(EVIL, RULES), {0}),
    "settings as a list": (settings([1], {}), {6}),
    "settings as null": (settings(None, None), {6}),
    "rules as numbers": (settings({"name": "a"}, {"name": 5}), {6}),
    "no rules": (settings({"threshold_w": 5, "name": None}, {}), {0}),
    "values of other types": (
        settings({"threshold_w": [[]], "name": {"a": 1}, "language": True}, RULES),
        {0},
    ),
    "who it is in escapes": (says(dict.fromkeys(INFO, ESCAPES)), {2, 6}),
    "nested deep": (text(b"[" * 100_000), {6}),
    "nested 990 deep": (text(b'{"settings": ' * 990 + b"1" + b"}" * 990), {6}),
    "10 MB": (text(b"[" * 10_000_000), {6}),
    "chunks without end": (endless(CHUNKED, b"4\r\n    \r\n"), {6}),
    "SSH": (raw(b"SSH-2.0-\x1b[2J\r\n"), {6}),
    "a password, please": (says({"error": ESCAPES}, 401), {6}),
    "an error in escapes": (says({"error": ESCAPES}, 503), {5}),
    "silent": (silent, {4}),
    "a drip": (drips(whole(json.dumps(INFO).encode())), {4}),
    "torn": (resets(), {4}),
}


@pytest.mark.slow
def test_the_program_ends_in_time_and_shows_nothing_that_drives_a_terminal(
    dsmrctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    for name, (act, codes) in HOSTILE.items():
        with Stand(act) as board:
            where = ("--host", f"{board.address}:{board.port}", "--timeout", "0.8s", "--json")
            began = time.monotonic()
            ran = dsmrctl("config", *where, env={"DSMRCTL_DEBUG": "1"}, timeout=20)
            took = time.monotonic() - began
        assert took < 0.8 + 3, (name, took)
        assert ran.code in codes, (name, ran)
        for line in (ran.out + ran.err).splitlines():
            assert not CONTROL.search(line), (name, ascii(line))
            assert isinstance(json.loads(line), dict), name
        assert PASSWORD not in ran.out + ran.err


@pytest.mark.soak
@pytest.mark.parametrize("name", HOSTILE)
def test_every_command_ends_in_time_and_shows_nothing_that_drives_a_terminal(
    dsmrctl: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    env = {"DSMRCTL_DEBUG": "1", "DSMRCTL_ADMIN_PASSWORD": PASSWORD}
    asked = (
        *(("config",), ("config", "threshold_w"), ("config", "threshold_w=5"), ("identify",)),
        *(("config", "--backup", "a.json"), ("output", "on"), ("output", "auto"), ("update",)),
        *(("wifi", "scan"), ("config", "threshold_w=5", "--dry-run")),
    )
    with Stand(HOSTILE[name][0]) as board:
        for args in asked:
            for more in ((), ("--json",)):
                command = (*args, "--host", f"{board.address}:{board.port}", *more)
                began = time.monotonic()
                ran = dsmrctl(*command, "--timeout", "0.8s", env=env, timeout=60)
                assert time.monotonic() - began < 2 * 0.8 + 3, command
                assert 0 <= ran.code <= 6, (command, ran)
                assert "Traceback" not in ran.err, (command, ran)
                assert not CONTROL.search((ran.out + ran.err).replace("\n", "").replace("\t", ""))
                assert PASSWORD not in ran.out + ran.err
