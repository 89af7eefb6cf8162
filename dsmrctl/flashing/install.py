"""A bundle onto a board: what is there is looked at, kept, backed up, and then only what differs is
written and verified. Nothing is erased before all of it is known to fit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dsmrctl.boards import Board, Hardware
from dsmrctl.errors import Refused
from dsmrctl.flashing import backup, filesystem, image, keeping, plan, present, trouble, writing
from dsmrctl.flashing.bundle import Bundle
from dsmrctl.flashing.chip import Chip
from dsmrctl.flashing.person import Person
from dsmrctl.flashing.plan import Plan, Run
from dsmrctl.flashing.present import Present
from dsmrctl.flashing.rescue import Rescue


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
    job = _Job(chip, wish, person)
    todo = job.plan()
    job.tell(todo)
    wifi = wish.wifi[0] if wish.wifi else job.there.wifi
    if wish.dry_run:
        return Done(job.hardware, todo, False, wifi=wifi)
    reasons = job.reasons()
    if reasons and not person.sure(reasons):
        raise Refused("nothing was written, as you wished")
    started = time.monotonic()
    job.write(todo)
    seconds = time.monotonic() - started
    return Done(job.hardware, todo, True, seconds, job.copy, wifi)


class _Job:
    """One flash: what is known of the board, and what it is to hold.

    there: what is on it, or (again) was when the last flash of it began and did not end. begun:
    it has our MicroPython's beginning. copy: where what is on it goes first, if anywhere.
    """

    def __init__(self, chip: Chip, wish: Wish, person: Person) -> None:
        self._chip, self._wish, self._person = chip, wish, person
        size = chip.identity.flash_size
        if size < filesystem.MEGABYTE:
            raise trouble.FlashTooSmall(size, filesystem.MEGABYTE)
        self._rescue = Rescue(chip.identity.mac)
        self.there, self._again = self._look()
        self.hardware = self._which()
        if not self.hardware.variant and size < 2 * filesystem.MEGABYTE:
            raise trouble.FlashTooSmall(size, 2 * filesystem.MEGABYTE)
        if (true := plan.true_size(chip)) < size:
            raise trouble.FlashSmaller(size, true)
        self._base = image.header(wish.base(self.hardware.variant), self.hardware, size)
        self._begun = chip.holds(0, self._base[: plan.SECTOR])
        # Another firmware. One of ours that was begun is none, unless it has somebody's files.
        foreign = self.there.state == "foreign" and (self.there.files or not self._begun)
        self._foreign = foreign and not wish.erase
        self.copy = wish.backup
        if self.copy is None and self._foreign and not wish.no_backup:
            self.copy = backup.path_for(chip.identity.mac, time.localtime())
        self._kept = keeping.merge(
            self.there, wish.board, wish.changes, wish.wifi, reset=wish.reset
        )
        self._runs: list[Run] = []

    def _look(self) -> tuple[Present, bool]:
        if self._wish.erase:
            return self._at_port(Present("foreign")), False
        there = present.look(self._chip)
        saved = self._rescue.load()
        if saved is not None and (there.state != "ours" or saved.begun(self._chip)):
            told = "goes on after a flash that did not end; what the board had is still here"
            self._person.tell(told)
            return self._at_port(saved.present), True
        return self._at_port(there), False

    def _at_port(self, there: Present) -> Present:
        port = self._wish.page_port
        return there if port is None else replace(there, port=port)

    def _which(self) -> Hardware:
        """What it is soldered to: named, or on its flash, or the only one, or asked."""
        kinds, there = self._wish.board.hardware, self.there
        if self._wish.hardware is not None:
            return self._wish.board.kind(self._wish.hardware)
        for kind in kinds:
            if (there.board, there.hardware) == (self._wish.board.name, kind.name):
                return kind
        return kinds[0] if len(kinds) == 1 else self._person.which(kinds)

    def plan(self) -> Plan:
        """What has to be written."""
        chip, there = self._chip, self.there
        place = filesystem.place(self.hardware.variant, chip.identity.flash_size)
        files = image.files(self._wish.bundle, self._wish.board, self.hardware, self._kept.content)
        self._runs = plan.wanted(self._base, place, _made(place, files, there.laid))
        if self._wish.erase or not (self._begun or there.state == "ours"):
            return plan.whole(self._runs)
        todo = plan.changed(chip, self._runs)
        if todo.runs and there.laid is None:
            # Where a file takes more or fewer blocks than before, the others stay where they lie.
            sizes = {path: len(data) for path, data in files.items()}
            laid = filesystem.layout(sizes, there.sizes())
            if laid is not None:
                stable = plan.wanted(self._base, place, _made(place, files, laid))
                less = plan.changed(chip, stable)
                if less.line_bytes < todo.line_bytes / 2:
                    self._runs, todo = stable, less
        return todo

    def tell(self, todo: Plan) -> None:
        """What is there, what stays, what would be written."""
        wish, person = self._wish, self._person
        for sentence in (*self._now(), *self._kept.told):
            person.tell(sentence)
        every = sum(len(run.data) for run in self._runs)
        person.tell(
            f"writes {wish.board.name} {wish.bundle.version} for {self.hardware.title}: "
            f"{todo.flash_bytes} of {every} bytes, {todo.line_bytes} over the line"
        )
        person.event(
            "plan",
            board=wish.board.name,
            version=wish.bundle.version,
            hardware=self.hardware.name,
            before=self.there.board,
            before_version=self.there.version,
            kept=list(self._kept.told),
            backup=None if self.copy is None else str(self.copy),
            flash_bytes=todo.flash_bytes,
            of_bytes=every,
            line_bytes=todo.line_bytes,
        )

    def _now(self) -> list[str]:
        """What is on it; nothing when nobody looked, or when that was told."""
        there = self.there
        if self._wish.erase or (there.state == "ours" and not there.version):
            return []
        if there.state == "ours":
            return [f"on it now: {there.board} {there.version} ({there.hardware})"]
        if there.state == "blank":
            return ["on it now: nothing"]
        if not self._foreign:
            return ["on it now: MicroPython, and no firmware yet"]
        return [
            "on it now: another firmware"
            + (
                "; no copy of it is kept" if self.copy is None else f", copied to {self.copy} first"
            ),
            "its settings cannot be read here: note them from its page before (Ctrl-C now)",
        ]

    def reasons(self) -> list[str]:
        """Why somebody should be asked first."""
        there, board = self.there, self._wish.board.name
        if self._wish.erase:
            return ["everything on the board is erased, its settings and its WiFi too"]
        if there.state == "ours" and there.board != board:
            return [f"this is {_a(there.board)}, and becomes {_a(board)}"]
        if self._foreign and self.copy is None:
            return ["another firmware is on it, and no backup of that is kept"]
        return []

    def write(self, todo: Plan) -> None:
        """Onto the flash, what the board has kept safe on this computer until it is there."""
        wish, person = self._wish, self._person
        if self.there.kept and todo.runs and not wish.erase:
            self._rescue.save(self.there, self._chip, self._runs[1], todo.runs, again=self._again)
        title = f"{wish.board.name} {wish.bundle.version}"
        total = writing.total_bytes(self._chip, todo, self.copy)
        with person.progress(title, total) as bar:
            writing.write(self._chip, todo, bar, erase=wish.erase, copy=self.copy)
        self._rescue.forget()
        if self.copy is not None:
            person.event("backup", file=str(self.copy))


def _made(place: filesystem.Place, files: dict[str, bytes], laid: dict[str, int] | None) -> bytes:
    """The file system; one that is laid out like an earlier one has that said in it."""
    if laid:
        text = json.dumps(laid, separators=(",", ":"), sort_keys=True)
        files = {**files, present.LAID: text.encode()}
    return filesystem.make(place.blocks, files, laid)


def _a(name: str | None) -> str:
    return f"an {name}" if name and name[0] in "aeiou" else f"a {name}"


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
            writing.write(chip, todo, bar, erase=erase)
    Rescue(chip.identity.mac).forget()
    return todo
