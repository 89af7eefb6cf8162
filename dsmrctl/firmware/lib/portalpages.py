# The portal's pages. Its paths are WiFiManager's, so that one client speaks with our boards and the
# manual's.
import time

from . import scanning
from .board import ACCESS_POINT


def answer(board, client):
    board.wifi.asked = time.ticks_ms()
    path = client.path
    if path in ("/", "/wifi", "/0wifi"):
        if path == "/" and client.host not in (ACCESS_POINT, board.wifi.ip()):
            home(client)
        else:
            found = [] if path == "/0wifi" else scanning.scan(board.wifi)
            client.reply(200, None, "text/html; charset=utf-8", page(board.slot, found))
    elif path == "/info":
        text = "%s %s %s %s" % (board.kind, board.hardware, board.version, board.ident)
        client.reply(200, text.encode(), "text/plain")
    else:
        # What phones and computers ask to find out whether they are behind a portal, and the rest.
        home(client)


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
