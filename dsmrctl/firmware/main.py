# Starts the app in the slot that choose.py names. It stays in memory as long as the app runs, so it
# holds next to nothing. Small and stable: no update touches this.
import gc
import machine
import sys

if not stopped:  # pyright: ignore[reportUndefinedVariable]
    dog = machine.WDT()
    chosen = __import__("choose").choose()
    del sys.modules["choose"]
    gc.collect()
    try:
        __import__(chosen[0] + ".board", None, None, ("start",)).start(
            chosen[0],
            board,  # pyright: ignore[reportUndefinedVariable]
            dog,
            uart,  # pyright: ignore[reportUndefinedVariable]
            heard,  # pyright: ignore[reportUndefinedVariable]
            chosen[1],
        )
    except BaseException as error:
        gc.collect()
        __import__("choose").failed(chosen[0], error, dog)
