"""dsmrctl demo --flash: a bare board that is not there, flashed by the real thing, and booted."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl import errors
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.virtual.programmer import Programmer

ADDRESS = "127.0.0.2"
_TICK_S = 0.1
_GOT_IP = 5


def run(terminal: Terminal, duration: float | None, board: str) -> int:
    """Flashes it, boots it, shows what it says until Ctrl-C or for so many seconds."""
    from dsmrctl import boards
    from dsmrctl.virtual import base, rack, runtime
    from dsmrctl.virtual.air import Air
    from dsmrctl.virtual.programmer import Programmer

    if sys.platform != "linux":
        raise errors.UsageError("virtual boards need Linux", hint="on Windows use WSL")
    runtime.find()
    hardware = boards.find(board).hardware[0]
    air = Air()
    air.on(rack.SSID, rack.KEY, -52)
    page = rack.page_port(ADDRESS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "stand-in.bin"
        image.write_bytes(base.make(hardware.variant))
        heard = bytearray()
        size = 1 << 20 if hardware.variant else 4 << 20
        with Programmer(
            folder, size=size, address=ADDRESS, air=air, heard=heard.extend
        ) as programmer:
            words = ["flash", board, "--hardware", hardware.name, "--ssid", rack.SSID]
            words += ["--port", programmer.port]
            terminal.note(f"a bare board in its programmer ({hardware.title}); nothing is bought")
            terminal.note(f"$ dsmrctl {' '.join(words)}")
            more = ["--base", str(image), "--page-port", str(page), "--no-wait"]
            _flash([*words, *more, *(["--json"] if terminal.json else [])], folder)
            url = f"http://{ADDRESS}{'' if page == 80 else f':{page}'}/"
            while True:
                terminal.note("unplugged, its button let go, plugged in again: it boots")
                programmer.unplug()
                programmer.plug(button=False)
                if not _watch(terminal, programmer, heard, url, duration):
                    return errors.DONE
                programmer.unplug()
                programmer.plug(button=True)
                terminal.note(
                    "its button is held: it is in its bootloader. In another terminal, for example"
                )
                terminal.note(
                    f"  dsmrctl flash {board} name=cellar --base {image} --port {programmer.port}"
                )
                prompt.ask(terminal, "Enter lets it boot again, Ctrl-C ends: ")


def _flash(words: list[str], folder: Path) -> None:
    """The command itself, in a process of its own, as a person would start it."""
    from dsmrctl.virtual import rack

    environment = {"DSMRCTL_WIFI_PASSWORD": rack.KEY, "DSMRCTL_DATA": str(folder / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "dsmrctl", *words], env={**os.environ, **environment}
    )
    if done.returncode == errors.INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode:
        raise errors.DsmrError("the virtual board was not flashed", hint="see above")


def _watch(
    terminal: Terminal, programmer: Programmer, heard: bytearray, url: str, duration: float | None
) -> bool:
    """Its serial log, and its page once it has one. True: Enter asks for its bootloader."""
    board = programmer.board
    asks = prompt.possible(terminal) and duration is None
    start = time.monotonic()
    told = False
    while duration is None or time.monotonic() - start < duration:
        while b"\n" in heard:
            line, _, rest = bytes(heard).partition(b"\n")
            heard[:] = rest
            text = safe(line.decode("utf-8", "replace").strip())
            _say(terminal, f"  {text}", event="serial", text=text)
        if not told and board is not None and board.wifi == _GOT_IP:
            told = True
            _say(terminal, f"it is in its network: {url}", event="seen", url=url)
            if asks:
                terminal.note("Enter: into its bootloader, to flash it yourself. Ctrl-C ends")
        if asks and select.select([sys.stdin], [], [], 0)[0]:
            sys.stdin.readline()
            return True
        time.sleep(_TICK_S)
    if not told:
        raise errors.NoAnswer(
            "the board did not come into its network in that time",
            hint="give it 10 s: --duration 10s",
        )
    return False


def _say(terminal: Terminal, line: str, /, **event: str) -> None:
    if terminal.json:
        terminal.record(event)
    else:
        terminal.line(line, flush=True)
