"""One call from a step's price and a workload to what is served."""

from __future__ import annotations

from cardwise.serving.limits import Limits, StepCost
from cardwise.serving.metrics import Extrapolation, Served, summarise
from cardwise.serving.requests import default_requests, make_requests
from cardwise.serving.simulation import Simulation
from cardwise.serving.trace import Trace
from cardwise.workload import Slo, Workload

BUNDLES = 400
"""An offline run of more requests than this moves them in bundles of equal ones; percentiles and rates change by about a percent."""
ARRIVALS = 10_000
"""Random arrivals are bundled only beyond this: a bundle would arrive at once, and its prompts queue behind each other."""
CLIENTS = 96
"""A closed loop of more clients than this bundles them; below, every client is simulated, since a bundle's prompts would queue behind
each other.
"""
BUNDLES_HELD = 16
"""Bundles that the batch or the cache holds at least: of coarser ones, the last that does not fit leaves much of it empty."""
WAVES = 4
"""Rounds of a closed loop that are simulated. The first, in which all clients start at once, is counted as it is; the others stand for
all later ones.
"""


def run(cost: StepCost, limits: Limits, workload: Workload, bundles: int = BUNDLES, sample: bool = False) -> Trace:
    """Simulates every request of `workload` on one replica. Raises CannotRun when a request cannot fit the cache."""
    count = workload.requests or default_requests(workload)
    return _simulate(cost, limits, workload, count, bundles, sample)


def _simulate(cost: StepCost, limits: Limits, workload: Workload, count: int, bundles: int, sample: bool = False) -> Trace:
    users = {"single": 1, "concurrency": workload.users}.get(workload.load)
    held = int(min(limits.kv_tokens / (workload.lengths.mean_input + workload.lengths.mean_output), limits.max_num_seqs))
    if users is not None:
        weight = users // min(CLIENTS, bundles)
    else:
        weight = -(-count // (max(bundles, ARRIVALS) if workload.load == "rate" else bundles))
        weight = min(weight, workload.users // 8 if workload.load == "batch" else weight)
    weight = max(1, min(weight, held // BUNDLES_HELD))
    return Simulation(cost, limits, make_requests(workload, count, weight), users, sample).run()


def serve(
    cost: StepCost, limits: Limits, workload: Workload, first_token_s: float = 0.0, slo: Slo | None = None, bundles: int = BUNDLES
) -> Served:
    """What one replica serves under `workload`. Of a long closed loop the first waves are simulated and the steady ones counted for the
    rest.
    """
    count = workload.requests or default_requests(workload)
    users = {"single": 1, "concurrency": workload.users}.get(workload.load)
    if users is None or count <= WAVES * users:
        return summarise(_simulate(cost, limits, workload, count, bundles), first_token_s, slo)
    simulated = WAVES * users
    trace = _simulate(cost, limits, workload, simulated, bundles)
    return summarise(trace, first_token_s, slo, Extrapolation(first=users, simulated=simulated, total=count))
