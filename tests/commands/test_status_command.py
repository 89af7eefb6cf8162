"""status: a household of boards that really run, of which some are ill; and what a screen shows."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fleet_boards import Fleet, Wanted, fleet
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from test_cli import on_a_terminal

from dsmrctl import quantities
from dsmrctl.commands import status
from dsmrctl.network import census, household
from dsmrctl.network.discovery import Found
from dsmrctl.network.multicast import Receiver
from dsmrctl.terminal.household import Row, View, render, show
from dsmrctl.terminal.output import Terminal
from dsmrctl.virtual.demonstration import LOOPBACK, BoardLine
from dsmrctl.virtual.meter_outlets import MeterRun
from dsmrctl.virtual.meter_past import new_household_meter

GROUP, ELSEWHERE = ("239.255.61.9", 18663), "239.255.61.9:18664"
KEY = "an invented key of signed frames"
BOARDS = [
    Wanted("interface", "meter"),
    Wanted("switcher", "bath"),
    Wanted("monitor", "hall"),
    Wanted("miniswitch", "deaf", {"frame_group": ELSEWHERE}),
    Wanted("miniswitch", "keyed", {"frame_key": KEY}),
]
AFTERNOON = datetime(2026, 6, 18, 16, 49, tzinfo=timezone(timedelta(hours=2)))
# Boards on this computer answer within 0.2 s.
SOON = ("--timeout", "1500ms")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A meter feeds the interface, whose frames come; `attic` announces itself and is not there."""
    from zeroconf import IPVersion, ServiceInfo, Zeroconf

    folder = tmp_path_factory.mktemp("household")
    group, port = GROUP
    texts = {"board": "monitor", "hw": "nodemcu-v3", "fw": "1.0.0", "id": "a1b2c3"}
    attic = ServiceInfo(
        "_dsmr._tcp.local.", "attic._dsmr._tcp.local.", 9,
        addresses=[socket.inet_aton("127.0.0.99")], server="attic.local.", properties=texts,
    )  # fmt: skip
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(group, port, [LOOPBACK]))
        made = stack.enter_context(fleet(folder, *BOARDS, group=f"{group}:{port}"))
        line = BoardLine(made.boards["meter"])
        stack.enter_context(MeterRun(new_household_meter(AFTERNOON, seed=1), [line], speed=1))
        zeroconf = Zeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
        stack.callback(zeroconf.close)
        zeroconf.register_service(attic)
        heard = 0
        while heard < 2:
            heard += len(receiver.receive(10)) or pytest.fail("no frame came in 10 s")
        yield made


@pytest.mark.slow
def test_who_gets_frames_who_does_not_and_what_to_do_about_it(home: Fleet) -> None:
    # In the whole time: `attic` need not answer twice in a second.
    ran = home.run("status", "--json")
    assert ran.code == 0, ran.err
    whole = json.loads(ran.out)
    told = {one["name"]: one for one in whole["boards"]}
    assert {name: one["frames"] for name, one in told.items()} == {
        "attic": "no answer", "bath": "ok", "deaf": "none", "hall": "ok", "keyed": "refused",
        "meter": "sends",
    }  # fmt: skip
    assert "others hear frames and it does not" in told["deaf"]["advice"]
    assert "frame_key" in told["keyed"]["advice"]
    assert "does not answer" in told["attic"]["advice"]
    assert {told[name]["advice"] for name in ("bath", "hall", "meter")} == {None}
    # The interface knows most, and what it says others heard of it.
    values = whole["household"]
    assert values["time"].startswith("2026-06-18T16:49:")
    assert values["voltage_l1_v"] > 200
    for one in (whole["household"], *(each["values"] for each in told.values())):
        assert one.keys() <= set(quantities.NAMES)
    assert told["hall"]["values"]["month_peak_w"] == values["month_peak_w"] > 2500
    assert told["bath"]["values"]["output_percent"] in range(101)
    assert told["bath"]["state"].endswith("%: follows the export") or told["bath"]["state"] in (
        "off: follows the export", "ON: follows the export",
    )  # fmt: skip


@pytest.mark.slow
def test_one_board_is_judged_by_what_the_others_hear(home: Fleet) -> None:
    ran = home.run("status", "deaf", *SOON)
    lines = ran.out.splitlines()
    assert (ran.code, len(lines)) == (0, 4)
    assert re.fullmatch(
        r"import [\d ]+ W   export [\d ]+ W   tariff 1   2026-06-18T16:.*", lines[0]
    )
    assert lines[3].startswith("! deaf\tminiswitch: off: hears no frames\t-55\tnone\t")
    assert "! deaf: others hear frames and it does not" in ran.err
    assert "attic" not in ran.out + ran.err


@pytest.mark.slow
def test_on_a_terminal_leds_are_signs_and_no_line_is_too_long(home: Fleet) -> None:
    where = {name: text for name, text in home.environment().items() if name.startswith("DSMRCTL_")}
    plain = on_a_terminal(["status", *SOON], home.folder, NO_COLOR="1", **where).decode()
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", plain)
    text = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", plain)
    # What is wrong stands below, on stderr, in sentences that the terminal itself breaks.
    table = [line for line in text.split("\r\n") if not re.match("! [^ ]+: ", line)]
    assert max(map(len, table)) <= 80
    assert re.search(r"hall +monitor: export [●○]{5} import [●○]{4} peak ○", text)
    for ill in ("! deaf", "! keyed"):
        assert ill in text
    live = on_a_terminal(["status", "--watch", "--count", "1", *SOON], home.folder, **where)
    # The other screen, and back to the first with its cursor.
    assert live.index(b"\x1b[?1049h") < live.index(b"\x1b[?1049l")
    assert live.rindex(b"\x1b[?25h") > live.rindex(b"\x1b[?25l")
    assert "! deaf: others hear frames" in live.decode()


# ---- what a screen shows

WELL = Row("boiler", "miniswitch", "ON: stays on 50 s", "1.0.0", "-52", "0 s", "2 h")
VALUES = {
    "import_w": 0, "export_w": 1500, "tariff": 1, "time": "2026-06-18T16:49:05+02:00",
    "quarter_w": 1200, "forecast_w": 1800, "month_peak_w": 7016,
}  # fmt: skip


def shown(
    view: View, width: int = 80, fancy: bool = True, title: str | None = None,
    height: int | None = None,
) -> list[str]:  # fmt: skip
    # As the program's own streams: what an encoding lacks does not stop it.
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8" if fancy else "ascii", errors="replace")
    console = Console(file=file, width=width, height=50, force_terminal=False, emoji=False)
    console.print(render(view, console, title, height))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(file.encoding).splitlines()


def test_the_headline_says_where_the_quarter_is_heading() -> None:
    lines = shown(View(VALUES, [WELL], least_w=2500))
    assert lines[0] == "import 0 W   export 1 500 W   tariff 1   2026-06-18 16:49:05"
    assert lines[1].endswith(" 7 016 W")
    assert lines[2] == "quarter 1 200 W so far   forecast 1 800 W   month peak 7 016 W"
    above = "\n".join(shown(View(VALUES | {"forecast_w": 8000}, [WELL], least_w=2500)))
    assert "8 000 W, ABOVE the month peak" in above
    # What is billed at least counts, not a peak below it.
    low = VALUES | {"month_peak_w": 900}
    assert "ABOVE" not in "\n".join(shown(View(low, [WELL], least_w=2500)))
    early = shown(View(VALUES | {"forecast_w": None}, [WELL], least_w=2500))
    assert "forecast not yet" in early[2]
    assert shown(View({}, [WELL]))[0] == "Nobody says what the meter measures."


def test_a_wide_terminal_has_room_for_more_and_a_narrow_one_keeps_what_matters() -> None:
    wide, usual, tiny = ("\n".join(shown(View(VALUES, [WELL]), width)) for width in (120, 80, 45))
    assert "1.0.0" in wide
    assert "miniswitch: ON" not in wide
    assert "miniswitch: ON" in usual
    assert "1.0.0" not in usual
    assert "boiler" in tiny
    assert "0 s" in tiny
    assert "-52" not in tiny


def test_ascii_is_enough() -> None:
    hall = WELL._replace(name="hall", board="monitor", lamps=(2, 0, True, "8000 W"))
    unknown = hall._replace(lamps=(None, 4, False, ""))
    text = "\n".join(shown(View(VALUES, [hall, unknown], ["hall: look"]), fancy=False, title="it"))
    assert "export ##... import .... PEAK # 8000 W" in text
    assert "export ????? import #### peak ." in text
    assert "! hall: look" in text


def test_on_a_low_screen_who_is_ill_comes_first() -> None:
    rows = [WELL._replace(name=f"b{number}", ill=number == 29) for number in range(30)]
    lines = shown(View(VALUES, rows, ["b29: why"]), title="dsmrctl status", height=24)
    assert len(lines) <= 24
    text = "\n".join(lines)
    assert re.search("! b29 .* ON: stays on", text)
    assert re.search(r"and 19 more, who are well", text)
    assert "! b29: why" in text


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)  # fmt: skip
KEYS = [
    *("output", "reason", "timer_s", "export_leds", "import_leds", "peak_led", "telegrams"),
    *("telegram_age_s", "refused", "mqtt", "mains", *quantities.NAMES),
]
ESCAPE = "\x1b[2J\x9b31m\u202e"
ODD = {"export_leds": 10**30, "peak_led": [], "forecast_w": "\x1b[2J", "import_leds": True}


@settings(max_examples=40)
@given(
    name=st.text(max_size=70),
    now=st.dictionaries(st.sampled_from(KEYS), ANY, max_size=20),
    width=st.integers(20, 200),
    fancy=st.booleans(),
)
@example(name=ESCAPE * 30, now={"telegrams": 1, "mqtt": ESCAPE * 9}, width=200, fancy=True)
@example(name="\x1b]0;owned\x07\ud800\n" * 9, now=ODD, width=80, fancy=True)
@example(name="", now={"telegrams": 1, "telegram_age_s": 0, "import_w": -(1 << 39)}, width=20,
         fancy=False)  # fmt: skip
def test_whatever_a_board_says_a_screen_shows_it_safely(
    name: str, now: dict[str, Any], width: int, fancy: bool
) -> None:
    found = Found(name, "127.0.0.91", 80, name[:9], name, name, "a1b2c3")
    age = census.whole(now.get("frame_age_s"), 0, 1 << 40)
    seen = census.Seen(found, frame_age_s=age, sends="telegrams" in now, status=now)
    view = status._view(household.of(census.Census([seen, seen], [])))
    for line in shown(view, width, fancy, "title", 24):
        assert not CONTROL.search(line), ascii(line)
        # What ASCII lacks is a question mark there, also where it had no width.
        assert not fancy or cell_len(line) <= width
    out, err = io.StringIO(), io.StringIO()
    show(Terminal(out=out, err=err), view)
    for line in (out.getvalue() + err.getvalue()).replace("\t", " ").split("\n"):
        assert not CONTROL.search(line), ascii(line)


def test_who_left_is_told_to_be_silent_and_who_moved_is_told_once() -> None:
    pump = Found("pump", "10.0.0.2", 80, "miniswitch", "v1", "1.0.0", "a1b2c3")
    bath = pump._replace(name="bath", address="10.0.0.3", id="a1b2c4")
    moved = pump._replace(address="10.0.0.9")
    renamed = bath._replace(name="tub")
    assert status._joined([bath, pump], [bath]) == [bath, pump]
    assert status._joined([bath, pump], [bath, moved]) == [bath, moved]
    assert status._joined([bath, pump], [pump, renamed]) == [pump, renamed]
    crowd = [pump._replace(name=f"b{n}", address=f"10.1.{n // 200}.{n % 200}") for n in range(300)]
    assert len(status._joined(crowd, [bath])) == 250
    assert bath in status._joined(crowd, [bath])
