"""The measured training run nearest to an option: how near, what was measured, what Cardwise says there.

The distance adds up, in doublings where a quantity may double: the card (same 0, same chip 0.2, same generation 1, same maker 2.5, else 4),
the model's parameters, the number of cards (half), the sequence (quarter), and 2 for another method.
"""

from __future__ import annotations

import math
from functools import lru_cache

from cardwise.answer import Evidence
from cardwise.calibration.cases import Case, case_of
from cardwise.calibration.training import EVIDENCE, RATE
from cardwise.calibration.training_cases import TrainingRun, training_run, value_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.load import forgets, read_csv
from cardwise.errors import CardwiseError
from cardwise.hardware import Accelerator
from cardwise.model import Architecture
from cardwise.training_answer import TrainingOption

FAR = 8.0
OTHER_METHOD = 2.0
Known = tuple[Case, TrainingRun, float, str]
"""A case, its settled run, the measured rate, the source."""


@lru_cache(maxsize=1)
def measured() -> tuple[Known, ...]:
    """The shipped runs that can be settled."""
    found: list[Known] = []
    for row in read_csv(EVIDENCE):
        if row["metric"] == RATE:
            case = case_of(row)
            try:
                found.append((case, training_run(case), float(row["value"]), row["source"]))
            except CardwiseError:
                continue
    return tuple(found)


forgets(measured.cache_clear)


def nearest(architecture: Architecture, option: TrainingOption) -> Evidence | None:
    """The nearest measured run; None where nothing is near."""
    card = accelerator(option.layout.accelerator)
    scored = ((distance(known, architecture, option, card), known[0].case_id, known) for known in measured())
    far, _, (case, run, value, source) = min(scored, key=lambda item: item[:2])
    if far > FAR:
        return None
    predicted = value_of(RATE, run, run.step(run.efficiency()))
    layout = run.layout
    text = (
        f"{layout.cards:,}x {run.accelerator.name}, {case.model}, {case.engine}, {run.recipe.precision}, {run.recipe.method},"
        f" {layout.micro_batch} sequences of {run.recipe.sequence:,} tokens a card"
    )
    return Evidence(case.case_id, source, text, RATE, value, predicted, far)


def distance(known: Known, architecture: Architecture, option: TrainingOption, card: Accelerator) -> float:
    """How far a measured run is from an option, by the rule above."""
    run = known[1]
    far = doublings(run.architecture.parameters, architecture.parameters)
    far += 0.5 * doublings(run.layout.cards, option.layout.cards) + 0.25 * doublings(run.recipe.sequence, option.recipe.sequence)
    far += OTHER_METHOD * (run.recipe.method != option.recipe.method)
    other = run.accelerator
    if other.name == card.name:
        return far
    if other.chip == card.chip:
        return far + 0.2
    return far + (1.0 if other.generation == card.generation else 2.5 if other.vendor == card.vendor else 4.0)


def doublings(one: float, other: float) -> float:
    return abs(math.log2(one / other))
