"""Chance that falls the same on every computer and every Python.

Only `Random.random` is promised to stay as it is for an integer seed, so all else is built on it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """One stream of chance, named by what it is for: the same names, the same stream."""

    __slots__ = ("_random",)

    def __init__(self, *names: int | str) -> None:
        digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
        self._random = random.Random(int.from_bytes(digest[:8], "big")).random

    def whole(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return least + int(self._random() * (most - least + 1))

    def part(self) -> float:
        """0.0 up to, not including, 1.0."""
        return self._random()

    def happens(self, probability: float) -> bool:
        """True in `probability` of all cases."""
        return self._random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[int(self._random() * len(choices))]
