# When a board starts, its lamps one after the other, 200 ms each: app.test lists them, None is a
# pause.
def answer(board, number):
    app = board.app
    if number:
        lamp(app, number - 1, 0)
    if number == len(app.test):
        app.test = ()
    else:
        lamp(app, number, 1)
        board.later(200, number + 1, "lamptest")


def lamp(app, number, on):
    pin = app.test[number]
    if pin:
        pin(app.dark ^ on)
