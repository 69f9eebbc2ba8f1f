"""Disaggregated serving as a closed loop: users wait for a prefill worker, decode elsewhere, and come back.

All users start at once, so that the first prompts queue behind each other, and requests that end together come back together.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from cardwise.serving.limits import StepCost
from cardwise.serving.metrics import Distribution
from cardwise.workload import Lengths

USERS = 512
"""More users than this are simulated in groups whose prompts take as much longer."""
ROUNDS = 10
HALVINGS = 16


@dataclass(frozen=True, slots=True)
class Prefill:
    """Prefill workers. `alone_s`: one prompt by itself. `each_s`: one of many in a batch, of at most `together` prompts."""

    workers: int
    alone_s: float
    each_s: float
    together: float


def waits(prefill: Prefill, users: int, decode_s: float, lengths: Lengths, seed: int = 0) -> Distribution:
    """Seconds from a prompt's arrival to the end of its prefill, over ROUNDS requests of every user. `decode_s`: of a request of mean
    length.
    """
    group = max(1.0, users / USERS)
    count = min(users, USERS)
    share = np.random.default_rng(seed).uniform(lengths.low, 1.0, (ROUNDS, count))
    share /= (1.0 + lengths.low) / 2.0
    free = [0.0] * prefill.workers
    coming = [(0.0, user, 0) for user in range(count)]
    heapq.heapify(coming)
    found = []
    most = max(int(prefill.together / group), 1)
    while coming:
        start = max(heapq.heappop(free), coming[0][0])
        taken = [heapq.heappop(coming)]
        while coming and coming[0][0] <= start and len(taken) < most:
            taken.append(heapq.heappop(coming))
        end = start + max(prefill.alone_s, len(taken) * group * prefill.each_s)
        heapq.heappush(free, end)
        for arrived, user, turn in taken:
            found.append(end - arrived)
            if turn + 1 < ROUNDS:
                heapq.heappush(coming, (end + decode_s * float(share[turn, user]), user, turn + 1))
    values = np.array(found)
    return Distribution(float(values.mean()), *(float(v) for v in np.quantile(values, (0.5, 0.9, 0.95, 0.99))))


def held_by(step: StepCost, lengths: Lengths, users: float, prompts_per_s: float) -> float:
    """Users that a decode worker holds of `users`: the most whose requests end no faster than `prompts_per_s` come (Little's law)."""
    tokens = lengths.mean_input + lengths.mean_output / 2

    def ending(held: float) -> float:
        return held / (lengths.mean_output * step.seconds(held, held * tokens))

    low, high = 1.0, max(users, 1.0)
    if ending(high) <= prompts_per_s:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if ending(middle) <= prompts_per_s else (low, middle)
    return low
