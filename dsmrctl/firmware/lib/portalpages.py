# The portal's pages. Its paths are WiFiManager's, so that one client speaks with our boards and
# the manual's.
from . import joining
from .wifi import ACCESS_POINT


def answer(board, client):
    path = client.path
    if client.method == "POST":
        if path == "/wifisave":
            save(board, client)
        else:
            client.error(404, "there is no such page")
    elif path in ("/", "/wifi", "/0wifi"):
        if path == "/" and client.host not in (ACCESS_POINT, board.wifi.ip()):
            home(client)
        else:
            found = [] if path == "/0wifi" else joining.scan(board.wifi)
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


def save(board, client):
    # This one path takes form data, so only those who joined this access point may use it.
    if client.host != ACCESS_POINT:
        client.error(403, "networks are saved at http://%s only" % ACCESS_POINT)
        return
    if client.length > 1024:
        client.error(413, "the body has at most 1 KB")
        return
    try:
        fields = form(bytes(client.buffer[: client.length]))
    except (ValueError, UnicodeError):
        client.error(400, "this is no form")
        return
    ssid = fields.get("s") or board.wifi.ssid or ""
    password = fields.get("p", "")
    wrong = joining.fault(ssid, password)
    if wrong:
        client.error(422, wrong)
        return
    joining.save(ssid, password, False)
    client.reply(200, saved(ssid), "text/html; charset=utf-8")
    board.later(1000, "stop")


def saved(ssid):
    return (
        "<!DOCTYPE html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>dsmrctl</title><p>Bewaard: %s. De module start opnieuw op en verbindt; lukt dat "
        "niet binnen 15 s, dan is AutoConnectAP er weer.<p lang=en>Saved. The board restarts and "
        "joins.<p lang=fr>Enregistr\xe9. Le module red\xe9marre." % escape(ssid)
    ).encode()


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


# The fields of a form, as browsers send them; raises ValueError.
def form(data):
    fields = {}
    for part in data.split(b"&"):
        at = part.find(b"=")
        if at > 0:
            fields[part[:at].decode()] = unquoted(part[at + 1 :]).decode()
    return fields


def unquoted(data):
    pieces = data.replace(b"+", b" ").split(b"%")
    text = pieces[0]
    for piece in pieces[1:]:
        text += bytes([int(piece[:2], 16)]) + piece[2:]
    return text
