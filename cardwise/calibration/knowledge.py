"""How near the evidence comes to a stack: what decides the width of its intervals."""

from __future__ import annotations

from functools import lru_cache

from cardwise.calibration.intervals import FEWEST
from cardwise.calibration.setup import Setup
from cardwise.catalogue.load import read_csv


@lru_cache(maxsize=1)
def known() -> dict[str, int]:
    """Measured cases by `family/engine`, `family` and `generation` of the card, as the fit found them."""
    return {row["name"]: int(row["cases"]) for row in read_csv("calibration/known.csv")}


def knowledge(made: Setup) -> str:
    """card, generation or datasheet: how near the evidence comes to this stack."""
    card = made.accelerator
    table = known()
    if table.get(f"{card.chip}/{made.rules.engine}", 0) >= FEWEST:
        return "card"
    return "generation" if table.get(card.generation, 0) >= FEWEST else "datasheet"
