# An update over WiFi: what the idle slot lacks is copied from the running one or asked for; when
# all is there and right, the slots change places.
import binascii
import gc
import hashlib
import os

from . import slots, store
from .slots import LISTING

_PIECE = 256
_TURN = 16  # pieces a turn of the loop: a block


def answer(board, _):
    client = board.busy
    if client not in board.clients:
        board.busy = None
        return
    client.step = "update"  # a 503 when there is never memory for it
    good = count = ours = 0
    version = ""
    for path, sha in listed(LISTING):
        if path == "version":
            version = sha
        else:
            count += 1
            good += slots.proper(path) and len(sha) == 64
            ours += path == "%s.mpy" % board.kind
    if not version or not 0 < good == count <= 64 or not ours:
        board.busy = None
        store.remove(LISTING)
        if good and not ours:
            client.error(409, "this is the firmware of another kind of board")
        else:
            client.error(400, 'the body is {"version": "...", "files": {path: sha256}}')
        return
    # It goes on turn by turn, so that the rest of the board does not stand still.
    step(board, work(board, client, version))


# Every quoted text of a JSON file, in order: a list of files as a dict would take 6 KB.
def words(path):
    held = b""
    try:
        with open(path, "rb") as file:
            while piece := file.read(128):
                held += piece
                while (end := held.find(b'"', held.find(b'"') + 1)) > 0:
                    yield held[held.find(b'"') + 1 : end].decode()
                    held = held[end + 1 :]
                if len(held) > 256:
                    return
    except (OSError, UnicodeError):
        pass


# The version and (path, SHA-256) of each file in a list: ("version", version) is among them.
def listed(path):
    found = words(path)
    try:
        for word in found:
            if word != "files":
                yield word, next(found, "")
    finally:
        found.close()  # its file is open


def step(board, job):
    gc.collect()
    client = board.busy
    try:
        next(job)
        board.loop.after(0, lambda: step(board, job))
        return
    except StopIteration:
        pass
    except MemoryError:
        # Begun anew, as long as the client has time: what is done stays done.
        if client in board.clients:
            board.later(500, "", "update")
            return
    # With files missing it is kept: the next call goes on with it.
    if board.busy:
        board.busy = None
        store.remove(LISTING)


def sha_of(listing, wanted):
    found = words(listing)
    for word in found:
        if word == wanted:
            sha = next(found, None)
            found.close()  # its file is open
            return sha
    return None


def work(board, client, version):
    slot = "/" + slots.other(board)
    if client.sha:
        digest = yield from hashed(LISTING, None)
        if digest != client.sha:
            client.error(409, "that list did not come; send it whole")
            return
    # What the new version does not have leaves the slot first: two and more do not fit.
    while path := stale(slot, len(slot) + 1):
        store.remove(path)
        yield
        if client not in board.clients:
            return  # it gave up
    missing = []
    wanted = listed(LISTING)
    for path, sha in wanted:
        if path == "version":
            continue
        full = slot + "/" + path
        digest = yield from hashed(full, None)
        if digest != sha and sha_of("/" + board.slot + "/files.json", path) == sha:
            slots.folders(full)
            digest = yield from hashed("/" + board.slot + "/" + path, full)
        if digest != sha:
            store.remove(full)
            missing.append(path)
        client.left_s = 8
        if client not in board.clients:
            wanted.close()
            return  # it gave up; what was done stays done
    if missing:
        client.reply(409, {"error": "%d files are missing" % len(missing), "missing": missing})
        board.busy = None
        return
    try:
        # The version first: it is read from the start of the file.
        with open(slot + "/files.json", "w") as file:
            file.write('{"version":"%s","files"' % version)
            before = ":{"
            for path, sha in listed(LISTING):
                if path != "version":
                    file.write('%s"%s":"%s"' % (before, path, sha))
                    before = ","
            file.write("}}")
        store.write("/boot.json", {"slot": slot[1:], "tries": 3, "old": board.slot})
    except OSError:
        client.error(503, "the flash has no room")
        return
    client.reply(202, {})
    board.later(1000, "stop")


# A file of the slot that is not in the list, or None. One at a time: a list of them is large. The
# folder is read to its end: LittleFS keeps it open till then.
def stale(folder, base):
    found = None
    try:
        for one in os.ilistdir(folder):
            path = folder + "/" + one[0]
            if found:
                continue
            if one[1] & 0x4000:
                found = stale(path, base)
            elif not sha_of(LISTING, path[base:]):
                found = path
    except OSError:
        pass
    return found


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
