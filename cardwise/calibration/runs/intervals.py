"""Intervals of predictions for images and video, from residuals of cards and sources that the fit had not seen.

The same quantiles as for language models (`calibration.intervals`), widened until sources that gave no residual are covered. A metric's
regime is its task; modes are too few to have intervals of their own.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from functools import lru_cache

from cardwise.answer import Basis, Estimate
from cardwise.calibration.intervals import Width, read_widths, width_in
from cardwise.catalogue.load import read_csv
from cardwise.execution import Execution
from cardwise.hardware import Accelerator

LEVELS = ("stack", "card", "generation", "datasheet")
"""How near the evidence comes, the nearest first."""


def metric_of(metric: str, task: str) -> str:
    """Regime of a metric: all speeds of a task behave alike, memory is its own."""
    return "run_memory" if metric == "peak_mem_gib" else f"{task}_run"


@lru_cache(maxsize=1)
def _widths() -> Mapping[str, Width]:
    return read_widths("calibration/run_intervals.csv")


@lru_cache(maxsize=1)
def _known() -> Mapping[str, int]:
    """Measured runs by `card/mode` and `generation`."""
    return {row["name"]: int(row["cases"]) for row in read_csv("calibration/run_known.csv")}


def run_knowledge(card: Accelerator, execution: Execution) -> str:
    """How near the evidence comes: this card in this mode (stack), this card, its generation, or the datasheet alone."""
    return level_in(evidence_names(card, execution), _known())


def evidence_names(card: Accelerator, execution: Execution) -> tuple[str, str, str]:
    """Names under which a run counts as measured, the nearest first."""
    return f"{card.chip}/{execution.mode}", card.chip, card.generation


def level_in(names: tuple[str, str, str], known: Container[str]) -> str:
    """The nearest level whose name is among those `known`."""
    return next((level for level, name in zip(LEVELS, names, strict=False) if name in known), "datasheet")


def run_estimate(value: float, task: str, knowledge: str, metric: str = "image_s") -> Estimate:
    """`value` of a time or of memory with its interval; of a rate, turned around."""
    width = width_in(_widths(), metric_of(metric, task), "", knowledge)
    return Estimate(value, value * math.exp(width.low), value * math.exp(width.high))


def run_basis(card: Accelerator, execution: Execution, task: str) -> Basis:
    """In words, what the interval rests on."""
    knowledge = run_knowledge(card, execution)
    width = width_in(_widths(), metric_of("image_s", task), "", knowledge)
    text = {
        "stack": "this card was measured in this mode with models of images or video",
        "card": "this card was measured with models of images or video, in another mode",
        "generation": "other cards of this generation were measured with models of images or video, this one was not",
        "datasheet": "no card of this generation was measured with models of images or video: datasheet and priors only",
    }[knowledge]
    return Basis(knowledge, width.cases, text)
