"""docs/protocol.md says what the code does: names, frames, a board's calls, settings, the flash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from virtual_boards import Blinking

from dsmrctl import boards
from dsmrctl.boards import BOARDS
from dsmrctl.firmware.core import frame, improv, reader, setting, signature
from dsmrctl.firmware.lib import mdns, readout, request
from dsmrctl.flashing import bundle, filesystem, image
from dsmrctl.quantities import NAMES, PERIOD, QUANTITIES

FIRMWARE = ROOT / "dsmrctl" / "firmware"
TEXT = (ROOT / "docs" / "protocol.md").read_text()


def test_every_quantity_stands_in_the_table_with_its_unit() -> None:
    table = TEXT.split("## Quantities")[1].split("## ")[0]
    for quantity in (*QUANTITIES, *PERIOD):
        name = re.sub(r"_l[23]_", "_l1_", quantity.name)
        rows = [line for line in table.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert rows, quantity.name
        assert all(f"| {quantity.unit} |" in row or not quantity.unit for row in rows)


def test_the_table_names_no_quantity_that_there_is_not() -> None:
    table = TEXT.split("## Quantities")[1].split("## ")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z0-9_]+)`", line.split("|")[1])
    }
    assert named <= {*NAMES, *(one.name for one in PERIOD), "l3"}


def test_the_test_vector_is_right_by_another_implementation() -> None:
    key = re.search(r"Key: `(.+?)`", TEXT)
    vector = re.search(r"^    (\{\"v\":2.*\"m\":\"[A-Za-z0-9+/=]+\"\})$", TEXT, re.M)
    assert key
    assert vector
    head, _, rest = vector[1].partition(',"m":')
    tag = hmac.new(key[1].encode(), head.encode(), hashlib.sha256).digest()[:8]
    assert rest == f'"{base64.b64encode(tag).decode()}"}}'
    assert signature.check(vector[1].encode(), key[1].encode(), 0) == 214272000


def test_the_frames_elements_stand_in_their_order() -> None:
    assert "`" + " ".join(frame.VERSION_1) + "`" in TEXT
    assert "`" + " ".join(frame.FIELDS[7:]) + "`" in TEXT


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str, columns: int) -> list[list[str]]:
    """The cells of every table with so many columns, without heads and backticks."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and set(cells[0]) != {"-"}:
            found.append([cell.replace("`", "") for cell in cells])
    return found


def range_of(rule: dict[str, Any]) -> str:
    least, most = rule["min"], rule["max"]
    if rule["choices"]:
        return ", ".join(rule["choices"])
    if rule["type"] == "bool":
        return ""
    if rule["type"] == "int":
        return f"{least} to {most}"
    return f"{least} to {most} bytes" if least else f"at most {most} bytes"


def test_the_table_of_settings_is_the_boards_own() -> None:
    shared: dict[tuple[str, ...], list[str]] = {}
    for board in BOARDS:
        for key in setting.keys(board):
            rule = setting.rule(board, key)
            default = "" if rule["secret"] else rule["default"]
            row = (
                key,
                "secret" if rule["secret"] else rule["type"],
                range_of(rule),
                rule["unit"] or "",
                str(default).lower() if rule["type"] == "bool" else str(default or ""),
            )
            shared.setdefault(row, []).append(board)
    wanted = {
        (key, "all" if len(boards) == len(BOARDS) else ", ".join(sorted(boards)), *rest)
        for (key, *rest), boards in shared.items()
    }
    found = [tuple(row[:6]) for row in rows(section("Settings"), 7)[1:]]
    assert sorted(found) == sorted(wanted)


def test_every_call_of_every_board_is_in_the_table_and_no_other() -> None:
    told = {row[0] for row in rows(section("A board's HTTP interface"), 2)}
    told = {call.replace("/api/", "") for call in told if re.match("(GET|PUT|POST) /api/", call)}
    sources = "".join(path.read_text() for path in FIRMWARE.rglob("*.py"))
    own = re.findall(r'calls = \{"([A-Z]+ \w+)"', sources)
    assert own
    assert told == {*request._CALLS, *own, "GET status", "PUT files/<path>"}


def test_every_status_that_a_board_answers_is_explained_and_no_other() -> None:
    sources = [path.read_text() for path in (FIRMWARE / "lib").glob("*.py")]
    given = {int(n) for s in sources for n in re.findall(r"\.(?:reply|error)\(\s*(\d{3})", s)}
    told = rows(section("A board's HTTP interface").split("### Statuses")[1], 2)
    assert {int(n) for row in told for n in re.findall(r"\b\d{3}\b", row[0])} == given


def test_what_an_interface_tells_is_what_the_document_and_its_page_say() -> None:
    # An interface that has heard no telegram yet: nothing of it is left out, all is null.
    app = SimpleNamespace(
        reader=reader.Reader(), quarter=(None,) * 7, past=b"", month_peak_w=None,
        age_s=-1, frames=0, mqtt=None,
    )  # fmt: skip
    told = json.loads(b"".join(readout.status(app)))
    text = section("A board's HTTP interface").split("of an interface:")[1]
    text = text.split("`GET /api/status` of")[0]
    keys = {key for row in rows(text, 2)[1:] for key in row[0].split()}
    assert set(told) - set(NAMES) == keys
    assert keys <= set(told)
    sources = "".join(path.read_text() for path in (FIRMWARE / "lib").glob("*.py"))
    for status in re.findall(r"`(\w[^`]*)`", text.split("| `mqtt` |")[1].split("\n")[0]):
        assert f'"{status.rstrip("… ")}' in sources, status


def test_the_settings_of_an_interface_are_in_its_own_document() -> None:
    told = (ROOT / "docs" / "interface.md").read_text().split("## Settings")[1].split("\n## ")[0]
    named = {key for row in rows(told, 2)[1:] for key in row[0].split()}
    assert named == set(setting.keys("interface"))


def test_the_paths_of_the_portal_are_in_its_table() -> None:
    source = (FIRMWARE / "lib" / "networks.py").read_text()
    told = {path for row in rows(section("The access point"), 2) for path in row[0].split()}
    assert {*re.findall(r'"(/[a-z0-9]*)"', source), "/wifisave"} <= told


def test_what_mdns_tells_is_what_the_document_says() -> None:
    record = {"hardware": "", "port": 80}
    board = SimpleNamespace(kind="", record=record, version="", ident="")
    names = SimpleNamespace(host="dsmr_x", name=b"", ip=b"", board=board)
    texts = next(
        data
        for owner, kind, data in mdns.records(names)
        if kind == 16 and owner.startswith(b"\5_dsmr")
    )
    told = section("Names on the network").split("\nTXT of `_dsmr")[1]
    told = re.findall(r"`([a-z]+=[^`]*)`", told)
    told = b"".join(bytes([len(text)]) + text.encode() for text in told)
    assert texts == told


def test_improvs_example_and_numbers_are_the_boards_own() -> None:
    text = section("Improv over the serial line")
    example = re.search(r"^    (49 [0-9a-f ]+)$", text, re.M)
    assert example
    wanted = improv.result(improv.CURRENT, (), improv.RPC)
    assert wanted == b"\n" + bytes.fromhex(example[1])
    for number, word in (
        (improv.STATE, "state"), (improv.ERROR, "error"), (improv.RPC, "request"),
        (improv.RESULT, "result"), (improv.WIFI, "network"), (improv.CURRENT, "state"),
        (improv.INFO, "info"), (improv.SCAN, "networks"),
    ):  # fmt: skip
        assert f"| {number} {word} |" in text
    assert f"{improv.READY} ready, {improv.JOINING} joining, {improv.JOINED} joined" in text
    for number, word in (
        (improv.NONE, "none"), (improv.MALFORMED, "malformed"), (improv.UNKNOWN, "unknown"),
        (improv.NOT_JOINED, "cannot join"), (improv.BUSY, "busy"),
    ):  # fmt: skip
        assert f"{number} {word}" in text


def test_the_keys_of_a_manifest_are_in_the_table() -> None:
    made = bundle.manifest("blink", ["esp01s"], [""], "1.2.3", {}, {"x.mpy": b"1"})
    told = {key for row in rows(section("A bundle"), 2)[1:] for key in row[0].split()}
    assert told == set(made)
    assert f"Format {bundle.FORMAT}." in section("A bundle")
    (base,) = re.findall(r"^\| `base` \|.*?: (.*) \|$", section("A bundle"), re.M)
    assert set(base.replace("`", "").split()) == set(made["base"])


def test_the_place_of_the_file_system_is_the_tables() -> None:
    told = rows(section("On the flash"), 4)[1:]
    assert len(told) == 3
    for build, flash, offset, blocks in told:
        variant = "" if build == "generic" else build
        found = filesystem.place(variant, int(flash.split()[0]) << 20)
        assert (hex(found.offset), str(found.blocks)) == (offset, blocks)
        if "or more" in flash:
            assert filesystem.place(variant, 16 << 20) == found


def test_the_files_of_a_fresh_flash_are_in_the_table() -> None:
    told = {name for row in rows(section("On the flash"), 3)[1:] for name in row[0].split()}
    files = {"x.mpy": b"1"}
    made = bundle.manifest("blink", ["esp01s"], [""], "1.2.3", {}, files)
    content = image.Content({"name": "x"}, ("HOME", "an invented key"))
    blink = boards.BLINK
    fresh = image.files(bundle.Bundle(made, files), blink, blink.hardware[0], content)
    assert {"/" + path if "/" not in path else f"/{path[0]}/…" for path in fresh} <= told
    written = "".join(path.read_text() for path in FIRMWARE.rglob("*.py"))
    for path in re.findall(r'"(/[a-z]+\.(?:json|txt|old))"', written):
        assert path in told or path == "/files.json"  # of a slot


def commands(text: str) -> list[str]:
    """The curl lines of a text, those that go on over several lines as one."""
    return re.findall(r"^curl .*$", re.sub(r" *\\\n *", " ", text).replace("\n    ", "\n"), re.M)


@pytest.mark.slow
def test_the_examples_with_curl_are_true(
    blinking: Blinking, need: Callable[[str], str], tmp_path: Path
) -> None:
    need("curl")
    (tmp_path / "index.html.gz").write_bytes(b"a page")
    told = section("A board's HTTP interface").split("with an example's values")[1]
    told = told.split("`GET /api/status`")[0]
    keys = {key for row in rows(told, 2)[1:] for key in row[0].split()}
    done = 0
    for command in commands(TEXT):
        line = command.replace("http://dsmr-blink.local", blinking.url)
        assert line != command
        line = line.replace("curl ", "curl -sS -o answer -w '%{http_code}' --max-time 15 ", 1)
        ran = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=20
        )
        assert ran.stdout == ("202" if "restart" in command else "200"), (command, ran)
        answer = json.loads((tmp_path / "answer").read_bytes())
        if command.endswith("/api/info"):
            assert set(answer) == keys
        if command.endswith("/api/status"):
            assert set(answer) == {"led", "blinks", "frames"}
        done += 1
        if "restart" in command:
            time.sleep(8)  # a second, two for the serial line, and into its network
    assert done >= 8


def test_what_the_boards_that_act_tell_is_what_the_document_says() -> None:
    lib = FIRMWARE / "lib"
    text = section("A board's HTTP interface").split("`GET /api/status` of `miniswitch`")[1]
    switches, monitor = text.split("### Statuses")[0].split("`GET /api/status` of a `monitor`")
    for told, file in ((switches, "acting.py"), (monitor, "showing.py")):
        source = (lib / file).read_text()
        given = set(re.findall(r'^        "(\w+)": |found\["(\w+)"\]', source, re.M))
        keys = {one or other for one, other in given}
        named = set(re.findall(r"`([a-z_]+)`", told))
        assert keys <= named
        own = {key for row in rows(told, 2)[1:] for key in row[0].split()}
        assert own <= keys
    # "injection" is a mode there, whose reasons are the others.
    why = (lib / "acting.py").read_text().split("def why")[1]
    reasons = set(re.findall(r'"(\w+)"', why)) - {"injection"}
    named = re.search(r"\| `reason` \|(.*)", switches)
    assert named is not None
    assert reasons | {"tariff", "proportional"} == set(re.findall(r"`(\w+)`", named[1]))
