"""`python -m cardwise.calibration.training [CASES.csv]`: fits the constants of training to measured runs and writes them.

Without a file the shipped runs are taken. Every slot is prior x global effect x effects of the card's generation and the kind of kernels,
all Gaussian around 0 in logarithm with the spreads of calibration/training.toml: a level that says nothing stays at its prior. Nothing is
keyed by a card, a model or a source. Rates alone enter the fit; MFU follows from them. A source weighs like the square root of its rows.

Written: training_effects.csv (what was fitted), training_known.csv (generations with runs) and training_intervals.csv (quantiles of the
errors at runs that a fit had not seen: `generation` with a source or a card left out, `datasheet` with a source or a generation left out).

--ship          also writes the rows of CASES.csv to the shipped evidence, notes reduced to settings
--predictions F writes every left-out prediction to F
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardwise.calibration.cases import BrokenRow, Case, case_of, read_rows
from cardwise.calibration.evidence import ship_rows
from cardwise.calibration.tables import write_table
from cardwise.calibration.training_cases import TrainingRun, training_run
from cardwise.calibration.training_settings import training_settings
from cardwise.catalogue.load import DATA
from cardwise.catalogue.training import EFFECTS, attributes, training_facts
from cardwise.errors import CardwiseError
from cardwise.training import SLOTS

EVIDENCE = "evidence/training.csv"
COLUMNS = (
    "case_id", "source_id", "source", "measured", "task", "model", "weights", "engine", "accelerator", "count", "link", "tp", "pp",
    "load", "batch", "input_tokens", "metric", "value", "notes",
)  # fmt: skip
RATE = "train_tok_s_gpu"
NOISE = 0.1
"""Spread of a measured rate around the best law, natural logarithm: repeated and rounded figures of the sources differ by so much."""
TAILS = (0.1, 0.9)
Parameter = tuple[str, str]
"""Slot, and `global` or `attribute=value`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured rate with its settled run."""

    case: Case
    run: TrainingRun
    value: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """Natural logarithms of the factors by parameter, and the spread that the fit leaves each."""

    effects: dict[Parameter, float]
    spreads: dict[Parameter, float]


def measured_rates(path: Path) -> list[Measured]:
    """Rates of a file of cases. Rows that cannot be read or settled are left out."""
    found = []
    for row, _ in read_rows(path):
        if isinstance(row, BrokenRow) or row.get("metric") != RATE or not row.get("value"):
            continue
        try:
            case = case_of(row)
            found.append(Measured(case, training_run(case), float(row["value"] or "nan")))
        except CardwiseError as error:
            print(f"{row.get('case_id')}: {error.message}", file=sys.stderr)
    return found


def parameters(rows: Iterable[Measured]) -> list[Parameter]:
    """What may be fitted to these rows: every slot, and its effects at the levels that occur."""
    levels: dict[str, set[str]] = {}
    for row in rows:
        for name, value in attributes(row.run.accelerator.generation, row.run.recipe.kernels).items():
            levels.setdefault(name, set()).add(value)
    found: list[Parameter] = []
    for slot in SLOTS:
        found.append((slot, "global"))
        by = training_facts()["slot"][slot].get("by", {})
        found += [(slot, f"{name}={value}") for name in by for value in sorted(levels.get(name, ()))]
    return found


def spread_of(parameter: Parameter) -> float:
    slot, key = parameter
    table = training_facts()["slot"][slot]
    return float(table["spread"] if key == "global" else table["by"][key.partition("=")[0]])


def predicted(row: Measured, effects: dict[Parameter, float]) -> float:
    return row.run.step(row.run.efficiency(effects)).tokens_per_s_per_card()


def weights(rows: Sequence[Measured]) -> NDArray[np.float64]:
    """Square roots of the rows' weights: a source of n rows weighs like the square root of n, a row of it like 1 / sqrt(n), scaled so that
    they sum to the number of rows."""
    counts = Counter(row.case.source_id for row in rows)
    raw = np.array([counts[row.case.source_id] ** -0.5 for row in rows])
    shares: NDArray[np.float64] = np.sqrt(raw * len(rows) / raw.sum())
    return shares


def fit(rows: Sequence[Measured]) -> Fitted:
    """Maximum a posteriori by least squares, Huber loss beyond 1.5 spreads."""
    from scipy.optimize import least_squares

    names = parameters(rows)
    spreads = np.array([spread_of(name) for name in names])
    scale, logs = weights(rows) / NOISE, np.log([row.value for row in rows])

    def residuals(z: NDArray[np.float64]) -> NDArray[np.float64]:
        effects = dict(zip(names, z * spreads, strict=True))
        errors = (np.log([predicted(row, effects) for row in rows]) - logs) * scale
        return np.concatenate([np.sign(errors) * np.sqrt(huber(np.abs(errors))), z])

    solved = least_squares(residuals, np.zeros(len(names)), method="trf", max_nfev=15, x_scale=1.0)
    covariance = np.linalg.inv(solved.jac.T @ solved.jac)
    left = np.sqrt(np.diag(covariance)) * spreads
    return Fitted(dict(zip(names, solved.x * spreads, strict=True)), dict(zip(names, left, strict=True)))


def huber(sizes: NDArray[np.float64], knee: float = 1.5) -> NDArray[np.float64]:
    """Squares up to the knee, then lines."""
    return np.where(sizes <= knee, sizes**2, 2 * knee * sizes - knee**2)


GROUPS: dict[str, Callable[[Measured], str]] = {
    "source": lambda row: row.case.source_id,
    "card": lambda row: row.run.accelerator.name,
    "generation": lambda row: row.run.accelerator.generation,
}


def left_out(rows: Sequence[Measured], kind: str) -> list[tuple[Measured, float]]:
    """Every row with the logarithm of predicted / measured by a fit without its source, card or generation."""
    key, found = GROUPS[kind], []
    for value in sorted({key(row) for row in rows}):
        kept = [row for row in rows if key(row) != value]
        effects = fit(kept).effects if kept else {}
        found += [(row, math.log(predicted(row, effects) / row.value)) for row in rows if key(row) == value]
    return found


def quantiles(errors: Sequence[tuple[Measured, float]]) -> tuple[float, float]:
    """Logarithms of low and high over likely that hold 80 % of the measured values, every source weighing the same square root."""
    order = np.argsort([-error for _, error in errors])
    measured_over = np.array([-error for _, error in errors])[order]
    share = weights([row for row, _ in errors])[order] ** 2
    position = (np.cumsum(share) - share / 2) / share.sum()
    low, high = (float(np.interp(tail, position, measured_over)) for tail in TAILS)
    return min(low, -0.02), max(high, 0.02)


def write_tables(rows: Sequence[Measured], fitted: Fitted, errors: dict[str, list[tuple[Measured, float]]]) -> None:
    """The three tables that predictions read."""
    generations = Counter(row.run.accelerator.generation for row in rows)
    counts = {parameter: len(rows) for parameter in fitted.effects}
    table = [
        (slot, key, f"{value:.4f}", f"{fitted.spreads[slot, key]:.4f}", counts[slot, key])
        for (slot, key), value in sorted(fitted.effects.items())
        if abs(value) >= 5e-5
    ]
    write_table(DATA / EFFECTS, ("slot", "key", "log_factor", "spread", "cases"), table)
    write_table(DATA / "calibration/training_known.csv", ("generation", "cases"), sorted(generations.items()))
    near = [*errors["source"], *errors["card"]]
    far = [*errors["source"], *errors["generation"]]
    close, wide = quantiles(near), quantiles(far)
    widest = (min(close[0], wide[0]), max(close[1], wide[1]))  # what is known of a generation never widens an interval
    write_table(DATA / "calibration/training_intervals.csv", ("knowledge", "low", "high", "cases"),
           [(name, *(f"{value:.3f}" for value in pair), len(errors))
            for name, pair, errors in (("generation", close, near), ("datasheet", widest, far))])  # fmt: skip


def ship(path: Path) -> None:
    """The rows of a file as shipped evidence: the columns that count, notes reduced to settings."""
    ship_rows([path], DATA / EVIDENCE, COLUMNS, training_settings)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, nargs="?", default=DATA / EVIDENCE)
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--predictions", type=Path)
    given = parser.parse_args(arguments)
    try:
        rows = measured_rates(given.cases)
    except CardwiseError as error:
        print(f"cardwise: {error.message}", file=sys.stderr)
        return 2
    fitted = fit(rows)
    report("in the fit", [(row, math.log(predicted(row, fitted.effects) / row.value)) for row in rows])
    errors = {kind: left_out(rows, kind) for kind in GROUPS}
    for kind, found in errors.items():
        report(f"{kind} left out", found)
    if given.predictions:
        _left_out_rows(given.predictions, errors)
    if given.ship:
        ship(given.cases)
    write_tables(rows, fitted, errors)
    return 0


def report(title: str, errors: Sequence[tuple[Measured, float]]) -> None:
    """Median error by source, printed."""
    for source in sorted({row.case.source_id for row, _ in errors}):
        own = [error for row, error in errors if row.case.source_id == source]
        median = np.median([abs(math.exp(error) - 1) for error in own])
        print(f"{title:20} {source:16} {len(own):4} median error {median:.3f}, bias {math.exp(float(np.median(own))):.3f}", flush=True)


def _left_out_rows(path: Path, errors: dict[str, list[tuple[Measured, float]]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("left_out", "case_id", "predicted", "value"))
        for kind, found in errors.items():
            writer.writerows((kind, row.case.case_id, f"{row.value * math.exp(error):.6g}", row.value) for row, error in found)


if __name__ == "__main__":
    sys.exit(main())
