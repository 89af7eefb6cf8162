# The captive portal of the open access point: every name leads here, and the page takes a network.
# Its paths are WiFiManager's, so that one client speaks with our boards and the manual's.
import socket

from . import joining, serial
from .wifi import ACCESS_POINT


# flag: the access point is open, or not; or what the serial line brought in the first seconds; or
# a client of the portal.
def answer(board, flag):
    if hasattr(flag, "path"):
        pages(board, flag)
        return
    if flag and not board.serial and board.uart:
        board.serial = serial.Serial(board, flag if isinstance(flag, bytes) else b"")
    if flag is True:
        board.portal = Portal(board)
    elif not flag:
        if board.portal:
            board.portal.stop()
        if board.serial:
            board.serial.stop()
        board.portal = board.serial = None


class Portal:
    def __init__(self, board):
        self.loop = board.loop
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", 53))
        s.setblocking(False)
        self.socket = s
        self.loop.watch(s, self.name)

    def stop(self):
        self.loop.drop(self.socket)
        self.socket.close()

    # Every question of one name is answered with this board's address.
    def name(self, stream, event):
        try:
            data, sender = stream.recvfrom(256)
        except OSError:
            return
        if len(data) < 17 or data[2] & 0x80 or data[4:6] != b"\0\1":
            return
        end = 12
        while end < len(data) and data[end]:
            end += data[end] + 1
        question = data[12 : end + 5]
        if len(question) < 6 or len(question) != end - 7:
            return
        kind = question[-4:]
        count = b"\0\1" if kind == b"\0\1\0\1" else b"\0\0"
        answer = data[:2] + b"\x84\0\0\1" + count + b"\0\0\0\0" + question
        if count[1]:
            address = bytes([int(part) for part in ACCESS_POINT.split(".")])
            answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + address
        try:
            stream.sendto(answer, sender)
        except OSError:
            pass


def pages(board, client):
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
