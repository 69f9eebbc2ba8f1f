"""Fits the slots of NetworkEfficiency to the measured runs of pipelines: `python -m cardwise.calibration.run_fit`.

Regularised robust regression as for language models (`calibration.ridge`), on runs priced by `passes.diffusion`. Writes run_effects.csv,
run_intervals.csv, run_known.csv and run_residuals.csv.gz beside the priors, from which everything else reads.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cardwise.calibration.cases import Case, case_of
from cardwise.calibration.design import Design, Floats
from cardwise.calibration.effects import slot_values
from cardwise.calibration.intervals import Residual, of_others, quantiles, widening
from cardwise.calibration.ridge import linear, objective, solve, with_spreads
from cardwise.calibration.run_cases import run_rows
from cardwise.calibration.run_intervals import metric_of
from cardwise.calibration.run_predict import SPEED, memory_value, run_of, run_slots, speed_of
from cardwise.calibration.run_setup import RunSetup, run_setup
from cardwise.catalogue.load import DATA
from cardwise.errors import CardwiseError
from cardwise.network_efficiency import SLOTS, NetworkEfficiency
from cardwise.passes.diffusion import PipelineRun

NOISE = 0.15
"""Standard deviation of a measurement in natural logarithm, and of a row whose steps nobody said."""
LOOSE_NOISE = 0.6
STEP, STEPS = 0.02, 8
LEVEL_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A measured run, ready to be priced."""

    case: Case
    setup: RunSetup
    run: PipelineRun
    value: float

    @property
    def loose(self) -> bool:
        """Whether the row belongs to an envelope of unsaid settings rather than to a measurement."""
        return "end-to-end rate" in self.setup.words

    def log(self, efficiency: NetworkEfficiency) -> float:
        """Logarithm of the prediction."""
        return math.log(speed_of(self.case, self.setup, self.run, efficiency))


def rows_of_speed(rows: Iterable[dict[str, str]]) -> list[Row]:
    """Rows of speed that can be resolved."""
    found = []
    for row in rows:
        if row["metric"] not in SPEED:
            continue
        try:
            case = case_of(row)
            setup = run_setup(case)
            found.append(Row(case, setup, run_of(setup), float(row["value"])))
        except CardwiseError:
            continue
    return found


class Fit:
    """The problem: rows, their design, weights, and the effects found so far."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.contexts = [dict(row.setup.context) for row in rows]
        self.design = Design(self.contexts, run_slots())
        self.target: Floats = np.log([row.value for row in rows])
        groups = Counter((row.case.source_id, row.case.metric) for row in rows)
        noise = np.array([LOOSE_NOISE if row.loose else NOISE for row in rows])
        self.weights: Floats = np.array([groups[row.case.source_id, row.case.metric] for row in rows]) ** -0.5 / noise**2
        self.effects: Floats = np.zeros(len(self.design.index))
        self.spreads = self.design.prior.copy()

    def efficiency(self, row: int, effects: Floats) -> NetworkEfficiency:
        """Slot values of a row at some effects."""
        logs = {pair: float(effects[i]) for pair, i in self.design.index.items()}
        return NetworkEfficiency(**slot_values(run_slots(), self.contexts[row], logs))

    def logs(self, effects: Floats) -> Floats:
        """Logarithms of all predictions at some effects."""
        made = self._efficiencies(effects)
        return np.array([row.log(efficiency) for row, efficiency in zip(self.rows, made, strict=True)])

    def slopes(self, effects: Floats) -> Floats:
        """Rows x slots: how the logarithm of a prediction moves with that of a slot."""
        made = self._efficiencies(effects)
        found = np.zeros((len(self.rows), len(SLOTS)))
        for i, (row, efficiency) in enumerate(zip(self.rows, made, strict=True)):
            for j, name in enumerate(SLOTS):
                value = getattr(efficiency, name)
                up, down = (NetworkEfficiency(**{**_values(efficiency), name: value * math.exp(step)}) for step in (STEP, -STEP))
                found[i, j] = (row.log(up) - row.log(down)) / (2 * STEP)
        return found

    def _efficiencies(self, effects: Floats) -> list[NetworkEfficiency]:
        logs = {pair: float(effects[i]) for pair, i in self.design.index.items()}
        by: dict[tuple[tuple[str, str], ...], NetworkEfficiency] = {}
        for row, context in zip(self.rows, self.contexts, strict=True):
            if row.setup.context not in by:
                by[row.setup.context] = NetworkEfficiency(**slot_values(run_slots(), context, logs))
        return [by[row.setup.context] for row in self.rows]

    def run(self, say: Callable[[str], None]) -> None:
        """Gauss-Newton steps, halved until the objective falls."""
        logs = self.logs(self.effects)
        for step in range(STEPS):
            slopes = self.slopes(self.effects)
            problem = linear(self.design, logs, slopes, self.effects, self.target)
            wanted, spreads, _ = with_spreads(problem, self.effects, self.spreads, self.weights, rounds=LEVEL_ROUNDS)
            before = objective(logs, self.target, self.effects, spreads, self.weights)
            share = 1.0
            while share > 0.05:
                tried = self.effects + share * (wanted - self.effects)
                found = self.logs(tried)
                if objective(found, self.target, tried, spreads, self.weights) < before:
                    self.effects, self.spreads, logs = tried, spreads, found
                    break
                share /= 2
            say(f"step {step + 1}: macro {macro(self.rows, logs):.3f}, share {share:g}")
            if share <= 0.05:
                break
        self.problem = linear(self.design, logs, self.slopes(self.effects), self.effects, self.target)

    def without(self, group: Callable[[Row], str]) -> dict[str, Floats]:
        """By group, logarithms of the predictions of its rows by a fit that saw none of them."""
        members = defaultdict(list)
        for i, row in enumerate(self.rows):
            members[group(row)].append(i)
        found = {}
        for name, own in members.items():
            weights = self.weights.copy()
            weights[own] = 0.0
            effects, _ = solve(self.problem, np.zeros_like(self.effects), self.spreads, weights, iterations=6)
            logs = {pair: float(effects[i]) for pair, i in self.design.index.items()}
            found[name] = np.array([self.rows[i].log(NetworkEfficiency(**slot_values(run_slots(), self.contexts[i], logs))) for i in own])
        return found


def _values(efficiency: NetworkEfficiency) -> dict[str, float]:
    return {name: getattr(efficiency, name) for name in SLOTS}


def macro(rows: Sequence[Row], logs: Floats, smallest: int = 10) -> float:
    """Mean over sources and metrics of at least `smallest` rows of the median error; loose rows left out."""
    by = defaultdict(list)
    for row, log in zip(rows, logs, strict=True):
        if not row.loose:
            by[row.case.source_id, row.case.metric].append(abs(math.exp(log) / row.value - 1))
    kept = [float(np.median(values)) for values in by.values() if len(values) >= smallest]
    return float(np.mean(kept)) if kept else math.nan


def residuals(fit: Fit, kind: str, group: Callable[[Row], str], known: Callable[[Row, set[str]], str]) -> list[Residual]:
    """log(measured / predicted) of every row left out; of a rate its negative, so that all are of times."""
    found = []
    members = defaultdict(list)
    for i, row in enumerate(fit.rows):
        members[group(row)].append(i)
    for name, logs in fit.without(group).items():
        own = set(members[name])
        rest = [row for i, row in enumerate(fit.rows) if i not in own]
        seen = {key for row in rest for key in keys_of(row)}
        for i, log in zip(members[name], logs, strict=True):
            row = fit.rows[i]
            sign = -1.0 if row.case.metric in ("it_s", "images_per_s") else 1.0
            found.append(
                Residual(
                    metric_of(row.case.metric, row.case.task),
                    "",
                    known(row, seen),
                    f"{kind}:{name}",
                    sign * (math.log(row.value) - float(log)),
                    (row.case.source_id, row.case.metric),
                    row.case.case_id,
                )
            )
    return found


def keys_of(row: Row) -> tuple[str, str, str]:
    """Names under which a run counts as known."""
    card = row.setup.accelerator
    return f"{card.chip}/{row.setup.execution.mode}", card.chip, card.generation


def knowledge_in(row: Row, seen: set[str]) -> str:
    """How near the rest of the evidence comes to a row."""
    for level, key in zip(("stack", "card", "generation"), keys_of(row), strict=True):
        if key in seen:
            return level
    return "datasheet"


def memory_residuals() -> list[Residual]:
    """log(measured / predicted) of every published peak of memory."""
    found = []
    for row in run_rows():
        if row["metric"] != "peak_mem_gib":
            continue
        try:
            case = case_of(row)
            setup = run_setup(case)
            ratio = math.log(float(row["value"]) / memory_value(case, setup))
        except CardwiseError:
            continue
        found.append(Residual("run_memory", "", "stack", f"source:{case.source_id}", ratio, (case.source_id, case.metric), case.case_id))
    return found


def write_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table below the data of the calibration; gzip where the name says so."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    text = buffer.getvalue().encode("utf-8")
    (DATA / "calibration" / name).write_bytes(gzip.compress(text, 9, mtime=0) if name.endswith(".gz") else text)


def main() -> None:
    """Fits and writes; `--dry` only prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    dry = parser.parse_args().dry
    fit = Fit(rows_of_speed(run_rows()))
    print(
        f"{len(fit.rows)} rows, {len(fit.design.index)} effects, priors alone: macro {macro(fit.rows, fit.logs(fit.effects)):.3f}",
        flush=True,
    )
    fit.run(lambda line: print(line, flush=True))
    left_out: list[Residual] = []
    for kind, group in (
        ("card", lambda row: row.setup.accelerator.chip),
        ("source", lambda row: row.case.source_id),
        ("model", lambda row: row.setup.pipeline.id),
    ):
        made = residuals(fit, kind, group, knowledge_in)
        left_out += made
        by = defaultdict(list)
        for residual in made:
            by[residual.table].append(abs(math.exp(-residual.log_ratio) - 1))
        loose = {row.case.source_id for row in fit.rows if row.loose}
        print(
            f"{kind} left out: macro {np.mean([np.median(v) for t, v in by.items() if len(v) >= 10 and t[0] not in loose]):.3f}", flush=True
        )
    if dry:
        return
    counts = np.array([0] * len(fit.design.index))
    for stack in fit.design.stacks:
        counts[stack.columns] += len(stack.rows)
    write_csv(
        "run_effects.csv",
        ("slot", "key", "log_factor", "spread", "cases"),
        sorted(
            (slot, key, f"{fit.effects[i]:.4f}", f"{fit.spreads[i]:.3f}", counts[i])
            for (slot, key), i in fit.design.index.items()
            if abs(fit.effects[i]) > 5e-4
        ),
    )
    tight = [r for r in left_out if r.table[0] not in {row.case.source_id for row in fit.rows if row.loose}]
    everything = [*tight, *memory_residuals()]
    factor = widening(everything, of_others(everything))
    print(f"intervals widened by {factor:.2f}", flush=True)
    widths = {regime: width.widened(factor) for regime, width in quantiles(everything).items()}
    write_csv(
        "run_intervals.csv",
        ("regime", "low", "high", "cases"),
        sorted((k, f"{w.low:.3f}", f"{w.high:.3f}", w.cases) for k, w in widths.items()),
    )
    known = Counter(key for row in fit.rows for key in keys_of(row))
    write_csv("run_known.csv", ("name", "cases"), sorted(known.items()))
    write_csv(
        "run_residuals.csv.gz",
        ("case_id", "kind", "knowledge", "log_ratio"),
        sorted((r.case_id, r.kind, r.knowledge, f"{r.log_ratio:.4f}") for r in left_out),
    )


if __name__ == "__main__":
    main()
