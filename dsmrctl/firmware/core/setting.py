"""Every setting of every board: type, range, unit and default, and what makes a value wrong.

One schema for the board's own page and API and for the command line, so that both give the same
sentence. A board loads it only while settings are read or changed: it is text and few functions,
since there each function costs the memory of ten lines.
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
forecaster|choice|||linear power|power
period_ms|int|100|10000|ms|1000
"""
_EVERY = "name language admin_password frame_key frame_group "
_KEYS = {
    "blink": "period_ms",
    "interface": "frame_target mqtt_enabled mqtt_host mqtt_port mqtt_user mqtt_password mqtt_prefix"
    " ha_discovery",
    "miniswitch": "mode threshold_w on_delay_min off_delay_min",
    "monitor": "max_export_w max_import_w peak_threshold_w forecaster",
    "switcher": "mode threshold_w on_delay_min off_delay_min load_w",
}


class SettingError(ValueError):
    """A value that cannot be; `field` is its key."""

    field = ""


def keys(board: str) -> list[str]:
    """The keys of a board's settings, in the order they are shown."""
    return (_EVERY + _KEYS[board]).split()


def _rule(board, key) -> list:
    at = _RULES.find("\n" + board + " " + key + "|")
    if at < 0:
        at = _RULES.find("\n" + key + "|")
    rule: list = _RULES[at + 1 : _RULES.find("\n", at + 1)].split("|")
    kind = rule[1]
    if kind == "int" or kind == "bool":
        rule[5] = int(rule[5] or 0)
        if kind == "bool":
            rule[5] = rule[5] == 1
    return rule


def _wrong(kind, rule, key, value):
    """What is wrong with a value, or None."""
    least, most, extra = rule[2:5]
    if kind == "choice":
        if value not in extra.split():
            return "is one of " + ", ".join(extra.split())
    elif kind == "bool":
        if value is not True and value is not False:
            return "is true or false"
    elif kind == "int":
        # True is a whole number too, for Python.
        if not isinstance(value, int) or value is True or value is False:
            return "is a whole number"
        if not int(least) <= value <= int(most):
            return ("is between %s and %s %s" % (least, most, extra)).strip()
    elif not isinstance(value, str):
        return "is text"
    else:
        for letter in value:
            code = ord(letter)
            if code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000:
                return "holds a character that cannot be shown"
        size = len(value.encode())
        # Empty is none at all, also of a key that must be long.
        if size and not int(least) <= size <= int(most):
            if least == "0":
                return "has at most %s bytes" % most
            return "has %s to %s bytes" % (least, most)
        if key == "frame_target" and value and not _address(value):
            return "is an address such as 192.168.1.255, or empty"
        if key == "frame_group":
            at = value.find(":")
            port = value[at + 1 :]
            first = _address(value[:at]) if at > 0 else 0
            if not 224 <= first < 240 or port == "0" or not _number(port, 65535):
                return "is a multicast address and a port, such as 224.0.1.3:8266"
        if key == "mqtt_prefix" and ("#" in value or "+" in value):
            return "holds no # and no +"
    return None


def _number(text, most):
    # Digits of other scripts are no digits here, and leading zeros are octal to some.
    return text.isdigit() and len(text) < 6 and str(int(text)) == text and int(text) <= most


def _address(text):
    """The first number of an address, 0 for none; 0.x.x.x is nobody's."""
    parts = text.split(".")
    if len(parts) != 4:
        return 0
    for part in parts:
        if not _number(part, 255):
            return 0
    return int(parts[0])


def checked(board: str, key: str, value):
    """The value as it is kept; None stands for the default. Raises SettingError."""
    wrong = "is no setting of this board"
    if isinstance(key, str) and key in keys(board):
        rule = _rule(board, key)
        if value is None:
            return rule[5]
        wrong = _wrong(rule[1], rule, key, value)
    if wrong:
        error = SettingError("%s %s" % (key, wrong))
        error.field = str(key)
        raise error
    return value


def changes(board: str, wanted) -> dict:
    """The wanted values as they are kept, all of them, or SettingError."""
    if not isinstance(wanted, dict):
        raise SettingError("settings are an object of keys and values")
    found = {}
    for key in wanted:
        found[key] = checked(board, key, wanted[key])
    return found


def kept(board: str, found) -> dict:
    """What of a file can be used: its good values, and the defaults for the rest.

    A dict is changed in place and given back: there is no room for two.
    """
    if not isinstance(found, dict):
        found = {}
    own = keys(board)
    for key in list(found):
        if key not in own:
            del found[key]
    for key in own:
        try:
            found[key] = checked(board, key, found.get(key))
        except SettingError:
            found[key] = checked(board, key, None)
    return found


def secret(key: str) -> bool:
    """True for what is never shown, only whether it is set."""
    return ("\n" + key + "|secret|") in _RULES


def rule(board: str, key: str) -> dict:
    """One setting's schema: type, min, max, unit, choices, default, secret."""
    _, kind, least, most, extra, default = _rule(board, key)
    hidden = kind == "secret"
    return {
        "type": "text" if hidden else kind,
        "min": int(least) if least else None,
        "max": int(most) if most else None,
        "unit": (extra or None) if kind == "int" else None,
        "choices": extra.split() if kind == "choice" else None,
        "default": False if hidden else default,
        "secret": hidden,
    }
