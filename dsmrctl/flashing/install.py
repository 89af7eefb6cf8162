"""A bundle onto a board: what is there is looked at, kept, backed up, and then only what differs is
written and verified. Nothing is erased before all of it is known to fit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from dsmrctl.boards import Board, Hardware
from dsmrctl.errors import Refused
from dsmrctl.flashing import backup, filesystem, image, keeping, plan, present, trouble
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.flashing.chip import Chip
from dsmrctl.flashing.plan import Plan, Run
from dsmrctl.flashing.present import Present
from dsmrctl.flashing.rescue import Rescue


class Bar(Protocol):
    """How far it is, for whoever watches (terminal.progress)."""

    def stage(self, name: str) -> None:
        """What is done from now on."""

    def to(self, done: int) -> None:
        """Bytes done of the total."""


class Person(Protocol):
    """Who asked for it: is told, shown the progress, and asked where there is a choice."""

    interactive: bool

    def tell(self, text: str) -> None:
        """One sentence."""

    def event(self, name: str, /, **values: Any) -> None:
        """The same for a program."""

    def sure(self, reasons: list[str]) -> bool:
        """Whether it should go on in spite of these. Raises UsageError when nobody can say."""
        ...

    def which(self, kinds: tuple[Hardware, ...]) -> Hardware:
        """The hardware that is there. Raises UsageError when nobody can say."""
        ...

    def progress(self, title: str, total: int) -> AbstractContextManager[Bar]:
        """One bar for the whole; total in bytes."""
        ...


@dataclass(frozen=True)
class Wish:
    """What is asked for. base: gives MicroPython's image of a variant; reset: no settings stay."""

    board: Board
    bundle: Bundle
    base: Callable[[str], bytes]
    hardware: str | None = None
    changes: dict[str, Any] = field(default_factory=dict, repr=False)
    wifi: tuple[str, str] | None = field(default=None, repr=False)
    erase: bool = False
    reset: bool = False
    backup: Path | None = None
    no_backup: bool = False
    dry_run: bool = False
    page_port: int | None = None  # where a virtual board's page is


@dataclass(frozen=True)
class Done:
    """What came of it: `written` False when it was only tried, or not wanted."""

    hardware: Hardware
    plan: Plan
    written: bool
    seconds: float = 0.0
    backup: Path | None = None
    wifi: str | None = None


def install(chip: Chip, wish: Wish, person: Person) -> Done:
    """Puts the bundle onto the board. Raises trouble's errors, Refused, UsageError, BadData."""
    size = chip.identity.flash_size
    if size < filesystem.MEGABYTE:
        raise trouble.FlashTooSmall(size, filesystem.MEGABYTE)
    rescue = Rescue(chip.identity.mac)
    there, again = _there(chip, wish, rescue, person)
    hardware = _hardware(wish, there, person)
    if not hardware.variant and size < 2 * filesystem.MEGABYTE:
        raise trouble.FlashTooSmall(size, 2 * filesystem.MEGABYTE)
    if (true := plan.true_size(chip)) < size:
        raise trouble.FlashSmaller(size, true)
    base = image.header(wish.base(hardware.variant), hardware, size)
    begun = chip.holds(0, base[: plan.SECTOR])
    if wish.page_port is not None:
        there = replace(there, port=wish.page_port)
    kept = keeping.merge(there, wish.board, wish.changes, wish.wifi, reset=wish.reset)
    runs, todo = _plan(chip, wish, hardware, base, kept, there, begun)
    _tell(wish, _now(wish, there, begun), there, hardware, kept, runs, todo, person)
    wifi = wish.wifi[0] if wish.wifi else there.wifi
    if wish.dry_run:
        return Done(hardware, todo, False, wifi=wifi)
    reasons = _reasons(wish, there, begun)
    if reasons and not person.sure(reasons):
        raise Refused("nothing was written, as you wished")
    copy = _copy_path(chip, wish, there, begun)
    started = time.monotonic()
    if there.kept and todo.runs and not wish.erase:
        rescue.save(there, chip, runs[1], todo.runs, again=again)
    with person.progress(
        f"{wish.board.name} {wish.bundle.version}", _total(chip, copy, todo)
    ) as bar:
        write(chip, todo, bar, erase=wish.erase, copy=copy)
    rescue.forget()
    if copy is not None:
        person.event("backup", file=str(copy))
    return Done(hardware, todo, True, time.monotonic() - started, copy, wifi)


def _there(chip: Chip, wish: Wish, rescue: Rescue, person: Person) -> tuple[Present, bool]:
    """What is on the flash, or (True) was when the last flash of it began and did not end."""
    if wish.erase:
        return Present("foreign"), False
    there = present.look(chip)
    saved = rescue.load()
    if saved is not None and (there.state != "ours" or saved.begun(chip)):
        person.tell("goes on after a flash that did not end; what the board had is still here")
        return saved.present, True
    return there, False


def _hardware(wish: Wish, there: Present, person: Person) -> Hardware:
    if wish.hardware is not None:
        return wish.board.kind(wish.hardware)
    if there.board == wish.board.name and there.hardware is not None:
        for kind in wish.board.hardware:
            if kind.name == there.hardware:
                return kind
    if len(wish.board.hardware) == 1:
        return wish.board.hardware[0]
    return person.which(wish.board.hardware)


def _plan(
    chip: Chip,
    wish: Wish,
    hardware: Hardware,
    base: bytes,
    kept: keeping.Kept,
    there: Present,
    begun: bool,
) -> tuple[list[Run], Plan]:
    place = filesystem.place(hardware.variant, chip.identity.flash_size)
    files = image.files(wish.bundle, wish.board, hardware, kept.content)
    if wish.erase or not (begun or there.state == "ours"):
        runs = plan.wanted(base, place, filesystem.make(place.blocks, files))
        return runs, plan.whole(runs)
    runs = plan.wanted(base, place, _made(place, files, there.laid))
    todo = plan.changed(chip, runs)
    if todo.runs and there.laid is None:
        # Where a file takes more or fewer blocks than before, the others stay where they lie.
        sizes = {path: len(data) for path, data in files.items()}
        laid = filesystem.layout(sizes, there.sizes())
        if laid is not None:
            stable = plan.wanted(base, place, _made(place, files, laid))
            less = plan.changed(chip, stable)
            if less.line_bytes < todo.line_bytes / 2:
                return stable, less
    return runs, todo


def _made(place: filesystem.Place, files: dict[str, bytes], laid: dict[str, int] | None) -> bytes:
    """The file system; one that is laid out like an earlier one has that said in it."""
    if laid:
        text = json.dumps(laid, separators=(",", ":"), sort_keys=True)
        files = {**files, present.LAID: text.encode()}
    return filesystem.make(place.blocks, files, laid)


def _tell(
    wish: Wish,
    now: str,
    there: Present,
    hardware: Hardware,
    kept: keeping.Kept,
    runs: list[Run],
    todo: Plan,
    person: Person,
) -> None:
    if now:
        person.tell(f"on it now: {now}")
    for sentence in kept.told:
        person.tell(sentence)
    every = sum(len(run.data) for run in runs)
    person.tell(
        f"writes {wish.board.name} {wish.bundle.version} for {hardware.title}: "
        f"{todo.flash_bytes} of {every} bytes, {todo.line_bytes} over the line"
    )
    person.event(
        "plan",
        board=wish.board.name,
        version=wish.bundle.version,
        hardware=hardware.name,
        before=there.board,
        before_version=there.version,
        kept=list(kept.told),
        flash_bytes=todo.flash_bytes,
        of_bytes=every,
        line_bytes=todo.line_bytes,
    )


def _now(wish: Wish, there: Present, begun: bool) -> str:
    """What is on it, for a person; "" when nobody looked, or when that was told."""
    if wish.erase:
        return ""
    if there.state == "blank":
        return "nothing"
    if there.state == "ours":
        return f"{there.board} {there.version} ({there.hardware})" if there.version else ""
    if not _is_foreign(there, begun):
        return "MicroPython, and no firmware yet"
    kept = "no copy of it is kept" if wish.no_backup else "a copy of it is kept"
    return (
        f"another firmware; {kept}\n"
        "its settings cannot be read here: note them from its page first (Ctrl-C now)"
    )


def _reasons(wish: Wish, there: Present, begun: bool) -> list[str]:
    """Why somebody should be asked first."""
    reasons = []
    if wish.erase:
        reasons.append("everything on the board is erased, its settings and its WiFi too")
    elif there.state == "ours" and there.board != wish.board.name:
        reasons.append(f"this is {_a(there.board)}, and becomes {_a(wish.board.name)}")
    if _is_foreign(there, begun) and wish.no_backup and not wish.erase:
        reasons.append("another firmware is on it, and no backup of that is kept")
    return reasons


def _a(name: str | None) -> str:
    return f"an {name}" if name and name[0] in "aeiou" else f"a {name}"


def _is_foreign(there: Present, begun: bool) -> bool:
    """Another firmware. One of ours that was begun is none, unless it has somebody's files."""
    return there.state == "foreign" and (there.files or not begun)


def _copy_path(chip: Chip, wish: Wish, there: Present, begun: bool) -> Path | None:
    """Where the flash is copied to before it is written, if it is."""
    if wish.backup is not None:
        return wish.backup
    if wish.no_backup or wish.erase or not _is_foreign(there, begun):
        return None
    return backup.path_for(chip.identity.mac, time.localtime())


def _total(chip: Chip, copy: Path | None, todo: Plan) -> int:
    return todo.line_bytes + (chip.identity.flash_size if copy else 0)


def write(
    chip: Chip, todo: Plan, bar: Bar, *, erase: bool = False, copy: Path | None = None
) -> None:
    """Copies, erases and writes, as asked. Raises Lost with how far it came, FlashSmaller."""
    total = max(1, _total(chip, copy, todo))
    done = 0

    def at(so_far: int) -> None:
        nonlocal reached
        reached = done + so_far
        bar.to(reached)

    reached = 0
    try:
        if copy is not None:
            bar.stage("backup")
            backup.save(chip, copy, at)
            done = chip.identity.flash_size
        if erase:
            bar.stage("erase")
            chip.erase()
        bar.stage("write")
        for run, size in zip(todo.runs, todo.sizes, strict=True):
            chip.write(run.offset, run.data, at)
            done += size
            bar.to(done)
        if todo.runs:
            # Each was right just after it was written; one past the end overwrote another since.
            _check_size(chip)
    except trouble.Lost:
        raise trouble.Lost(reached * 100 // total) from None
    except trouble.FlashFaulty:
        _check_size(chip)
        raise


def _check_size(chip: Chip) -> None:
    true = plan.true_size(chip)
    if true < chip.identity.flash_size:
        raise trouble.FlashSmaller(chip.identity.flash_size, true, written=True)


def restore(chip: Chip, path: Path, person: Person, *, erase: bool = False) -> Plan:
    """A backup, or any firmware's .bin, back onto the board; only what differs.

    Raises NotFound, BadData, Refused, Lost.
    """
    run = backup.load(path, chip.identity.flash_size)
    todo = plan.whole([run]) if erase else plan.changed(chip, [run])
    person.tell(f"writes {path}: {todo.flash_bytes} of {len(run.data)} bytes")
    if todo.runs or erase:
        reason = "the board gets another firmware; what is on it now goes"
        if not person.sure([reason]):
            raise Refused("nothing was written, as you wished")
        with person.progress(path.name, todo.line_bytes) as bar:
            write(chip, todo, bar, erase=erase)
    Rescue(chip.identity.mac).forget()
    return todo
