"""Predictions of groups that a fit had not seen: by card family, source, model and generation of engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cardwise.calibration.cases import Case, Measured
from cardwise.calibration.design import Floats
from cardwise.calibration.fit import Effects, Fitted, Job, Problem, simulate
from cardwise.calibration.intervals import Residual
from cardwise.calibration.knowledge import closeness, known_names
from cardwise.calibration.ridge import solve

KINDS = ("card", "source", "model", "version")
STEPS = 3


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Logarithms of predictions of cases whose group the fit had not seen, in the order of the problem's rows; NaN where it cannot run."""

    kind: str
    logs: Floats


def group_of(kind: str, job: Job, measured: Sequence[Measured]) -> str:
    """The group that a leave-out of this kind puts the job in."""
    if kind == "card":
        return job.setup.accelerator.chip
    if kind == "model":
        return job.setup.architecture.name
    if kind == "version":
        return job.setup.rules.era
    return measured[job.rows[0]].case.source_id


def leave_out(kind: str, problem: Problem, fitted: Fitted, say: Callable[[str], None]) -> LeaveOut:
    """Predicts every group from a fit without it.

    The fit without a group is the full fit moved by what leaving the group out moves the optimum of the linear problem at hand (STEPS
    reweighted steps); effects that only the group supports are at their prior, spreads of levels are those of the full fit. Predictions are
    simulated anew.
    """
    around = fitted.around
    weights = problem.weights()
    names = np.array([group_of(kind, job, problem.measured) for job in problem.jobs for _ in job.rows])
    by = jobs_by_group(kind, problem)
    tasks: list[tuple[Sequence[Job], Effects]] = []
    for name, jobs in by.items():
        keep = (names != name).astype(float)
        supported = problem.design.supported(around.slopes, keep)
        optimum, _ = solve(around, np.where(supported, fitted.optimum, 0.0), fitted.spreads, weights * keep, STEPS)
        effects = np.where(supported, fitted.effects + optimum - fitted.optimum, 0.0)
        tasks += [(jobs[i : i + 100], problem.as_effects(effects)) for i in range(0, len(jobs), 100)]
    order = [row for jobs, _ in tasks for job in jobs for row in job.rows]
    predicted = dict(zip(order, simulate(tasks, problem.workers), strict=True))
    say(f"leaving one {kind} out: {len(by)} groups")
    return LeaveOut(kind, np.array([predicted[row] for row in problem.rows]))


def known_counts(jobs: Iterable[Job]) -> Counter[str]:
    """Measured cases of chips and of generations under an engine and its version."""
    counts: Counter[str] = Counter()
    for job in jobs:
        for name in known_names(job.setup):
            counts[name] += len(job.rows)
    return counts


def jobs_by_group(kind: str, problem: Problem) -> dict[str, list[Job]]:
    """The groups that a leave-out of this kind makes."""
    by: dict[str, list[Job]] = defaultdict(list)
    for job in problem.jobs:
        by[group_of(kind, job, problem.measured)].append(job)
    return by


def known_without(kind: str, problem: Problem) -> list[str]:
    """By job: what is known of its card when the job's group is out of the fit (see `knowledge`)."""
    everywhere = known_counts(problem.jobs)
    inside = {name: known_counts(jobs) for name, jobs in jobs_by_group(kind, problem).items()}
    found = []
    for job in problem.jobs:
        own = inside[group_of(kind, job, problem.measured)]
        found.append(closeness(job.setup, {name: everywhere[name] - own[name] for name in known_names(job.setup)}))
    return found


def left_ratios(problem: Problem, left: LeaveOut) -> Iterator[tuple[Job, Case, int, str, float]]:
    """Left-out cases that were predicted: job, case, position in the problem, what was known of the card, log(measured / predicted)."""
    known = known_without(left.kind, problem)
    position = 0
    for job, closest in zip(problem.jobs, known, strict=True):
        for case in job.cases:
            ratio = problem.target[position] - left.logs[position]
            if np.isfinite(ratio):
                yield job, case, position, closest, float(ratio)
            position += 1


def residuals(problem: Problem, left_outs: Sequence[LeaveOut]) -> list[Residual]:
    """Residuals of all leave-outs, with what decides the interval of each."""
    return [
        Residual(
            case.metric,
            job.setup.workload.load,
            known,
            f"{left.kind}:{group_of(left.kind, job, problem.measured)}",
            ratio,
            problem.groups[position],
            case.case_id,
        )
        for left in left_outs
        for job, case, position, known, ratio in left_ratios(problem, left)
    ]
