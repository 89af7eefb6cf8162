# May this request change anything?
import binascii
import os
import time

from . import store
from .board import ACCESS_POINT


def answer(board, client):
    board.wifi.asked = time.ticks_ms()
    file = client.path[:11] == "/api/files/"
    stream = client.call == "files"
    plain = board.wifi.host + ".local"
    # A page elsewhere cannot send such a type without asking first, and a name that was bent to
    # this address is not one of ours.
    if (
        client.host == "0.0.0.0"
        or client.host not in (board.wifi.ip(), plain, plain.replace("_", "-"))
        and not (board.wifi.portal and client.host == ACCESS_POINT)
    ):
        client.error(403, "the Host of a change is this board's address or name")
    elif client.kind != ("application/octet-stream" if file else "application/json"):
        client.error(415, "the Content-Type is application/json, of a file octet-stream")
    elif not allowed(client):
        client.extra = 'WWW-Authenticate: Basic realm="dsmrctl"\r\n'
        # After a second, so that guessing takes long; the answer waits, the board does not.
        client.feed = nothing
        board.loop.after(1000, lambda: deny(board.kind, client))
    elif client.length > 1024 and not stream:
        client.error(413, "the body of a change has at most 1 KB")
    elif stream or client.left <= 0:
        return client.call
    # Else http.py calls it when the body is there.
    return None


def nothing(client, size):
    client.size = 0


def deny(kind, client):
    client.feed = None
    client.error(
        401,
        "user admin and the admin_password, please; forgotten: dsmrctl flash %s "
        "--reset-settings" % kind,
    )


def allowed(client):
    found = store.read("/settings.json")
    if found is None and "settings.json" in os.listdir("/"):
        return False  # what cannot be read may hold a password
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
