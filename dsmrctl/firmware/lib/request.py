# Reads the head of a request, and names the module that answers it; of a change guard.py first.
import binascii
import os

_CALLS = {
    "GET info": "info",
    "GET log": "info",
    "POST identify": "info",
    "POST restart": "info",
    "GET settings": "settings",
    "PUT settings": "settings",
    "GET wifi/scan": "networks",
    "PUT wifi": "moving",
    "POST update": "files",
}


def answer(board, client):
    try:
        good = client.path or head(client)
    except (ValueError, IndexError):
        good = None
    if not good:
        client.size = 0
        client.left = 1  # whatever else comes of it is thrown away: see http.py
        if good is None:
            return client.error(400, "this is no request that a board can read")
        return client.error(431, "the head of a request has at most 1 KB")
    path = client.path
    if path[:5] == "/api/":
        return api(board, client, client.method + " " + path[5:])
    if board.portal and client.method == "POST" and path == "/wifisave":
        if client.length > 1024:
            return client.error(413, "a form has at most 1 KB")
        client.call = "moving"
        return client.call if client.left <= 0 else None
    if board.portal and path != "/settings" and client.method == "GET":
        return "networks"
    if client.method != "GET":
        client.error(405, "a page can only be read")
    elif path in ("/", "/settings"):
        page(client, "/%s/%s.html.gz" % (board.slot, path[1:] or "index"))
    else:
        client.error(404, "there is no such page")
    return None


def head(client):
    buffer = client.buffer
    end = buffer.find(b"\r\n\r\n", 0, client.size)
    if end < 0:
        return False
    at = buffer.find(b"\r\n", 0, client.size)
    client.method, path, _ = bytes(buffer[:at]).decode().split(" ")
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
    client.path = path.split("?")[0]
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
    if call[:10] == "PUT files/":
        name = "files"
    elif not name and client.method != "GET":
        name = getattr(board.app, "calls", {}).get(call)
    if not name:
        return client.error(404, "there is no such call")
    if client.method == "GET":
        return name
    client.call = name
    return "guard"


# A page of the slot; gzip carries a checksum of the content at its end, which is our ETag.
def page(client, path):
    try:
        file = open(path, "rb")
    except OSError:
        return client.error(404, "there is no such page")
    try:
        send(client, path, file)
    except MemoryError:
        file.close()
        raise


def send(client, path, file):
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
