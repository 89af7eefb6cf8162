# What a switch does seldom: its settings, and what it tells of itself.
from ..core import switch


# what: settings; or a client, who asks for the status.
def answer(board, what):
    app = board.app
    if isinstance(what, dict):
        configure(board, app, what)
    else:
        what.reply(200, status(board, app))


def configure(board, app, settings):
    rule = app.switch
    mode = settings["mode"]
    if mode == "proportional":
        rule = app.regulator
    if rule is not app.rule or mode != app.switch.mode:
        # Another mode: off, and every delay begins anew.
        app.rule.clear()
        rule.clear()
    app.rule = rule
    app.switch.mode = mode
    app.switch.threshold_w = settings["threshold_w"]
    app.switch.on_ms = settings["on_delay_min"] * 60000
    app.switch.off_ms = settings["off_delay_min"] * 60000
    if "load_w" in settings:
        app.regulator.load_w = settings["load_w"]
        app.language = settings["language"]
    app.show()
    board.rare("group", app.frames, settings)


def status(board, app):
    reason, timer_s = why(app)
    age = app.frames.age()
    values = app.values or (None,) * 5
    found = {
        "output": app.level * 100 // switch.STEPS,
        "mode": app.switch.mode,
        "reason": reason,
        "timer_s": timer_s,
        "hand": None if app.hand is None else app.hand * 100 // switch.STEPS,
        "import_w": values[2],
        "export_w": values[3],
        "tariff": values[4],
        "frame_age_s": None if age is None else age // 1000,
        "frames": app.frames.taken,
        "refused": app.frames.refused,
    }
    if hasattr(app, "mains"):
        found["mains"] = app.mains
    return found


# Why the output is as it is, and the seconds until that may change.
def why(app):
    rule = app.switch
    if app.hand is not None:
        return "hand", (app.left + 3) // 4
    if app.silent:
        return "key" if app.frames.key and app.frames.valid == 1 else "silent", None
    if rule.mode != "injection":
        return rule.mode, None
    delay = rule.off_ms if rule.level else rule.on_ms
    left = None if rule.ms is None else max(0, (delay - rule.ms + 999) // 1000)
    if rule.level:
        return "export" if not left else "minimum", left or None
    return "below" if rule.ms is None else "waiting", left
