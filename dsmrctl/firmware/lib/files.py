# The files of an update, into the slot that does not run, each checked as it comes.
import binascii
import hashlib

from . import slots, store

_MOST = 40 * 4096


def answer(board, client):
    if board.unconfirmed:
        client.error(409, "this version has not confirmed itself yet; try again in a minute")
    elif board.busy and board.busy in board.clients:
        client.error(409, "an update is under way")
    elif client.path != "/api/update":
        put(board, client)
    elif client.length > 4096:
        client.error(413, "the list of an update has at most 4 KB")
    else:
        board.busy = client
        if client.length:
            pour(client, slots.LISTING, lambda sink: board.later(0, "", "update"))
        else:
            # The list that came before, by its X-SHA256: it need not travel twice.
            board.later(0, "", "update")


def put(board, client):
    path = client.path[11:]
    full = "/%s/%s" % (slots.other(board), path)
    if not slots.proper(path):
        client.error(403, "this is no path within a slot")
    elif len(client.sha) != 64:
        client.error(400, "the X-SHA256 of the file is missing")
    elif client.length > _MOST:
        client.error(413, "larger than a slot")
    else:
        slots.folders(full)
        pour(client, full, lambda sink: written(client, sink))


def written(client, sink):
    if binascii.hexlify(sink.hash.digest()).decode() == client.sha:
        client.reply(200, {})
    else:
        store.remove(sink.path)
        client.error(409, "the file that came is not the one of X-SHA256")


# The body goes to the flash as it comes.
def pour(client, path, ended):
    try:
        sink = Sink(path, ended)
    except OSError:
        failed(client)
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
                # Whoever sends a byte now and then does not stay.
                client.left_s = min(8, client.left_s + 1 + size // 64)
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
        try:
            self.file.close()
        except OSError:
            pass
        store.remove(self.path)
        failed(client)


def failed(client):
    board = client.board
    if board.busy is client:
        board.busy = None
    client.error(503, "the flash has no room; POST /api/update first, which clears it")
