"""The requests of a load: when they arrive, how long they are, and how many identical ones move as one."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist

from cardwise.workload import Workload


@dataclass(slots=True)
class Request:
    """`weight` identical requests that move as one. Times in seconds; lengths in tokens. Mutable: the simulator's own state."""

    arrival: float
    input_tokens: float
    output_tokens: float
    weight: int = 1
    first_token: float = -1.0
    done: float = -1.0
    prefilled: float = 0.0
    made: float = 0.0
    ends_at: float = 0.0
    admitted: float = -1.0


def default_requests(workload: Workload) -> int:
    """How many requests a run has when nobody says: one, one batch, ten per client, a thousand."""
    return {
        "single": 1,
        "batch": workload.users,
        "concurrency": 10 * workload.users,
        "rate": 1000,
        "offline": max(workload.users, 1),
    }[workload.load]


def make_requests(workload: Workload, count: int, weight: int = 1) -> list[Request]:
    """`count` requests in bundles of `weight`, arrivals all at 0 except for `rate`, where they are Poisson, rescaled to last count / rate.

    Rescaling is what vllm bench serve does; it keeps a short sample from being a little faster or slower than asked.
    """
    rng = random.Random(workload.seed)
    bundles = [weight] * (count // weight) + ([count % weight] if count % weight else [])
    arrivals = [0.0] * len(bundles)
    if workload.load == "rate":
        assert workload.requests_per_s is not None
        clock = 0.0
        for i, size in enumerate(bundles):
            arrivals[i] = clock
            clock += sum(rng.expovariate(1.0) for _ in range(size))
        scale = count / workload.requests_per_s / clock if clock else 0.0
        arrivals = [a * scale for a in arrivals]
    lengths = workload.lengths
    requests = []
    for i, size in enumerate(bundles):
        in_factor, out_factor = _length_factors(i, lengths.low, lengths.spread)
        requests.append(
            Request(arrivals[i], max(lengths.input_tokens * in_factor, 1.0), max(lengths.output_tokens * out_factor, 1.0), weight=size)
        )
    return requests


def _length_factors(index: int, low: float, spread: float) -> tuple[float, float]:
    """Factors on nominal input and output length from a low-discrepancy sequence (R2, Roberts 2018): even coverage at any sample size."""
    if low >= 1.0 and spread <= 0.0:
        return 1.0, 1.0
    u, v = (0.5 + 0.7548776662466927 * (index + 1)) % 1.0, (0.5 + 0.5698402909980532 * (index + 1)) % 1.0
    if spread > 0.0:
        normal = NormalDist()
        half = spread * spread / 2.0
        bounded = [min(max(x, 0.005), 0.995) for x in (u, v)]
        return math.exp(spread * normal.inv_cdf(bounded[0]) - half), math.exp(spread * normal.inv_cdf(bounded[1]) - half)
    return low + (1.0 - low) * u, low + (1.0 - low) * v
