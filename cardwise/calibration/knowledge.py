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


def known_names(made: Setup) -> tuple[str, str]:
    """What is counted of a stack's card: its chip, and its generation, under the stack's engine."""
    card, engine = made.accelerator, made.rules.engine
    return f"{card.chip}/{engine}", f"{card.generation}/{engine}"


def closeness(made: Setup, counts: Mapping[str, int]) -> str:
    """card: the chip was measured under this engine; generation: another of its generation was; datasheet: neither."""
    chip, generation = known_names(made)
    if counts.get(chip, 0) >= FEWEST:
        return "card"
    return "generation" if counts.get(generation, 0) >= FEWEST else "datasheet"


def knowledge(made: Setup) -> str:
    """card, generation or datasheet: how near the evidence comes to this stack."""
    return closeness(made, known())
