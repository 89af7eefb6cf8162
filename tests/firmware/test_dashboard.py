"""The interface board's dashboard, as a file: its size, its words, and that it stands alone."""

from __future__ import annotations

import re

from dsmrctl.flashing import build
from dsmrctl.quantities import NAMES

PAGE = (build.SOURCES / "web" / "interface.html").read_text("utf-8")
BODY, SCRIPT = re.sub(r"(?s)<!--.*?-->|<style>.*?</style>", "", PAGE).split("<script>")
# What the dashboard shows beside the quantities that every output has.
MORE = {"last_month_w"}
# From the manual's pictures of its own page.
MANUAL = (
    "Actuele afname en injectie|",
    ">Kwartierpiek|",
    "Maandpiek (min. 2500 Watt!)|",
    "Vorige maand|",
    "Laatste kwartier|",
    "Piek lopend kwartier|",
    "Prognose kwartierpiek|",
    "Afname tarief 1 (dag)|",
    "Afname tarief 2 (nacht)|",
    "Injectie tarief 1 (dag)|",
    "Injectie tarief 2 (nacht)|",
    "Actief tarief|",
    "Tellerstand water-meter|",
    "Tellerstand gas-meter|",
    "Fase - 1|",
    "T1 - DAG|",
    "MQTT Status: <",
    "Verbonden|",
)


def test_the_dashboard_fits_one_block_of_the_flash():
    assert len(build.pages("interface")["index.html.gz"]) <= 4096


def test_every_text_of_the_dashboard_is_there_in_three_languages():
    texts = re.findall(r">([^<>\n]*\|[^<>\n]*)", BODY)
    texts += [text for text in re.findall(r'"([^"\n]*)"', SCRIPT) if "|" in text.strip("|")]
    assert len(texts) > 30
    for text in texts:
        assert len(text.split("|")) == 3, text
        assert all(part.strip() for part in text.split("|")), text


def test_the_dashboard_speaks_the_manuals_words():
    for words in MANUAL:
        assert words in PAGE


def test_the_dashboard_asks_nothing_of_another_host():
    assert not re.findall(
        r"(?i)https?:|['\"(=]//|@import|url\(|<script\s|<iframe|<img|<object", PAGE
    )
    assert re.findall(r"(?:href|src|action)=\"?([^\s\">]+)", PAGE) == ["data:,", "/settings"]
    assert re.findall(r'get\("([^"]*)"\)', SCRIPT) == ["/api/info", "/api/status"]


def test_what_comes_from_the_board_never_becomes_markup():
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", PAGE)


def test_every_value_on_the_dashboard_is_a_quantity_by_its_one_name():
    shown = set(re.findall(r'id="(\w+_\w+)"', BODY))
    assert shown - MORE <= set(NAMES)
    assert len(shown) == len(re.findall(r'id="\w+_\w+"', BODY))
    phases = {
        f"{what}_l{n}_{unit}"
        for n in (1, 2, 3)
        for what, unit in (("voltage", "v"), ("current", "a"), ("import", "w"))
    }
    assert phases <= shown
