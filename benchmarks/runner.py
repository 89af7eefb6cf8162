"""Runs the families, shows a table, writes .bench/results.json; says whether the bounds hold."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

RESULTS = Path(__file__).resolve().parents[1] / ".bench" / "results.json"


class Result(NamedTuple):
    """One figure. `bound` None is shown only; a figure equal to its bound holds.

    `better` says which side of the bound is the good one. The name's part before the dot is the
    family's.
    """

    name: str
    value: float
    unit: str
    bound: float | None = None
    better: Literal["higher", "lower"] = "higher"

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.better == "higher" else self.value <= self.bound


Family = Callable[[bool], Iterable[Result]]
"""measure(quick): the figures of a family, each as soon as it is known."""


def main(arguments: Sequence[str]) -> int:
    """0 when every bound holds, 1 when one does not or a family failed, 2 for a wrong command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="FAMILY,…", help="these families instead of all")
    parser.add_argument("--quick", action="store_true", help="a first look: under 50 s a family")
    options = parser.parse_args(arguments)
    known = families()
    wanted = list(known) if options.only is None else options.only.split(",")
    for name in wanted:
        if name not in known:
            parser.error(f"no family '{name}'; there are: {', '.join(known)}")
    quick = options.quick or os.environ.get("QUICK", "0") not in ("", "0")
    return run({name: known[name] for name in wanted}, quick=quick)


def families() -> dict[str, Family]:
    """Every module beside this one that has `measure`."""
    package = Path(__file__).parent
    found: dict[str, Family] = {}
    for module in pkgutil.iter_modules([str(package)]):
        if not module.name.startswith("_"):
            measure = getattr(importlib.import_module(f"benchmarks.{module.name}"), "measure", None)
            if measure is not None:
                found[module.name] = measure
    return found


def run(chosen: Mapping[str, Family], *, quick: bool = False, results: Path = RESULTS) -> int:
    """Measure `chosen`, write the `results` file; the exit code as in `main`."""
    figures: list[Result] = []
    failed = []
    for name, measure in chosen.items():
        start = time.monotonic()
        try:
            for figure in measure(quick):
                if not figure.name.startswith(f"{name}."):
                    raise ValueError(f"{figure.name} is no figure of {name}")
                figures.append(figure)
                print(_row(figure), flush=True)
        except Exception:
            # The other families are still worth knowing.
            failed.append(name)
            traceback.print_exc()
        print(f"  {name} took {time.monotonic() - start:.0f} s\n", file=sys.stderr, flush=True)
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps([_record(figure) for figure in figures], indent=1) + "\n")
    broken = [figure.name for figure in figures if not figure.holds]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    if broken:
        print(f"bounds that do not hold: {', '.join(broken)}", file=sys.stderr)
    return 1 if failed or broken else 0


def _row(figure: Result) -> str:
    side = "≥" if figure.better == "higher" else "≤"
    bound = "" if figure.bound is None else f"{side} {figure.bound:<8g}"
    holds = "" if figure.bound is None else "holds" if figure.holds else "BROKEN"
    return f"{figure.name:<36}{figure.value:>12.5g} {figure.unit:<14}{bound:<12}{holds}".rstrip()


def _record(figure: Result) -> dict[str, object]:
    return {**figure._asdict(), "holds": figure.holds}
