# What a board keeps over a power cut: JSON files, written anew beside the old one and renamed.
import json
import os


def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def text(path):
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeError):
        return ""


# Never when nothing changed: flash wears.
def write(path, value):
    if read(path) != value:
        put(path, value)


def put(path, value):
    with open(path + ".new", "w") as file:
        # A text is written as it is.
        if isinstance(value, str):
            file.write(value)
        else:
            json.dump(value, file)
    os.rename(path + ".new", path)


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


# The list of an update that is under way; the slot that does not run.
LISTING = "/update.json"


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
