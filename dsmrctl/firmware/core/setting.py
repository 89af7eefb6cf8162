"""Every setting of every board: type, range, unit and default, and what makes a value wrong.

One schema for the board's own page and API and for the command line, so that both give the same
sentence. A board loads it only while settings are read or changed; as text it takes an eighth of
the memory that a table of tuples would.
"""

# board? key | type | least | most (of text: UTF-8 bytes) | unit, or choices | default
_RULES = """
name|text|0|24||
language|choice|||nl en fr|nl
admin_password|secret|0|64||
frame_key|secret|16|64||
frame_group|text|0|21||224.0.1.3:8266
frame_target|text|0|15||
mqtt_enabled|bool||||
mqtt_host|text|0|63||
mqtt_port|int|1|65535||1883
mqtt_user|text|0|64||
mqtt_password|secret|0|64||
mqtt_prefix|text|0|64||
ha_discovery|bool||||1
mode|choice|||tariff injection|tariff
switcher mode|choice|||tariff injection proportional|proportional
threshold_w|int|0|30000|W|1000
switcher threshold_w|int|0|30000|W|2000
on_delay_min|int|0|1440|min|1
off_delay_min|int|0|1440|min|10
load_w|int|50|30000|W|1500
max_export_w|int|5|30000|W|5000
max_import_w|int|4|30000|W|4000
peak_threshold_w|int|0|30000|W|2500
forecaster|choice|||linear power|linear
period_ms|int|100|10000|ms|1000
"""
_EVERY = "name language admin_password frame_key frame_group "
_KEYS = {
    "blink": "period_ms",
    "interface": "frame_target mqtt_enabled mqtt_host mqtt_port mqtt_user mqtt_password"
    " mqtt_prefix ha_discovery",
    "miniswitch": "mode threshold_w on_delay_min off_delay_min",
    "monitor": "max_export_w max_import_w peak_threshold_w forecaster",
    "switcher": "mode threshold_w on_delay_min off_delay_min load_w",
}


class SettingError(ValueError):
    """A value that cannot be; `field` is its key."""

    def __init__(self, field: str, sentence: str):
        super().__init__(sentence)
        self.field = field


def keys(board: str) -> list[str]:
    """The keys of a board's settings, in the order they are shown."""
    return (_EVERY + _KEYS[board]).split()


def _rule(board, key) -> list:
    at = _RULES.find("\n" + board + " " + key + "|")
    if at < 0:
        at = _RULES.find("\n" + key + "|")
    if at < 0:
        return []
    return _RULES[at + 1 : _RULES.find("\n", at + 1)].split("|")


def _default(kind, text):
    if kind == "int":
        return int(text)
    return bool(text) if kind == "bool" else text


def defaults(board: str) -> dict:
    """Every setting of this board as it leaves the factory."""
    found = {}
    for key in keys(board):
        rule = _rule(board, key)
        found[key] = _default(rule[1], rule[5])
    return found


def checked(board: str, key: str, value):
    """The value as it is kept; None stands for the default. Raises SettingError."""
    if not isinstance(key, str) or key not in keys(board):
        raise SettingError(str(key), "%s is no setting of this board" % key)
    _, kind, least, most, extra, default = _rule(board, key)
    if value is None:
        return _default(kind, default)
    wrong = None
    if kind == "choice":
        if value not in extra.split():
            wrong = "is one of " + ", ".join(extra.split())
    elif kind == "bool":
        if value is not True and value is not False:
            wrong = "is true or false"
    elif kind == "int":
        # True is a whole number too, for Python.
        if not isinstance(value, int) or value is True or value is False:
            wrong = "is a whole number"
        elif not int(least) <= value <= int(most):
            wrong = "is between %s and %s %s" % (least, most, extra)
    elif not isinstance(value, str):
        wrong = "is text"
    else:
        wrong = _text(key, value, int(least), int(most))
    if wrong:
        raise SettingError(key, (key + " " + wrong).strip())
    return value


def _text(key, value, least, most):
    size = len(value.encode())
    # Empty is none at all, also of a key that must be long.
    if size and not least <= size <= most:
        return "has %d to %d bytes" % (least, most) if least else "has at most %d bytes" % most
    for letter in value:
        code = ord(letter)
        if code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000:
            return "holds a character that cannot be shown"
    if key == "frame_target" and value and not _address(value):
        return "is an address such as 192.168.1.255, or empty"
    if key == "frame_group" and not _group(value):
        return "is a multicast address and a port, such as 224.0.1.3:8266"
    if key == "mqtt_prefix" and ("#" in value or "+" in value):
        return "holds no # and no +"
    return None


def _number(text, most):
    # Digits of other scripts are no digits here, and leading zeros are octal to some.
    for letter in text:
        if letter not in "0123456789":
            return None
    if not text or len(text) > 5 or text != str(int(text)) or int(text) > most:
        return None
    return int(text)


def _address(text):
    numbers = [_number(part, 255) for part in text.split(".")]
    return numbers if len(numbers) == 4 and None not in numbers else None


def _group(text):
    parts = text.split(":")
    if len(parts) != 2 or not _number(parts[1], 65535):
        return False
    address = _address(parts[0])
    return address is not None and 224 <= address[0] < 240


def changed(board: str, settings: dict, changes) -> dict:
    """New settings with all of the changes, or SettingError and none of them."""
    if not isinstance(changes, dict):
        raise SettingError("", "settings are an object of keys and values")
    new = dict(settings)
    for key in changes:
        new[key] = checked(board, key, changes[key])
    return new


def kept(board: str, found) -> dict:
    """What of a file can be used: its good values, and the defaults for the rest."""
    settings = {}
    for key in keys(board):
        value = found.get(key) if isinstance(found, dict) else None
        try:
            settings[key] = checked(board, key, value)
        except SettingError:
            settings[key] = checked(board, key, None)
    return settings


def secret(key: str) -> bool:
    """True for what is never shown, only whether it is set."""
    return ("\n" + key + "|secret|") in _RULES


def shown(settings: dict) -> dict:
    """The settings for others to see: a secret is True or False, set or not."""
    return {key: bool(settings[key]) if secret(key) else settings[key] for key in settings}


def rule(board: str, key: str) -> dict:
    """One setting's schema: type, min, max, unit, choices, default, secret."""
    _, kind, least, most, extra, default = _rule(board, key)
    return {
        "type": "text" if kind == "secret" else kind,
        "min": int(least) if least else None,
        "max": int(most) if most else None,
        "unit": (extra or None) if kind == "int" else None,
        "choices": extra.split() if kind == "choice" else None,
        "default": False if kind == "secret" else _default(kind, default),
        "secret": kind == "secret",
    }
