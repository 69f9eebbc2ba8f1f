"""The whole fit: effects, leave-outs, intervals, accuracy; and the fact files that it writes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cardwise.calibration import intervals
from cardwise.calibration.cases import Measured
from cardwise.calibration.design import Floats
from cardwise.calibration.effects import fitted_logs
from cardwise.calibration.fit import Effects, Fitted, Problem, jobs_of, macro_error, thinned
from cardwise.calibration.intervals import Residual, Width
from cardwise.calibration.knowledge import closeness
from cardwise.calibration.leave_out import KINDS, LeaveOut, known_counts, leave_out, residuals
from cardwise.calibration.residuals import Predicted, write_residuals
from cardwise.calibration.tables import write_table
from cardwise.catalogue import load

DATA = load.DATA / "calibration"
Say = Callable[[str], None]
SMALLEST_EFFECT = 5e-4
SMALLEST_SHARE = 0.05
LAST_STEPS = 2
STEPS = 8
RUNS = 110
"""Runs of a source that the steps of the fit take; the last ones and everything after them take all of them."""


@dataclass(frozen=True, slots=True)
class Options:
    """`runs`: at most about so many runs of a source enter the steps of the fit. `steps`: how many of them. `warm`: start at the shipped
    effects instead of the priors. `dry`: nothing is written but `predictions`.
    """

    runs: int = RUNS
    steps: int = STEPS
    warm: bool = False
    predictions: Path | None = None
    dry: bool = False


def fit_all(measured: Sequence[Measured], options: Options, say: Say) -> None:
    """Fits, leaves out, and writes effects.csv, levels.csv, known.csv, intervals.csv, residuals.csv.gz and fit.toml."""
    jobs, reasons = jobs_of(measured)
    say(f"{len(measured)} cases, {sum(len(j.rows) for j in jobs)} can be simulated in {len(jobs)} runs, {len(reasons)} cannot")
    start = descend(Problem(measured, thinned(jobs, measured, options.runs)), options, say)
    whole = Problem(measured, jobs if options.runs >= RUNS else thinned(jobs, measured, options.runs))
    fitted = settle(whole, start, say)
    logs = whole.evaluate(whole.as_effects(fitted.effects))
    say(f"all rows: macro error {macro_error(whole.groups, logs, whole.target):.3f} over {len(whole.design.index)} effects")
    left_outs = [leave_out(kind, whole, fitted, say) for kind in KINDS]
    for left in left_outs:
        say(f"one {left.kind} out: macro error {macro_error(whole.groups, left.logs, whole.target):.3f}")
    if not options.dry:
        write(whole, fitted, logs, left_outs)
    if options.predictions is not None:
        for name, values in (("fitted", logs), *((left.kind, left.logs) for left in left_outs)):
            write_predictions(options.predictions / f"{name}.csv", whole, values, reasons)


def write(whole: Problem, fitted: Fitted, logs: Floats, left_outs: Sequence[LeaveOut]) -> None:
    """All fact files of the fit."""
    found = residuals(whole, left_outs)
    others = intervals.of_others(found)
    factor = intervals.widening(found, others)
    inside = intervals.covered(found, others, factor)
    table = {name: width.widened(factor) for name, width in sorted(intervals.quantiles(found).items())}
    write_effects(whole, fitted)
    write_levels(whole, fitted)
    write_table(DATA / "known.csv", ("name", "cases"), sorted(known_counts(whole.jobs).items()))
    write_table(
        DATA / "intervals.csv",
        ("regime", "low", "high", "cases"),
        [(n, f"{w.low:.3f}", f"{w.high:.3f}", w.cases) for n, w in table.items()],
    )
    write_residuals(DATA / "residuals.csv.gz", predicted_rows(whole, logs, left_outs, table, marks(found, inside)))
    write_fit(
        whole,
        fitted,
        logs,
        left_outs,
        {"widening": factor, **{f"coverage_{k}_out": v for k, v in intervals.coverage(found, inside).items()}},
    )


def descend(problem: Problem, options: Options, say: Say) -> Effects:
    """Steps of the fit on a part of the runs, until one no longer improves the objective."""
    effects: Effects = dict(fitted_logs()) if options.warm else {}
    for number in range(options.steps):
        found, effects, share = problem.step(effects)
        error = macro_error(problem.groups, found.around.predicted(found.effects), problem.target)
        say(f"step {number}: macro error {error:.3f} by the slopes, {share:.2f} of the way")
        if share < SMALLEST_SHARE:
            break
    return effects


def settle(problem: Problem, start: Effects, say: Say) -> Fitted:
    """The last steps, on all runs."""
    effects = start
    for _ in range(LAST_STEPS):
        fitted, effects, share = problem.step(effects)
        error = macro_error(problem.groups, fitted.around.predicted(fitted.effects), problem.target)
        say(f"all runs: macro error {error:.3f} by the slopes, {share:.2f} of the way")
    return fitted


def write_effects(problem: Problem, fitted: Fitted) -> None:
    cases: Counter[tuple[str, str]] = Counter()
    pairs = list(problem.design.index)
    for stack in problem.design.stacks:
        for column in stack.columns:
            cases[pairs[column]] += len(stack.rows)
    rows = [
        (*pair, f"{fitted.effects[i]:.4f}", f"{fitted.own_spreads[i]:.3f}", cases[pair])
        for pair, i in sorted(problem.design.index.items())
        if abs(fitted.effects[i]) >= SMALLEST_EFFECT
    ]
    write_table(DATA / "effects.csv", ("slot", "key", "log_factor", "spread", "cases"), rows)


def write_levels(problem: Problem, fitted: Fitted) -> None:
    """By slot and level: the spread that was stated, the one that was estimated, and the number of its effects."""
    design = problem.design
    rows = []
    for (slot, level), number in sorted(design.levels.items()):
        members = np.flatnonzero(design.level == number)
        rows.append((slot, level, f"{design.prior[members[0]]:.3f}", f"{fitted.spreads[members[0]]:.3f}", len(members)))
    write_table(DATA / "levels.csv", ("slot", "level", "stated_spread", "spread", "effects"), rows)


def marks(found: Sequence[Residual], inside: Sequence[bool]) -> dict[tuple[str, str], str]:
    """By case and kind of leave-out: y where the interval held the measured value, n where not."""
    return {(r.case_id, r.kind): "y" if hit else "n" for r, hit in zip(found, inside, strict=True)}


def predicted_rows(
    whole: Problem, logs: Floats, left_outs: Sequence[LeaveOut], table: Mapping[str, Width], marked: Mapping[tuple[str, str], str]
) -> list[Predicted]:
    """What every fit says of every case, in the order of case ids, with the interval that the shipped widths give the full fit's number."""
    counts = known_counts(whole.jobs)
    rows, position = [], 0
    for job in whole.jobs:
        known = closeness(job.setup, counts)
        for case in job.cases:
            width = intervals.width_in(table, case.metric, job.setup.workload.load, known)
            values = {f"{left.kind}_out": float(np.exp(left.logs[position])) for left in left_outs}
            covered = "".join(marked.get((case.case_id, left.kind), "-") for left in left_outs)
            low, high = math.exp(width.low), math.exp(width.high)
            rows.append(Predicted(case.case_id, float(np.exp(logs[position])), known=known, covered=covered, low=low, high=high, **values))
            position += 1
    return sorted(rows, key=lambda row: row.case_id)


def write_fit(whole: Problem, fitted: Fitted, logs: Floats, left_outs: Sequence[LeaveOut], interval: Mapping[str, float]) -> None:
    """The fit's passport: date, data, errors, and how the intervals did. `effective_effects`: those that the data decided."""
    effective = float(np.sum(1.0 - (fitted.own_spreads / fitted.spreads) ** 2))
    lines = [
        "# Written by `make fit`: what the fitted constants rest on and how far they were off.",
        'source = "python -m cardwise.calibration on data/evidence/llm.csv.gz"',
        f'date = "{datetime.now(UTC).date().isoformat()}"',
        f"cases = {len(whole.rows)}",
        f"runs_fitted = {len(whole.jobs)}",
        f"effects = {len(whole.design.index)}",
        f"effective_effects = {effective:.0f}",
        f"macro_error_fitted = {macro_error(whole.groups, logs, whole.target):.4f}",
        *(f"macro_error_{left.kind}_out = {macro_error(whole.groups, left.logs, whole.target):.4f}" for left in left_outs),
        *(f"{name} = {value:.3f}" for name, value in interval.items()),
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
    write_table(path, ("case_id", "predicted", "low", "high", "status", "reason"), rows)
