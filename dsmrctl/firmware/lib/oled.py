# The switcher's display, if it has one: an SSD1306 of 128 x 64 dots. Loaded for one picture, and
# then forgotten: the display keeps what it shows, the board nothing.
import framebuf
import machine

# By the data sheet's software initialisation. A restart may have cut a command off: the first two
# bytes, which ask for nothing, end it. Then: bytes go through the page from left to right, over all
# columns and pages; 64 lines from the first, not shifted, the pins above; medium contrast; what
# the memory holds is shown; it does not scroll.
_BEGIN = (
    b"\0\xe3\xe3\x20\0\x21\0\x7f\x22\0\7\xa8\x3f\xd3\0\x40\xa1\xc8\xda\x12\x81\x7f\xa4\xd5\x80\x2e"
)
# What is said of a mode and of the connection: the key, in nl, en and fr.
_WORDS = """
tariff,Dag/Nacht,Day/Night,Jour/Nuit
injection,Injectie,Injection,Injection
proportional,Proportioneel,Proportional,Proportionnel
hand,Met de hand,By hand,A la main
import,Afname,Import,Prelev.
export,Injectie,Export,Injection
wifi,Geen wifi,No WiFi,Pas de wifi
silent,Geen meterdata,No meter data,Compteur muet
mains,Geen netspanning,No mains,Pas de secteur
"""


# show: None at the start: is there a display? It is made ready, and empty. Else the mode, the
# output in percent, import and export in W or None, the connection, whether dark and light are
# exchanged, and the language. What has no word, as an address, is shown as it is. False: no display
# answers (any more). It takes 26 ms of the bus, in 32 pieces of less than 1 ms each: a zero
# crossing that comes meanwhile does not wait longer.
def answer(board, show):
    bus = machine.SoftI2C(
        scl=machine.Pin(board.pins["oled_scl"]),
        sda=machine.Pin(board.pins["oled_sda"]),
        freq=400000,
        # Without a display nothing may pull the clock up: it is not waited for.
        timeout=1000,
    )
    try:
        bus.writeto(60, _BEGIN)
        draw(bus, show)
        # Dark on light or not; its own supply; and on, now that the picture is whole.
        bus.writeto(60, b"\0\xa7\x8d\x14\xaf" if show and show[5] else b"\0\xa6\x8d\x14\xaf")
    except OSError:
        return False
    return True


def draw(bus, show):
    page = bytearray(128)
    frame = framebuf.FrameBuffer(page, 128, 8, framebuf.MONO_VLSB)
    view = memoryview(page)
    for number in range(8):
        frame.fill(0)
        if show:
            if 0 < number < 5:
                large(frame, page, "%d%%" % show[1], number * 2 - 2)
            else:
                line(frame, show, number)
        for at in range(0, 128, 32):
            bus.writevto(60, (b"\x40", view[at : at + 32]))


# Four times the font: of its eight lines two fill a page.
def large(frame, page, text, first):
    frame.text(text, 0, 0)
    columns = page[: 8 * len(text)]
    frame.fill(0)
    at = 64 - 2 * len(columns)
    for column in columns:
        if column >> first & 1:
            frame.fill_rect(at, 0, 4, 4, 1)
        if column >> first & 2:
            frame.fill_rect(at, 4, 4, 4, 1)
        at += 4


def line(frame, show, number):
    key = (show[0], "import", "export", show[4])[max(0, number - 4)]
    at = _WORDS.find("\n" + key + ",") + 1
    if at:
        words = _WORDS[at : _WORDS.find("\n", at)].split(",")
        key = words["nlenfr".find(show[6]) // 2 + 1]
    frame.text(key, 0, 0)
    if 4 < number < 7:
        power = show[number - 3]
        text = "- W" if power is None else "%d W" % power
        frame.text(text, 128 - 8 * len(text), 0)
