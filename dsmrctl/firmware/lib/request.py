# Reads the head of a request, decides whether it may, and names the module that answers it.
import binascii
import os
import time

from . import store
from .wifi import ACCESS_POINT

_CALLS = {
    "GET info": "info",
    "GET log": "info",
    "POST identify": "info",
    "POST restart": "info",
    "GET settings": "settings",
    "PUT settings": "settings",
    "GET wifi/scan": "joining",
    "PUT wifi": "joining",
    "POST update": "update",
}


def answer(board, client):
    try:
        if not head(client):
            return client.error(431, "the head of a request has at most 1 KB")
    except (ValueError, IndexError):
        client.left = 0
        return client.error(400, "this is no request that a board can read")
    board.wifi.asked = time.ticks_ms()
    path = client.path
    if path[:5] == "/api/":
        name = api(board, client, client.method + " " + path[5:])
    elif board.portal and path != "/settings" and client.method in ("GET", "POST"):
        name = "portalpages"
    else:
        if client.method != "GET":
            client.error(405, "a page can only be read")
        elif path in ("/", "/settings"):
            page(client, "/%s/%s.html.gz" % (board.slot, path[1:] or "index"))
        else:
            client.error(404, "there is no such page")
        return None
    if name and client.left > 0 and client.path[:11] != "/api/files/" and name != "update":
        client.feed = Body(board, name).feed
        return None
    return name


# The body of a change comes with the head or after it.
class Body:
    def __init__(self, board, name):
        self.board = board
        self.name = name

    def feed(self, client, size):
        if size is not None and size >= client.length:
            client.left = 0
            client.feed = None
            self.board.rare(self.name, client)


def head(client):
    buffer = client.buffer
    end = buffer.find(b"\r\n\r\n", 0, client.size)
    if end < 0:
        return False
    at = buffer.find(b"\r\n", 0, client.size)
    client.method, path, _ = bytes(buffer[:at]).decode().split(" ")
    client.path = path.split("?")[0]
    client.host = client.kind = client.auth = client.etag = client.sha = ""
    client.length = 0
    while at < end:
        at += 2
        next = buffer.find(b"\r\n", at, end + 2)
        colon = buffer.find(b":", at, next)
        # Only names of these lengths are ever looked at, so the rest costs no memory.
        if colon - at in (4, 8, 12, 13, 14):
            field(client, bytes(buffer[at:colon]).lower(), bytes(buffer[colon + 1 : next]).strip())
        at = next
    end += 4
    buffer[: client.size - end] = memoryview(buffer)[end : client.size]
    client.size -= end
    client.left = client.length - client.size
    return True


def field(client, name, value):
    if name == b"host":
        client.host = value.decode().lower().split(":")[0]
    elif name == b"content-type":
        client.kind = value.decode().split(";")[0].lower()
    elif name == b"content-length":
        client.length = int(value)
        if client.length < 0:
            raise ValueError
    elif name == b"authorization":
        client.auth = value
    elif name == b"if-none-match":
        client.etag = value.decode()
    elif name == b"x-sha256":
        client.sha = value.decode().lower()


def api(board, client, call):
    name = _CALLS.get(call)
    file = call[:10] == "PUT files/"
    if file:
        name = "update"
    elif not name and client.method != "GET":
        name = getattr(board.app, "calls", {}).get(call)
    if not name:
        return client.error(404, "there is no such call")
    if client.method == "GET":
        return name
    # A page elsewhere cannot send such a type without asking first, and a name that was bent to
    # this address is not one of ours.
    plain = board.names.host + ".local"
    if client.host not in (board.wifi.ip(), plain, plain.replace("_", "-")) and not (
        board.wifi.portal and client.host == ACCESS_POINT
    ):
        client.error(403, "the Host of a change is this board's address or name")
    elif client.kind != ("application/octet-stream" if file else "application/json"):
        client.error(415, "the Content-Type is application/json, of a file octet-stream")
    elif not allowed(client):
        client.extra = 'WWW-Authenticate: Basic realm="dsmrctl"\r\n'
        # After a second, so that guessing takes long; the answer waits, the board does not.
        client.feed = nothing
        board.loop.after(1000, lambda: deny(board.kind, client))
    elif client.length > 1024 and not file and name != "update":
        client.error(413, "the body of a change has at most 1 KB")
    else:
        return name
    return None


def nothing(client, size):
    client.size = 0


def deny(kind, client):
    client.feed = None
    if client in client.server.clients:
        client.error(
            401,
            "user admin and the admin_password, please; forgotten: dsmrctl flash %s "
            "--reset-settings" % kind,
        )


def allowed(client):
    found = store.read("/settings.json")
    password = found.get("admin_password") if isinstance(found, dict) else None
    if not password:
        return True
    if client.auth[:6].lower() != b"basic ":
        return False
    try:
        given = binascii.a2b_base64(client.auth[6:])
    except ValueError:
        return False
    wanted = b"admin:" + password.encode()
    wrong = len(given) ^ len(wanted)
    for a, b in zip(given, wanted):
        wrong |= a ^ b
    return not wrong


# A page of the slot; gzip carries a checksum of the content at its end, which is our ETag.
def page(client, path):
    try:
        file = open(path, "rb")
    except OSError:
        return client.error(404, "there is no such page")
    file.seek(os.stat(path)[6] - 8)
    tag = '"%s"' % binascii.hexlify(file.read(8)).decode()
    client.extra = "ETag: %s\r\nCache-Control: no-cache\r\n" % tag
    kind = "text/html; charset=utf-8"
    if client.etag == tag:
        file.close()
        return client.reply(304, b"", kind)
    client.extra += "Content-Encoding: gzip\r\n"
    file.seek(0)
    client.reply(200, None, kind, file)
