# Another network for this board: by the API, or by the form of the portal.
import json

from . import store
from .board import ACCESS_POINT

_FILE = "/wifi.json"


def answer(board, client):
    if client.path == "/wifisave":
        form(board, client)
    else:
        move(board, client)


def move(board, client):
    try:
        found = json.loads(client.buffer[: client.length])
        ssid = found["ssid"]
        password = found.get("password", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        client.error(400, 'the body is {"ssid": "...", "password": "..."}')
        return
    if kept(client, ssid, password, True):
        client.reply(202, {})
        board.later(1000, "stop")


def form(board, client):
    # This one path takes form data, so only those who joined this access point may use it.
    if client.host != ACCESS_POINT:
        client.error(403, "networks are saved at http://%s only" % ACCESS_POINT)
        return
    try:
        fields = parsed(bytes(client.buffer[: client.length]))
    except (ValueError, UnicodeError):
        client.error(400, "this is no form")
        return
    ssid = fields.get("s") or board.wifi.ssid or ""
    password = fields.get("p", "")
    if kept(client, ssid, password, False):
        client.reply(200, saved(ssid), "text/html; charset=utf-8")
        board.later(1000, "stop")


# True when the network is saved; else the client has been told why not.
def kept(client, ssid, password, trial):
    wrong = fault(ssid, password)
    if wrong:
        client.error(422, wrong)
        return False
    try:
        save(ssid, password, trial)
    except OSError:
        client.error(503, "the flash did not take it; nothing was changed")
        return False
    return True


def saved(ssid):
    return (
        "<!DOCTYPE html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>dsmrctl</title><p>Opgeslagen: %s. De module start opnieuw op en verbindt; lukt dat "
        "niet binnen 15 s, dan is AutoConnectAP er weer.<p lang=en>Saved. The board restarts and "
        "joins.<p lang=fr>Enregistr\xe9. Le module red\xe9marre."
        % ssid.replace("&", "&amp;").replace("<", "&lt;")
    ).encode()


# A new network; with a trial the old one is taken again when it does not answer.
def save(ssid, password, trial):
    new = {"ssid": ssid, "password": password}
    old = store.read(_FILE)
    if trial and isinstance(old, dict) and old.get("ssid"):
        old.pop("old", None)
        old.pop("known", None)
        new["old"] = old
    store.write(_FILE, new)


# What makes a network's name or password impossible, or None.
def fault(ssid, password):
    if not isinstance(ssid, str) or not 0 < len(ssid.encode()) <= 32:
        return "the name of a network (ssid) has 1 to 32 bytes"
    if not isinstance(password, str) or len(password.encode()) > 64:
        return "a WiFi password has at most 64 characters"
    if password and len(password.encode()) < 8:
        return "a WiFi password has at least 8 characters"
    return None


# The fields of a form, as browsers send them; raises ValueError.
def parsed(data):
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
