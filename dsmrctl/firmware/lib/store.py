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
