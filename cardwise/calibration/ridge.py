"""Regularised robust regression on a linearised problem, and the spread of every level by expectation maximisation.

Loss: pseudo-Huber on log ratios, so that a row far off counts like an outlier and one source's faults are not learned (Huber 1964).
Every effect is Gaussian around 0; the spread of its level starts at the one in priors.toml and is estimated from the effects themselves
(empirical Bayes; Dempster, Laird and Rubin 1977), as if PRIOR_EFFECTS more effects had the stated one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cardwise.calibration.design import Design, Floats

HUBER = 0.2
PRIOR_EFFECTS = 4.0
SMALLEST_SPREAD, LARGEST_SPREAD = 0.02, 0.8


@dataclass(frozen=True, slots=True)
class Linear:
    """A problem near some effects: log predictions there without them (`base`), slopes (rows x slots), and log measurements."""

    design: Design
    base: Floats
    slopes: Floats
    target: Floats

    def predicted(self, effects: Floats) -> Floats:
        return self.base + self.design.times(self.slopes, effects)


def linear(design: Design, logs: Floats, slopes: Floats, effects: Floats, target: Floats) -> Linear:
    """The linear problem around a point: `logs` predicted and `slopes` measured at `effects`."""
    return Linear(design, logs - design.times(slopes, effects), slopes, target)


def solve(problem: Linear, effects: Floats, spreads: Floats, weights: Floats, iterations: int = 2) -> tuple[Floats, Floats]:
    """Reweighted least squares from `effects`; returns new effects and the precision matrix at the last step."""
    good = np.isfinite(problem.base)
    precision = np.diag(1.0 / spreads**2)
    normal = precision
    for _ in range(iterations):
        residual = np.where(good, problem.target - np.where(good, problem.predicted(effects), 0.0), 0.0)
        robust = weights * good / np.sqrt(1.0 + (residual / HUBER) ** 2)
        matrix, vector = problem.design.normal(problem.slopes, robust, residual)
        normal = matrix + precision
        effects = effects + np.linalg.solve(normal, vector - precision @ effects)
    return effects, normal


def with_spreads(problem: Linear, effects: Floats, spreads: Floats, weights: Floats, rounds: int = 4) -> tuple[Floats, Floats, Floats]:
    """Effects, the spread of each effect's level, and each effect's own posterior spread."""
    design = problem.design
    spreads = spreads.copy()
    counts = np.bincount(design.level)
    stated = np.zeros(len(counts))
    stated[design.level] = design.prior
    for _ in range(rounds):
        effects, normal = solve(problem, effects, spreads, weights)
        variance = np.diag(np.linalg.inv(normal))
        found = np.bincount(design.level, weights=effects**2 + variance)
        level = np.sqrt((found + PRIOR_EFFECTS * stated**2) / (counts + PRIOR_EFFECTS))
        spreads = np.clip(level, SMALLEST_SPREAD, LARGEST_SPREAD)[design.level]
    effects, normal = solve(problem, effects, spreads, weights)
    return effects, spreads, np.sqrt(np.diag(np.linalg.inv(normal)))


def objective(logs: Floats, target: Floats, effects: Floats, spreads: Floats, weights: Floats) -> float:
    """What is minimised: pseudo-Huber loss of the log ratios plus the Gaussian priors' penalty."""
    good = np.isfinite(logs)
    residual = np.where(good, target - np.where(good, logs, 0.0), 0.0)
    loss = 2.0 * HUBER**2 * (np.sqrt(1.0 + (residual / HUBER) ** 2) - 1.0)
    return float(weights @ loss + np.sum((effects / spreads) ** 2))
