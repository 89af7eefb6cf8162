"""The log's file: made, opened, and known again. One table by the second, one by the quarter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dsmrctl import errors
from dsmrctl.quantities import BY_NAME

if TYPE_CHECKING:
    import sqlite3

FORMAT = 1
# "dsmr", so that no other program's file is taken for a log.
_APPLICATION = 0x64736D72
# What is kept of each second; the others are made of these.
KEPT = (
    "import_t1_wh",
    "import_t2_wh",
    "export_t1_wh",
    "export_t2_wh",
    "import_w",
    "export_w",
    "tariff",
    "month_peak_w",
    "gas_m3",
    "water_m3",
    *(
        f"{name}_l{n}_{unit}"
        for n in (1, 2, 3)
        for name, unit in (("voltage", "v"), ("current", "a"))
    ),
    *(f"{name}_l{n}_w" for n in (1, 2, 3) for name in ("import", "export")),
)
BUSY_S = 30.0


def default_path() -> Path:
    """Where the log is: DSMRCTL_LOG, else the user's own data folder."""
    named = os.environ.get("DSMRCTL_LOG")
    if named:
        return Path(named)
    if sys.platform == "linux":
        home = os.environ.get("XDG_DATA_HOME", "").strip()
        return Path(home or "~/.local/share").expanduser() / "dsmrctl" / "log.db"
    from platformdirs import user_data_path

    return user_data_path("dsmrctl", appauthor=False) / "log.db"


def _columns() -> str:
    # A decimal is kept with the meter's own digits, which a float would lose.
    kinds = {"integer": "INTEGER", "decimal": "TEXT"}
    return ", ".join(f"{name} {kinds[BY_NAME[name].kind]}" for name in KEPT)


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open the log; with `write` it is made when it is not there.

    Raises NotFound, Refused; BadData for another program's file, a newer format, a damaged one.
    """
    if write:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise errors.Refused(
                f"cannot make the folder {path.parent}: {(error.strerror or '').lower()}",
                hint="--log FILE names another place",
            ) from None
    elif not path.exists():
        raise errors.NotFound(
            f"there is no log at {path}", hint="dsmrctl log record makes one; --log FILE names it"
        )
    if path.is_file() and not _is_ours(path):
        raise errors.BadData(f"{path} is no log", hint="--log FILE names the log")
    form = "?mode=rwc" if write else "?mode=ro"
    try:
        return _open(path, form, write)
    except errors.Refused:
        # A write-ahead log wants a file beside it, and a medium that is only read has no place for
        # one. Nobody writes there either.
        if write or path.with_name(f"{path.name}-wal").exists() or os.access(path, os.W_OK):
            raise
        return _open(path, "?immutable=1", write)


def _open(path: Path, form: str, write: bool) -> sqlite3.Connection:
    import sqlite3

    with told(path):
        # Without the module's own transactions: rows of one moment are written together.
        opened = sqlite3.connect(
            path.absolute().as_uri() + form, uri=True, timeout=BUSY_S, isolation_level=None
        )
        try:
            _prepare(opened, path, write)
        except BaseException:
            opened.close()
            raise
    return opened


def _is_ours(path: Path) -> bool:
    """Whether a file may have been a log: what another wrote must not be set aside as damaged."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return True  # opening it as a log says what is wrong
    # After a power cut a block may be zeros.
    return head == b"SQLite format 3\0"[: len(head)] or not head.strip(b"\0")


def set_aside(path: Path) -> Path:
    """Give a damaged log another name, with the files beside it; the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for end in ("-wal", "-shm"):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + end))
    return aside


def _prepare(opened: sqlite3.Connection, path: Path, write: bool) -> None:
    application, form, tables = (
        opened.execute(question).fetchone()[0]
        for question in (
            "PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master",
        )
    )  # fmt: skip
    if tables and application != _APPLICATION:
        raise errors.BadData(
            f"{path} is another program's database", hint="--log FILE names the log"
        )
    if form > FORMAT:
        raise errors.BadData(f"{path} was made by a newer dsmrctl", hint="update this one")
    if not write:
        if not tables:
            raise errors.NotFound(f"nothing is in {path} yet", hint="dsmrctl log record fills it")
        return
    # A write-ahead log: readers never wait, and a power cut costs the last seconds, not the file.
    opened.execute("PRAGMA journal_mode = WAL")
    # Each commit is on the disk when it is said to be: else that waits for a checkpoint, an hour.
    opened.execute("PRAGMA synchronous = FULL")
    if tables:
        return
    opened.execute("BEGIN IMMEDIATE")
    opened.execute(f"CREATE TABLE IF NOT EXISTS seconds (utc INTEGER PRIMARY KEY, {_columns()})")
    opened.execute(
        "CREATE TABLE IF NOT EXISTS quarters (utc INTEGER PRIMARY KEY, offset_s INTEGER NOT NULL, "
        "import_start_wh INTEGER, export_start_wh INTEGER, import_wh INTEGER, export_wh INTEGER, "
        "seen_s INTEGER NOT NULL)"
    )
    opened.execute(f"PRAGMA application_id = {_APPLICATION}")
    opened.execute(f"PRAGMA user_version = {FORMAT}")
    opened.execute("COMMIT")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors in words: Refused, BadData or DsmrError."""
    import sqlite3

    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise Damaged(path) from None
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")):
            raise DiskFull(f"the disk with {path} is full", hint="free some space") from None
        if code.startswith("SQLITE_BUSY"):
            raise errors.Refused(
                f"{path} was in use for {BUSY_S:g} s by another program",
                hint="is a copy or a backup of it under way?",
            ) from None
        if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            raise errors.Refused(
                f"{path} cannot be opened: {text}",
                hint="--log FILE names another; writing also needs the folder to be writable",
            ) from None
        raise errors.DsmrError(f"{path}: {text}", hint="is the disk well? dmesg tells") from None


class DiskFull(errors.DsmrError):
    """No space; a recorder keeps what it has and tries again."""

    code = "disk_full"


class Damaged(errors.BadData):
    """The file is no whole database any more."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged, or no log at all",
            hint=f"save what can be had: sqlite3 {path} .recover | sqlite3 saved.db",
        )
