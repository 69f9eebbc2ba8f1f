"""What fits of runs missed that had not seen a card, a source or a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from cardwise.calibration.cases import case_of
from cardwise.calibration.intervals import Residual
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.intervals import metric_of
from cardwise.calibration.runs.predict import memory_value
from cardwise.calibration.runs.problem import Fit, Row
from cardwise.calibration.runs.setup import run_setup
from cardwise.errors import CardwiseError


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
