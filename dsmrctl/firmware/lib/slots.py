# The two slots: paths in them, and the list of an update that is under way.
import os

LISTING = "/update.json"


# The slot that does not run.
def other(board):
    return "b" if board.slot == "a" else "a"


# Letters that a path of ours has; none that leads out of the slot.
def proper(path):
    for part in path.split("/"):
        if not part.strip("."):
            return False
    for letter in path:
        if letter not in "abcdefghijklmnopqrstuvwxyz0123456789_./":
            return False
    return 0 < len(path) <= 48


def folders(full):
    parts = full.split("/")
    for end in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:end]))
        except OSError:
            pass  # it is there
