"""Fits the effects of `effects.py` to measured cases: regularised least squares on log ratios, by Gauss-Newton over simulated cases.

Residual: log(measured / predicted). Loss: pseudo-Huber (a row that is off by more than `HUBER` counts like an outlier, so that one
source's faults are not learned), rows weighted so that a group of n rows of one source and metric counts like sqrt(n).
Regularisation: every effect is Gaussian around 0 with the spread of its level in priors.toml.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.cases import Case, Measured, run_of
from cardwise.calibration.effects import efficiency_of, keys, slots
from cardwise.calibration.predict import SPEED_METRICS, measuring, outcome, value_of
from cardwise.calibration.setup import Setup, setup
from cardwise.efficiency import SLOTS
from cardwise.errors import CardwiseError

Floats = NDArray[np.float64]
Effects = dict[tuple[str, str], float]

HUBER = 0.2
NOISE = 0.15
ROWS_OF_A_GROUP = 0.8  # a group of n rows weighs as much as 0.8 sqrt(n) independent ones would
DIFFERENCE = 0.1
LARGEST_STEP = 0.5
FIT_BUNDLES = 48
METRIC_WEIGHT = {"ttft_ms": 0.35}
SMALLEST_GROUP = 10
"""Cases of one source and metric from which on a group counts in the macro error."""


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


def predict_job(job: Job, effects: Mapping[tuple[str, str], float]) -> list[float]:
    """Predictions of a job's cases; NaN where the layout cannot run."""
    try:
        out = outcome(job.setup, efficiency_of(dict(job.setup.context), effects), FIT_BUNDLES)
        return [value_of(case, out, job.setup.rules.engine) for case in job.cases]
    except CardwiseError:
        return [math.nan] * len(job.cases)


def relevant_slots(job: Job) -> list[str]:
    """Slots that can move the job's cases at all; the others have no derivative and need no simulation."""
    model, layout, load = job.setup.architecture, job.setup.layout, job.setup.workload.load
    skip = set()
    if not model.has_experts:
        skip |= {"experts", "routing_skew"}
    if not model.has_state:
        skip.add("state_bandwidth")
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


class Problem:
    """Jobs, their rows, and the linear map from effects to slots."""

    def __init__(self, measured: Sequence[Measured], jobs: Sequence[Job], workers: int = 2) -> None:
        self.measured, self.jobs, self.workers = measured, jobs, workers
        self.index: dict[tuple[str, str], int] = {}
        self.spread: list[float] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        for job in jobs:
            context = dict(job.setup.context)
            for slot in slots():
                spreads = dict(slot.levels)
                for key in keys(slot, context):
                    pair = (slot.name, key)
                    if pair not in self.index:
                        self.index[pair] = len(self.index)
                        level = "+".join(part.split("=")[0] for part in key.split("+"))
                        self.spread.append(spreads[level])
                    self.counts[pair] += len(job.rows)
        self.rows = [row for job in jobs for row in job.rows]
        self.target = np.array([math.log(measured[row].value) for row in self.rows])
        self.groups = [(measured[row].case.source_id, measured[row].case.metric) for row in self.rows]

    def weights(self, ttft: bool = True) -> Floats:
        sizes = Counter(self.groups)
        weight = np.array([1.0 / math.sqrt(sizes[g]) * METRIC_WEIGHT.get(g[1], 1.0) * (ttft or g[1] != "ttft_ms") for g in self.groups])
        scaled: Floats = weight * (ROWS_OF_A_GROUP / NOISE**2)
        return scaled

    def evaluate(self, effects: Effects) -> Floats:
        with ProcessPoolExecutor(self.workers) as pool:
            values = list(pool.map(_predict_many, [(chunk, effects) for chunk in _chunks(self.jobs)]))
        logs: Floats = np.log(np.array([v for chunk in values for v in chunk]))
        return logs

    def linearise(self, effects: Effects) -> tuple[Floats, Floats]:
        """Log predictions (rows) and their derivative by effect (rows x effects)."""
        with ProcessPoolExecutor(self.workers) as pool:
            results = [r for chunk in pool.map(_slopes_many, [(c, effects) for c in _chunks(self.jobs)]) for r in chunk]
        matrix = np.zeros((len(self.rows), len(self.index)))
        logs = np.zeros(len(self.rows))
        row = 0
        for job, (base, slopes) in zip(self.jobs, results, strict=True):
            context = dict(job.setup.context)
            columns = {slot.name: [self.index[(slot.name, key)] for key in keys(slot, context)] for slot in slots()}
            for position in range(len(job.rows)):
                logs[row] = math.log(base[position]) if base[position] > 0 else math.nan
                for name, values in slopes.items():
                    for column in columns[name]:
                        matrix[row, column] += values[position]
                row += 1
        return logs, matrix

    def solve(self, logs: Floats, matrix: Floats, effects: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """One regularised Gauss-Newton step from `effects`; returns new effects and their posterior spread."""
        good = np.isfinite(logs)
        residual = np.where(good, self.target - np.where(good, logs, 0.0), 0.0)
        robust = weights * good / np.sqrt(1.0 + (residual / HUBER) ** 2)
        precision = np.diag(1.0 / np.array(self.spread) ** 2)
        normal = matrix.T @ (matrix * robust[:, None]) + precision
        gradient = matrix.T @ (robust * residual) - precision @ effects
        step = np.clip(np.linalg.solve(normal, gradient), -LARGEST_STEP, LARGEST_STEP)
        return effects + step, np.sqrt(np.diag(np.linalg.inv(normal)))

    def objective(self, logs: Floats, effects: Floats, weights: Floats) -> float:
        """What is minimised: pseudo-Huber loss of the log ratios plus the Gaussian priors' penalty."""
        residual = np.where(np.isfinite(logs), self.target - np.where(np.isfinite(logs), logs, 0.0), 0.0)
        loss = 2.0 * HUBER**2 * (np.sqrt(1.0 + (residual / HUBER) ** 2) - 1.0)
        return float(weights @ loss + np.sum((effects / np.array(self.spread)) ** 2))

    def descend(self, logs: Floats, matrix: Floats, effects: Floats, weights: Floats) -> Floats:
        """A Gauss-Newton step, halved until the objective of the real simulations falls."""
        target, _ = self.solve(logs, matrix, effects, weights)
        before = self.objective(logs, effects, weights)
        share = 1.0
        while share > 0.1:
            tried = effects + share * (target - effects)
            if self.objective(self.evaluate(self.as_effects(tried)), tried, weights) < before:
                return tried
            share /= 2.0
        return effects

    def as_effects(self, values: Floats) -> Effects:
        return {pair: float(values[i]) for pair, i in self.index.items()}


def _chunks(jobs: Sequence[Job], size: int = 100) -> list[Sequence[Job]]:
    return [jobs[i : i + size] for i in range(0, len(jobs), size)]


def _predict_many(task: tuple[Sequence[Job], Effects]) -> list[float]:
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
