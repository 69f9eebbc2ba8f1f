"""Intervals of training: how far runs were off that a fit had not seen, by what the rest of the evidence knew of the stack."""

from __future__ import annotations

import math
from functools import cache

from cardwise.answer import Estimate
from cardwise.catalogue.load import read_csv
from cardwise.hardware import Accelerator

FILE = "calibration/training_intervals.csv"
KNOWN = "calibration/training_known.csv"
KNOWLEDGE = ("generation", "datasheet")


@cache
def widths() -> dict[str, tuple[float, float, int]]:
    """knowledge -> (log of low / likely, log of high / likely, cases)."""
    return {row["knowledge"]: (float(row["low"]), float(row["high"]), int(row["cases"])) for row in read_csv(FILE)}


@cache
def known() -> frozenset[str]:
    """Generations with measured runs."""
    return frozenset(row["generation"] for row in read_csv(KNOWN))


def knowledge(accelerator: Accelerator) -> str:
    """`generation`: runs of the card's generation were measured; `datasheet`: none was."""
    return KNOWLEDGE[0] if accelerator.generation in known() else KNOWLEDGE[1]


def interval(value: float, accelerator: Accelerator, kernels: str = "") -> Estimate:
    """A rate with its interval, nominally 80 %."""
    low, high, _ = widths()[knowledge(accelerator)]
    return Estimate(value, value * math.exp(low), value * math.exp(high))
