"""The pages of mini switch, switcher and monitor, in a real browser.

On boards that really act; and, for what such a board seldom says, on a server that says it.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import DESKTOP, PHONE, Pages, Visit, pages
from world import KEY, SSID, address, flash

from dsmrctl import boards
from dsmrctl.firmware.core import frame, setting
from dsmrctl.flashing import build
from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

KINDS = ("miniswitch", "switcher", "monitor")
WHERE = ("239.255.79.7", 19987)
# From the manual's pictures of its own pages.
MANUAL = {
    "miniswitch": (
        *("Configuratie", "Functie", "Dag / Nacht schakelaar", "Schakeldrempel Injectie (Watt)"),
        *("Inschakelvertraging (Min)", "Uitschakelvertraging (Min)", "Stand relais", "Verstuur"),
    ),
    "switcher": (
        *("Proportionele regeling", "Vermogen prop-belasting (Watt)", "UITGANG", "Verstuur"),
        *("Inschakelvertraging (Min)", "Uitschakelvertraging (Min)", "Injectie schakelaar"),
    ),
    "monitor": (
        "Maximum injectie",
        "Maximum afname",
        "Man. KP drempel",
        "Dyn KP drempel",
        "Maandpiek",
    ),
}
LOOKS = [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "dark")]


class House:
    """Boards in real time, and a frame a second with the values that are set here."""

    def __init__(self, folder: Path) -> None:
        self.values: dict[str, int] = {"export_w": 1234}
        self.silent = False
        self.urls: dict[str, str] = {}
        self.boards: dict[str, VirtualBoard] = {}
        air = Air()
        air.on(SSID, KEY, -55)
        for number, kind in enumerate(KINDS, 211):
            settings = {"frame_group": "{}:{}".format(*WHERE)}
            path, place = flash(folder, board=kind, settings=settings, name=f"{kind}.bin")
            board = VirtualBoard(path, place, address=address(number), air=air)
            if kind == "switcher":
                pins = boards.SWITCHER.hardware[0].pins
                board.mains(pins["zero_cross"].gpio, pins["gate"].gpio)
            board.power_on()
            self.boards[kind] = board
            self.urls[kind] = f"http://{board.address}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            at = 1000
            while not self._over.wait(1):
                at += 1
                if self.silent:
                    continue
                named = {"tariff": 1, "minute": at // 60 % 60, "second": at % 60} | self.values
                out.sendto(frame.build([named.get(name, 0) for name in frame.FIELDS]), WHERE)

    def ask(self, kind: str, path: str, method: str = "GET", body: object = None) -> Any:
        request = urllib.request.Request(
            self.urls[kind] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for board in self.boards.values():
            board.__exit__()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    end = time.monotonic() + 20
    while any(board.wifi != 5 for board in made.boards.values()) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2.5)
    yield made
    made.close()
    for board in made.boards.values():
        assert not board.faults
        assert not board.resets


@pytest.fixture
def look(need: Callable[[str], str]) -> Iterator[Pages]:
    need("chromium")
    with pages() as opened:
        yield opened


def source(kind: str) -> str:
    return build.whole(build.SOURCES / "web" / f"{kind}.html")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_one_block_of_the_flash_and_stands_alone(kind: str):
    assert len(build.pages(kind)["index.html.gz"]) <= 4096
    page = source(kind)
    assert not re.findall(r"(?i)https?:|['\"(=]//|@import|url\(|<script\s|<iframe|<img", page)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)
    assert "<!--+" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_its_form_has_each_setting_that_is_its_own_within_its_range(kind: str):
    fields = dict(re.findall(r'<(?:input|select)[^>]* ?name="(\w+)"([^>]*)>', source(kind)))
    assert list(fields) == [key for key in setting.keys(kind) if key not in setting.keys("blink")]
    for key, rest in fields.items():
        rule = setting.rule(kind, key)
        if rule["type"] == "int":
            assert f'min="{rule["min"]}" max="{rule["max"]}"' in rest
        else:
            options = re.search(rf'name="{key}">(.*?)</select>', source(kind), re.S)
            assert options is not None
            assert re.findall(r'value="(\w+)"', options[1]) == rule["choices"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_there_in_three_languages(kind: str):
    body, script = source(kind).split("</style>")[1].split("<script>")
    texts = re.findall(r">([^<>\n]*\|[^<>\n]*)", body)
    texts += [text for text in re.findall(r'"([^"\n]*)"', script) if "|" in text.strip("|")]
    assert len(texts) > 15
    for text in texts:
        assert len(text.split("|")) == 3, text
    for words in MANUAL[kind]:
        assert words in body


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_sound_on_phone_and_desk_by_day_and_night(house: House, look, kind, size, scheme):
    visit = look.open(house.urls[kind], size=size, scheme=scheme)
    visit.page.get_by_text("Verbonden").wait_for()
    visit.page.get_by_text("1234 W").first.wait_for()
    look.shot(visit, f"{kind}-{size[0]}-{scheme}")
    visit.assert_sound()
    assert not visit.small_targets()
    assert visit.most_at_once <= 2
    assert visit.page.locator("html").get_attribute("lang") == "nl"


def test_a_relay_is_switched_by_hand_and_goes_back_to_its_rule(house: House, look):
    visit = look.open(house.urls["miniswitch"])
    output = visit.page.locator("#output")
    visit.page.get_by_text("Volgt het tarief").wait_for()
    assert output.inner_text() == "UIT"
    visit.page.get_by_role("combobox").first.select_option("10")
    visit.page.get_by_role("button", name="AAN").click()
    visit.page.get_by_text("Met de hand, nog 10 min").wait_for()
    assert output.inner_text() == "AAN"
    told = house.ask("miniswitch", "/api/status")
    assert (told["output"], told["hand"]) == (100, 100)
    assert visit.page.locator("#on").get_attribute("aria-pressed") == "true"
    visit.page.get_by_role("button", name="Automatisch").click()
    visit.page.get_by_text("Volgt het tarief").wait_for()
    house.values["tariff"] = 2
    visit.page.wait_for_function("document.querySelector('#output').textContent == 'AAN'")
    del house.values["tariff"]
    visit.assert_sound()


def test_the_form_sends_what_was_changed_and_shows_what_the_board_refuses(house: House, look):
    visit = look.open(house.urls["miniswitch"])
    visit.page.get_by_text("Verbonden").wait_for()
    threshold = visit.page.get_by_label("Schakeldrempel Injectie (Watt)")
    assert threshold.input_value() == "1000"
    sent = []
    visit.page.on(
        "request", lambda asked: asked.method == "PUT" and sent.append(json.loads(asked.post_data))
    )
    threshold.fill("1500")
    visit.page.get_by_label("Functie").select_option("injection")
    # What is being typed stays, whatever comes from the board meanwhile.
    visit.page.wait_for_timeout(4500)
    assert threshold.input_value() == "1500"
    visit.page.get_by_role("button", name="Verstuur").click()
    visit.page.get_by_text("Bewaard").wait_for()
    assert sent == [{"mode": "injection", "threshold_w": 1500}]
    kept = house.ask("miniswitch", "/api/settings")["settings"]
    assert (kept["mode"], kept["threshold_w"]) == ("injection", 1500)
    visit.page.evaluate("form.noValidate = true")
    threshold.fill("30001")
    visit.page.get_by_role("button", name="Verstuur").click()
    visit.page.get_by_text("threshold_w is between 0 and 30000 W").wait_for()
    house.ask("miniswitch", "/api/settings", "PUT", {"mode": None, "threshold_w": None})
    visit.assert_sound("422")


def test_the_switcher_shows_its_percents_and_takes_them_by_hand(house: House, look):
    visit = look.open(house.urls["switcher"])
    # 1234 W to spare and a boiler of 1500 W, step after step: all of it.
    visit.page.wait_for_function("document.querySelector('#output').textContent == '100 %'")
    visit.page.locator("#level").fill("40")
    visit.page.get_by_text("Met de hand").last.wait_for()
    visit.page.wait_for_function("document.querySelector('#output').textContent == '40 %'")
    assert house.ask("switcher", "/api/status")["hand"] == 40
    visit.page.get_by_role("button", name="Automatisch").click()
    visit.page.get_by_text("Volgt de injectie").wait_for()
    visit.assert_sound()


def test_the_monitor_shows_the_leds_that_shine(house: House, look):
    visit = look.open(house.urls["monitor"])
    exports = visit.page.locator("#exports")
    visit.page.wait_for_function("document.querySelectorAll('#exports .on').length == 1")
    assert exports.get_attribute("aria-label") == "Injectie: 1 / 5"
    house.values = {"import_w": 3100, "month_peak_w": 1800, "quarter_w": 1500}
    visit.page.wait_for_function("document.querySelectorAll('#imports .on').length == 3")
    visit.page.get_by_text("2500 W").first.wait_for()
    assert visit.page.locator("#low").inner_text() == "(gemeten 1800 W)"
    assert "aan" in visit.page.locator("#lamps").get_attribute("aria-label")
    look.shot(visit, "monitor-import")
    visit.assert_sound()
    house.values = {"export_w": 1234}


@pytest.mark.parametrize(("language", "word"), [("en", "Connected"), ("fr", "Connecté")])
@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_the_language_of_the_setting(house: House, look, kind, language, word):
    house.ask(kind, "/api/settings", "PUT", {"language": language, "name": "<b>boiler</b>"})
    try:
        visit = look.open(house.urls[kind], size=PHONE)
        visit.page.get_by_text(word, exact=True).wait_for()
        # What a board calls itself is text, whatever it looks like.
        assert visit.page.locator("h1").inner_text() == "<b>boiler</b>"
        visit.assert_sound()
        assert not visit.small_targets()
    finally:
        house.ask(kind, "/api/settings", "PUT", {"language": None, "name": None})


@pytest.mark.soak
def test_a_silent_interface_is_told(house: House, look):
    house.silent = True
    try:
        visit = look.open(house.urls["miniswitch"])
        visit.page.get_by_text("Geen gegevens van de interface").wait_for(timeout=20_000)
        visit.page.get_by_text("Uit: er komen geen gegevens").wait_for()
    finally:
        house.silent = False


def test_a_wrong_level_is_refused(house: House):
    with pytest.raises(urllib.error.HTTPError) as told:
        house.ask("switcher", "/api/output", "PUT", {"level": 101})
    assert told.value.code == 422
    told.value.close()


SWITCH = {"output": 0, "mode": "tariff", "reason": "tariff", "timer_s": None, "hand": None}
SWITCH |= {"import_w": 0, "export_w": 1234, "tariff": 1}
MONITOR = {"export_leds": 0, "import_leds": 3, "peak_led": "off", "status_led": "on"}
MONITOR |= {"forecast_w": 2400, "threshold_w": 2500, "month_peak_w": 1800, "quarter_w": 1500}
MONITOR |= {"last_quarter_w": 900, "import_w": 3100, "export_w": 0}
TOLD: dict[str, dict[str, Any]] = {
    "miniswitch": SWITCH,
    "switcher": SWITCH | {"output": 40, "reason": "proportional", "mains": True},
    "monitor": MONITOR,
}


class Stage(ThreadingHTTPServer):
    """Serves a page and what a test wants its board to say; `sent` are (path, body) of PUTs."""

    def __init__(self, kind: str, **status: Any) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.page = build._lean(source(kind)).encode()
        self.info = {"board": kind, "hw": "any", "fw": "1", "name": "boiler", "language": "nl"}
        self.status = {"frame_age_s": 0, "frames": 9, "refused": 0} | TOLD[kind] | status
        self.settings = {key: setting.rule(kind, key)["default"] for key in setting.keys(kind)}
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.url = "http://{}:{}".format(*self.server_address[:2])


class Answers(BaseHTTPRequestHandler):
    @property
    def stage(self) -> Stage:
        assert isinstance(self.server, Stage)
        return self.server

    def do_GET(self) -> None:
        if self.path == "/":
            return self.answer(200, self.stage.page, "text/html;charset=utf-8")
        name = self.path.removeprefix("/api/")
        said = getattr(self.stage, name)
        return self.answer(200, json.dumps({name: said} if name == "settings" else said).encode())

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stage.sent.append((self.path, body))
        status, said = self.stage.refusal or (200, {"settings": self.stage.settings | body})
        self.answer(status, json.dumps(said).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def stage() -> Iterator[Callable[..., Stage]]:
    opened: list[Stage] = []

    def open_one(kind: str, **status: Any) -> Stage:
        opened.append(Stage(kind, **status))
        threading.Thread(target=opened[-1].serve_forever, args=(0.05,)).start()
        return opened[-1]

    yield open_one
    for one in opened:
        one.shutdown()
        one.server_close()


def shown(look: Pages, stage: Stage, word: str = "Verbonden") -> Visit:
    visit = look.open(stage.url)
    visit.page.get_by_text(word).first.wait_for()
    return visit


@pytest.mark.parametrize(
    ("reason", "timer_s", "words"),
    [
        ("silent", None, "Uit: er komen geen gegevens"),
        ("key", None, "Wacht op een tweede getekende frame"),
        ("hand", 58 * 60, "Met de hand, nog 58 min"),
        ("tariff", None, "Volgt het tarief van de meter"),
        ("below", None, "Te weinig injectie"),
        ("waiting", 42, "Schakelt in over 42 s"),
        ("minimum", 9 * 60, "Blijft minstens nog aan: 9 min"),
        ("export", None, "Aan tot er afname is"),
        ("proportional", None, "Volgt de injectie"),
    ],
)
def test_each_reason_has_a_persons_words(look, stage, reason, timer_s, words):
    visit = shown(look, stage("miniswitch", reason=reason, timer_s=timer_s))
    assert visit.page.locator("#reason").inner_text() == words


def test_what_is_done_by_hand_is_sent_with_its_duration(look, stage):
    board = stage("miniswitch")
    visit = shown(look, board)
    for button, minutes in (("AAN", "10"), ("UIT", "240"), ("Automatisch", "60")):
        visit.page.locator("#minutes").select_option(minutes)
        with visit.page.expect_response("**/api/output"):
            visit.page.get_by_role("button", name=button).click()
        visit.page.get_by_text("…", exact=True).wait_for(state="detached")
    bodies = [{"level": 100, "minutes": 10}, {"level": 0, "minutes": 240}, {"level": None}]
    assert board.sent == [("/api/output", body) for body in bodies]
    visit.assert_sound()


def test_a_slider_moved_by_keys_is_sent_once_and_follows_the_board_again(look, stage):
    board = stage("switcher")
    visit = shown(look, board)
    slider = visit.page.get_by_role("slider", name="Met de hand")
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    assert slider.input_value() == "56"
    visit.page.wait_for_timeout(1500)
    assert board.sent == [("/api/output", {"level": 56, "minutes": 60})]
    board.status["output"] = 12
    visit.page.wait_for_function("document.querySelector('#level').value == 12")
    meter = visit.page.get_by_role("meter", name="UITGANG")
    assert meter.evaluate("bar => bar.value") == 12
    assert visit.most_at_once <= 2
    visit.assert_sound()


def test_a_switcher_without_mains_says_so(look, stage):
    visit = shown(look, stage("switcher", mains=False))
    assert visit.page.locator("#reason").inner_text() == "⚠ Geen netspanning gezien"
    assert visit.page.get_by_text("geen lampen, geen motoren").is_visible()


def test_the_monitors_lamps_blink_as_on_the_board_and_are_told(look, stage):
    visit = shown(look, stage("monitor", peak_led="blink", status_led="blink", forecast_w=2501))
    lamps = visit.page.locator("#lamps")
    assert lamps.get_attribute("aria-label") == "Piek: knippert, Status: knippert"
    visit.page.emulate_media(reduced_motion="no-preference")
    assert lamps.locator("i").evaluate_all(
        "all => all.map(led => getComputedStyle(led).animationDuration)"
    ) == ["0.5s", "1s"]
    assert visit.page.locator("#imports").get_attribute("aria-label") == "Afname: 3 / 4"
    assert visit.page.locator("#forecast_w").inner_text() == "⚠ 2501 W"
    assert visit.page.locator("#month_peak_w").inner_text() == "2500 W"


@pytest.mark.parametrize("status", [401, 422])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_board_says_is_text_whatever_it_looks_like(look, stage, kind, status):
    hostile = "<img src=x onerror=alert(1)>|a|b"
    board = stage(kind, reason=hostile)
    board.info |= {"name": hostile, "hw": hostile, "fw": hostile}
    board.refusal = (status, {"error": hostile})
    visit = shown(look, board)
    visit.page.get_by_role("button", name="Verstuur").click()
    visit.page.get_by_text("⚠ " + hostile).wait_for()
    assert visit.page.locator("img").count() == 0
    visit.assert_sound(str(status))


@pytest.mark.parametrize(("age", "silent"), [(None, True), (11, True), (10, False)])
def test_more_than_10_s_without_a_frame_is_told(look, stage, age, silent):
    visit = shown(look, stage("monitor", frame_age_s=age), "geweigerd")
    state = visit.page.locator("#state")
    assert ("Geen gegevens van de interface" in state.inner_text()) is silent


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.soak) for kind in KINDS[1:])]
)
def test_a_page_that_nobody_sees_asks_nothing_and_the_largest_numbers_fit(look, stage, kind):
    board = stage(kind)
    board.info["language"] = "fr"
    board.status |= dict.fromkeys((key for key in board.status if key.endswith("_w")), 99999)
    board.status |= {"frames": 10**8, "refused": 10**8, "reason": "minimum", "timer_s": 86400}
    visit = shown(look, board, "Connecté")
    visit.page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    visit.page.wait_for_timeout(500)
    before = len(visit.requests)
    visit.page.wait_for_timeout(4500)
    assert len(visit.requests) == before
    look.shot(visit, f"{kind}-large")
    visit.assert_sound()
    assert not visit.small_targets()


def test_a_lost_board_is_told_and_comes_back_by_itself(look, stage):
    visit = shown(look, stage("switcher"))
    visit.context.set_offline(True)
    visit.page.get_by_text("Geen verbinding met de module").wait_for()
    visit.context.set_offline(False)
    visit.page.get_by_text("Verbonden").wait_for()
    visit.assert_sound("net::ERR_")
