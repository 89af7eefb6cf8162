"""A plan onto a chip, by way of a copy and an erasure if they are asked for."""

from __future__ import annotations

from pathlib import Path

from dsmrctl.flashing import backup, plan, trouble
from dsmrctl.flashing.chip import Chip
from dsmrctl.flashing.person import Bar
from dsmrctl.flashing.plan import Plan


def total_bytes(chip: Chip, todo: Plan, copy: Path | None = None) -> int:
    """Bytes that go over the line: those of the plan, and before them the copy's."""
    return todo.line_bytes + (chip.identity.flash_size if copy else 0)


def write(
    chip: Chip, todo: Plan, bar: Bar, *, erase: bool = False, copy: Path | None = None
) -> None:
    """Copies, erases and writes, as asked. Raises Lost with how far it came, FlashSmaller."""
    total = max(1, total_bytes(chip, todo, copy))
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
