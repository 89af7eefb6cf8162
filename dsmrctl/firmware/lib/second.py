# A good telegram has come: its quarter is followed, and a frame sent.
from ..core import quarter, sending


def answer(board):
    app = board.app
    told = app.reader.told
    first = app.age_s < 0
    app.age_s = 0
    if told[22] is None:
        return  # without the meter's clock nobody could follow the quarter
    utc_s = told[22] - told[23] * 3600
    now = quarter.Quarter()
    now.go_on(app.quarter)
    ended = now.follow(utc_s, (told[0] or 0) + (told[1] or 0), told[4], told[6])
    app.quarter = now.figures()
    if ended or first:
        board.rare("meter", app, "ended")
    # A meter for one tariff lacks a register, one that cannot export has no power for it.
    if told[4] is not None and (told[0] is not None or told[1] is not None):
        data = sending.build(
            (told[0], told[1], told[4], told[5], told[20], told[22] // 60 % 60, told[22] % 60)
            + (app.month_peak_w if told[7] is None else told[7],)
            + (now.quarter_w, now.last_quarter_w)
        )
        if data:
            send(board, app, data, utc_s)
    if app.mqtt and app.mqtt.step > 4:
        board.later(0, None, "readout")


def send(board, app, data, utc_s):
    if app.key:
        data = sending.sign(data, app.key, utc_s)
    for to in app.to:
        try:
            app.udp.sendto(data, to)
        except OSError:
            pass  # no network now
    app.frames += 1
    if not board.blinks:
        app.light(True)
        board.loop.after(50, app.dark)
