"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import setting

BOARDS = ("blink", "interface", "miniswitch", "monitor", "switcher")


def refusal(call, *given):
    try:
        call(*given)
    except setting.SettingError as error:
        return error
    return None


def refused(board, key, value):
    error = refusal(setting.checked, board, key, value)
    assert error is None or error.field == str(key)
    return error and str(error)


def test_every_default_is_a_value_that_is_taken():
    for board in BOARDS:
        for key in setting.keys(board):
            default = setting.checked(board, key, None)
            assert setting.checked(board, key, default) == default, (board, key)


def test_a_switcher_starts_otherwise_than_a_mini_switch():
    assert setting.checked("miniswitch", "mode", None) == "tariff"
    assert setting.checked("switcher", "mode", None) == "proportional"
    assert setting.checked("miniswitch", "threshold_w", None) == 1000
    assert setting.checked("switcher", "threshold_w", None) == 2000
    assert refused("miniswitch", "mode", "proportional") == "mode is one of tariff, injection"


def test_a_number_is_whole_and_in_its_range():
    for good in (0, 1, 30000):
        assert setting.checked("miniswitch", "threshold_w", good) == good
    for bad in (-1, 30001):
        assert refused("miniswitch", "threshold_w", bad) == "threshold_w is between 0 and 30000 W"
    for bad in (1.5, "5", True, [], {}):
        assert refused("miniswitch", "threshold_w", bad) == "threshold_w is a whole number"
    assert refused("interface", "mqtt_port", 0) == "mqtt_port is between 1 and 65535"


def test_a_switch_is_true_or_false():
    assert setting.checked("interface", "ha_discovery", None) is True
    assert setting.checked("interface", "mqtt_enabled", None) is False
    for bad in (1, 0, "true"):
        assert refused("interface", "mqtt_enabled", bad) == "mqtt_enabled is true or false"


def test_text_is_counted_in_bytes_and_can_be_shown():
    assert setting.checked("blink", "name", "é" * 12) == "é" * 12
    assert refused("blink", "name", "é" * 13) == "name has at most 24 bytes"
    for bad in ("a\nb", "\x7f", "\x85"):
        assert refused("blink", "name", bad) == "name holds a character that cannot be shown"
    assert refused("blink", "name", 5) == "name is text"


def test_a_frame_key_is_long_or_absent():
    assert setting.checked("monitor", "frame_key", "") == ""
    assert setting.checked("monitor", "frame_key", "k" * 64) == "k" * 64
    for bad in ("k" * 15, "k" * 65):
        assert refused("monitor", "frame_key", bad) == "frame_key has 16 to 64 bytes"


def test_addresses_are_plain():
    for good in ("", "192.168.1.255", "10.0.0.1", "255.255.255.255"):
        assert setting.checked("interface", "frame_target", good) == good
    for bad in (
        "1.2.3",
        "1.2.3.256",
        "1.2.3.04",
        "1.2.3.4:5",
        "a.b.c.d",
        "1.2.3.-4",
        "\u0663.1.1.1",
    ):
        assert refused("interface", "frame_target", bad), bad
    for good in ("224.0.1.3:8266", "239.255.255.255:65535", "224.0.0.1:1"):
        assert setting.checked("interface", "frame_group", good) == good
    for bad in (
        "",
        "224.0.1.3",
        "224.0.1.3:0",
        "224.0.1.3:65536",
        "192.168.1.1:80",
        ":80",
        "240.0.0.1:1",
    ):
        assert refused("interface", "frame_group", bad), bad


def test_a_prefix_has_no_wildcards():
    assert setting.checked("interface", "mqtt_prefix", "huis/meter") == "huis/meter"
    for bad in ("huis/#", "+/meter"):
        assert refused("interface", "mqtt_prefix", bad) == "mqtt_prefix holds no # and no +"


def test_a_key_of_another_board_is_refused_by_its_name():
    assert refused("blink", "mode", "tariff") == "mode is no setting of this board"
    assert refused("blink", "", 1) == " is no setting of this board"
    assert refused("blink", 5, 1) == "5 is no setting of this board"


def test_changes_are_all_taken_or_none():
    assert setting.changes("blink", {"period_ms": 500, "name": None}) == {
        "period_ms": 500,
        "name": "",
    }
    for bad in ({"period_ms": 500, "name": 5}, [], None, "x", 5):
        error = refusal(setting.changes, "blink", bad)
        assert error
        assert error.field == ("name" if isinstance(bad, dict) else "")


def test_of_a_file_what_is_good_is_kept():
    found = {"period_ms": 5, "language": "fr", "mode": "tariff", "name": ["x"]}
    kept = setting.kept("blink", found)
    assert kept["language"] == "fr"
    assert kept["period_ms"] == 1000
    assert kept["name"] == ""
    assert sorted(kept) == sorted(setting.keys("blink"))
    for nothing in (None, [], "x", 5):
        assert setting.kept("blink", nothing) == setting.kept("blink", {})


def test_a_secret_is_known_as_one():
    for key in ("admin_password", "frame_key", "mqtt_password"):
        assert setting.secret(key)
        rule = setting.rule("interface", key)
        assert (rule["type"], rule["secret"], rule["default"]) == ("text", True, False)
    for key in ("name", "mqtt_user", "language"):
        assert not setting.secret(key)


def test_the_schema_says_what_a_page_needs():
    assert setting.rule("miniswitch", "threshold_w") == {
        "type": "int",
        "min": 0,
        "max": 30000,
        "unit": "W",
        "choices": None,
        "default": 1000,
        "secret": False,
    }
    assert setting.rule("interface", "language")["choices"] == ["nl", "en", "fr"]
    assert setting.rule("interface", "mqtt_enabled")["type"] == "bool"
    assert setting.rule("interface", "frame_group")["default"] == "224.0.1.3:8266"
