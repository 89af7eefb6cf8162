# Which slot runs, and what is done when its app fails. Loaded for one use, like all that is rare.
# Small and stable, as main.py: no update touches them.
import json
import machine
import os
import sys
import time


# A new version has three boots to confirm itself (lib/events.py); else the old one is taken again.
def choose():
    # (slot, is it a new version that has not confirmed itself?)
    try:
        with open("/boot.json") as file:
            found = json.load(file)
        slot = found["slot"]
        tries = found.get("tries")
        if tries is None:
            return slot, False
        new = {"slot": slot, "tries": tries - 1, "old": found["old"]}
    except (OSError, ValueError, KeyError, TypeError):
        return "a" if "a" in os.listdir("/") else "b", False
    failed = tries <= 0
    if failed:
        new = {"slot": new["old"]}
    try:
        # Renaming is the one step that a power cut cannot halve.
        with open("/boot.new", "w") as file:
            json.dump(new, file)
        os.rename("/boot.new", "/boot.json")
        if failed:
            with open("/crash.txt", "a") as file:
                file.write("the version in %s did not confirm itself\n" % slot)
    except OSError:
        # The flash is full: the old version runs, and can clear the other slot.
        return found["old"], False
    return new["slot"], "tries" in new


# Not at once: a board that crashes at its start must not wear its flash out with the log.
def failed(slot, error, dog):
    try:
        # Whatever it was: the outputs rest, and not only after the restart.
        sys.modules[slot + ".board"].Board.app.stop()
    except BaseException as another:
        sys.print_exception(another)
    sys.print_exception(error)
    try:
        __import__(slot + ".info", None, None, ("crashed",)).crashed(error)
    except BaseException as another:
        sys.print_exception(another)
    for _ in range(20):
        dog.feed()
        time.sleep_ms(100)
    machine.reset()
