# What a mini switch and a switcher have in common: frames, a rule, and an output by hand.
# pyright: reportAttributeAccessIssue=false
from ..core import switch
from . import frames


class Switching:
    calls = {"PUT output": "output"}

    def __init__(self, board):
        self.board = board
        # What decides, the one of the mode.
        self.rule = self.switch = switch.Switch()
        # By hand, so many steps, and for so many pulses more.
        self.hand = None
        self.left = 0
        # The steps that are at the output now; the last frame.
        self.level = 0
        self.values = None
        # No frame for ten seconds, or none yet.
        self.silent = True
        self.frames = frames.Frames(board, self.heard)

    # The settings, at the start and when they change.
    def configure(self, settings):
        self.board.rare("acting", settings)

    # The address of a network that came, or None: it went.
    def online(self, ip):
        self.board.rare("group", self.frames, ip)

    def heard(self, values, ms):
        if self.silent:
            self.silent = False
            ms = 0
        self.values = values
        self.rule.follow(ms, values[4], values[2], values[3])
        self.show()

    # Four times a second, the network's beat included: see board.py.
    def pulse(self):
        if not self.silent and self.frames.age() > 10000:
            self.silent = True
            self.rule.clear()
        if self.hand is not None:
            self.left -= 1
            if self.left <= 0:
                self.hand = None
        self.show()
        self.board.wifi.check()

    def show(self):
        self.level = self.rule.level if self.hand is None else self.hand
        self.drive()

    # The answer to GET /api/status.
    def status(self, client):
        self.board.rare("acting", client)
