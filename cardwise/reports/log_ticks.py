"""Ticks of logarithmic axes, for charts of every kind."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 9


def log_ticks(low: float, high: float) -> list[float]:
    """Values between `low` and `high`: 1, 2, 5 of each power of ten, or 1 and 3, or 1 alone, as many as fit; the ends where none lies."""
    found: list[float] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = _powers(low, high, digits)
        if len(found) <= MOST:
            break
    found = found[:: max(1, math.ceil(len(found) / MOST))]
    return found if len(found) > 1 else sorted({*found, float(f"{low:.2g}"), float(f"{high:.2g}")})


def _powers(low: float, high: float, digits: Sequence[int]) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [value for power in range(first, last + 1) for digit in digits if low <= (value := float(f"{digit}e{power}")) <= high]
