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
        client.reply(200, None, more=shown(kept, board.kind))
    else:
        change(board, client, kept)


def give(board, kept):
    board.named = kept["name"] or board.kind + "-" + board.ident
    board.fresh = kept


# In pieces: the whole is larger than the largest block of memory there may be.
def shown(kept, kind):
    before = '{"settings":{'
    for key, value in kept.items():
        value = bool(value) if setting.secret(key) else value
        yield ('%s"%s":%s' % (before, key, json.dumps(value))).encode()
        before = ","
    before = b'},"schema":{'
    if kind:
        for key in kept:
            yield before + ('"%s":' % key).encode() + json.dumps(setting.rule(kind, key)).encode()
            before = b","
    yield b"}}"


def change(board, client, kept):
    try:
        new = setting.changes(board.kind, json.loads(client.buffer[: client.length]))
    except setting.SettingError as error:
        client.reply(422, {"error": str(error), "field": error.field})
        return
    except ValueError:
        client.error(400, "the body is not JSON")
        return
    try:
        # Before it is kept: all of it is written, or nothing was changed.
        differs = False
        for key, value in new.items():
            differs = differs or kept[key] != value
        kept.update(new)
        if differs:
            store.put(_FILE, kept)
    except OSError:
        client.error(503, "the flash did not take it; nothing was changed")
        return
    client.reply(200, None, more=shown(kept, None))
    before = board.named
    give(board, kept)
    if board.named != before and board.wifi.online:
        # Not at once: telling the new name takes the memory that the next change may want.
        if not board.renamed:
            board.renamed = True
            board.later(5000, "renamed")
