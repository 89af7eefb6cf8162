# What a monitor does seldom: its pins, its settings, and what it tells of itself.
import machine

_LAMP = ("off", "on", "blink")


# what: settings; a client, who asks for the status; None: the pins are asked for.
def answer(board, what):
    app = board.app
    if what is None:
        return pins(board)
    if isinstance(what, dict):
        app.max_export_w = what["max_export_w"]
        app.max_import_w = what["max_import_w"]
        app.warning.manual_w = what["peak_threshold_w"]
        app.warning.power = what["forecaster"] == "power"
        board.rare("group", app.frames, what)
    else:
        what.reply(200, status(app))


def pins(board):
    names = ["export%d" % n for n in range(1, 6)] + ["import%d" % n for n in range(1, 5)]
    return [
        machine.Pin(board.pins[name][0], machine.Pin.OUT, value=0)
        for name in names + ["peak", "status"]
    ]


def status(app):
    exports, imports, peak, lamp = app.lit()
    age = app.frames.age()
    watch = app.warning
    values = app.values or (None,) * 4
    return {
        "export_leds": exports,
        "import_leds": imports,
        "peak_led": _LAMP[peak],
        "status_led": _LAMP[lamp],
        "forecast_w": watch.forecast_w,
        "threshold_w": watch.threshold_w,
        "month_peak_w": watch.month_peak_w,
        "quarter_w": watch.quarter_w,
        "last_quarter_w": watch.last_quarter_w,
        "import_w": values[2],
        "export_w": values[3],
        "frame_age_s": None if age is None else age // 1000,
        "frames": app.frames.taken,
        "refused": app.frames.refused,
    }
