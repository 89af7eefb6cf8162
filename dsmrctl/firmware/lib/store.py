# What a board keeps over a power cut: JSON files, written anew beside the old one and renamed.
import json
import machine
import os
import sys

# The list of an update, while it is under way.
LISTING = "/update.json"


def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


# Never when nothing changed: flash wears.
def write(path, value):
    if read(path) != value:
        put(path, value)


def put(path, value):
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def answer(board, error):
    try:
        crashed(error)
    except OSError:
        pass  # the flash is full


# The last crashes, in two files of a few kilobytes, of which the older is thrown away.
def crashed(error):
    try:
        if os.stat("/crash.txt")[6] > 2000:
            os.rename("/crash.txt", "/crash.old")
    except OSError:
        pass
    with open("/crash.txt", "a") as file:
        file.write("reset cause %d\n" % machine.reset_cause())
        sys.print_exception(error, file)


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
