"""The fewest cards that keep the limits of a load: equal copies of one layout, every count simulated, none divided."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from cardwise.answer import Option, Refusal
from cardwise.planning.evaluate import SATURATED, check_fits, evaluate
from cardwise.planning.layouts import Candidate
from cardwise.planning.question import Question

MOST_REPLICAS = 64
RAMP = 0.85
"""Of what a saturated replica serves, its rate over a whole run, ramp and drain included, is at least this share."""
Copy = tuple[Candidate, Option | None]
"""A layout of one replica, and what it serves alone where that is known."""


def grown(question: Question, copies: Iterable[Copy]) -> Option | None:
    """Of all copies the option of fewest cards that keeps the limits; None when none does.

    A copy is tried with as many replicas as would still be fewer cards than the best so far: what even they do not keep is passed over.
    """
    most = MOST_REPLICAS if question.workload.load == "rate" else min(MOST_REPLICAS, question.workload.users)
    best: Option | None = None
    for candidate, alone in copies:
        limit = most if best is None else min(most, (best.layout.cards - 1) // candidate.layout.cards_per_replica)
        best = fewest(question, candidate, alone, limit) or best
    return best


def fewest(question: Question, candidate: Candidate, alone: Option | None, most: int) -> Option | None:
    """The fewest replicas, `most` at the most, that keep the limits: from what the rate alone needs upwards in growing steps, so that a
    good first count costs little, then back by halves."""
    least = 1 if alone is None else fewest_for_rate(question, alone)
    result = with_replicas(question, candidate, most) if most >= least else None
    if result is None or not result.meets:
        return None
    low, high, step = least - 1, most, 1
    while low + step < high:
        tried = with_replicas(question, candidate, low + step)
        if tried is not None and tried.meets:
            result, high = tried, low + step
            break
        low, step = low + step, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        tried = with_replicas(question, candidate, middle)
        if tried is not None and tried.meets:
            result, high = tried, middle
        else:
            low = middle
    return result


def fewest_for_rate(question: Question, alone: Option) -> int:
    """Replicas below which a given rate cannot be kept up with: it over what one saturated replica serves; 2 where that is not known."""
    rate, performance = question.workload.requests_per_s, alone.performance
    if rate is None or performance.busy_share < SATURATED:
        return 2
    return min(max(2, math.ceil(RAMP * rate / performance.requests_per_s)), MOST_REPLICAS)


def with_replicas(question: Question, candidate: Candidate, replicas: int) -> Option | None:
    several = replace(candidate, layout=replace(candidate.layout, replicas=replicas))
    fits = check_fits(question, several)
    made = fits if isinstance(fits, Refusal) else evaluate(question, several, *fits)
    return made if isinstance(made, Option) else None
