"""The whole fit: effects, leave-outs by card family and by source, intervals, accuracy; and the fact files that it writes."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cardwise.calibration import intervals
from cardwise.calibration.cases import Case, Measured
from cardwise.calibration.fit import SMALLEST_GROUP, Floats, Job, Problem, jobs_of, macro_error, thinned
from cardwise.calibration.intervals import Residual

DATA = Path(__file__).parents[1] / "catalogue" / "data" / "calibration"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """`runs`: at most about so many runs of a source enter the fit. `steps`: of each of the two stages. `dry`: nothing is written but
    `predictions`.
    """

    runs: int = 200
    steps: int = 4
    predictions: Path | None = None
    dry: bool = False


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Predictions of cases whose group the fit had not seen, aligned with the problem's rows; NaN where no group was left out."""

    kind: str
    logs: Floats


def fit_all(measured: Sequence[Measured], options: Options, say: Say) -> None:
    """Fits, leaves out, and writes effects.csv, intervals.csv, known.csv, accuracy.csv and fit.toml."""
    jobs, reasons = jobs_of(measured)
    say(f"{len(measured)} cases, {sum(len(j.rows) for j in jobs)} can be simulated in {len(jobs)} runs, {len(reasons)} cannot")
    small = Problem(measured, thinned(jobs, measured, options.runs))
    values, spreads, logs, matrix = fit(small, options.steps, say)
    effects = small.as_effects(values)
    whole = Problem(measured, jobs)
    fitted = whole.evaluate(effects)
    say(f"all rows: macro error {macro_error(whole.groups, fitted, whole.target):.3f} over {len(small.index)} effects")
    left_out = [leave_out(kind, small, whole, values, logs, matrix, say) for kind in ("card", "source")]
    if not options.dry:
        write_effects(small, values, spreads)
        write_known(jobs)
        write_intervals(whole, left_out)
        write_accuracy(whole, fitted, left_out)
        write_fit(whole, small, fitted, left_out)
    if options.predictions is not None:
        for name, found in (("fitted", fitted), *((left.kind, left.logs) for left in left_out)):
            write_predictions(options.predictions / f"{name}.csv", whole, found, reasons)


def fit(problem: Problem, iterations: int, say: Say) -> tuple[Floats, Floats, Floats, Floats]:
    """Effects, their spreads, and the last linearisation. First without TTFT, whose queues would drag the throughput terms along."""
    values = np.zeros(len(problem.index))
    for step in range(2 * iterations):
        logs, matrix = problem.linearise(problem.as_effects(values))
        say(f"step {step}: macro error {macro_error(problem.groups, logs, problem.target):.3f}")
        values = problem.descend(logs, matrix, values, problem.weights(ttft=step >= iterations))
    logs, matrix = problem.linearise(problem.as_effects(values))
    _, spreads = problem.solve(logs, matrix, values, problem.weights())
    return values, spreads, logs, matrix


def group_of(kind: str, job: Job, measured: Sequence[Measured]) -> str:
    """The group that a leave-out of this kind puts the job in."""
    if kind == "card":
        return job.setup.accelerator.chip
    return measured[job.rows[0]].case.source_id


def leave_out(kind: str, small: Problem, whole: Problem, values: Floats, logs: Floats, matrix: Floats, say: Say) -> LeaveOut:
    """Predicts every group from a fit without it.

    The fit without a group starts at the full fit with the effects that only the group supports set to their prior, and takes two
    Gauss-Newton steps with the Jacobian at hand; predictions are simulated anew. Against fits from a cold start this flatters by about
    0.01.
    """
    measured = whole.measured
    rows_group = [group_of(kind, job, measured) for job in small.jobs for _ in job.rows]
    jobs_by: dict[str, list[Job]] = defaultdict(list)
    for job in whole.jobs:
        jobs_by[group_of(kind, job, measured)].append(job)
    predicted: dict[int, float] = {}
    for name, jobs in sorted(jobs_by.items()):
        keep = np.array([group != name for group in rows_group], dtype=float)
        start = np.where((np.abs(matrix) * keep[:, None]).sum(axis=0) > 1e-9, values, 0.0)
        moved = logs + matrix @ (start - values)
        left = start
        for _ in range(2):
            left, _ = small.solve(moved + matrix @ (left - start), matrix, left, small.weights() * keep)
        part = Problem(measured, jobs)
        for row, value in zip(part.rows, part.evaluate(small.as_effects(left)), strict=True):
            predicted[row] = float(value)
    found = np.array([predicted.get(row, np.nan) for row in whole.rows])
    say(f"leaving one {kind} out ({len(jobs_by)} groups): macro error {macro_error(whole.groups, found, whole.target):.3f}")
    return LeaveOut(kind, found)


def write_effects(problem: Problem, values: Floats, spreads: Floats) -> None:
    rows = [
        (slot, key, f"{values[i]:.4f}", f"{spreads[i]:.3f}", problem.counts[(slot, key)])
        for (slot, key), i in sorted(problem.index.items())
        if abs(values[i]) >= 5e-4
    ]
    _write(DATA / "effects.csv", ("slot", "key", "log_factor", "spread", "cases"), rows)


def write_known(jobs: Iterable[Job]) -> None:
    """Measured cases by card and engine, by card, and by generation."""
    counts: Counter[str] = Counter()
    for job in jobs:
        card = job.setup.accelerator
        for name in (f"{card.chip}/{job.setup.rules.engine}", card.chip, card.generation):
            counts[name] += len(job.rows)
    _write(DATA / "known.csv", ("name", "cases"), sorted(counts.items()))


def knowledge_when_left_out(kind: str, job: Job, generations: Mapping[str, set[str]]) -> str:
    """What is known of a card when its group is out of the fit: without a card of its generation only the datasheet."""
    if kind == "source":
        return "card"
    others = generations[job.setup.accelerator.generation] - {job.setup.accelerator.chip}
    return "generation" if others else "datasheet"


def left_ratios(
    whole: Problem, left: LeaveOut, generations: Mapping[str, set[str]]
) -> Iterator[tuple[Job, Case, tuple[str, str], str, float]]:
    """Left-out cases that were predicted: job, case, source and metric, what was known of the card, log(measured / predicted)."""
    cases = [(job, case) for job in whole.jobs for case in job.cases]
    for (job, case), group, ratio in zip(cases, whole.groups, whole.target - left.logs, strict=True):
        if np.isfinite(ratio):
            yield job, case, group, knowledge_when_left_out(left.kind, job, generations), float(ratio)


def write_intervals(whole: Problem, left_out: Sequence[LeaveOut]) -> None:
    """Quantiles of both leave-outs together, by regime."""
    generations = card_families(whole.jobs)
    residuals = [
        Residual(case.metric, job.setup.workload.load, known, f"{left.kind}:{group_of(left.kind, job, whole.measured)}", ratio)
        for left in left_out
        for job, case, _, known, ratio in left_ratios(whole, left, generations)
    ]
    rows = [(name, f"{w.low:.3f}", f"{w.high:.3f}", w.cases) for name, w in sorted(intervals.quantiles(residuals).items())]
    _write(DATA / "intervals.csv", ("regime", "low", "high", "cases"), rows)


def coverage(whole: Problem, left: LeaveOut) -> float:
    """Share of left-out cases inside the interval that they would have been given: mean over sources and metrics, as in the macro error."""
    intervals.widths.cache_clear()
    intervals.width.cache_clear()
    generations = card_families(whole.jobs)
    inside: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for job, case, group, known, ratio in left_ratios(whole, left, generations):
        width = intervals.width(case.metric, job.setup.workload.load, known)
        inside[group].append(width.low <= ratio <= width.high)
    return float(np.mean([np.mean(hits) for hits in inside.values() if len(hits) >= SMALLEST_GROUP]))


def card_families(jobs: Iterable[Job]) -> dict[str, set[str]]:
    """Card families measured, by generation."""
    generations: dict[str, set[str]] = defaultdict(set)
    for job in jobs:
        generations[job.setup.accelerator.generation].add(job.setup.accelerator.chip)
    return generations


def group_errors(whole: Problem, logs: Floats) -> dict[tuple[str, str], tuple[int, float, float]]:
    """By source and metric: rows, median error, median factor predicted / measured."""
    by: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group, ratio in zip(whole.groups, logs - whole.target, strict=True):
        if np.isfinite(ratio):
            by[group].append(float(ratio))
    return {g: (len(r), float(np.median(np.abs(np.exp(r) - 1))), float(np.exp(np.median(r)))) for g, r in by.items()}


def write_accuracy(whole: Problem, fitted: Floats, left_out: Sequence[LeaveOut]) -> None:
    tables = [group_errors(whole, logs) for logs in (fitted, *(left.logs for left in left_out))]
    rows = []
    for (source, metric), (count, error, factor) in sorted(tables[0].items()):
        others = [f"{table[(source, metric)][1]:.3f}" for table in tables[1:]]
        rows.append((source, metric, count, f"{error:.3f}", f"{factor:.2f}", *others))
    _write(DATA / "accuracy.csv", ("source_id", "metric", "cases", "error", "factor", "error_card_out", "error_source_out"), rows)


def write_fit(whole: Problem, small: Problem, fitted: Floats, left_out: Sequence[LeaveOut]) -> None:
    """The fit's passport: date, data, errors."""
    lines = [
        "# Written by `make fit`: what the fitted constants rest on and how far they were off.",
        'source = "python -m cardwise.calibration on data/evidence/llm.csv.gz"',
        f'date = "{datetime.now(UTC).date().isoformat()}"',
        f"cases = {len(whole.rows)}",
        f"runs_fitted = {len(small.jobs)}",
        f"effects = {len(small.index)}",
        f"macro_error_fitted = {macro_error(whole.groups, fitted, whole.target):.4f}",
        *(f"macro_error_{left.kind}_out = {macro_error(whole.groups, left.logs, whole.target):.4f}" for left in left_out),
        *(f"coverage_{left.kind}_out = {coverage(whole, left):.3f}" for left in left_out),
    ]
    (DATA / "fit.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_predictions(path: Path, whole: Problem, logs: Floats, reasons: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = [
        (
            whole.measured[row].case.case_id,
            f"{np.exp(value):.6g}" if np.isfinite(value) else "",
            "",
            "",
            "ok" if np.isfinite(value) else "unsupported",
            "",
        )
        for row, value in zip(whole.rows, logs, strict=True)
    ]
    rows += [(case_id, "", "", "", "unsupported", reason) for case_id, reason in reasons.items()]
    _write(path, ("case_id", "predicted", "low", "high", "status", "reason"), rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
