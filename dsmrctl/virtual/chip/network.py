# The chip's WiFi: networks of the air that the desk tells of, in simulated or real time.
import chip
import flash

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND = 0, 1, 2, 3
STAT_CONNECT_FAIL, STAT_GOT_IP = 4, 5
AUTH_OPEN, AUTH_WPA2_PSK = 0, 3
# A person who waits in real time waits less.
_CONNECT_US = 2_500_000 if chip.simulated else 300_000
_SCAN_US = 2_200_000

_air = {}
_active = [True, False]  # the SDK's own: the station tries what it remembers
_wanted = None
_since = 0
_status = STAT_IDLE
_ap = {"ssid": "MicroPython-", "open": True}
_told = None
# Something may have changed that decides whether there still is a connection.
_new = True


def hostname(name=None):
    return name


def _on_air(air):
    global _air, _new
    _air = air
    _new = True
    _judge()


# What became of the connection by now.
def _judge():
    global _status, _since, _told, _new
    if _status == STAT_GOT_IP and not _new:
        return _status
    _new = False
    if not _active[0] or _wanted is None:
        _status = STAT_IDLE
    else:
        found = _air.get(_wanted[0])
        if _status == STAT_GOT_IP:
            if not found or found["key"] != _wanted[1]:
                _status, _since = STAT_CONNECTING, chip.now_us()
        elif chip.now_us() - _since >= _CONNECT_US:
            if not found:
                _status = STAT_NO_AP_FOUND
            elif found["key"] != _wanted[1]:
                _status = STAT_WRONG_PASSWORD
            else:
                _status = STAT_GOT_IP
            # The SDK tries again by itself for ever.
            _since = chip.now_us()
    told = (_status, _active[1])
    if told != _told:
        _told = told
        chip.tell(b"S", _status * 2 + _active[1])
    return _status


# Can anything come or go?
def up():
    return _judge() == STAT_GOT_IP or _active[1]


class WLAN:
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2

    def __init__(self, which=STA_IF):
        self.which = which

    def active(self, new=None):
        if new is None:
            return _active[self.which]
        global _new
        _active[self.which] = bool(new)
        _new = True
        _judge()

    def connect(self, ssid=None, key=None, **more):
        global _wanted, _since, _status
        if ssid is not None:
            flash.sdk_write(ssid, key or "")
        remembered = flash.sdk_read()
        _wanted = (remembered[0], remembered[1]) if remembered[0] else None
        _status, _since = STAT_CONNECTING, chip.now_us()
        _judge()

    def disconnect(self):
        global _wanted, _new
        _wanted = None
        _new = True
        _judge()

    def isconnected(self):
        return _judge() == STAT_GOT_IP if self.which == STA_IF else _active[1]

    def status(self, what=None):
        if what is None:
            return _judge()
        if what != "rssi":
            raise ValueError("unknown status param")
        found = _wanted and _air.get(_wanted[0])
        return found["rssi"] if found else 31

    def scan(self):
        if not _active[0]:
            raise OSError("STA must be active")
        chip.price(_SCAN_US)
        if not chip.simulated:
            chip.sleep_us(300_000)
        return [
            (name.encode(), b"\2\0\0\0\0\1", 6, one["rssi"], 3 if one["key"] else 0, 0)
            for name, one in _air.items()
        ]

    def ifconfig(self, new=None):
        if self.which == AP_IF:
            return ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")
        if _judge() != STAT_GOT_IP:
            return ("0.0.0.0",) * 4
        return (chip.config["address"], "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, what=None, **new):
        if what == "mac":
            return bytes(chip.config["mac"])
        if what in ("ssid", "essid"):
            return flash.sdk_read()[0] if self.which == STA_IF else _ap["ssid"]
        if what is not None:
            raise ValueError("unknown config param")
        if self.which == AP_IF:
            _ap["ssid"] = new.get("ssid", new.get("essid", _ap["ssid"]))
            chip.tell(b"A", 0, _ap["ssid"].encode())


chip.on_air = _on_air
