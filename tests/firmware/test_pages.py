"""The pages every board shows, in a real browser, on a virtual board that really serves them."""

from __future__ import annotations

import io
import json
import random
import re
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import DESKTOP, PHONE, Pages, pages

from dsmrctl.boards import BLINK
from dsmrctl.firmware.core import setting
from dsmrctl.flashing import build
from dsmrctl.flashing.bundle import Bundle, manifest

pytestmark = pytest.mark.slow

WEB = build.SOURCES / "web"
# 23 bytes: as much as a name may hold. A page that believed it would open a dialog.
HOSTILE = "<img src=x onerror=a()>"
HOSTILE_SSID = "<img src=x onerror=alert()>"
LOOKS = [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]


def ask(url: str, path: str, method: str = "GET", body: object = None) -> Any:
    request = urllib.request.Request(
        url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def settings_of(blinking) -> dict[str, Any]:
    return ask(blinking.url, "/api/settings")["settings"]


def change(blinking, **changes: object) -> None:
    ask(blinking.url, "/api/settings", "PUT", changes)


@pytest.fixture
def look(need: Callable[[str], str]) -> Iterator[Pages]:
    need("chromium")
    with pages() as opened:
        yield opened


@pytest.mark.parametrize("size, scheme", LOOKS)
@pytest.mark.parametrize("path", ["/", "/settings"])
def test_a_page_is_sound_on_phone_and_desk_by_day_and_night(blinking, look, path, size, scheme):
    visit = look.open(blinking.url + path, size=size, scheme=scheme)
    visit.page.get_by_text("blink (").wait_for()
    visit.page.wait_for_load_state("networkidle")
    look.shot(visit, f"{path.strip('/') or 'live'}-{size[0]}-{scheme}")
    visit.assert_sound()
    assert not visit.small_targets()
    assert visit.page.locator("html").get_attribute("lang") == "nl"


def test_the_live_values_move_by_themselves(blinking, look):
    change(blinking, period_ms=300)
    visit = look.open(blinking.url)
    blinks = visit.page.locator("#blinks")
    visit.page.wait_for_function("document.querySelector('#blinks').textContent > 0")
    before = int(blinks.inner_text())
    visit.page.wait_for_function(f"document.querySelector('#blinks').textContent > {before}")
    assert visit.page.locator("#led").inner_text() in ("AAN", "UIT")
    assert visit.page.get_by_role("status").inner_text() == "Verbonden"
    assert 0 <= int(visit.page.get_by_role("meter").get_attribute("aria-valuenow") or -1) <= 100
    visit.assert_sound()


def test_the_live_page_has_one_request_in_flight_at_a_time(blinking, look):
    visit = look.open(blinking.url)
    visit.page.wait_for_timeout(6500)
    assert visit.requests[:3] == [("GET", "/"), ("GET", "/api/info"), ("GET", "/api/status")]
    assert 2 <= visit.requests.count(("GET", "/api/status")) <= 5
    assert visit.requests.count(("GET", "/api/info")) == 1
    assert visit.most_at_once == 1


def test_a_board_without_power_is_told_and_found_again_by_itself(blinking, look):
    visit = look.open(blinking.url)
    status = visit.page.get_by_role("status")
    status.get_by_text("Verbonden").wait_for()
    blinking.board.power_off()
    status.get_by_text("Geen verbinding met de module").wait_for()
    look.shot(visit, "no-connection")
    blinking.board.power_on()
    status.get_by_text("Verbonden").wait_for(timeout=40_000)
    visit.assert_sound("net::ERR_")


def test_settings_changed_on_the_page_arrive_on_the_board(blinking, look):
    visit = look.open(blinking.url + "/settings", size=PHONE)
    page = visit.page
    page.get_by_label("Knipperperiode").fill("750")
    page.get_by_label("Naam").fill("Kelder “2” é")
    page.get_by_label("Sleutel van de frames").fill("0123456789abcdef")
    page.get_by_role("button", name="Opslaan").click()
    page.get_by_text("Opgeslagen").wait_for()
    kept = settings_of(blinking)
    assert (kept["period_ms"], kept["name"], kept["frame_key"]) == (750, "Kelder “2” é", True)
    assert page.get_by_role("heading", level=1).inner_text() == "Kelder “2” é"
    assert page.get_by_text("niet ingesteld").count() == 1
    look.shot(visit, "saved")

    page.get_by_label("Wissen").check()
    page.get_by_role("button", name="Opslaan").click()
    page.get_by_text("niet ingesteld").nth(1).wait_for()
    assert settings_of(blinking)["frame_key"] is False
    assert settings_of(blinking)["period_ms"] == 750
    visit.assert_sound()


def test_only_what_was_changed_is_written(blinking, look):
    visit = look.open(blinking.url + "/settings")
    page = visit.page
    save = page.get_by_role("button", name="Opslaan")
    page.get_by_label("Knipperperiode").wait_for()
    save.click()
    page.get_by_text("Niets gewijzigd").wait_for()
    assert ("PUT", "/api/settings") not in visit.requests
    page.get_by_label("Knipperperiode").fill(" 800 ")
    with page.expect_request(lambda request: request.method == "PUT") as asked:
        save.click()
    assert asked.value.post_data_json == {"period_ms": 800}
    page.get_by_text("Opgeslagen").wait_for()
    # An emptied number is the default again.
    page.get_by_label("Knipperperiode").fill("")
    save.click()
    page.wait_for_function("document.getElementById('period_ms').value == '1000'")
    visit.assert_sound()


def test_a_wrong_value_shows_the_boards_sentence_at_its_field(blinking, look):
    visit = look.open(blinking.url + "/settings")
    page = visit.page
    field = page.get_by_label("Knipperperiode")
    field.fill("5")
    page.get_by_label("Naam").fill("not kept")
    page.get_by_role("button", name="Opslaan").click()
    sentence = page.locator("#wrong")
    sentence.wait_for()
    assert "period_ms" in sentence.inner_text()
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby") == "wrong"
    assert page.evaluate("document.activeElement.id") == "period_ms"
    own, its = field.bounding_box(), sentence.bounding_box()
    assert own is not None
    assert its is not None
    assert 0 <= its["y"] - own["y"] - own["height"] < 20
    look.shot(visit, "wrong-value")
    assert settings_of(blinking)["period_ms"] == 1000
    assert settings_of(blinking)["name"] == ""

    field.fill("500")
    page.get_by_role("button", name="Opslaan").click()
    page.get_by_text("Opgeslagen").wait_for()
    assert sentence.count() == 0
    assert field.get_attribute("aria-invalid") is None
    visit.assert_sound("422")


def test_another_language_changes_every_label_at_once(blinking, look):
    visit = look.open(blinking.url + "/settings")
    page = visit.page
    for label, option, save, said, next_label, code in (
        ("Taal", "English", "Opslaan", "Saved", "Blink period", "en"),
        ("Language", "Français", "Save", "Enregistré", "Période de clignotement", "fr"),
    ):
        page.get_by_label(label, exact=True).select_option(label=option)
        page.get_by_role("button", name=save, exact=True).click()
        page.get_by_text(said).wait_for()
        page.get_by_label(next_label).wait_for()
        assert page.locator("html").get_attribute("lang") == code
        assert "|" not in page.inner_text("body")
        look.shot(visit, f"settings-{code}")
        visit.assert_sound()
    live = look.open(blinking.url)
    live.page.get_by_text("Connecté").wait_for()
    assert live.page.get_by_role("link").inner_text() == "Paramètres"
    live.assert_sound()


def test_names_from_elsewhere_are_text_and_never_markup(blinking, look):
    change(blinking, name=HOSTILE)
    blinking.air.on(HOSTILE_SSID, "", -40)
    try:
        for path in ("/", "/settings"):
            visit = look.open(blinking.url + path)
            page = visit.page
            page.get_by_role("heading", level=1, name=HOSTILE).wait_for()
            if path == "/settings":
                page.get_by_role("button", name="Netwerken zoeken").click()
                page.get_by_role("button", name=HOSTILE_SSID).click()
                assert page.get_by_label("Netwerk (SSID)").input_value() == HOSTILE_SSID
                look.shot(visit, "hostile")
            assert page.locator("img").count() == 0
            visit.assert_sound()
    finally:
        blinking.air.off(HOSTILE_SSID)


def test_the_strongest_network_comes_first_and_the_password_can_be_seen(blinking, look):
    blinking.air.on("far", "secret-key", -85)
    blinking.air.on("near", "secret-key", -35)
    try:
        page = look.open(blinking.url + "/settings").page
        page.get_by_role("button", name="Netwerken zoeken").click()
        page.get_by_role("button", name="near").wait_for()
        found = page.locator("#nets button span:first-child").all_inner_texts()
        assert found.index("near") < found.index("far")
        password = page.get_by_label("Wachtwoord", exact=True)
        assert password.get_attribute("type") == "password"
        page.get_by_label("Toon wachtwoord").check()
        assert password.get_attribute("type") == "text"
    finally:
        blinking.air.off("far")
        blinking.air.off("near")


def bundle(**says: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zipped:
        zipped.writestr("manifest.json", json.dumps(says))
    return file.getvalue()


def choose(page, data: bytes) -> None:
    page.get_by_text("blink (").wait_for()
    page.get_by_label("Bundel (.zip)").set_input_files(
        {"name": "x.zip", "mimeType": "application/zip", "buffer": data}
    )
    page.get_by_role("button", name="Updaten").click()


@pytest.mark.soak
def test_a_new_version_goes_onto_the_board_through_the_page(blinking, look):
    files = build.build(BLINK).files
    # Of all files the board has only this one not yet.
    files["more.gz"] = random.Random(4).randbytes(9000)
    hardware = [kind.name for kind in BLINK.hardware]
    new = Bundle(manifest("blink", hardware, ["FLASH_1M", ""], "98.7.6", {}, files), files)
    visit = look.open(blinking.url + "/settings")
    choose(visit.page, new.pack())
    said = visit.page.locator("#update output")
    said.get_by_text("herstart").wait_for(timeout=60_000)
    said.get_by_text("98.7.6 draait, wordt nog gecontroleerd").wait_for(timeout=60_000)
    look.shot(visit, "update-unconfirmed")
    said.get_by_text("De module draait 98.7.6").wait_for(timeout=90_000)
    look.shot(visit, "updated")
    info = ask(blinking.url, "/api/info")
    assert (info["fw"], info["unconfirmed"]) == ("98.7.6", False)
    sent = [path for method, path in visit.requests if path.startswith("/api/files/")]
    assert sent == ["/api/files/more.gz"]
    assert visit.most_at_once == 1
    visit.assert_sound("409", "net::ERR_")


def test_the_restart_button_restarts_and_says_when_the_board_is_back(blinking, look):
    visit = look.open(blinking.url + "/settings")
    visit.page.get_by_text("blink (").wait_for()
    before = ask(blinking.url, "/api/info")["uptime_s"]
    visit.page.wait_for_timeout(1500)
    visit.page.get_by_role("button", name="Herstarten").click()
    visit.page.get_by_text("✓ Herstart").wait_for(timeout=40_000)
    assert ask(blinking.url, "/api/info")["uptime_s"] < before + 20
    visit.assert_sound("net::ERR_")


@pytest.mark.parametrize(
    "data, sentence",
    [
        (b"PK no zip", "Dit is geen"),
        (bundle(board="blink"), "Dit is geen"),
        (bundle(board="blink", files={"a.mpy": {"size": 1, "sha256": "0"}}), "Dit is geen"),
        (bundle(board="monitor", hardware=["nodemcu-v3"], version="1", files={}), "monitor"),
        (bundle(board="blink", hardware=["esp99"], version="1", files={}), "esp99"),
    ],
    ids=["noise", "no-files", "a-file-lost", "other-board", "other-hardware"],
)
def test_a_file_that_is_no_bundle_for_this_board_never_reaches_it(blinking, look, data, sentence):
    visit = look.open(blinking.url + "/settings")
    page = visit.page
    choose(page, data)
    page.locator("#update .bad", has_text=sentence).wait_for()
    assert not [asked for asked in visit.requests if asked[0] != "GET"]
    visit.assert_sound()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("script", [True, False])
def test_the_portal_needs_no_script_and_offers_what_was_found(look, tmp_path, scheme, script):
    """As the board sends it: a row of lib/portalpages.py for each network at the marker."""
    rows = "".join(
        f"<p><a href='#s' data-ssid='{name}' onclick='c(this)'>{name}</a> <span>70%</span></p>\n"
        for name in (
            "Thuis",
            "&lt;img src=x onerror=alert()&gt;",
            "a network of 32 letters, no less",
        )
    )
    file = tmp_path / "portal.html"
    file.write_text((WEB / "portal.html").read_text().replace("<!--networks-->\n", rows))
    visit = look.open(file.as_uri(), scheme=scheme, script=script)
    page = visit.page
    look.shot(visit, f"portal-{scheme}")
    assert page.locator("form").get_attribute("action") == "/wifisave"
    assert page.locator("form").get_attribute("method") == "post"
    assert page.locator("form input").evaluate_all("all => all.map(one => one.name)") == ["s", "p"]
    page.get_by_text("<img src=x").click()
    if script:
        assert page.get_by_label("Netwerk").input_value() == "<img src=x onerror=alert()>"
        assert page.evaluate("document.activeElement.id") == "p"
    assert page.locator("img").count() == 0
    assert not visit.small_targets()
    visit.assert_sound()


def test_the_pages_are_small():
    made = build.pages("blink")
    assert len(made["index.html.gz"]) <= 3584
    # Three languages and an updater: two blocks of the flash, of which the second holds 4092 bytes.
    assert len(made["settings.html.gz"]) <= 8188
    assert len(made["portal.html"]) <= 2048
    assert made["portal.html"].count(b"\n<!--networks-->\n") == 1


def test_every_setting_and_choice_has_a_label():
    table = (WEB / "settings.html").read_text().split("const K = {")[1].split("\n}")[0]
    named = set(re.findall(r'(\w+): "', table))
    for board in ("blink", "interface", "miniswitch", "monitor", "switcher"):
        for key in setting.keys(board):
            assert {key, *(setting.rule(board, key)["choices"] or ())} <= named


@pytest.mark.parametrize("page", ["blink.html", "settings.html"])
def test_every_text_is_there_in_three_languages(page):
    source = re.sub(r"(?s)<!--.*?-->|<style>.*?</style>", "", (WEB / page).read_text())
    body, script = source.split("<script>")
    texts = re.findall(r">([^<>\n]*\|[^<>\n]*)<", body)
    texts += [text for text in re.findall(r'"([^"\n]*)"', script) if "|" in text.strip("|")]
    assert len(texts) > 5
    for text in texts:
        assert len(text.split("|")) == 3, text
        assert all(part.strip() for part in text.split("|")), text
