# How a board comes to its network: at the start, by the access point, to a new one and back.
import json
import machine
import network
import time

from . import store

_FILE = "/wifi.json"
_TRIAL_MS = 60000
_RETRY_MS = 180000


def answer(board, wifi, what=None, *more):
    if what is None:
        called(board, wifi)  # it is a client
    elif what == "start":
        start(wifi)
    elif what == "up":
        up(wifi)
    elif what == "waited":
        waited(wifi)
    elif what == "scan":
        return scan(wifi)
    else:
        return join(wifi, *more)
    return None


def start(wifi):
    found = store.read(_FILE)
    if not isinstance(found, dict):
        found = {}
    wifi.ssid = found.get("ssid")
    wifi.trial = bool(wifi.ssid and "old" in found)
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
        store.write(_FILE, found)


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
        wifi.board.rare("portal", False)
    if wifi.done:
        tell(wifi, True)


# Fifteen seconds without one, or nothing known to wait for.
def waited(wifi):
    passed = time.ticks_diff(time.ticks_ms(), wifi.since)
    if wifi.done:
        store.write(_FILE, wifi.before)
        wifi.ssid = wifi.before and wifi.before.get("ssid")
        wifi.station.disconnect()
        tell(wifi, False)
    elif wifi.trial:
        if passed > _TRIAL_MS:
            store.write(_FILE, store.read(_FILE)["old"])
            machine.reset()
    elif not wifi.portal:
        wifi.portal = True
        wifi.since = time.ticks_ms()
        # Its own tries would disturb the access point.
        wifi.station.disconnect()
        point = network.WLAN(network.AP_IF)
        point.active(True)
        point.config(ssid="AutoConnectAP", security=0)
        wifi.board.rare("portal", True)
    elif wifi.ssid and passed > _RETRY_MS:
        # A router that is back is found without a hand, when nobody is at the portal.
        wifi.since = time.ticks_ms()
        if time.ticks_diff(wifi.since, wifi.asked) > _RETRY_MS:
            wifi.station.connect()
    elif passed < 16000:
        wifi.station.disconnect()  # the retry had its time


def tell(wifi, good):
    done = wifi.done
    wifi.done = None
    done(good)


# Tries a network at once, without a restart; done(True) when it answered. False: it cannot be.
def join(wifi, ssid, password, done):
    if fault(ssid, password):
        return False
    wifi.before = store.read(_FILE)
    save(ssid, password, False)
    wifi.ssid = ssid
    wifi.since = time.ticks_ms()
    wifi.done = done
    connect(wifi, store.read(_FILE))
    return True


# A new network; with a trial the old one is taken again when it does not answer.
def save(ssid, password, trial):
    new = {"ssid": ssid, "password": password}
    old = store.read(_FILE)
    if trial and isinstance(old, dict) and old.get("ssid"):
        old.pop("old", None)
        old.pop("known", None)
        new["old"] = old
    store.write(_FILE, new)


# [(ssid, dBm, secure)], the strongest first. Blocks two seconds: only when someone asks for it.
def scan(wifi):
    best = {}
    try:
        found = wifi.station.scan()
    except OSError:
        found = []
    for one in found:
        try:
            name = bytes(one[0]).decode()
        except UnicodeError:
            continue
        if name and (name not in best or best[name][0] < one[3]):
            best[name] = (one[3], one[4] != 0)
    names = sorted(best, key=lambda name: -best[name][0])
    return [(name, best[name][0], best[name][1]) for name in names[:20]]


# What makes a network's name or password impossible, or None.
def fault(ssid, password):
    if not isinstance(ssid, str) or not 0 < len(ssid.encode()) <= 32:
        return "the name of a network (ssid) has 1 to 32 bytes"
    if not isinstance(password, str) or len(password.encode()) > 64:
        return "a WiFi password has at most 64 characters"
    if password and len(password.encode()) < 8:
        return "a WiFi password has at least 8 characters"
    return None


# GET /api/wifi/scan and PUT /api/wifi.
def called(board, client):
    if client.method == "GET":
        client.reply(200, None, more=shown(scan(board.wifi)))
        return
    try:
        found = json.loads(client.buffer[: client.length])
        ssid = found["ssid"]
        password = found.get("password", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        client.error(400, 'the body is {"ssid": "...", "password": "..."}')
        return
    wrong = fault(ssid, password)
    if wrong:
        client.error(422, wrong)
        return
    save(ssid, password, True)
    client.reply(202, {})
    board.later(1000, "stop")


def shown(found):
    before = "["
    for ssid, rssi, secure in found:
        one = {"ssid": ssid, "rssi_dbm": rssi, "secure": secure}
        yield (before + json.dumps(one)).encode()
        before = ","
    yield b"]" if found else b"[]"
