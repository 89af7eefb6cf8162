# What happens seldom: the start, another name, a new version that holds, the end.
import machine
import network
import socket
import time

from . import store


def answer(board, what, *more):
    if what == "begin":
        begin(board, *more)
    elif what == "renamed":
        board.renamed = False
        if board.wifi.online:
            board.rare("mdns", "start", board.wifi.ip())
    elif what == "confirm":
        confirm(board)
    elif what == "blink":
        blink(board)
    elif what == "tick":
        board.rare("info", None)
        board.later(3600000, "tick")
    else:
        board.rare("mdns", "stop")
        board.app.stop()
        machine.reset()


# A new version that has its network and whose loop ran for half a minute is the version now.
def confirm(board):
    if not board.wifi.online:
        board.later(1000, "confirm")
    elif board.unconfirmed:
        try:
            store.write("/boot.json", {"slot": board.slot})
            board.unconfirmed = False
        except OSError:
            board.later(60000, "confirm")


# The light blinks for ten seconds, twice a second.
def blink(board):
    board.blinks -= 1
    board.app.light(board.blinks % 2)
    if board.blinks > 0:
        board.later(250, "blink")


# Who this board is, and what it starts with.
def begin(board, record, dog, uart, unconfirmed, app):
    board.loop.first = uart
    board.kind = record["board"]
    board.pins = record["pins"]
    board.record = record
    record["port"] = record.get("port", 80)
    board.version = version(board.slot)
    mac = network.WLAN(network.STA_IF).config("mac")
    board.ident = "%02x%02x%02x" % (mac[3], mac[4], mac[5])
    board.unconfirmed = unconfirmed
    board.uart = uart
    # The portal and the serial line's ear, while there is an access point; the client of an
    # update that is under way; how often the light still blinks for someone who looks for it.
    board.portal = board.serial = board.busy = None
    board.clients = []
    board.blinks = 0
    board.renamed = False
    board.up_ms = 0
    board.ticked = time.ticks_ms()
    type(board).app = app(board)
    board.later(3600000, "tick")
    if unconfirmed:
        board.later(30000, "confirm")
    if 1 <= machine.reset_cause() <= 3:
        board.rare("info", RuntimeError("the watchdog, or the chip itself, restarted the board"))
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("0.0.0.0", record["port"]))
    door.listen(2)
    door.setblocking(False)
    board.door = door
    board.loop.watch(door, board.knock)


# It stands at the start of the list, which need not be read whole.
def version(slot):
    try:
        with open("/" + slot + "/files.json") as file:
            return file.read(48).split('"')[3]
    except (OSError, IndexError):
        return "0.0.0"
