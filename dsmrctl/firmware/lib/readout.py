# What an interface shows: all quantities that its meter told, as JSON, for its page and the broker.
import json

# Places in the reader's list; the names' ends tell the units.
_NAMES = (
    "import_t1_wh import_t2_wh export_t1_wh export_t2_wh import_w export_w quarter_w month_peak_w"
    " import_l1_w import_l2_w import_l3_w export_l1_w export_l2_w export_l3_w"
    " voltage_l1_v voltage_l2_v voltage_l3_v current_l1_a current_l2_a current_l3_a tariff"
    " last_quarter_w forecast_w - - gas_m3 water_m3"
)


# asks: a client, for the status; the broker, for Home Assistant's discovery; None: a state is due.
def answer(board, asks):
    app = board.app
    if asks:
        if asks is app.mqtt:
            return discover(board, asks)
        # All of it at once: halfway it would keep this module.
        return asks.reply(200, None, more=iter(list(status(app))))
    seen = 0
    place = 0
    for value in values(app):
        seen |= (value is not None) << place
        place += 1
    if app.seen | seen != app.seen:
        app.seen |= seen
        app.mqtt.fresh = True
    app.mqtt.publish(b"state", list(pieces(app)) + [b"}"])


# The names of what the meter has told of so far.
def known(app):
    found = []
    for place, name in enumerate(_NAMES.split()):
        if app.seen >> place & 1:
            found.append(name)
    return found


# As the reader told them, with what follows from them in its place.
def values(app):
    told = app.reader.told[:27]
    _, _, _, told[21], told[6], told[22], _ = app.quarter
    if told[7] is None:
        told[7] = app.month_peak_w
    return told


def pieces(app):
    from ..core import clock

    told = app.reader.told
    time = "null"
    if told[22] is not None:
        time = '"%04d-%02d-%02dT%02d:%02d:%02d+0%d:00"' % (clock.date(told[22]) + (told[23],))
    piece = '{"time":' + time
    for name, value in zip(_NAMES.split(), values(app)):
        if name == "-":
            continue
        if value is None:
            value = "null"
        elif name[-2:] == "_v":
            value = decimal(value, 10)
        elif name[-2:] == "_a":
            value = decimal(value, 100)
        elif name[-3:] == "_m3":
            value = decimal(value, 1000)
        piece += ',"%s":%s' % (name, value)
        if len(piece) > 80:
            yield piece.encode()
            piece = ""
    if piece:
        yield piece.encode()


def decimal(value, parts):
    sign = "-" if value < 0 else ""
    value = abs(value)
    return "%s%d.%s" % (sign, value // parts, str(parts + value % parts)[1:])


def status(app):
    from ..core import history

    yield from pieces(app)
    reader = app.reader
    packed = app.past
    if reader.peaks is not None:
        packed = reader.peaks
    last_w = "null"
    piece = ',"history":'
    before = "["
    for month, _, w in history.peaks(packed):
        last_w = w
        piece += '%s["%d-%02d",%d]' % (before, month // 100, month % 100, w)
        before = ","
        if len(piece) > 80:
            yield piece.encode()
            piece = ""
    yield (piece + ("[" if before == "[" else "") + '],"last_month_w":%s' % last_w).encode()
    bad = reader.bad_crc + reader.cut + reader.too_long
    age = "null" if app.age_s < 0 else app.age_s
    yield (
        ',"mqtt":"%s","frames":%d,"telegrams":%d,"telegrams_bad":%d,"telegram_age_s":%s}'
        % (app.mqtt.status if app.mqtt else "off", app.frames, reader.good, bad, age)
    ).encode()


# Of the quantities that the meter has told of so far; they may grow while it goes out, and its
# length is told at its start.
def discover(board, mqtt):
    names = known(board.app)
    if not mqtt.settings[5] or not names:
        mqtt.fresh = False
        return
    size = 0
    for piece in document(mqtt, names):
        size += len(piece)
    topic = ("homeassistant/device/dsmrctl_%s/config" % board.ident).encode()
    size += len(topic) + 2
    out = bytes((0x31, size & 127 | 128, size >> 7)) + bytes((0, len(topic))) + topic
    mqtt.more = document(mqtt, names)
    mqtt.fresh = False
    mqtt.give(out)


# The file in the slot with what is this board's own put in, piece by piece.
def document(mqtt, names):
    board = mqtt.board
    own = (
        (b"<id>", board.ident),
        (b"<version>", board.version),
        (b"<name>", mqtt.settings[6]),
        (b"<prefix>", mqtt.settings[4][:-1].decode()),
    )
    comma = b""
    shown = True
    with open("/%s/discovery.json" % board.slot, "rb") as file:
        for line in file:
            piece = line.strip()
            if line[0] != 32:
                shown = True
            elif line[1] != 32:
                # A component begins here; it goes on in lines with one more space.
                piece = piece.lstrip(b",")
                name = piece[1 : piece.find(b'"', 1)].decode()
                if name == "peak_warning":
                    name = "forecast_w"
                shown = name in names
                piece = comma + piece
                comma = b"," if shown else comma
            if shown:
                for mark, value in own:
                    # One kind of mark a line: what is put in holds no marks of ours.
                    if mark in piece:
                        piece = piece.replace(mark, json.dumps(value)[1:-1].encode())
                        break
                yield piece
