"""The dashboard in a real browser, on an interface board that really reads a meter."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from browser import DESKTOP, PHONE, Pages, Visit, pages
from world import KEY, SSID, address, flash

from dsmrctl.telegram import parse
from dsmrctl.telegram.document import quantities
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard
from dsmrctl.virtual.demonstration import BoardLine
from dsmrctl.virtual.meter_outlets import MeterRun
from dsmrctl.virtual.meter_past import new_household_meter

pytestmark = pytest.mark.slow

LOOKS = [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]
UNITS = {"wh": ("kWh", 3, 1000), "m3": ("m³", 3, 1), "v": ("V", 1, 1), "a": ("A", 2, 1)}
REGISTERS = ("import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh", "gas_m3", "water_m3")


@dataclass
class Dashboard:
    """An interface board whose meter sends; `given` are its telegrams, newest last."""

    url: str
    line: BoardLine
    given: list[bytes] = field(default_factory=list)

    def send(self, raw: bytes) -> None:
        self.line.send(raw)
        self.given.append(raw)

    def close(self) -> None:
        """The board is the fixture's."""

    def telegram(self) -> dict[str, Any]:
        """What the newest telegram tells, read from its own text."""
        return quantities(parse(self.given[-1]))


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    air = Air()
    air.on(SSID, KEY, -55)
    folder: Path = tmp_path_factory.mktemp("dashboard")
    settings = {"frame_group": "239.255.79.1:19979"}
    path, place = flash(folder, board="interface", settings=settings)
    where = address(201)
    meter = new_household_meter(datetime(2026, 6, 18, 16, 34, tzinfo=UTC), seed=1)
    with VirtualBoard(path, place, address=where, air=air) as board:
        board.power_on()
        end = time.monotonic() + 20
        while board.wifi != 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert board.wifi == 5, board.log
        made = Dashboard(f"http://{where}", BoardLine(board))
        with MeterRun(meter, [made]):
            while not made.given:
                time.sleep(0.1)
            time.sleep(1)
            yield made
        assert board.resets == board.faults == [], board.log[-3000:]


@pytest.fixture
def look(need: Callable[[str], str]) -> Iterator[Pages]:
    need("chromium")
    with pages() as opened:
        yield opened


def status_of(dashboard) -> dict[str, Any]:
    with urllib.request.urlopen(dashboard.url + "/api/status", timeout=20) as answer:
        return json.load(answer)


def watch(look: Pages, url: str, **how: Any) -> Visit:
    visit = look.open(url, **how)
    visit.page.wait_for_function("document.querySelector('#time').textContent.length > 10")
    return visit


def answered(dashboard, look: Pages, language: str = "nl", **instead: Any) -> Visit:
    """The page as it is when the board's status has these values instead of its own."""
    visit = look.open("about:blank")

    def other(route: Any) -> None:
        answer = route.fetch()
        more = {"language": language} if route.request.url.endswith("info") else instead
        route.fulfill(response=answer, json=answer.json() | more)

    visit.page.route("**/api/*", other)
    visit.origin = dashboard.url.split("//")[1].strip("/")
    visit.page.goto(dashboard.url)
    visit.page.get_by_role("status").get_by_text(re.compile(".")).wait_for()
    visit.page.wait_for_function("document.querySelector('#import_w').textContent != ''")
    visit.page.wait_for_load_state("networkidle")
    return visit


def text(visit: Visit, name: str) -> str:
    return visit.page.locator(f"#{name}").inner_text()


def shown(value: Any, name: str) -> str:
    if value is None:
        return "–"
    unit, digits, divisor = UNITS[name.rsplit("_", 1)[1]]
    return f"{float(value) / divisor:.{digits}f} {unit}".replace(".", ",")


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_the_dashboard_is_sound_on_phone_and_desk_by_day_and_night(dashboard, look, size, scheme):
    visit = watch(look, dashboard.url, size=size, scheme=scheme)
    visit.page.wait_for_load_state("networkidle")
    look.shot(visit, f"dashboard-{size[0]}-{scheme}")
    visit.assert_sound()
    assert not visit.small_targets()
    assert visit.page.locator("html").get_attribute("lang") == "nl"
    assert "|" not in visit.page.inner_text("body")


def test_the_dashboard_shows_what_the_meter_last_said(dashboard, look):
    visit = watch(look, dashboard.url)
    names = [*REGISTERS, "voltage_l1_v", "current_l1_a"]
    seen, expected, when = {}, {"no": "telegram"}, ""
    for _ in range(20):
        before = dashboard.telegram()
        seen = {name: text(visit, name) for name in names}
        when = text(visit, "time")
        expected = {name: shown(before.get(name), name) for name in names}
        year, month, day = before["time"][:10].split("-")
        if seen == expected and when == f"{day}-{month}-{year} {before['time'][11:19]}":
            break
        time.sleep(0.3)
    else:
        pytest.fail(f"{seen} is not {expected}, at {when}")
    assert text(visit, "tariff") == ("T1 - DAG" if before["tariff"] == 1 else "T2 - NACHT")
    visit.assert_sound()


def test_the_values_follow_the_meter_by_themselves(dashboard, look):
    visit = watch(look, dashboard.url)
    first = text(visit, "time")
    visit.page.wait_for_function(
        f"document.querySelector('#time').textContent != {json.dumps(first)}"
    )
    visit.page.wait_for_timeout(5000)
    assert visit.requests[:3] == [("GET", "/"), ("GET", "/api/info"), ("GET", "/api/status")]
    assert 3 <= visit.requests.count(("GET", "/api/status")) <= 6
    assert visit.requests.count(("GET", "/api/info")) == 1
    assert visit.most_at_once == 1
    visit.assert_sound()


def test_two_gauges_tell_import_and_export_to_who_cannot_see_them(dashboard, look):
    visit = answered(dashboard, look, import_w=1234, export_w=0)
    for label, id, value in (("Afname", "import_w", "1234"), ("Injectie", "export_w", "0")):
        gauge = visit.page.get_by_role("meter", name=label, exact=True)
        assert gauge.get_attribute("aria-valuemin") == "0"
        assert gauge.get_attribute("aria-valuemax") == "10000"
        assert gauge.get_attribute("aria-valuenow") == value
        assert gauge.get_attribute("aria-valuetext") == f"{value} W"
        assert visit.page.locator(f"#{id}").text_content() == value
    visit.assert_sound()


def test_over_10000_w_the_gauge_is_pegged_and_the_number_true(dashboard, look):
    visit = answered(dashboard, look, import_w=17250)
    gauge = visit.page.get_by_role("meter", name="Afname", exact=True)
    assert gauge.get_attribute("aria-valuenow") == "10000"
    assert gauge.get_attribute("aria-valuetext") == "17250 W"
    assert visit.page.locator("#import_w").text_content() == "17250"
    arc = gauge.locator("path").nth(1)
    assert arc.evaluate("e => e.style.strokeDasharray").startswith("100")
    visit.assert_sound()


@pytest.mark.parametrize(
    "peak, seen, note",
    [
        (1234, "2,500 kW", "(gemeten 1,234 kW)"),
        (2500, "2,500 kW", ""),
        (6354, "6,354 kW", ""),
        (0, "2,500 kW", "(gemeten 0,000 kW)"),
        (None, "–", ""),
    ],
)
def test_the_month_peak_is_at_least_2500_w_and_says_what_was_measured(
    dashboard, look, peak, seen, note
):
    visit = answered(dashboard, look, month_peak_w=peak)
    assert text(visit, "month_peak_w") == seen
    assert text(visit, "low") == note
    visit.assert_sound()


def test_a_forecast_above_the_peak_is_marked_and_an_unknown_one_is_a_question(dashboard, look):
    for forecast, peak, seen in (
        (None, 3000, "?"),
        (3000, 3000, "3,000 kW"),
        (3001, 3000, "⚠ 3,001 kW"),
        (2400, 1000, "2,400 kW"),
    ):
        visit = answered(dashboard, look, forecast_w=forecast, month_peak_w=peak)
        assert text(visit, "forecast_w") == seen
        visit.assert_sound()


def test_a_meter_with_one_phase_has_one_row(dashboard, look):
    names = [
        f"{what}_l{n}_{unit}"
        for n in (2, 3)
        for what, unit in (("voltage", "v"), ("current", "a"), ("import", "w"))
    ]
    nothing: dict[str, Any] = dict.fromkeys(names)
    visit = answered(dashboard, look, "nl", **nothing)
    assert visit.page.get_by_text("Fase - 1").is_visible()
    assert not visit.page.get_by_text("Fase - 2").is_visible()
    assert not visit.page.get_by_text("Fase - 3").is_visible()
    visit.assert_sound()


def test_the_months_stand_newest_first_as_they_were_measured(dashboard, look):
    history = [["2025-04", 1234], ["2025-05", 10695], ["2025-06", 0]]
    visit = answered(dashboard, look, history=history)
    rows = visit.page.locator("#past tr").evaluate_all(
        "all => all.map(row => [row.cells[0].textContent, row.cells[2].textContent])"
    )
    assert rows == [["06-2025", "0,000 kW"], ["05-2025", "10,695 kW"], ["04-2025", "1,234 kW"]]
    wide = visit.page.locator("#past i").evaluate_all("all => all.map(one => one.offsetWidth)")
    assert wide[0] == 0
    assert wide[1] > 6 * wide[2] > 0
    visit.assert_sound()


def test_a_board_that_knows_nothing_yet_shows_dashes(dashboard, look):
    nothing: dict[str, Any] = dict.fromkeys(status_of(dashboard))
    nothing |= {"history": [], "mqtt": "off", "frames": 0, "telegrams_bad": 0}
    visit = answered(dashboard, look, "nl", **nothing)
    assert {text(visit, name) for name in REGISTERS} == {"–"}
    assert {text(visit, "time"), text(visit, "tariff"), text(visit, "month_peak_w")} == {"–"}
    assert visit.page.locator("#import_w").text_content() == "–"
    assert visit.page.get_by_role("status").inner_text() == "⚠ De meter zwijgt"
    visit.assert_sound()


def test_a_silent_meter_is_told_after_10_s_with_how_long(dashboard, look):
    visit = answered(dashboard, look, telegram_age_s=10)
    assert visit.page.get_by_role("status").inner_text() == "Verbonden"
    visit = answered(dashboard, look, telegram_age_s=37)
    assert visit.page.get_by_role("status").inner_text() == "⚠ De meter zwijgt"
    assert text(visit, "age") == "37 s"
    visit.page.unroute("**/api/*")
    visit.page.get_by_role("status").get_by_text("Verbonden").wait_for()
    assert text(visit, "age") == ""
    visit.assert_sound()


def test_a_lost_connection_is_told_and_comes_back_by_itself(dashboard, look):
    visit = watch(look, dashboard.url)
    status = visit.page.get_by_role("status")
    visit.context.set_offline(True)
    status.get_by_text("Geen verbinding met de module").wait_for()
    look.shot(visit, "dashboard-no-connection")
    visit.context.set_offline(False)
    status.get_by_text("Verbonden", exact=True).wait_for()
    visit.assert_sound("net::ERR_")


@pytest.mark.parametrize(
    "language, said, settings, tariff, day, mqtt",
    [
        ("nl", "Verbonden", "Instellingen", "T2 - NACHT", "22-06-2025 11:05:05", "Uit"),
        ("en", "Connected", "Settings", "T2 - NIGHT", "2025-06-22 11:05:05", "Off"),
        ("fr", "Connecté", "Paramètres", "T2 - NUIT", "22-06-2025 11:05:05", "Désactivé"),
    ],
)
def test_the_dashboard_speaks_the_boards_language(
    dashboard, look, language, said, settings, tariff, day, mqtt
):
    visit = answered(
        dashboard,
        look,
        language,
        tariff=2,
        mqtt="off",
        water_m3="372.234",
        time="2025-06-22T11:05:05+02:00",
        telegram_age_s=0,
    )
    page = visit.page
    assert page.locator("html").get_attribute("lang") == language
    assert page.get_by_role("status").inner_text() == said
    assert page.get_by_role("link").inner_text() == settings
    assert [text(visit, id) for id in ("tariff", "time", "mqtt")] == [tariff, day, mqtt]
    assert text(visit, "water_m3") == ("372.234 m³" if language == "en" else "372,234 m³")
    assert "|" not in page.inner_text("body")
    visit.assert_sound()


def test_the_largest_numbers_fit_a_phone(dashboard, look):
    large: dict[str, Any] = dict.fromkeys(REGISTERS[:4], 999_999_999)
    large |= {"gas_m3": 99999.999, "water_m3": 99999.999, "import_w": 27600, "export_w": 27600}
    for n in (1, 2, 3):
        large |= {f"voltage_l{n}_v": 253.1, f"current_l{n}_a": 40.55, f"import_l{n}_w": 10_277}
    for language in ("nl", "en", "fr"):
        visit = answered(dashboard, look, language, **large)
        look.shot(visit, f"dashboard-large-{language}")
        assert text(visit, "import_t1_wh") in ("999999,999 kWh", "999999.999 kWh")
        wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert visit.page.locator("section").evaluate_all(wide) == 0
        visit.assert_sound()


def test_a_sentence_of_mqtt_is_text_and_never_markup(dashboard, look):
    hostile = "<img src=x onerror=alert()>"
    visit = answered(dashboard, look, mqtt=hostile)
    assert text(visit, "mqtt") == hostile
    assert visit.page.locator("img").count() == 0
    visit.assert_sound()
