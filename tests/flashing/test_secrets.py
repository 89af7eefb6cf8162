"""What nobody else may know is nowhere: not on a screen, in a log, a plan, an error, ps."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import lived_in
import pytest
from flashed import Flash, command, environment
from lived_in import DATA, READ, Cable
from ran import Ran

from dsmrctl.virtual import base
from dsmrctl.virtual.bootloader import Bootloader

WIFI, ADMIN, FRAME, MQTT = (
    "Wallflower-7301",
    "Pergola-88-admin",
    "Hammock-frame-key",
    "Trellis-mqtt",
)
SECRETS = (
    WIFI,
    ADMIN,
    FRAME,
    MQTT,
    *(str(lived_in.SETTINGS[key]) for key in ("admin_password", "frame_key")),
)
NETWORK = ("interface", "--hardware", "esp01s", "--ssid", "GARDEN")
DEBUG = {"DSMRCTL_DEBUG": "1"}


def nothing_told(done: Ran, *more: str) -> None:
    """No secret, whole or the most of it, and not as somebody would encode it."""
    import base64

    for secret in (*SECRETS, *more):
        for shown in (secret, secret[1:], secret[:-1], secret.encode().hex()):
            assert shown.lower() not in done.out.lower()
            assert shown.lower() not in done.err.lower()
        assert base64.b64encode(secret.encode())[:-4].decode() not in done.out + done.err
    assert lived_in.WIFI["password"] not in done.out + done.err


@pytest.fixture
def given(tmp_path: Path) -> tuple[str, ...]:
    """Every secret by a file of its own."""
    words = []
    for key, secret in (("admin_password", ADMIN), ("frame_key", FRAME), ("mqtt_password", MQTT)):
        (tmp_path / key).write_text(f"{secret}\n")
        words.append(f"{key}=@{tmp_path / key}")
    (tmp_path / "wifi").write_text(f"{WIFI}\n")
    return (*words, "--password-file", str(tmp_path / "wifi"))


def settled(chip: Bootloader) -> None:
    """They are on the board, so that the tests look for what was really there."""
    found = lived_in.files(chip.flash)
    assert json.loads(found["wifi.json"]) == {"ssid": "GARDEN", "password": WIFI}
    kept = json.loads(found["settings.json"])
    assert (kept["admin_password"], kept["frame_key"], kept["mqtt_password"]) == (
        ADMIN,
        FRAME,
        MQTT,
    )


@pytest.mark.slow
@pytest.mark.parametrize("json_too", [False, True])
def test_by_files_told_by_nothing(flash: Flash, given: tuple[str, ...], json_too: bool) -> None:
    more = ("--json",) if json_too else ()
    with Bootloader() as chip:
        for dry in (("--dry-run",), ()):
            done = flash(
                chip, *NETWORK, *given, *dry, *more, env=DEBUG | {"DSMRCTL_WIFI_PASSWORD": ""}
            )
            assert done.code == 0, done.err
            assert "admin_password" in done.err + done.out
            nothing_told(done)
        settled(chip)
        # Nor of what it had, when it gets others.
        done = flash(chip, "interface", "--reset-settings", *more, env=DEBUG)
        assert done.code == 0, done.err
        nothing_told(done)


@pytest.mark.slow
def test_by_standard_input_a_line_each_and_by_the_environment(flash: Flash) -> None:
    words = ("admin_password=@-", "frame_key=@-", "mqtt_password=@-")
    with Bootloader() as chip:
        lines = f"{WIFI}\n{ADMIN}\n{FRAME}\n{MQTT}\n"
        done = flash(chip, *NETWORK, *words, "--password-file", "-", stdin=lines, env=DEBUG)
        assert done.code == 0, done.err
        nothing_told(done)
        settled(chip)
    with Bootloader() as chip:
        env = DEBUG | {"DSMRCTL_WIFI_PASSWORD": WIFI}
        done = flash(chip, *NETWORK, *words, stdin=f"{ADMIN}\n{FRAME}\n{MQTT}\n", env=env)
        assert done.code == 0, done.err
        nothing_told(done)
        settled(chip)


REFUSED = {
    "admin_password=Pergola-88-admin": "admin_password is a secret: on a command line everybody",
    "frame_key=Hammock-frame-key": "frame_key is a secret: on a command line everybody",
    "mqtt_password=Trellis-mqtt": "mqtt_password is a secret: on a command line everybody",
    "frame_key=@short": "frame_key has 16 to 64 bytes",
    "admin_password=@long": "admin_password has at most 64 bytes",
    "mqtt_password=@control": "mqtt_password holds a character that cannot be shown",
    "mqtt_password=@latin": "the mqtt_password in latin is not UTF-8 text",
    "mqtt_password=@nowhere": "there is no mqtt_password file nowhere",
    "mqtt_password=@endless": "the mqtt_password in endless is longer than 1000 bytes",
    "mqtt_password": "mqtt_password is asked for, and nobody is there to answer",
}


@pytest.mark.slow
@pytest.mark.parametrize("word", REFUSED)
@pytest.mark.parametrize("json_too", [False, True])
def test_a_refused_secret_is_not_shown(
    flash: Flash, tmp_path: Path, word: str, json_too: bool
) -> None:
    for name, text in {
        "short": b"tooshortkey1",
        "long": b"Pergola-88-admin" * 6,
        "control": b"Trellis-mqtt\x07x",
        "latin": b"Trellis-mqtt\xe9",
        "endless": b"Trellis-mqtt" * 200,
    }.items():
        (tmp_path / name).write_bytes(text)
    more = ("--json",) if json_too else ()
    done = flash("/dev/ttyNOWHERE7", "interface", word, *more, env=DEBUG)
    assert done.code == (3 if word.endswith("nowhere") else 2), done.err
    assert REFUSED[word] in (json.loads(done.err)["error"]["message"] if json_too else done.err)
    nothing_told(done, "tooshortkey1")
    # What to do instead is none that shows it either.
    assert f"{word.split('=')[0]}=False" not in done.err
    assert "Traceback" not in done.err


WRONG_PASSWORDS = {
    "Wallflo": "a WiFi password has at least 8 characters",
    "Wallflower" * 7: "a WiFi password has at most 63 characters",
    "": "the WiFi password in standard input is empty",
}


@pytest.mark.slow
@pytest.mark.parametrize("password", WRONG_PASSWORDS, ids=["short", "long", "empty"])
def test_a_wifi_password_that_cannot_be_is_refused_and_not_shown(
    flash: Flash, password: str
) -> None:
    for words, env in ((("--password-file", "-"), {}), ((), {"DSMRCTL_WIFI_PASSWORD": password})):
        line = f"{password}\n" if words else None
        done = flash("/dev/ttyNOWHERE7", *NETWORK, *words, stdin=line, env=DEBUG | env)
        assert done.code == 2
        if words or password:
            assert f"dsmrctl: {WRONG_PASSWORDS[password]}\n" in done.err
        assert "Wallflo" not in done.err + done.out


def pulled(chip: Bootloader) -> None:
    Cable(chip, DATA, 60, 500)


def faulty(chip: Bootloader) -> None:
    chip.faults.flip = {0x2000}


def wrapping(chip: Bootloader) -> None:
    chip.faults.write_protected = True


def refusing(chip: Bootloader) -> None:
    chip.faults.fail = {DATA: 0xC100}


def hanging(chip: Bootloader) -> None:
    chip.faults.hang_after = 150_000


@pytest.mark.slow
@pytest.mark.parametrize("fault", [pulled, faulty, wrapping, refusing, hanging])
def test_a_failure_tells_none_even_in_its_traceback(
    flash: Flash, tmp_path: Path, given: tuple[str, ...], fault: Callable[[Bootloader], None]
) -> None:
    first = lived_in.made("interface")
    other = tmp_path / "other.zip"
    other.write_bytes(lived_in.changed(first, "99.0.0", 14).pack())
    before = bytearray(lived_in.lived(first))
    # Of MicroPython too it has another: then all is written.
    before[0x100:0x90000] = bytes(0x90000 - 0x100)
    with Bootloader(before) as chip:
        fault(chip)
        done = flash(chip, *NETWORK, *given, "--bundle", str(other), "--yes", env=DEBUG)
    assert done.code not in (0, 2), done.err
    assert "esptool: " in done.err  # what DSMRCTL_DEBUG adds
    nothing_told(done)
    # What the board had is on this computer, for this user only.
    (rescue,) = (tmp_path / "data" / "unfinished").iterdir()
    assert stat.S_IMODE(rescue.stat().st_mode) == 0o600
    assert stat.S_IMODE(rescue.parent.stat().st_mode) == 0o700


@pytest.mark.slow
@pytest.mark.parametrize(("op", "count"), [(READ, 2), (DATA, 3)])
def test_neither_a_list_of_processes_nor_ctrl_c_tells_one(
    tmp_path: Path, given: tuple[str, ...], op: int, count: int
) -> None:
    first = lived_in.made("interface")
    (tmp_path / "baseFLASH_1M.bin").write_bytes(base.make("FLASH_1M"))
    other = tmp_path / "other.zip"
    other.write_bytes(lived_in.changed(first, "99.0.0", 14).pack())
    seen: list[bytes] = []
    with Bootloader(lived_in.lived(first)) as chip:
        there = threading.Event()
        chip.commands = At(op, count, there)
        env = environment(tmp_path) | DEBUG
        del env["DSMRCTL_WIFI_PASSWORD"]
        process = subprocess.Popen(
            command(tmp_path, chip.port, *NETWORK, *given, "--bundle", str(other)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=tmp_path,
            start_new_session=True,
        )
        there.wait(10)
        if process.poll() is None:
            for pid in family(process.pid):
                for name in ("cmdline", "environ", "comm"):
                    seen.append(Path(f"/proc/{pid}/{name}").read_bytes())
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert there.is_set(), err
    assert process.returncode == 130, err
    nothing_told(Ran(130, out, err))
    assert seen
    for secret in SECRETS:
        assert not any(secret.encode() in text for text in seen)


class At(dict[int, int]):
    """A chip's `commands` that says when so many of one kind came."""

    def __init__(self, op: int, count: int, there: threading.Event) -> None:
        super().__init__()
        self._at, self._there = (op, count), there

    def __setitem__(self, op: int, count: int) -> None:
        super().__setitem__(op, count)
        if (op, count) == self._at:
            self._there.set()


def family(pid: int) -> list[int]:
    """A process and all it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(each for child in found for each in family(child))]


@pytest.mark.slow
def test_the_whole_flash_is_for_nobody_else(flash: Flash, tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        with Bootloader(lived_in.lived(lived_in.made("interface"))) as chip:
            done = flash(chip, "--backup", str(tmp_path / "all.bin"), env=DEBUG)
    finally:
        os.umask(mask)
    assert done.code == 0, done.err
    nothing_told(done)
    assert stat.S_IMODE((tmp_path / "all.bin").stat().st_mode) == 0o600
    assert lived_in.WIFI["password"].encode() in (tmp_path / "all.bin").read_bytes()
