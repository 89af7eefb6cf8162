"""Fair times: contenders take turns, and each is judged by its best turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Turn(NamedTuple):
    """`run` does the work `times` over (telegrams, starts …); nothing else may be in it."""

    run: Callable[[], object]
    times: int = 1


def best(
    turns: Callable[[int], Mapping[str, Turn]],
    *,
    rounds: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds for one of each contender's `times`, the best over the rounds.

    `turns` makes what a round needs, unmeasured: with fresh values, no cache is warmer than it is
    in real use. Another program that takes the processor for a while hurts one turn, not the
    result: in each round every contender runs once. After `seconds` no new round begins.
    """
    found: dict[str, float] = {}
    begun = clock()
    for number in range(rounds):
        if number and clock() - begun > seconds:
            break
        for name, turn in turns(number).items():
            start = clock()
            turn.run()
            took = (clock() - start) / turn.times
            found[name] = min(took, found.get(name, took))
    return found
