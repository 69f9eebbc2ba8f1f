"""How near the evidence comes to a stack: what decides the width of its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cardwise.calibration.intervals import FEWEST
from cardwise.calibration.setup import Setup
from cardwise.catalogue.load import read_csv


@lru_cache(maxsize=1)
def known() -> dict[str, int]:
    """Measured cases by the names of `known_names`, as the fit found them."""
    return {row["name"]: int(row["cases"]) for row in read_csv("calibration/known.csv")}


def known_names(made: Setup) -> tuple[str, str, str]:
    """What is counted of a stack: its chip under its generation of the engine, its chip and its card's generation under the engine."""
    card, rules = made.accelerator, made.rules
    return f"{card.chip}//{rules.era}", f"{card.chip}/{rules.engine}", f"{card.generation}/{rules.engine}"


def closeness(made: Setup, counts: Mapping[str, int]) -> str:
    """stack: the chip was measured under this generation of the engine; card: under another one; generation: another chip of its
    generation was measured under the engine; datasheet: none of these.
    """
    stack, chip, generation = known_names(made)
    if counts.get(stack, 0) >= FEWEST:
        return "stack"
    if counts.get(chip, 0) >= FEWEST:
        return "card"
    return "generation" if counts.get(generation, 0) >= FEWEST else "datasheet"


def knowledge(made: Setup) -> str:
    """stack, card, generation or datasheet: how near the evidence comes to this stack."""
    return closeness(made, known())
