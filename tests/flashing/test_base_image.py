"""MicroPython's release: fetched once, resumed, held to its pin, and refused when it is another.

No release is at hand: `virtual.base` makes one of the same form, a server on loopback has it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.errors import BadData, DsmrError, NoAnswer, NotFound, Refused, UsageError
from dsmrctl.flashing import base_image, bundle
from dsmrctl.flashing.base_image import BadBase
from dsmrctl.terminal.output import Terminal
from dsmrctl.terminal.progress import Progress
from dsmrctl.virtual import base

ONE = base.make("FLASH_1M")
GENERIC = base.make("")
OTHER = base.make("FLASH_1M", "1.29.1").replace(b"v1.29.1", b"v1.29.0")


def signed(image: bytes) -> bytes:
    """The image with the length and MD5 that its bytes ask for."""
    body = bytearray(image[:-16])
    body[0x8FFC:0x9000] = struct.pack("<I", len(body))
    return bytes(body) + hashlib.md5(body[4:]).digest()


OTHER = signed(OTHER)  # whole, of the right version, and another


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs these may sit behind a proxy."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the base image of 1 MB will lie; the cache is empty."""
    monkeypatch.setenv("DSMRCTL_CACHE", str(tmp_path / "cache"))
    return base_image.cache_file("FLASH_1M")


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A mirror with the stand-in, which DSMRCTL_BASE_URL names."""
    with serving(ONE) as found:
        monkeypatch.setenv("DSMRCTL_BASE_URL", f"{found.url}/mirror/")
        yield found


def left_over(cache: Path) -> list[str]:
    return sorted(path.name.removeprefix(cache.name) for path in cache.parent.iterdir())


# The form


@pytest.mark.parametrize("variant", ["FLASH_1M", ""])
def test_the_stand_in_is_of_the_form_of_a_release(variant: str) -> None:
    made = base.make(variant)
    base_image.check(made, variant, "made")
    assert made == base.make(variant)
    assert 0.6 < len(zlib.compress(made, 9)) / len(made) < 0.7
    assert b"this is no MicroPython" in made
    assert 500_000 < len(base.make("FLASH_1M")) < 0x99000


@pytest.mark.slow
def test_esptool_takes_the_stand_in_for_an_image(tmp_path: Path) -> None:
    from esptool.bin_image import LoadFirmwareImage

    file = tmp_path / "base.bin"
    file.write_bytes(ONE)
    image = LoadFirmwareImage("esp8266", str(file))
    image.verify()
    assert image.checksum == image.calculate_checksum()
    assert len(image.segments) == 3


def test_a_header_that_flashing_changed_is_still_the_same_image() -> None:
    base_image.check(ONE[:2] + b"\x03\x40" + ONE[4:], "FLASH_1M", "patched")


@given(at=st.integers(4, len(ONE) - 1) | st.just(0), by=st.integers(1, 255))
def test_any_other_byte_is_refused(at: int, by: int) -> None:
    changed = ONE[:at] + bytes([ONE[at] ^ by]) + ONE[at + 1 :]
    with pytest.raises(BadBase):
        base_image.check(changed, "FLASH_1M", "changed")


@given(kept=st.integers(0, len(ONE) - 1) | st.integers(0, 0x9010))
def test_an_image_that_was_cut_is_refused(kept: int) -> None:
    with pytest.raises(BadBase):
        base_image.check(ONE[:kept], "FLASH_1M", "cut")


@given(data=st.binary(max_size=200))
def test_whatever_is_no_image_is_refused(data: bytes) -> None:
    for start in (b"", b"\xe9"):
        with pytest.raises(BadBase):
            base_image.check(start + data, "", "noise")


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        ("", "FLASH_1M", "this is the build for 2 MB and more; this board needs FLASH_1M"),
        ("FLASH_1M", "", "this is FLASH_1M, for boards with 1 MB; this board needs the generic"),
        ("FLASH_512K", "FLASH_1M", "this is FLASH_512K, which has no files"),
        ("FLASH_2M_ROMFS", "", "this is FLASH_2M_ROMFS, whose files lie elsewhere"),
    ],
)
def test_the_wrong_build_is_named_and_what_is_needed(given: str, wanted: str, said: str) -> None:
    with pytest.raises(BadBase) as told:
        base_image.check(base.make(given), wanted, "image.bin")
    assert told.value.message.startswith(f"image.bin: {said}")
    assert bundle.base_url(wanted) in (told.value.hint or "")
    assert told.value.exit_code == 6


@pytest.mark.parametrize("version", ["1.27.0", "1.29.1", "1.29.0-preview.3.gabcdef012", "1.2"])
def test_another_version_of_micropython_is_refused(version: str) -> None:
    with pytest.raises(BadBase, match=f"MicroPython {version}; the boards' firmware runs on 1"):
        base_image.check(base.make("FLASH_1M", version), "FLASH_1M", "x")


def test_firmware_that_is_no_micropython_is_refused() -> None:
    with pytest.raises(BadBase, match="no MicroPython: it does not say its version"):
        base_image.check(signed(ONE.replace(b"MicroPython v", b"Tasmota     v")), "FLASH_1M", "x")
    with pytest.raises(BadBase, match="does not say which build"):
        base_image.check(signed(ONE.replace(b"ESP module", b"My  module")), "FLASH_1M", "x")


def test_an_image_that_reaches_into_the_boards_files_is_refused() -> None:
    room = 0x99000
    fits = signed(ONE[:-16].ljust(room - 16, b"\xff") + bytes(16))
    base_image.check(fits, "FLASH_1M", "x")
    with pytest.raises(BadBase, match="626689 bytes reach into the board's files"):
        base_image.check(signed(fits[:-16] + b"\xff" + bytes(16)), "FLASH_1M", "x")


# Found, fetched and pinned


def test_it_is_fetched_once_and_pinned(server: FileServer, cache: Path) -> None:
    assert base_image.state("FLASH_1M") == "absent"
    assert base_image.find("FLASH_1M") == ONE
    assert base_image.find("FLASH_1M") == ONE
    assert base_image.state("FLASH_1M") == "ready"
    (asked,) = server.asked
    assert asked["path"] == "/mirror/ESP8266_GENERIC-FLASH_1M-20260824-v1.29.0.bin"
    assert json.loads(cache.with_name(f"{cache.name}.json").read_text())["sha256"] == (
        hashlib.sha256(ONE).hexdigest()
    )
    assert left_over(cache) == ["", ".json"]


def test_without_a_mirror_it_is_micropythons_own_server(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DSMRCTL_BASE_URL", raising=False)
    for variant in ("FLASH_1M", ""):
        assert base_image.url(variant) == bundle.base_url(variant)
        assert base_image.url(variant).startswith("https://micropython.org/")


def test_a_file_of_the_users_own_is_neither_kept_nor_fetched(
    server: FileServer, cache: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.bin"
    own.write_bytes(OTHER)
    assert base_image.find("FLASH_1M", base=own) == OTHER
    assert not server.asked
    assert not cache.parent.exists()


def test_a_file_put_into_the_cache_by_hand_is_used_and_pinned(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(ONE)
    assert base_image.find("FLASH_1M", offline=True) == ONE
    assert left_over(cache) == ["", ".json"]
    cache.write_bytes(OTHER)
    with pytest.raises(BadBase, match="at first use it was"):
        base_image.find("FLASH_1M")


def test_what_is_fetched_later_must_be_what_was_pinned(server: FileServer, cache: Path) -> None:
    base_image.find("FLASH_1M")
    cache.unlink()
    server.content, server.etag = OTHER, '"two"'
    with pytest.raises(BadBase) as told:
        base_image.find("FLASH_1M")
    for image in (ONE, OTHER):
        assert hashlib.sha256(image).hexdigest() in told.value.message
    assert server.url in told.value.message
    assert f"delete {cache}.json" in (told.value.hint or "")
    assert left_over(cache) == [".json"]
    cache.with_name(f"{cache.name}.json").unlink()
    assert base_image.find("FLASH_1M") == OTHER


@pytest.mark.parametrize("pin", [b"", b"[" * 9000, b'{"sha256": 5}', b"\xff", b"[]"])
def test_a_pin_that_cannot_be_read_is_no_licence(
    server: FileServer, cache: Path, pin: bytes
) -> None:
    base_image.find("FLASH_1M")
    cache.with_name(f"{cache.name}.json").write_bytes(pin)
    with pytest.raises(BadBase, match="unreadable"):
        base_image.find("FLASH_1M")


def test_a_damaged_file_in_the_cache_is_told_and_fetching_mends_it(
    server: FileServer, cache: Path
) -> None:
    base_image.find("FLASH_1M")
    cache.write_bytes(ONE[:-1])
    assert base_image.state("FLASH_1M") == "bad"
    with pytest.raises(BadBase, match="600079 bytes; it says of itself that it has 600080"):
        base_image.find("FLASH_1M")
    assert base_image.fetch("FLASH_1M") == ONE
    assert base_image.state("FLASH_1M") == "ready"


def test_a_cache_that_cannot_be_written_is_told(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DSMRCTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(Refused) as told:
        base_image.fetch("FLASH_1M")
    assert "cannot keep the base image" in told.value.message
    assert "DSMRCTL_CACHE" in (told.value.hint or "")


# Where there is no network, and where there is a bad one


def test_without_a_network_one_is_told_three_ways(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMRCTL_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(NoAnswer) as told:
        base_image.find("FLASH_1M")
    words = f"{told.value.message}\n{told.value.hint}"
    for way in (base_image.url("FLASH_1M"), str(cache), "--base FILE"):
        assert way in words
    with pytest.raises(NotFound) as told_offline:
        base_image.find("FLASH_1M", offline=True)
    words = f"{told_offline.value.message}\n{told_offline.value.hint}"
    for way in (base_image.url("FLASH_1M"), str(cache), "--base FILE"):
        assert way in words
    assert not cache.parent.exists() or left_over(cache) == []


@pytest.mark.parametrize(
    ("status", "kind", "exit_code", "said"),
    [
        (404, NotFound, 3, "is not there (404 Not Found)"),
        (410, NotFound, 3, "is not there (410 Gone)"),
        (403, Refused, 5, "was refused (403 Forbidden)"),
        (407, Refused, 5, "was refused (407 Proxy Authentication Required)"),
        (503, NoAnswer, 4, "cannot be had now (503 Service Unavailable)"),
        (599, NoAnswer, 4, "cannot be had now (599)"),
    ],
)
def test_what_the_server_answers_is_said_in_a_sentence(
    server: FileServer, cache: Path, status: int, kind: type[DsmrError], exit_code: int, said: str
) -> None:
    server.status = status
    with pytest.raises(kind) as told:
        base_image.find("FLASH_1M")
    assert told.value.exit_code == exit_code
    assert told.value.message.endswith(said)
    assert "--base FILE" in (told.value.hint or "")
    assert left_over(cache) == []


def test_a_page_in_place_of_the_file_is_a_network_that_wants_a_login(
    server: FileServer, cache: Path
) -> None:
    server.cut = 100_000
    with pytest.raises(NoAnswer):
        base_image.find("FLASH_1M")
    half = cache.with_name(f"{cache.name}.part").read_bytes()
    assert len(half) == 300_000
    server.cut, server.etag = None, None
    page = b"<!DOCTYPE html><title>Hotel</title>"
    for kind, content in (
        ("text/html; charset=utf-8", b"\xef\xbb\xbf" + page),
        ("application/octet-stream", page),
    ):
        server.kind, server.content = kind, content
        with pytest.raises(BadData, match="a web page came in place of the file") as told:
            base_image.find("FLASH_1M")
        assert "log in first" in (told.value.hint or "")
    # What had come before is still there.
    assert cache.with_name(f"{cache.name}.part").read_bytes() == half
    server.kind, server.content = "application/octet-stream", b"\x00other"
    with pytest.raises(BadData, match="not that file"):
        base_image.find("FLASH_1M")


def test_a_server_that_is_silent_is_given_up(server: FileServer) -> None:
    server.mute = True
    started = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer for 0\.2 s"):
        base_image.find("FLASH_1M", timeout=0.2)
    assert time.monotonic() - started < 2


@pytest.mark.slow
def test_a_server_that_trickles_is_given_up_too(server: FileServer) -> None:
    server.pause_s = 0.02
    started = time.monotonic()
    with pytest.raises(NoAnswer, match=r"too slow: not done in 1\.5 s"):
        base_image.find("FLASH_1M", timeout=0.05)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_it_is_not_led_to_another_kind_of_address(server: FileServer, to: str) -> None:
    server.location = to
    with pytest.raises(Refused, match="which is not followed"):
        base_image.find("FLASH_1M")


def test_an_address_that_is_none_is_no_place_to_go(server: FileServer) -> None:
    server.location = "http://[::1/x"
    with pytest.raises(NoAnswer, match="cannot fetch"):
        base_image.find("FLASH_1M")


def test_it_is_led_to_another_place_but_not_for_ever(server: FileServer) -> None:
    server.location = "/elsewhere/base.bin"
    assert base_image.find("FLASH_1M") == ONE
    assert [each["path"][:6] for each in server.asked] == ["/mirro", "/elsew"]
    server.location = "/round"
    with pytest.raises(Refused, match="which is not followed"):
        _round(server)


def _round(server: FileServer) -> bytes:
    from dsmrctl.flashing import download

    path = base_image.cache_file("round")
    return download.fetch(f"{server.url}/round", path, b"\xe9", 1000, None, 5)


@pytest.mark.parametrize("length", [True, False])
def test_more_than_any_image_has_is_not_taken(
    server: FileServer, cache: Path, length: bool
) -> None:
    server.content, server.length = b"\xe9" + bytes(base_image.MOST), length
    with pytest.raises(BadData, match=r"at most 2097152|more than 2097152"):
        base_image.find("FLASH_1M")
    assert left_over(cache) == []


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1", "file:///tmp", "http://me:secret@127.0.0.1", "http://[::1"]
)
def test_a_mirror_that_cannot_be_one_is_told_without_its_password(
    cache: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DSMRCTL_BASE_URL", address)
    with pytest.raises(UsageError) as told:
        base_image.find("FLASH_1M")
    assert "secret" not in f"{told.value.message}{told.value.hint}"


def test_the_proxy_variables_are_obeyed(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("DSMRCTL_BASE_URL", "http://mirror.invalid/base")
    assert base_image.find("FLASH_1M") == ONE
    assert server.asked[0]["path"].startswith("http://mirror.invalid/base/ESP8266")


# Broken off, and gone on with


def test_an_answer_that_breaks_off_is_gone_on_with(server: FileServer, cache: Path) -> None:
    server.cut = 250_000
    assert base_image.find("FLASH_1M") == ONE
    assert server.ranges_asked() == [None, "bytes=250000-", "bytes=500000-"]
    assert left_over(cache) == ["", ".json"]


def test_the_next_time_goes_on_where_the_last_gave_up(server: FileServer, cache: Path) -> None:
    server.cut = 100_000
    with pytest.raises(NoAnswer) as told:
        base_image.find("FLASH_1M")
    assert "broke off after 300000 of 600080 bytes" in told.value.message
    assert (told.value.hint or "").startswith("run it again: it goes on from there")
    server.cut = None
    assert base_image.find("FLASH_1M") == ONE
    assert server.ranges_asked()[-1] == "bytes=300000-"


def test_a_date_will_do_where_there_is_no_etag(server: FileServer) -> None:
    server.etag, server.modified = 'W/"weak"', "Mon, 24 Aug 2026 00:00:00 GMT"
    server.cut = 400_000
    assert base_image.find("FLASH_1M") == ONE
    assert server.asked[1]["If-Range"] == server.modified


@pytest.mark.parametrize("how", ["no ranges", "heeds If-Range", "heeds nothing", "unnamed"])
def test_a_changed_file_is_never_glued_to_an_old_half(
    server: FileServer, cache: Path, how: str
) -> None:
    """However the server treats If-Range; what comes is one file from start to end."""
    server.etag = None if how == "unnamed" else '"one"'
    server.cut = 100_000
    with pytest.raises(NoAnswer):
        base_image.find("FLASH_1M")
    server.cut, server.content, server.etag = None, OTHER, '"two"'
    server.ranges = how != "no ranges"
    server.heeds_if_range = how != "heeds nothing"
    assert base_image.find("FLASH_1M") == OTHER


def test_a_half_that_is_longer_than_the_file_is_started_anew(
    server: FileServer, cache: Path
) -> None:
    server.content = base.make("FLASH_1M")[:-16] + bytes(200_000)
    server.cut = 220_000
    with pytest.raises(NoAnswer):
        base_image.find("FLASH_1M")
    server.cut, server.content = None, ONE
    assert base_image.find("FLASH_1M") == ONE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_two_do_not_fetch_into_one_file(server: FileServer, cache: Path) -> None:
    import fcntl

    cache.parent.mkdir(parents=True)
    with cache.with_name(f"{cache.name}.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another dsmrctl is fetching"):
            base_image.find("FLASH_1M")
        assert left_over(cache) == [".part"]


@pytest.mark.slow
@given(
    cuts=st.lists(st.integers(1, 400_000) | st.none(), min_size=1, max_size=6),
    changes=st.sets(st.integers(0, 5)),
    heeds=st.booleans(),
)
def test_however_it_breaks_off_the_file_is_whole_or_there_is_none(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int | None],
    changes: set[int],
    heeds: bool,
) -> None:
    from dsmrctl.flashing import download

    path = tmp_path_factory.mktemp("fetch") / "base.bin"
    versions = (ONE, OTHER)
    with serving(ONE) as server:
        server.heeds_if_range = heeds
        for turn, cut in enumerate(cuts):
            if turn in changes:
                now = versions[server.content == ONE]
                server.content, server.etag = now, f'"{versions.index(now)}"'
            server.cut = cut
            try:
                got = download.fetch(f"{server.url}/x", path, b"\xe9", base_image.MOST, None, 5)
            except NoAnswer:
                continue
            assert got == server.content


def test_progress_is_told_of_what_is_fetched(server: FileServer) -> None:
    out = io.StringIO()
    with Progress(Terminal(True, out, io.StringIO()), "fetch", 0, events=True) as progress:
        base_image.find("FLASH_1M", progress=progress)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert events[0] == {"event": "stage", "stage": "fetching MicroPython"}
    done = [each["done"] for each in events[1:]]
    assert done == sorted(done)
    assert 10 < len(done) <= 101
    assert events[-1] == {"event": "progress", "done": len(ONE), "total": len(ONE)}


# What is no file


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")
@pytest.mark.parametrize("what", ["fifo", "device", "folder", "sparse", "empty"])
def test_what_never_ends_or_is_no_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    path = tmp_path / "base.bin"
    match what:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "sparse":
            with path.open("wb") as file:
                file.truncate(3 << 30)
        case "empty":
            path.touch()
    started = time.monotonic()
    with pytest.raises(BadBase):
        base_image.find("FLASH_1M", base=path)
    assert time.monotonic() - started < 1
    with pytest.raises(NotFound, match=r"there is no .*absent\.bin"):
        base_image.find("FLASH_1M", base=tmp_path / "absent.bin")
