"""A bundle: one board's firmware of one version, as a zip file with a manifest.

Reading one checks every byte before a board is touched; `build` makes it from the sources,
byte for byte the same each time.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsmrctl.errors import BadData, NotFound

FORMAT = 1
FRAMES = (1, 2)
# MicroPython's own release, and the .mpy version it loads.
BASE = {
    "board": "ESP8266_GENERIC",
    "version": "1.29.0",
    "date": "20260824",
    "mpy": "6.3",
}
_URL = "https://micropython.org/resources/firmware/{board}{variant}-{date}-v{version}.bin"
# A slot is 40 blocks of 4096: more cannot be a bundle of ours.
_MOST_FILES, _MOST_BYTES = 64, 40 * 4096
_LARGEST = _MOST_BYTES + 16 * 1024  # as a zip file, with what that adds to each
_LONGEST = 48  # a board takes no longer path
_PATH = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*(\.[a-z0-9]+)*")
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:\.dev([0-9]{1,6}))?")
_NEED = re.compile(f">={_VERSION.pattern}")
_NAME, _KIND = re.compile("[a-z]{1,32}"), re.compile("[a-z0-9-]{1,32}")
_SHA256, _DATE, _MPY = (
    re.compile(form) for form in ("[0-9a-f]{64}", "[0-9]{8}", r"[0-9]+\.[0-9]+")
)
_BASE_BOARD, _WEB = re.compile("[A-Z0-9_-]{1,64}"), re.compile("https?://[!-~]{1,256}")
# What zipfile raises on bytes that are no zip, or one that it cannot read.
_NO_ZIP = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, OSError, NotImplementedError, RuntimeError),
    *(EOFError, ValueError, LookupError, OverflowError, struct.error),
)


class BadBundle(BadData):
    """A file that is no bundle, or not whole."""

    code = "bad_bundle"

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(
            f"{path}: {why}", hint="get the bundle again; dsmrctl firmware list shows those here"
        )


@dataclass(frozen=True)
class Bundle:
    """One board's firmware; files are those of a slot, by their path in it."""

    manifest: dict[str, Any]
    files: dict[str, bytes]

    @property
    def board(self) -> str:
        """The kind of board it is for."""
        return self.manifest["board"]

    @property
    def version(self) -> str:
        """Its version, such as 1.0.0."""
        return self.manifest["version"]

    @property
    def hardware(self) -> list[str]:
        """The hardware kinds it runs on."""
        return self.manifest["hardware"]

    def listing(self) -> bytes:
        """files.json of a slot: version, and the SHA-256 of each file."""
        hashes = {path: entry["sha256"] for path, entry in self.manifest["files"].items()}
        text = json.dumps({"version": self.version, "files": hashes}, separators=(",", ":"))
        return text.encode()

    def slot(self, name: str) -> dict[str, bytes]:
        """What lies in a slot of the flash: these files and their listing."""
        files = {f"{name}/{path}": data for path, data in self.files.items()}
        return {**files, f"{name}/files.json": self.listing()}

    def pack(self) -> bytes:
        """The bundle as a file; the same content gives the same bytes."""
        import io

        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for path, data in [
                ("manifest.json", _text(self.manifest)),
                *sorted(self.files.items()),
            ]:
                entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
        return out.getvalue()


def _text(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode() + b"\n"


def base_url(variant: str) -> str:
    """Where MicroPython keeps the base image of that variant ("FLASH_1M" or "")."""
    return _URL.format(**{**BASE, "variant": f"-{variant}" if variant else ""})


def parse_version(text: str) -> tuple[int, ...]:
    """A version as numbers that compare; a development version before its release."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise BadData(f"{text!r} is no version", hint="a version is 1.2.3")
    major, minor, patch, dev = found.groups()
    return int(major), int(minor), int(patch), 1 if dev is None else 0, int(dev or 0)


def whole_file(path: Path, most: int) -> bytes:
    """A file's bytes, at most so many; no pipe or device, which might never end.

    Raises ValueError saying why not, OSError.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("that is no file")
    with path.open("rb") as file:
        data = file.read(most + 1) if found.st_size <= most else b""
    if found.st_size > most or len(data) > most:
        raise ValueError(f"{max(found.st_size, len(data))} bytes, more than it can have")
    return data


def read(path: Path) -> Bundle:
    """A bundle from a file, every byte of it checked. Raises NotFound, BadBundle."""
    try:
        return unpack(whole_file(path, _LARGEST), path)
    except FileNotFoundError:
        raise NotFound(
            f"there is no {path}", hint="dsmrctl firmware list shows the bundles here"
        ) from None
    except (ValueError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadBundle(path, f"no bundle ({why})") from None


def unpack(data: bytes, path: Path | str) -> Bundle:
    """A bundle from the bytes of its file, every one checked; path is for messages.

    Raises BadBundle.
    """
    import io

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            bundle = _checked(path, archive)
    except _NO_ZIP as error:
        raise BadBundle(path, f"no bundle ({error})") from None
    # A byte between the files, which no entry of the zip shows, is no bundle either.
    if data != bundle.pack():
        raise BadBundle(path, "bytes in it that no bundle has")
    return bundle


def _checked(path: Path | str, archive: zipfile.ZipFile) -> Bundle:
    entries = archive.infolist()
    if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
        raise BadBundle(path, "more than a board holds")
    names = [entry.filename for entry in entries]
    if not names or names[0] != "manifest.json":
        raise BadBundle(path, "no manifest.json at its start")
    if len(set(names)) != len(names):
        raise BadBundle(path, "a file stands in it twice")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise BadBundle(path, "its files are compressed; a bundle's are stored")
    manifest = _manifest(path, archive.read("manifest.json"))
    wanted = manifest["files"]
    for name in sorted(set(names[1:]) ^ set(wanted)):
        raise BadBundle(path, f"{name} is {'missing' if name in wanted else 'not in its manifest'}")
    files = {}
    for name, entry in wanted.items():
        data = archive.read(name)
        if len(data) != entry["size"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise BadBundle(path, f"{name} is not what its manifest says")
        files[name] = data
    return Bundle(manifest, files)


def _manifest(path: Path | str, data: bytes) -> dict[str, Any]:
    found: Any = None
    try:
        found = json.loads(data)
        good = _good(found)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise BadBundle(path, "its manifest is not one that this version reads")
    return found


def _good(found: dict[str, Any]) -> bool:
    """Whether every part that this version reads is of its form; others are let be."""
    base = found["base"]
    texts = [
        (_NAME, [found["board"], *found["needs"]]),
        (_KIND, found["hardware"]),
        (_VERSION, [found["version"], base["version"]]),
        (_NEED, found["needs"].values()),
        (_PATH, found["files"]),
        (_SHA256, [entry["sha256"] for entry in found["files"].values()]),
        (_BASE_BOARD, [base["board"], base["variant"] or "-"]),
        (_DATE, [base["date"]]),
        (_MPY, [base["mpy"]]),
        (_WEB, [base["url"]]),
    ]
    numbers = [found["format"], *found["frames"]]
    numbers += [entry["size"] for entry in found["files"].values()]
    return (
        found["format"] == FORMAT
        and isinstance(found["hardware"], list)
        and isinstance(found["frames"], list)
        and all(form.fullmatch(text) for form, each in texts for text in each)
        # True is a number to isinstance, and no count of bytes.
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(len(path) <= _LONGEST for path in found["files"])
    )


def manifest(
    board: str,
    hardware: list[str],
    variants: list[str],
    version: str,
    needs: dict[str, str],
    files: dict[str, bytes],
) -> dict[str, Any]:
    """The manifest of these files; variants: of the base image, one for each build used."""
    base = {**BASE, "variant": variants[0], "url": base_url(variants[0])}
    listed = {
        path: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in sorted(files.items())
    }
    return {
        "format": FORMAT,
        "board": board,
        "hardware": hardware,
        "version": version,
        "frames": list(FRAMES),
        "base": base,
        "needs": needs,
        "files": listed,
    }


def images() -> Path:
    """Where released bundles lie: in the wheel, or beside the sources."""
    package = Path(__file__).parents[1]
    inside = package / "images"
    return inside if inside.is_dir() else package.parent / "images"


def released(folder: Path | None = None) -> list[Path]:
    """The bundles of a folder (default: those that came with dsmrctl), oldest version first."""
    found = []
    for path in (folder or images()).glob("*.zip"):
        _, _, version = path.stem.partition("-")
        try:
            found.append((path.stem.partition("-")[0], parse_version(version), path))
        except BadData:
            continue
    return [path for *_, path in sorted(found)]


def newest(board: str, folder: Path | None = None) -> Bundle:
    """The newest bundle of that board. Raises NotFound, BadBundle."""
    for path in reversed(released(folder)):
        if path.stem.partition("-")[0] == board:
            one = read(path)
            if path.stem != f"{one.board}-{one.version}":
                raise BadBundle(path, f"in it is {one.board} {one.version}")
            return one
    raise NotFound(
        f"there is no bundle for {board} in {folder or images()}",
        hint=f"make one: dsmrctl firmware build {board}",
    )
