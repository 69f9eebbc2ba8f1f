"""The fit of runs as a problem: measured rows ready to be priced, their weights, slopes, steps, and fits without a group."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cardwise.calibration.cases import Case, case_of
from cardwise.calibration.design import Design, Floats
from cardwise.calibration.effects import slot_values
from cardwise.calibration.ridge import linear, objective, solve, with_spreads
from cardwise.calibration.runs.predict import SPEED, run_of, run_slots, speed_of
from cardwise.calibration.runs.setup import RunSetup, run_setup
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
