# How a board comes to its network: at the start, by the access point, to a new one and back.
import machine
import network
import time

from . import store

_FILE = "/wifi.json"
_TRIAL_MS = 60000
_TRY_MS = 15000
_RETRY_MS = 180000


def answer(board, wifi, what):
    if what == "start":
        start(wifi)
    elif what == "up":
        up(wifi)
    elif what == "waited":
        waited(wifi)
    else:
        join(wifi)


def start(wifi):
    found = store.read(_FILE)
    if not isinstance(found, dict):
        found = {}
    wifi.ssid = found.get("ssid")
    wifi.trial = bool(wifi.ssid and "old" in found)
    if wifi.trial:
        wifi.patience = _TRIAL_MS
    elif not wifi.ssid:
        wifi.patience = 0
    # Asleep, the chip misses multicast.
    wifi.station.config(pm=wifi.station.PM_NONE)
    if wifi.ssid:
        connect(wifi, found)


# The SDK remembers the network in its own flash, which wears: told only when it changed.
def connect(wifi, found):
    if found.get("known") and wifi.station.config("ssid") == wifi.ssid:
        wifi.station.connect()
    else:
        wifi.station.connect(wifi.ssid, found.get("password") or None)
        found["known"] = 1
        try:
            store.write(_FILE, found)
        except OSError:
            pass  # told again at the next start


# There is a network: what was tried holds, and the access point is shut.
def up(wifi):
    if wifi.trial:
        wifi.trial = False
        found = store.read(_FILE)
        found.pop("old", None)
        store.write(_FILE, found)
    if wifi.portal:
        wifi.portal = False
        network.WLAN(network.AP_IF).active(False)
    if wifi.before:
        wifi.before = None
        wifi.result = True


# Its patience has ended: fifteen seconds at the start, none when no network is known.
def waited(wifi):
    wifi.since = time.ticks_ms()
    if wifi.before:
        old = wifi.before[0] or {}
        # The SDK remembers the wrong one now.
        old.pop("known", None)
        store.write(_FILE, old)
        wifi.ssid = old.get("ssid")
        wifi.before = None
        wifi.result = False
        wifi.station.disconnect()
        if wifi.ssid and not wifi.portal:
            connect(wifi, old)
        wifi.patience = _RETRY_MS
    elif wifi.trial:
        store.write(_FILE, store.read(_FILE)["old"])
        machine.reset()
    elif not wifi.portal:
        wifi.portal = True
        wifi.patience = _RETRY_MS
        # Its own tries would disturb the access point.
        wifi.station.disconnect()
        point = network.WLAN(network.AP_IF)
        point.active(True)
        point.config(ssid="AutoConnectAP", security=0)
    elif wifi.patience == _TRY_MS:
        wifi.station.disconnect()
        wifi.patience = _RETRY_MS - _TRY_MS
    else:
        # A router that is back is found without a hand, when nobody is at the portal.
        wifi.patience = _RETRY_MS
        if wifi.ssid and time.ticks_diff(wifi.since, wifi.asked) > _RETRY_MS:
            # Milliseconds compare over six days only.
            wifi.asked = time.ticks_add(wifi.since, -_RETRY_MS - 1)
            connect(wifi, store.read(_FILE))
            wifi.patience = _TRY_MS


# Tries the network that came over the serial line at once; `before` is what there was.
def join(wifi):
    from . import moving

    ssid, password = wifi.wanted
    wifi.wanted = None
    if moving.fault(ssid, password):
        wifi.result = False
        return
    wifi.before = (store.read(_FILE),)
    moving.save(ssid, password, False)
    wifi.ssid = ssid
    wifi.since = time.ticks_ms()
    wifi.patience = _TRY_MS
    connect(wifi, store.read(_FILE))
