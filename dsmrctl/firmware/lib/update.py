# An update over WiFi: files into the slot that does not run, each checked, then a change of slots.
import binascii
import gc
import hashlib
import json
import os

from . import store

_PIECE = 256
_TURN = 16  # pieces a turn of the loop: a block
_MOST = 40 * 4096
_LISTING = "/update.json"


def answer(board, client):
    if board.unconfirmed:
        client.error(409, "this version has not confirmed itself yet; try again in a minute")
    elif board.busy in board.server.clients:
        client.error(409, "an update is under way")
    elif client.path != "/api/update":
        put(board, client)
    elif client.length > 4096:
        client.error(413, "the list of an update has at most 4 KB")
    else:
        board.busy = client
        pour(client, _LISTING, lambda sink: begin(board, client))


def idle(board):
    return "b" if board.slot == "a" else "a"


# Letters that a path of ours has; none that leads out of the slot.
def proper(path):
    for part in path.split("/"):
        if not part.strip("."):
            return False
    for letter in path:
        if letter not in "abcdefghijklmnopqrstuvwxyz0123456789_./":
            return False
    return 0 < len(path) <= 48


def put(board, client):
    path = client.path[11:]
    full = "/%s/%s" % (idle(board), path)
    if not proper(path):
        client.error(403, "this is no path within a slot")
    elif len(client.sha) != 64:
        client.error(400, "the X-SHA256 of the file is missing")
    elif client.length > _MOST:
        client.error(413, "larger than a slot")
    else:
        folders(full)
        pour(client, full, lambda sink: written(client, sink))


def written(client, sink):
    if binascii.hexlify(sink.hash.digest()).decode() == client.sha:
        client.reply(200, {})
    else:
        store.remove(sink.path)
        client.error(409, "the file that came is not the one of X-SHA256")


def folders(full):
    parts = full.split("/")
    for end in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:end]))
        except OSError:
            pass  # it is there


# The body goes to the flash as it comes.
def pour(client, path, ended):
    try:
        sink = Sink(path, ended)
    except OSError:
        client.error(503, "the flash has no room; POST /api/update first, which clears it")
        return
    client.feed = sink.feed
    client.left = client.length
    sink.feed(client, client.size)


class Sink:
    def __init__(self, path, ended):
        self.path = path
        self.ended = ended
        self.hash = hashlib.sha256()
        self.file = open(path, "wb")

    # So many bytes are in the client's buffer; None: it is gone, and half a file is none.
    def feed(self, client, size):
        good = size is not None
        try:
            if good:
                size = min(size, client.left)
                piece = memoryview(client.buffer)[:size]
                client.left -= size
                client.size = 0
                client.left_s = 8
                self.hash.update(piece)
                self.file.write(piece)
                if client.left:
                    return
            self.file.close()
        except OSError:
            good = False
        client.feed = None
        if good:
            self.ended(self)
            return
        store.remove(self.path)
        if size is not None:
            client.error(503, "the flash has no room; POST /api/update first, which clears it")


def begin(board, client):
    wanted = store.read(_LISTING)
    store.remove(_LISTING)
    files = {}
    try:
        files = wanted["files"]
        good = isinstance(wanted["version"], str) and 0 < len(files) <= 64
        for path in files:
            good = good and proper(path) and len(files[path]) == 64
    except (TypeError, KeyError):
        good = False
    if not good:
        board.busy = None
        client.error(400, 'the body is {"version": "...", "files": {path: sha256}}')
        return
    # It goes on turn by turn, so that the rest of the board does not stand still.
    step(board, work(board, client, wanted["version"], files))


def step(board, job):
    try:
        next(job)
        board.loop.after(0, lambda: step(board, job))
    except StopIteration:
        board.busy = None
        gc.collect()


def work(board, client, version, files):
    slot = idle(board)
    yield from clear("/" + slot, len(slot) + 2, files)
    running = (store.read("/" + board.slot + "/files.json") or {}).get("files", {})
    missing = []
    for path in files:
        full = "/%s/%s" % (slot, path)
        digest = yield from hashed(full, None)
        if digest != files[path] and running.get(path) == files[path]:
            folders(full)
            digest = yield from hashed("/%s/%s" % (board.slot, path), full)
        if digest != files[path]:
            store.remove(full)
            missing.append(path)
        client.left_s = 8
        if client not in board.server.clients:
            return  # it gave up; what was done stays done
    if missing:
        client.reply(409, {"error": "%d files are missing" % len(missing), "missing": missing})
        return
    try:
        # The version first: it is read from the start of the file.
        with open("/%s/files.json" % slot, "w") as file:
            file.write('{"version":"%s","files":' % version)
            json.dump(files, file)
            file.write("}")
        store.write("/boot.json", {"slot": slot, "tries": 3, "old": board.slot})
    except OSError:
        client.error(503, "the flash has no room")
        return
    client.reply(202, {})
    board.later(1000, "stop")


# What the new version does not have leaves the slot first: two versions and more do not fit.
def clear(folder, base, files):
    try:
        found = list(os.ilistdir(folder))
    except OSError:
        return
    for one in found:
        path = folder + "/" + one[0]
        if one[1] & 0x4000:
            yield from clear(path, base, files)
        elif path[base:] not in files:
            store.remove(path)
            yield
    try:
        os.rmdir(folder)
    except OSError:
        pass  # not empty


# The SHA-256 of a file, and on the way its copy; a block a turn. None when that cannot be.
def hashed(path, copy):
    source = target = None
    try:
        source = open(path, "rb")
        target = open(copy, "wb") if copy else None
        summed = hashlib.sha256()
        buffer = bytearray(_PIECE)
        count = 0
        while size := source.readinto(buffer):
            piece = memoryview(buffer)[:size]
            summed.update(piece)
            if target:
                target.write(piece)
            count += 1
            if count % _TURN == 0:
                yield
        if target:
            target.close()
            target = None
        return binascii.hexlify(summed.digest()).decode()
    except OSError:
        return None
    finally:
        if source:
            source.close()
        if target:
            target.close()
