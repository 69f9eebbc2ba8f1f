"""What fits of runs missed that had not seen a card, a source or a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from cardwise.calibration.cases import case_of
from cardwise.calibration.intervals import Residual, Width
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.intervals import LEVELS, evidence_names, level_in, metric_of
from cardwise.calibration.runs.predict import RATES, memory_value
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
            sign = -1.0 if row.case.metric in RATES else 1.0
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


def growing(widths: dict[str, Width]) -> dict[str, Width]:
    """Widths that never shrink as less is known: each covers those of the levels of knowledge nearer to it."""
    found = dict(widths)
    for regime in widths:
        metric, _, level = regime.rpartition("/")
        for nearer in LEVELS[: LEVELS.index(level)] if level in LEVELS else ():
            other = widths.get(f"{metric}/{nearer}")
            if other is not None:
                own = found[regime]
                found[regime] = Width(min(own.low, other.low), max(own.high, other.high), own.cases)
    return found


def keys_of(row: Row) -> tuple[str, str, str]:
    """Names under which a run counts as known."""
    return evidence_names(row.setup.accelerator, row.setup.execution)


def knowledge_in(row: Row, seen: set[str]) -> str:
    """How near the rest of the evidence comes to a row."""
    return level_in(keys_of(row), seen)


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
