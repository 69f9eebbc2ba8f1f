"""One call from a step's price and a workload to what is served."""

from __future__ import annotations

from cardwise.serving.metrics import Served, summarise
from cardwise.serving.requests import default_requests, make_requests
from cardwise.serving.simulation import Limits, Simulation, StepCost, Trace
from cardwise.workload import Slo, Workload

BUNDLES = 400
"""A run of more requests than this moves them in bundles of equal ones; percentiles and rates change by about a percent."""


def run(cost: StepCost, limits: Limits, workload: Workload, bundles: int = BUNDLES, sample: bool = False) -> Trace:
    """Simulates `workload` on one replica. Raises CannotRun when a request cannot fit the cache."""
    count = workload.requests or default_requests(workload)
    users = {"single": 1, "concurrency": workload.users}.get(workload.load)
    weight = max(1, -(-count // bundles))
    if users is not None:
        weight = min(weight, max(1, users // 16))
    elif workload.load == "batch":
        weight = max(1, workload.users // 8)
    weight = min(weight, max(1, limits.max_num_seqs // 16))
    return Simulation(cost, limits, make_requests(workload, count, weight), users, sample).run()


def serve(cost: StepCost, limits: Limits, workload: Workload, first_token_s: float = 0.0, slo: Slo | None = None, bundles: int = BUNDLES) -> Served:
    """What one replica serves under `workload`."""
    return summarise(run(cost, limits, workload, bundles), first_token_s, slo)
