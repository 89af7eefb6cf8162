# The settings: read at the start, shown, changed. The app is given them and keeps what it needs.
import json

from . import store
from ..core import setting

_FILE = "/settings.json"


def answer(board, client):
    kept = setting.kept(board.kind, store.read(_FILE))
    if client is None:
        give(board, kept)
    elif client.method == "GET":
        client.reply(200, None, more=shown(board.kind, kept))
    else:
        change(board, client, kept)


def give(board, kept):
    board.named = kept["name"] or board.kind + "-" + board.ident
    board.fresh = kept


# In pieces: the whole is larger than the largest block of memory there may be.
def shown(kind, kept):
    yield b'{"settings":' + json.dumps(setting.shown(kept)).encode()
    before = b',"schema":{'
    for key in setting.keys(kind):
        yield before + ('"%s":' % key).encode() + json.dumps(setting.rule(kind, key)).encode()
        before = b","
    yield b"}}"


def change(board, client, kept):
    try:
        new = setting.changed(board.kind, kept, json.loads(client.buffer[: client.length]))
    except setting.SettingError as error:
        client.reply(422, {"error": str(error), "field": error.field})
        return
    except ValueError:
        client.error(400, "the body is not JSON")
        return
    try:
        if new != kept:
            store.put(_FILE, new)
    except OSError:
        client.error(503, "the flash did not take it; nothing was changed")
        return
    client.reply(200, {"settings": setting.shown(new)})
    before = board.named
    give(board, new)
    if board.named != before and board.wifi.online:
        # Not at once: telling the new name takes the memory that the next change may want.
        if not board.renamed:
            board.renamed = True
            board.later(5000, "renamed")
