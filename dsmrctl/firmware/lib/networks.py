# The networks in the air, and the portal's pages, which show them. Their paths are WiFiManager's:
# one client speaks with our boards and the manual's.
import json
import time

from .board import ACCESS_POINT


def answer(board, client):
    board.wifi.asked = time.ticks_ms()
    path = client.path
    if path == "/api/wifi/scan":
        client.reply(200, None, more=shown(scan(board.wifi)))
    elif path in ("/", "/wifi", "/0wifi"):
        if path == "/" and client.host not in (ACCESS_POINT, board.wifi.ip()):
            home(client)
        else:
            found = [] if path == "/0wifi" else scan(board.wifi)
            client.reply(200, None, "text/html; charset=utf-8", page(board.slot, found))
    elif path == "/info":
        text = "%s %s %s %s" % (board.kind, board.record["hardware"], board.version, board.ident)
        client.reply(200, text.encode(), "text/plain")
    else:
        # What phones and computers ask to find out whether they are behind a portal, and the rest.
        home(client)


# Looking takes two seconds: only when someone asks. [(ssid, dBm, secure)], the strongest first.
def scan(wifi):
    best = {}
    try:
        # It blocks for two seconds, and the watchdog is not patient.
        wifi.board.loop.feed()
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


def shown(found):
    before = "["
    for ssid, rssi, secure in found:
        one = {"ssid": ssid, "rssi_dbm": rssi, "secure": secure}
        yield (before + json.dumps(one)).encode()
        before = ","
    yield b"]" if found else b"[]"


def home(client):
    client.extra = "Location: http://%s/\r\nCache-Control: no-store\r\n" % ACCESS_POINT
    client.reply(302, b"", "text/plain")


def page(slot, found):
    with open("/" + slot + "/portal.html", "rb") as file:
        while line := file.readline():
            if line.strip() != b"<!--networks-->":
                yield line
                continue
            for ssid, rssi, secure in found:
                yield row(ssid, rssi, secure)


def row(ssid, rssi, secure):
    name = escape(ssid)
    quality = min(100, max(0, 2 * (rssi + 100)))
    return (
        "<p><a href='#s' data-ssid='%s' onclick='c(this)'>%s</a> <span>%d%%</span>%s</p>\n"
        % (name, name, quality, " \U0001f512" if secure else "")
    ).encode()


def escape(text):
    for letter, safe in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("'", "&#39;"),
    ):
        text = text.replace(letter, safe)
    return text
