"""A person flashes a board: asked on a terminal, shown the way, a bar, and no password."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from flashed import Flash, command, environment

from dsmrctl.virtual.bootloader import Bootloader

PASSWORD = "Wallflower-7301"
# Nobody waits for the board on the network here: there is none.
INTERFACE = ("interface", "--hardware", "esp01s", "--no-wait")


class Person:
    """Sits at a terminal of their own before the program; stdout goes into a file if asked."""

    def __init__(
        self,
        words: list[str],
        folder: Path,
        env: dict[str, str] | None = None,
        *,
        piped: bool = False,
    ) -> None:
        self.screen = ""
        self._at = 0
        self._ours, theirs = pty.openpty()
        own = environment(folder) | {"TERM": "xterm-256color", "COLUMNS": "100"} | (env or {})
        if "DSMRCTL_WIFI_PASSWORD" not in (env or {}):
            del own["DSMRCTL_WIFI_PASSWORD"]
        self.process = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=subprocess.PIPE if piped else theirs,
            stderr=theirs,
            env=own,
            cwd=folder,
            # A terminal of its own: the password is asked on it, and Ctrl-C comes from it.
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self._ours)

    def _look(self, patience_s: float) -> bool:
        """Whether more came; False when the program is gone."""
        ready, _, _ = select.select([self._ours], [], [], patience_s)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self.screen += data.decode().replace("\r\n", "\n")
        return bool(data)

    def sees(self, text: str, patience_s: float = 20) -> None:
        """Waits for a text that comes after what was seen before."""
        end = time.monotonic() + patience_s
        while text not in self.screen[self._at :]:
            alive = self._look(max(0.0, end - time.monotonic()))
            if text not in self.screen[self._at :]:
                there_is_more = alive and time.monotonic() < end
                assert there_is_more, f"no {text!r} in:\n{self.screen}"
        self._at = self.screen.index(text, self._at) + len(text)

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def leaves(self, patience_s: float = 30) -> int:
        """All of it seen; the exit code."""
        end = time.monotonic() + patience_s
        while self._look(max(0.0, end - time.monotonic())):
            assert time.monotonic() < end, self.screen
        return self.process.wait(5)


At = Callable[..., Person]


@pytest.fixture
def at(tmp_path: Path, flash: Flash) -> At:
    """at(chip, "interface", …) -> Person; `flash` puts the base image there."""

    def sit(
        chip: Bootloader | str,
        *words: str,
        env: dict[str, str] | None = None,
        piped: bool = False,
    ) -> Person:
        port = chip if isinstance(chip, str) else chip.port
        line = command(tmp_path, port, *words)
        if not port:
            line = [word for word in line if word not in ("--port", "")]
        return Person(line, tmp_path, env, piped=piped)

    return sit


@pytest.mark.slow
def test_what_is_not_said_is_asked(at: At) -> None:
    """The hardware by its number, a password without showing it; wrong answers are asked again."""
    with Bootloader() as chip:
        with at(chip, "interface", "--no-wait", "--ssid", "GARDEN", "mqtt_password") as person:
            person.sees("Password of GARDEN: ")
            person.types(f"{PASSWORD}\n")
            person.sees("mqtt_password: ")
            person.types("Trellis-mqtt\n")
            person.sees("  1  esp01s  ESP-01S (LED on GPIO2)\n  2  esp01  ESP-01 (1 MB")
            person.sees("Which hardware is it? [1-2] ")
            person.types("3\n")
            person.sees("Which hardware is it? [1-2] ")
            person.types("esp01\n")
            person.sees("Which hardware is it? [1-2] ")
            person.types("2\n")
            assert person.leaves() == 0, person.screen
        assert "is on the board (" in person.screen
        # What to do by hand now.
        assert "now:\n1. unplug the programmer\n2. let the button go" in person.screen
        for secret in (PASSWORD, "Trellis"):
            assert secret not in person.screen
            assert secret.encode() in chip.flash


@pytest.mark.slow
def test_a_silent_board_shows_the_way_and_enter_goes_on(at: At) -> None:
    with Bootloader(download=False, app=lambda data: b"a line of text\r\n") as chip:
        with at(chip, *INTERFACE) as person:
            person.sees("runs its firmware, not the bootloader. Nothing was written.\n")
            person.sees("  1. unplug the programmer\n  2. hold its button")
            person.sees("Enter when that is done, Ctrl-C to stop: ")
            assert chip.programmed == 0
            chip.unplug()
            chip.button = True
            chip.plug()
            person.types("\n")
            assert person.leaves() == 0, person.screen
        assert chip.flash[0] == 0xE9


@pytest.mark.slow
def test_ctrl_c_at_a_question_is_the_end(at: At) -> None:
    with Bootloader() as chip:
        with at(chip, "interface", "--no-wait") as person:
            person.sees("Which hardware is it? [1-2] ")
            person.types("\x03")
            assert person.leaves() == 130
        assert "Traceback" not in person.screen
        assert chip.programmed == 0
        with at(chip, "interface", "--no-wait") as person:
            person.sees("Which hardware is it? [1-2] ")
            person.types("\x04")
            assert person.leaves() == 130
        assert "Traceback" not in person.screen
    with at("/dev/ttyNOWHERE7", "interface", "--ssid", "GARDEN") as person:
        person.sees("Password of GARDEN: ")
        person.types("\x03")
        assert person.leaves() == 130
    assert "Traceback" not in person.screen


@pytest.mark.slow
def test_of_several_ports_one_is_chosen(at: At, tmp_path: Path) -> None:
    with Bootloader() as chip:
        # The program's own Python is told of two by a file it imports first.
        (tmp_path / "sitecustomize.py").write_text(
            "import serial.tools.list_ports as p\n"
            "from serial.tools.list_ports_common import ListPortInfo as I\n"
            f"p.comports = lambda *a, **k: [I('/dev/ttyUSB7'), I({chip.port!r})]\n"
        )
        with at("", *INTERFACE, env={"PYTHONPATH": str(tmp_path)}) as person:
            person.sees("Which port? [1-2] ")
            rows = [line for line in person.screen.splitlines() if re.match(r"  \d  ", line)]
            assert rows[0].startswith("  1  /dev/ttyUSB7")
            assert rows[1].startswith(f"  2  {chip.port}")
            person.types("2\n")
            assert person.leaves() == 0, person.screen
        assert chip.flash[0] == 0xE9


@pytest.mark.slow
def test_what_cannot_be_undone_wants_a_yes(at: At) -> None:
    with Bootloader(bytearray(b"\xe9" + os.urandom((1 << 20) - 1))) as chip:
        before = bytes(chip.flash)
        for answer in ("\n", "n\n", "what?\nno\n"):
            with at(chip, *INTERFACE, "--no-backup") as person:
                person.sees("another firmware is on it, and no backup of that is kept\n")
                person.sees("Go on? [y/N] ")
                person.types(answer)
                assert person.leaves() == 5
            assert "dsmrctl: nothing was written, as you wished\n" in person.screen
            assert "is on the board" not in person.screen
            assert chip.flash == before
        with at(chip, *INTERFACE, "--no-backup") as person:
            person.sees("Go on? [y/N] ")
            person.types("y\n")
            assert person.leaves() == 0, person.screen
        assert chip.flash != before


@pytest.mark.slow
def test_a_restore_wants_a_yes_too(at: At, tmp_path: Path) -> None:
    manual = tmp_path / "plain.bin"
    manual.write_bytes(b"\xe9" + os.urandom(9_999))
    with Bootloader() as chip:
        for answer, code in (("", 5), ("ja", 0)):
            with at(chip, "--restore", str(manual)) as person:
                person.sees("the board gets another firmware; what is on it now goes\n")
                person.sees("Go on? [y/N] ")
                person.types(f"{answer}\n")
                assert person.leaves() == code, person.screen
            assert (chip.flash[0] == 0xE9) == (code == 0)


@pytest.mark.slow
def test_one_bar_for_the_whole_on_a_terminal(at: At) -> None:
    with Bootloader() as chip, at(chip, *INTERFACE, piped=True) as person:
        # Results go where somebody sends them, the bar to the terminal.
        code = person.leaves()
        assert person.process.stdout
        out = person.process.stdout.read().decode()
    assert code == 0, person.screen
    assert re.fullmatch(r"interface \S+ is on the board \(\d+ bytes written, verified\)\.\n", out)
    assert re.search(r"interface \S+: write", person.screen)
    assert "100%" in person.screen
    assert "\x1b[?25l" in person.screen
    assert person.screen.rindex("\x1b[?25h") > person.screen.rindex("\x1b[?25l")
    percents = [int(found) for found in re.findall(r" (\d+)%", person.screen)]
    assert percents == sorted(percents)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "words"), [({"TERM": "dumb"}, ()), ({}, ("--json",))], ids=["dumb", "json"]
)
def test_no_bar_where_it_cannot_be_drawn(
    at: At, env: dict[str, str], words: tuple[str, ...]
) -> None:
    with Bootloader() as chip, at(chip, *INTERFACE, *words, env=env) as person:
        assert person.leaves() == 0, person.screen
    assert "\x1b" not in person.screen
    assert "━" not in person.screen
    assert "100%" not in person.screen


@pytest.mark.slow
def test_no_bar_without_a_terminal_whatever_term_says(flash: Flash) -> None:
    with Bootloader() as chip:
        done = flash(chip, *INTERFACE, env={"TERM": "xterm-256color", "FORCE_COLOR": ""})
    assert done.code == 0, done.err
    assert "\x1b" not in done.err + done.out
    assert "%" not in done.err + done.out


@pytest.mark.slow
def test_a_bar_without_colours(at: At) -> None:
    with Bootloader() as chip, at(chip, *INTERFACE, env={"NO_COLOR": "1"}) as person:
        assert person.leaves() == 0, person.screen
    assert "100%" in person.screen
    # SGR codes with a colour: 30 to 37, 90 to 97, 38;…
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])(?:;\d+)*m", person.screen)


@pytest.mark.slow
def test_ctrl_c_while_the_bar_is_drawn_leaves_a_terminal_as_it_was(at: At) -> None:
    with Bootloader() as chip, at(chip, *INTERFACE) as person:
        person.sees(": write")
        person.types("\x03")
        assert person.leaves() == 130, person.screen
    assert "Traceback" not in person.screen
    assert person.screen.rindex("\x1b[?25h") > person.screen.rindex("\x1b[?25l")


@pytest.mark.slow
def test_it_waits_to_see_the_board_and_not_to_is_no_failure_of_the_flash(at: At) -> None:
    words = ("interface", "--hardware", "esp01s", "--ssid", "GARDEN", "--no-password")
    with Bootloader() as chip:
        with at(chip, *words) as person:
            person.sees("is on the board (")
            person.sees("waiting to see it on the network (Ctrl-C: it is done, do not wait)")
            person.types("\x03")
            assert person.leaves() == 0, person.screen
        assert "Traceback" not in person.screen
        # Asked for or not, it is told; only asked for it is what the command ends with.
        for more, code in ((), 0), (("--wait",), 4):
            with at(chip, *words, "--timeout", "1", *more) as person:
                person.sees("dsmrctl: the board did not come into the network within 1 s\n")
                assert person.leaves() == code, person.screen
