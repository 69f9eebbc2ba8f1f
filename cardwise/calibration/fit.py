"""Simulated cases as a regression problem: predictions, their slopes in every slot, and Gauss-Newton steps between them.

Residual: log(measured / predicted). Rows are weighted so that a group of n rows of one source and metric counts like sqrt(n); the loss,
the priors and the step are those of `ridge`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.cases import Case, Measured, run_of
from cardwise.calibration.design import Design, Floats
from cardwise.calibration.effects import efficiency_of
from cardwise.calibration.groups import SMALLEST_GROUP
from cardwise.calibration.ideal import ideal, possible
from cardwise.calibration.predict import SPEED_METRICS, measuring, outcome, value_of, waits_for_steps
from cardwise.calibration.ridge import Linear, linear, objective, with_spreads
from cardwise.calibration.setup import Setup, setup
from cardwise.efficiency import SLOTS
from cardwise.errors import CardwiseError
from cardwise.passes.step import UNPACKED_KERNELS

Effects = dict[tuple[str, str], float]

NOISE = 0.14
ROWS_OF_A_GROUP = 0.8  # a group of n rows weighs as much as 0.8 sqrt(n) independent ones would
DIFFERENCE = 0.1
LARGEST_STEP, LARGEST_CHANGE = 1.0, 0.3
"""Of an effect in one step: in its own logarithm, and in that of the predictions that depend on it most."""
FIT_BUNDLES = 48
KINDS_OF_SLOTS = (
    ("gemm", "experts", "expert_rows", "half_rows", "routing_skew", "power_exponent"),
    ("bandwidth", "unpack", "state_bandwidth"),
    ("attention_compute", "attention_rows", "attention_bandwidth"),
    ("layer_seconds", "step_seconds", "sequence_seconds", "expert_layer", "prompt_launch"),
    ("reduce_seconds", "reduce_share", "pipeline"),
    ("first_token_seconds", "waiting_steps", "mixing"),
)
METRIC_WEIGHT = {"ttft_ms": 0.7}


@dataclass(frozen=True, slots=True)
class Job:
    """Cases that one simulation answers, with their setup."""

    setup: Setup
    cases: tuple[Case, ...]
    rows: tuple[int, ...]


def jobs_of(measured: Sequence[Measured]) -> tuple[list[Job], dict[str, str]]:
    """Cases gathered by identical simulation; and the reasons of those that cannot be set up, by case_id."""
    gathered: dict[tuple[object, ...], tuple[Setup, list[int]]] = {}
    reasons: dict[str, str] = {}
    for index, item in enumerate(measured):
        if item.case.metric not in SPEED_METRICS or item.value <= 0:
            continue
        try:
            made = measuring(setup(item.case), item.case)
        except CardwiseError as error:
            reasons[item.case.case_id] = error.message
            continue
        gathered.setdefault((*run_of(item.case), made.workload), (made, []))[1].append(index)
    jobs = [Job(made, tuple(measured[i].case for i in rows), tuple(rows)) for made, rows in gathered.values()]
    return jobs, reasons


def thinned(jobs: Sequence[Job], measured: Sequence[Measured], most: int) -> list[Job]:
    """At most about `most` jobs of one source, spread evenly: a source of thousands of alike runs says no more and costs the fit its
    time.
    """
    by: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by[measured[job.rows[0]].case.source_id].append(job)
    return [job for group in by.values() for job in group[:: max(1, round(len(group) / most))]]


def predict_job(job: Job, effects: Mapping[tuple[str, str], float] | None) -> list[float]:
    """Predictions of a job's cases; NaN where the layout cannot run. Effects None: every efficiency at its fastest."""
    try:
        factors = ideal() if effects is None else efficiency_of(dict(job.setup.context), effects)
        out = outcome(job.setup, factors, FIT_BUNDLES)
        return [value_of(case, out, job.setup.rules.engine) for case in job.cases]
    except CardwiseError:
        return [math.nan] * len(job.cases)


def relevant_slots(job: Job) -> list[str]:
    """Slots that can move the job's cases at all; the others have no derivative and need no simulation."""
    model, layout, load = job.setup.architecture, job.setup.layout, job.setup.workload.load
    skip = set()
    if not model.has_experts:
        skip |= {"experts", "expert_layer", "expert_rows", "routing_skew"}
    if not model.has_state:
        skip.add("state_bandwidth")
    if job.setup.weights.kernel not in UNPACKED_KERNELS:
        skip.add("unpack")
    if not waits_for_steps(job.setup):
        skip.add("waiting_steps")
    if layout.tensor_parallel == 1 and layout.pipeline_parallel == 1:
        skip |= {"reduce_seconds", "reduce_share"}
    if layout.pipeline_parallel == 1:
        skip.add("pipeline")
    if load in ("single", "batch"):
        skip.add("mixing")
    if not job.setup.power_limit_w:
        skip.add("power_exponent")
    return [name for name in SLOTS if name not in skip]


def slopes_of_job(job: Job, effects: Mapping[tuple[str, str], float]) -> tuple[list[float], dict[str, list[float]]]:
    """Predictions, and d log(prediction) / d log(slot) by forward differences."""
    base = predict_job(job, effects)
    slopes = {}
    for name in relevant_slots(job):
        moved = {**effects, (name, "global"): effects.get((name, "global"), 0.0) + DIFFERENCE}
        changed = predict_job(job, moved)
        slopes[name] = [(math.log(b / a) / DIFFERENCE if a > 0 and b > 0 else 0.0) for a, b in zip(base, changed, strict=True)]
    return base, slopes


@dataclass(frozen=True, slots=True)
class Fitted:
    """Effects, the spread of the level of each and its own; the linear problem at hand, and its optimum."""

    effects: Floats
    spreads: Floats
    own_spreads: Floats
    around: Linear
    optimum: Floats


class Problem:
    """Jobs, their rows, and the map from effects to slots."""

    def __init__(self, measured: Sequence[Measured], jobs: Sequence[Job], workers: int = 2) -> None:
        self.measured, self.jobs, self.workers = measured, jobs, workers
        self.rows = [row for job in jobs for row in job.rows]
        self.design = Design([dict(job.setup.context) for job in jobs for _ in job.rows])
        self.target: Floats = np.array([math.log(measured[row].value) for row in self.rows])
        self.groups = [(measured[row].case.source_id, measured[row].case.metric) for row in self.rows]

    @cached_property
    def possible(self) -> NDArray[np.bool_]:
        """Rows that are no faster than the laws allow."""
        return possible([metric for _, metric in self.groups], self.evaluate(None), self.target)

    def weights(self) -> Floats:
        sizes = Counter(self.groups)
        weight = np.array([1.0 / math.sqrt(sizes[g]) * METRIC_WEIGHT.get(g[1], 1.0) for g in self.groups])
        scaled: Floats = weight * self.possible * (ROWS_OF_A_GROUP / NOISE**2)
        return scaled

    def evaluate(self, effects: Effects | None) -> Floats:
        """Logarithms of the predictions; NaN where a layout cannot run. Effects None: every efficiency at its fastest."""
        return simulate([(chunk, effects) for chunk in _chunks(self.jobs)], self.workers)

    def linearise(self, effects: Effects) -> tuple[Floats, Floats]:
        """Logarithms of the predictions (rows) and their slopes (rows x slots)."""
        with ProcessPoolExecutor(self.workers) as pool:
            results = [r for chunk in pool.map(_slopes_many, [(c, effects) for c in _chunks(self.jobs)]) for r in chunk]
        slopes = np.zeros((len(self.rows), len(SLOTS)))
        logs = np.zeros(len(self.rows))
        row = 0
        for job, (base, by_slot) in zip(self.jobs, results, strict=True):
            for position in range(len(job.rows)):
                logs[row] = math.log(base[position]) if base[position] > 0 else math.nan
                for name, values in by_slot.items():
                    slopes[row, SLOTS.index(name)] = values[position]
                row += 1
        return logs, slopes

    def step(self, start: Effects) -> tuple[Fitted, Effects, float]:
        """One step from `start`: linearise, estimate effects and spreads, and go towards them as far as the real simulations improve.

        The whole step is tried first, then half of it, then parts of it by kind of slot: queues and caches that fill make some directions
        far from linear, which must not hold up the others. Returns what was found, the new effects (those of stacks that this problem lacks
        are kept), and the share of the way that was taken.
        """
        logs, slopes = self.linearise(start)
        at = self.values(start)
        weights = self.weights()
        around = linear(self.design, logs, slopes, at, self.target)
        effects, spreads, own = with_spreads(around, at, self.design.prior, weights)
        most = np.minimum(LARGEST_STEP, LARGEST_CHANGE / np.maximum(self.design.sensitivity(slopes), 1e-9))
        way = np.clip(effects - at, -most, most)
        point, least = at, objective(logs, self.target, at, spreads, weights)

        def better(tried: Floats) -> bool:
            nonlocal point, least
            found = objective(self.evaluate({**start, **self.as_effects(tried)}), self.target, tried, spreads, weights)
            if found >= least:
                return False
            point, least = tried, found
            return True

        slot_of = np.array([slot for slot, _ in self.design.index])
        if not (better(at + way) or better(at + way / 2)):
            for kind in KINDS_OF_SLOTS:
                own_way = way * np.isin(slot_of, kind)
                if not better(point + own_way):
                    better(point + own_way / 3)
        share = float(np.abs(point - at).sum() / max(np.abs(way).sum(), 1e-12))
        found = Fitted(point, spreads, own, around, effects)
        return found, {**start, **self.as_effects(point)}, share

    def values(self, effects: Effects) -> Floats:
        return np.array([effects.get(pair, 0.0) for pair in self.design.index])

    def as_effects(self, values: Floats) -> Effects:
        return {pair: float(values[i]) for pair, i in self.design.index.items()}


def simulate(tasks: Sequence[tuple[Sequence[Job], Effects | None]], workers: int = 2) -> Floats:
    """Logarithms of the predictions of jobs under effects, in order; NaN where a layout cannot run."""
    with ProcessPoolExecutor(workers) as pool:
        values = np.array([v for chunk in pool.map(_predict_many, tasks) for v in chunk])
    logs: Floats = np.log(values)
    return logs


def _chunks(jobs: Sequence[Job], size: int = 100) -> list[Sequence[Job]]:
    return [jobs[i : i + size] for i in range(0, len(jobs), size)]


def _predict_many(task: tuple[Sequence[Job], Effects | None]) -> list[float]:
    return [v for job in task[0] for v in predict_job(job, task[1])]


def _slopes_many(task: tuple[Sequence[Job], Effects]) -> list[tuple[list[float], dict[str, list[float]]]]:
    return [slopes_of_job(job, task[1]) for job in task[0]]


def macro_error(groups: Iterable[tuple[str, str]], logs: Floats, target: Floats) -> float:
    """Mean over groups of at least SMALLEST_GROUP rows of the median of |predicted / measured - 1|."""
    by: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group, error in zip(groups, np.abs(np.exp(logs - target) - 1.0), strict=True):
        if np.isfinite(error):
            by[group].append(float(error))
    return float(np.mean([np.median(errors) for errors in by.values() if len(errors) >= SMALLEST_GROUP]))
