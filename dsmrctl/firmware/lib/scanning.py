# The networks in the air. Looking takes two seconds: only when someone asks.
import json


def answer(board, client):
    client.reply(200, None, more=shown(scan(board.wifi)))


# [(ssid, dBm, secure)], the strongest first.
def scan(wifi):
    best = {}
    try:
        # It blocks for two seconds, and the watchdog is not patient.
        wifi.board.loop.feed()
        found = wifi.station.scan()
    except OSError:
        found = []
    for one in found:
        try:
            name = bytes(one[0]).decode()
        except UnicodeError:
            continue
        if name and (name not in best or best[name][0] < one[3]):
            best[name] = (one[3], one[4] != 0)
    names = sorted(best, key=lambda name: -best[name][0])
    return [(name, best[name][0], best[name][1]) for name in names[:20]]


def shown(found):
    before = "["
    for ssid, rssi, secure in found:
        one = {"ssid": ssid, "rssi_dbm": rssi, "secure": secure}
        yield (before + json.dumps(one)).encode()
        before = ","
    yield b"]" if found else b"[]"
