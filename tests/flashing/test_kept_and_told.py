"""What a board keeps when it is flashed, what it is told to change, and what is said of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import lived_in
import pytest
from flashed import KEY, SSID, Flash, packed
from ran import Ran

from dsmrctl import boards
from dsmrctl.flashing import filesystem
from dsmrctl.virtual.bootloader import Bootloader

NOWHERE = "/dev/ttyNOWHERE7"


def old() -> bytearray:
    """A board that has lived."""
    return lived_in.lived(lived_in.made("interface"))


def finished(done: Ran, folder: Path) -> None:
    """It went well, and nothing of the board's stays on this computer."""
    assert done.code == 0, done.err
    assert [path for path in (folder / "data").rglob("*") if path.is_file()] == []


def events(done: Ran) -> list[dict[str, Any]]:
    """Every line of stdout is JSON."""
    return [json.loads(line) for line in done.out.splitlines()]


def one(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (event,) = [event for event in found if event["event"] == name]
    return event


@pytest.mark.slow
def test_again_writes_nothing_and_a_setting_writes_one_sector(flash: Flash, tmp_path: Path) -> None:
    with Bootloader(old()) as chip:
        before = bytes(chip.flash)
        done = flash(chip, "interface")
        finished(done, tmp_path)
        assert done.out.endswith(" is on the board (it was already).\n")
        assert (
            "keeps its settings: admin_password, frame_key, language, mqtt_host, name\n" in done.err
        )
        assert f"keeps its WiFi network: {SSID!r}\n" in done.err
        assert "keeps its months of history\n" in done.err
        assert "on it now: interface " in done.err
        # Its record on the flash says what it is soldered to: nobody is asked.
        assert "(esp01s)" in done.err
        assert chip.erased == chip.programmed == 0
        assert chip.flash == before
        done = flash(chip, "interface", "name=attics")
        finished(done, tmp_path)
        assert "sets name=attics\n" in done.err
        # The settings' own block, and the two halves of the folder that says how long they are.
        assert chip.erased <= 3
        now = lived_in.own(chip.flash)
    assert now.settings == lived_in.SETTINGS | {"name": "attics"}
    assert now[1:] == lived_in.OWN[1:]


@pytest.mark.slow
def test_of_few_settings_a_changed_one_is_the_folder_it_lies_in(
    flash: Flash, tmp_path: Path
) -> None:
    few = {"settings.json": b'{"name":"cellar"}', "wifi.json": json.dumps(lived_in.WIFI).encode()}
    with Bootloader(lived_in.flashed(lived_in.made("interface"), few)) as chip:
        done = flash(chip, "interface", "name=attic")
        finished(done, tmp_path)
        assert chip.erased <= 2  # a folder's two halves
        assert json.loads(lived_in.files(chip.flash)["settings.json"]) == {"name": "attic"}


@pytest.mark.slow
def test_what_a_lived_board_is_made_of_is_what_a_flash_writes(flash: Flash, tmp_path: Path) -> None:
    """Else the tests here would show nothing of boards that were flashed."""
    made = lived_in.made("interface")
    with Bootloader() as chip:
        finished(flash(chip, "interface", "--hardware", "esp01s"), tmp_path)
    assert lived_in.same_where_it_matters(chip.flash, lived_in.flashed(made))


@pytest.mark.slow
def test_another_network_over_the_one_it_has(flash: Flash, tmp_path: Path) -> None:
    with Bootloader(old()) as chip:
        env = {"DSMRCTL_WIFI_PASSWORD": "another invented key"}
        done = flash(chip, "interface", "--ssid", "GARDEN", env=env)
        finished(done, tmp_path)
        assert "joins the WiFi network 'GARDEN'\n" in done.err
        assert "keeps its WiFi network" not in done.err
        assert chip.erased <= 2
        now = lived_in.own(chip.flash)
        assert now.wifi == {"ssid": "GARDEN", "password": "another invented key"}
        assert now.settings == lived_in.SETTINGS
        done = flash(chip, "interface", "--ssid", "FIELD", "--no-password")
        finished(done, tmp_path)
        assert lived_in.own(chip.flash).wifi == {"ssid": "FIELD", "password": ""}
        assert KEY.encode() not in lived_in.files(chip.flash)["wifi.json"]


@pytest.mark.slow
def test_reset_settings_takes_a_forgotten_password_and_leaves_the_rest(
    flash: Flash, tmp_path: Path
) -> None:
    with Bootloader(old()) as chip:
        done = flash(chip, "interface", "--reset-settings", "language=en")
        finished(done, tmp_path)
    assert "its settings go: admin_password, frame_key, language, mqtt_host, name\n" in done.err
    found = lived_in.files(chip.flash)
    assert json.loads(found["settings.json"]) == {"language": "en"}
    assert json.loads(found["wifi.json"]) == lived_in.WIFI
    assert found["history.json"] == lived_in.HISTORY.encode()


@pytest.mark.slow
def test_another_kind_keeps_what_it_has_a_use_for(flash: Flash, tmp_path: Path) -> None:
    with Bootloader(old()) as chip:
        words = ("miniswitch", "--hardware", "esp01-relay", "threshold_w=1500")
        done = flash(chip, *words)
        assert done.code == 2
        assert done.err.endswith(
            "dsmrctl: this is an interface, and becomes a miniswitch\n"
            "  --yes says that this is meant\n"
        )
        assert chip.erased == 0
        done = flash(chip, *words, "--yes")
        finished(done, tmp_path)
    assert "keeps its settings: admin_password, frame_key, language\n" in done.err
    assert "drops what miniswitch does not have: mqtt_host, name\n" in done.err
    found = lived_in.files(chip.flash)
    assert json.loads(found["settings.json"]) == {
        "language": "fr",
        "admin_password": lived_in.SETTINGS["admin_password"],
        "frame_key": lived_in.SETTINGS["frame_key"],
        "threshold_w": 1500,
    }
    assert json.loads(found["wifi.json"]) == lived_in.WIFI
    assert "history.json" not in found
    assert json.loads(found["board.json"])["board"] == "miniswitch"


@pytest.mark.slow
def test_keys_and_values_as_a_person_writes_them(flash: Flash, tmp_path: Path) -> None:
    with Bootloader() as chip:
        words = [
            "mqtt_enabled=on",
            "ha_discovery=No",
            "mqtt_port=8883",
            "name=kélder",
            "mqtt_user=",
        ]
        done = flash(chip, "interface", *words, "--hardware", "esp01")
        finished(done, tmp_path)
    assert json.loads(lived_in.files(chip.flash)["settings.json"]) == {
        "mqtt_enabled": True,
        "ha_discovery": False,
        "mqtt_port": 8883,
        "name": "kélder",
        "mqtt_user": "",
    }
    assert "then join its access point" in done.err


WRONG = {
    ("miniswitch", "threshold_w=99999"): "threshold_w is between 0 and 30000 W",
    ("miniswitch", "threshold_w=-1"): "threshold_w is between 0 and 30000 W",
    ("miniswitch", "threshold_w=1.5"): "threshold_w is a whole number",
    ("miniswitch", "threshold_w=²"): "threshold_w is a whole number",
    ("miniswitch", "threshold_w=--5"): "threshold_w is a whole number",
    ("miniswitch", "threshold_w="): "threshold_w is a whole number",
    ("miniswitch", "threshold_w"): "threshold_w wants a value",
    ("miniswitch", "mode=proportional"): "mode is one of tariff, injection",
    ("interface", "mqtt_enabled=maybe"): "mqtt_enabled is true or false",
    ("interface", f"name={'x' * 25}"): "name has at most 24 bytes",
    ("interface", "name=a\x1bb"): "name holds a character that cannot be shown",
    (
        "interface",
        "frame_target=house",
    ): "frame_target is an address such as 192.168.1.255, or empty",
    ("interface", "frame_group=1.2.3.4:1"): (
        "frame_group is a multicast address and a port, such as 224.0.1.3:8266"
    ),
    ("interface", "threshold_w=1500"): "interface has no setting 'threshold_w'",
    ("interface", "nmae=x"): "interface has no setting 'nmae'",
    ("interface", "--hardware=nodemcu-v3"): "interface has no hardware 'nodemcu-v3'",
    ("kettle",): "there is no board 'kettle'",
    ("interface", "--erase", "--reset-settings"): "--erase takes the settings anyway",
    (): "which board?",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_cannot_be_is_said_before_a_port_is_opened(flash: Flash, words: tuple[str]) -> None:
    done = flash(NOWHERE, *words)
    assert done.code == 2, done.err
    lines = done.err.splitlines()
    assert lines[0] == f"dsmrctl: {WRONG[words]}"
    assert len(lines) <= 2, lines
    if "no setting" in lines[0]:
        assert lines[1] == f"  it has {', '.join(boards.INTERFACE.settings)}"
    if "no hardware" in lines[0]:
        assert lines[1] == "  one of esp01s, esp01"
    if "no board" in lines[0]:
        assert lines[1] == "  one of interface, miniswitch, monitor, switcher, blink"


@pytest.mark.slow
def test_several_kinds_of_hardware_and_nobody_to_ask(flash: Flash) -> None:
    with Bootloader() as chip:
        done = flash(chip, "interface")
        assert chip.programmed == chip.erased == 0
    assert done.code == 2
    assert done.err.endswith(
        "dsmrctl: which hardware is it? that decides its pins\n  --hardware esp01s or esp01\n"
    )


@pytest.mark.slow
def test_bundles_by_version_by_file_and_wrong_ones(flash: Flash, tmp_path: Path) -> None:
    (tmp_path / "monitor.zip").write_bytes(packed("monitor"))
    good = packed("interface")
    at = len(good) // 2
    damaged = good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :]
    (tmp_path / "damaged.zip").write_bytes(damaged)
    (tmp_path / "cut.zip").write_bytes(good[:-100])
    wrong = {
        "0.0.1": 3,
        "nowhere.zip": 3,
        "monitor.zip": 2,
        "damaged.zip": 6,
        "cut.zip": 6,
    }
    for name, code in wrong.items():
        done = flash(NOWHERE, "interface", "--bundle", name)
        assert done.code == code, (name, done)
        assert len(done.err.splitlines()) == 2, done.err
        assert "Traceback" not in done.err
    done = flash(NOWHERE, "interface", "--bundle", "monitor.zip")
    assert "monitor" in done.err


RELEASED = sorted((Path(__file__).parents[2] / "images").glob("interface-*.zip"))


@pytest.mark.slow
@pytest.mark.skipif(not RELEASED, reason="no interface is released yet")
def test_a_released_version_by_its_number(flash: Flash, tmp_path: Path) -> None:
    version = RELEASED[-1].stem.removeprefix("interface-")
    with Bootloader() as chip:
        words = ("interface", "--hardware", "esp01s", "--bundle", version)
        done = flash(chip, *words)
        finished(done, tmp_path)
    assert f"interface {version} is on the board" in done.out
    assert json.loads(lived_in.files(chip.flash)["boot.json"])["version"] == version


@pytest.mark.slow
def test_a_dry_run_tells_bytes_and_time_and_writes_nothing(flash: Flash, tmp_path: Path) -> None:
    with Bootloader(old()) as chip:
        done = flash(chip, "interface", "name=attic", "--dry-run")
        finished(done, tmp_path)
        assert "12288 of " in done.err
        assert "sets name=attic" in done.err
        assert done.out.endswith(": nothing was written; it would take about 0 s.\n")
        assert chip.programmed == chip.erased == 0
    with Bootloader(bytearray(b"\xe9" + os.urandom((1 << 20) - 1))) as chip:
        # Nothing is asked, since nothing happens; nor is a backup made.
        done = flash(
            chip, "interface", "--hardware", "esp01s", "--dry-run", "--json", "--no-backup"
        )
        finished(done, tmp_path)
        assert chip.programmed == chip.erased == 0
    found = events(done)
    assert one(found, "plan")["flash_bytes"] > 600_000
    assert one(found, "done")["written"] == 0
    # About as long as a line of that rate takes for it.
    least = one(found, "plan")["line_bytes"] * 10 / 460_800
    assert least * 0.95 <= one(found, "done")["seconds"] <= least * 3


@pytest.mark.slow
def test_with_json_every_line_is_an_event_and_progress_never_falls(
    flash: Flash, tmp_path: Path
) -> None:
    before = bytearray(b"\xe9" + b"another firmware" * 65535 + bytes(15))
    with Bootloader(before) as chip:
        done = flash(chip, "interface", "--hardware", "esp01s", "--ssid", SSID, "--json")
    assert done.code == 0
    assert done.err == ""
    found = events(done)
    names = [event["event"] for event in found if event["event"] != "progress"]
    assert names == ["chip", "plan", "stage", "stage", "backup", "done"]
    chip_event = found[0]
    assert (chip_event["mac"], chip_event["flash_size"]) == ("5c:cf:7f:12:34:56", 1 << 20)
    assert [event["stage"] for event in found if event["event"] == "stage"] == ["backup", "write"]
    steps = [event for event in found if event["event"] == "progress"]
    assert 20 < len(steps) <= 101
    (total,) = {event["total"] for event in steps}
    far = [event["done"] for event in steps]
    assert far == sorted(far)
    assert far[-1] == total
    assert total == one(found, "plan")["line_bytes"] + (1 << 20)
    assert one(found, "done")["written"] == one(found, "plan")["flash_bytes"]
    assert Path(one(found, "backup")["file"]).exists()


@pytest.mark.slow
def test_with_json_an_error_is_one_object_on_stderr(flash: Flash, tmp_path: Path) -> None:
    done = flash(NOWHERE, "interface", "nmae=x", "--json")
    assert (done.code, done.out) == (2, "")
    assert set(json.loads(done.err)["error"]) == {"code", "message", "hint"}
    with Bootloader() as chip:
        lived_in.Cable(chip, lived_in.DATA, 40, 100)
        done = flash(chip, "interface", "--hardware", "esp01s", "--json")
    assert done.code == 1
    assert json.loads(done.err)["error"]["code"] == "connection_lost"
    assert one(events(done), "stage") == {"event": "stage", "stage": "write"}
    assert "done" not in {event["event"] for event in events(done)}


@pytest.mark.slow
def test_sixteen_megabytes_are_used_as_far_as_micropython_boots_from_them(
    flash: Flash, tmp_path: Path
) -> None:
    with Bootloader(size=16 << 20) as chip:
        done = flash(chip, "monitor", "max_export_w=7000")
        finished(done, tmp_path)
        assert "16 MB flash" in done.err
        assert chip.flash[3] >> 4 == 4  # its header says 4 MB: more does not boot
        where = filesystem.place("", 16 << 20)
        found = filesystem.read(bytes(chip.flash[where.offset : where.offset + where.size]))
        assert json.loads(found["settings.json"]) == {"max_export_w": 7000}
        erased = chip.erased
        done = flash(chip, "monitor")
        finished(done, tmp_path)
        assert chip.erased == erased
    assert "keeps its settings: max_export_w\n" in done.err


@pytest.mark.slow
def test_two_boards_one_after_the_other_do_not_get_each_others_files(
    flash: Flash, tmp_path: Path
) -> None:
    """What was saved of a board that lost its cable is that board's only."""
    other = tmp_path / "other.zip"
    other.write_bytes(lived_in.changed(lived_in.made("interface"), "99.0.0", 14).pack())
    words = ("interface", "--hardware", "esp01s", "--bundle", str(other))
    with Bootloader(old(), mac="5c:cf:7f:00:00:01") as first:
        lived_in.Cable(first, lived_in.DATA, 3, 100)
        assert flash(first, *words).code == 1
        with Bootloader(mac="5c:cf:7f:00:00:02") as second:
            done = flash(second, *words)
        assert done.code == 0, done.err
        assert "goes on after" not in done.err
        assert "settings.json" not in lived_in.files(second.flash)
        assert "wifi.json" not in lived_in.files(second.flash)
        lived_in.plug_again(first)
        done = flash(first, *words)
    finished(done, tmp_path)
    assert lived_in.own(first.flash) == lived_in.OWN


@pytest.mark.slow
def test_a_firmware_that_the_others_would_not_understand_is_warned_of(
    flash: Flash, tmp_path: Path
) -> None:
    made = lived_in.made("interface")
    odd = replace(made, manifest={**made.manifest, "frames": [9]})
    (tmp_path / "odd.zip").write_bytes(odd.pack())
    with Bootloader() as chip:
        done = flash(
            chip,
            "interface",
            "--hardware",
            "esp01s",
            "--bundle",
            str(tmp_path / "odd.zip"),
            "--dry-run",
        )
    assert done.code == 0, done.err
    assert f"warning: interface {made.version} sends frames 9 and monitor" in done.err
    assert "they would not understand each other" in done.err


@pytest.mark.slow
def test_the_network_in_the_preferences_is_the_next_boards_too(
    flash: Flash, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("an invented key 2\n")
    mine = tmp_path / "mine.toml"
    mine.write_text(f'ssid = "KEPT"\nwifi_password_file = "{tmp_path / "password"}"\n')
    with Bootloader() as chip:
        done = flash(chip, "interface", "--hardware", "esp01s", env={"DSMRCTL_CONFIG": str(mine)})
        finished(done, tmp_path)
        found = json.loads(lived_in.files(chip.flash)["wifi.json"])
    assert found == {"ssid": "KEPT", "password": "an invented key 2"}
