"""What a board keeps when it is flashed, and what is said of it: never a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import boards
from dsmrctl.firmware.core import setting
from dsmrctl.flashing import keeping
from dsmrctl.flashing.present import Present

SECRET = "an invented key 1"
HISTORY, WIFI = b"[1,2,3]", json.dumps({"ssid": "HOUSEHOLD", "password": SECRET}).encode()


def there(board: str, settings: Any, **more: Any) -> Present:
    """A board with these settings, its WiFi and its history; more: other fields of Present."""
    kept = {
        "settings.json": json.dumps(settings, indent=1).encode(),  # no form of ours
        "wifi.json": WIFI,
        "history.json": HISTORY,
        "crash.txt": b"once",
    }
    return Present("ours", board, "esp01s", "1.0.0", kept=kept, **more)


def told(kept: keeping.Kept) -> str:
    return "\n".join(kept.told)


def merged(present: Present, board: str, changes: dict[str, Any] | None = None, **more: Any):
    wifi = more.pop("wifi", None)
    return keeping.merge(present, boards.find(board), changes or {}, wifi, **more)


# The same kind


def test_a_board_of_the_same_kind_keeps_everything_to_the_byte() -> None:
    before = there("interface", {"name": "cellar", "mqtt_host": "10.0.0.9"}, port=8080)
    kept = merged(before, "interface")
    assert kept.content.more == before.kept
    assert (kept.content.settings, kept.content.wifi, kept.content.port) == ({}, None, 8080)
    assert kept.told == (
        "keeps its settings: mqtt_host, name",
        "keeps its months of history",
        "keeps its crash log",
        "keeps its WiFi network: 'HOUSEHOLD'",
    )


def test_a_change_overrides_what_is_there_and_leaves_the_rest() -> None:
    before = there("interface", {"name": "cellar", "language": "fr"})
    kept = merged(before, "interface", {"language": "en", "mqtt_enabled": True})
    assert kept.content.settings == {"name": "cellar", "language": "en", "mqtt_enabled": True}
    assert "settings.json" not in kept.content.more
    assert kept.content.more["history.json"] == HISTORY
    assert "sets language=en, mqtt_enabled=True" in kept.told


def test_a_reset_keeps_no_setting_but_the_wifi_and_the_history() -> None:
    before = there("interface", {"name": "cellar", "frame_key": SECRET})
    kept = merged(before, "interface", {"language": "en"}, reset=True)
    assert kept.content.settings == {"language": "en"}
    assert kept.content.more == {
        "wifi.json": WIFI,
        "history.json": HISTORY,
        "crash.txt": b"once",
    }
    assert kept.told[0] == "its settings go: frame_key, name"
    assert SECRET not in told(kept)


@pytest.mark.parametrize("kept", [b"", b"[]", b"{", b"7", b"\xff", b"null", b"[" * 9000])
@pytest.mark.parametrize("reset", [False, True])
def test_settings_that_cannot_be_read_are_none(kept: bytes, reset: bool) -> None:
    before = Present("ours", "blink", kept={"settings.json": kept, "wifi.json": kept})
    found = merged(before, "blink", {"name": "x"}, reset=reset)
    assert found.content.settings == {"name": "x"}
    assert found.content.more == {}
    assert "keeps" not in told(found)
    # With no change too: no file stays that says nothing.
    assert merged(before, "blink", reset=reset).content.more == {}


def test_a_bad_value_on_the_flash_is_dropped_and_named() -> None:
    before = there(
        "switcher", {"load_w": 7, "threshold_w": True, "mode": "tariff", "colour": "red", "name": 5}
    )
    kept = merged(before, "switcher")
    assert kept.content.settings == {"mode": "tariff"}
    assert "drops what switcher does not have: colour, load_w, name, threshold_w" in kept.told


# Another kind


def test_another_kind_keeps_what_it_has_and_names_what_goes() -> None:
    before = there(
        "interface",
        {"name": "cellar", "language": "fr", "frame_key": SECRET, "mqtt_host": "10.0.0.9"},
    )
    kept = merged(before, "monitor")
    assert kept.content.settings == {"language": "fr", "frame_key": SECRET}
    # Not its name: two boards would have the same one; nor the history that is an interface's.
    assert "drops what monitor does not have: mqtt_host, name" in kept.told
    assert kept.content.more == {"wifi.json": WIFI, "crash.txt": b"once"}
    assert "history" not in told(kept)
    assert SECRET not in told(kept)


def test_a_value_that_is_good_on_one_kind_may_be_bad_on_another() -> None:
    kept = merged(there("switcher", {"mode": "proportional", "threshold_w": 900}), "miniswitch")
    assert kept.content.settings == {"threshold_w": 900}
    assert "mode" in told(kept)


@pytest.mark.parametrize("was", sorted(boards.BOARDS))
@pytest.mark.parametrize("becomes", sorted(boards.BOARDS))
def test_every_kind_takes_what_it_has_of_every_other(was: str, becomes: str) -> None:
    full = {key: setting.checked(was, key, None) for key in setting.keys(was)}
    kept = merged(there(was, full), becomes, {"language": "en"})
    same = was == becomes
    assert ("history.json" in kept.content.more) == same
    shared = {key for key in full if key in setting.keys(becomes) and (same or key != "name")}
    assert kept.content.settings.keys() <= shared | {"language"}
    for key, value in kept.content.settings.items():
        assert setting.checked(becomes, key, value) == value
    lost = full.keys() - kept.content.settings.keys()
    assert not lost or f"drops what {becomes} does not have: {', '.join(sorted(lost))}" in kept.told


# WiFi


def test_a_new_network_takes_the_place_of_the_old_one() -> None:
    kept = merged(there("blink", {}), "blink", wifi=("OTHER", SECRET))
    assert kept.content.wifi == ("OTHER", SECRET)
    assert "wifi.json" not in kept.content.more
    assert "joins the WiFi network 'OTHER'" in kept.told
    assert "HOUSEHOLD" not in told(kept)
    assert SECRET not in told(kept)


def test_a_network_that_is_there_is_kept_to_the_byte_on_any_kind() -> None:
    for becomes in boards.BOARDS:
        kept = merged(there("blink", {}), becomes)
        assert kept.content.wifi is None
        assert kept.content.more["wifi.json"] == WIFI


@pytest.mark.parametrize("wifi", [b"", b"{}", b"[]", b'{"ssid":7}', b'{"ssid":""}', b"\xff"])
def test_a_network_without_a_name_is_none(wifi: bytes) -> None:
    kept = merged(Present("ours", "blink", kept={"wifi.json": wifi}), "blink")
    assert (kept.content.more, kept.told) == ({}, ())


@pytest.mark.parametrize("state", ["blank", "foreign"])
def test_where_nothing_of_ours_is_nothing_is_kept(state: str) -> None:
    kept = merged(Present(state), "blink", {"name": "x"}, wifi=("HOME", "key"))
    assert (kept.content.settings, kept.content.more) == ({"name": "x"}, {})
    assert kept.told == ("sets name=x", "joins the WiFi network 'HOME'")


# Secrets

KEYS = sorted({key for board in boards.BOARDS for key in setting.keys(board)})
SECRETS = [key for key in KEYS if setting.secret(key)]
# Longer than any word of a sentence, and with letters that none has.
HIDDEN = st.text("§¶µ", min_size=16, max_size=30)


@given(
    st.sampled_from(sorted(boards.BOARDS)),
    st.sampled_from(sorted(boards.BOARDS)),
    st.dictionaries(st.sampled_from(SECRETS), HIDDEN),
    st.dictionaries(st.sampled_from(SECRETS), HIDDEN),
    st.dictionaries(st.sampled_from(KEYS), st.one_of(st.integers(), st.none(), st.booleans())),
    HIDDEN,
    st.booleans(),
    st.booleans(),
)
def test_no_sentence_holds_a_secret(
    was: str,
    becomes: str,
    before: dict[str, Any],
    changes: dict[str, Any],
    others: dict[str, Any],
    password: str,
    reset: bool,
    joins: bool,
) -> None:
    assert {"admin_password", "frame_key", "mqtt_password"} <= set(SECRETS)
    present = there(was, {**others, **before})
    present.kept["wifi.json"] = json.dumps({"ssid": "HOME", "password": password}).encode()
    wifi = ("OTHER", password) if joins else None
    kept = merged(present, becomes, changes, wifi=wifi, reset=reset)
    for shown in (told(kept), repr(kept), repr(present)):
        assert not set("§¶µ") & set(shown)
    for key, value in changes.items():
        assert kept.content.settings[key] == value
        assert key in told(kept)


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(KEYS), st.text(max_size=20)),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
            max_leaves=4,
        ),
        max_size=8,
    ),
    st.sampled_from(sorted(boards.BOARDS)),
)
def test_whatever_the_flash_says_only_good_settings_stay(found: Any, becomes: str) -> None:
    kept = merged(there("interface", found), becomes)
    stays = json.loads(kept.content.more.get("settings.json", b"{}")) or kept.content.settings
    for key, value in stays.items():
        setting.checked(becomes, key, value)
    for key in found.keys() - stays.keys():
        assert key.isprintable() is False or key in told(kept)
