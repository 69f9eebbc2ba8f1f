"""Measured runs of pipelines near an answer: how near, what was measured, and what Cardwise says there.

The distance adds up: the card (same 0, same chip 0.2, same generation 1, same maker 2.5, else 4), the model (same 0, else 0.5 and the
doublings of the network's parameters), doublings of pixels x frames (half), of cards, of batch (half), of steps (quarter), and 0.7 each
for another mode and another weight format.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from cardwise.answer import Evidence
from cardwise.calibration.cases import case_of
from cardwise.calibration.runs.cases import run_rows
from cardwise.calibration.runs.predict import SPEED
from cardwise.calibration.runs.setup import RunSetup, element_bytes, run_setup
from cardwise.calibration.settings import says
from cardwise.calibration.validate import predict
from cardwise.catalogue.accelerators import accelerator
from cardwise.errors import CardwiseError
from cardwise.run_answer import RunAnswer, RunOption

FAR = 6.0
CARDS_WITH_EVIDENCE = 6


@lru_cache(maxsize=1)
def _measured() -> tuple[tuple[dict[str, str], RunSetup], ...]:
    """Rows of speed that can be resolved, one of each run."""
    found = []
    for row in run_rows():
        if row["metric"] not in SPEED or says(row["notes"], "end-to-end rate"):
            continue
        try:
            found.append((row, run_setup(case_of(row))))
        except CardwiseError:
            continue
    return tuple(found)


def beside_runs(answer: RunAnswer) -> RunAnswer:
    """The answer with the nearest measured run at the best option of each card, of the first few cards."""
    best: dict[str, int] = {}
    for index in answer.by_cost:
        best.setdefault(answer.options[index].accelerator, index)
    near = {index: nearest_run(answer, answer.options[index]) for index in list(best.values())[:CARDS_WITH_EVIDENCE]}
    return replace(answer, options=tuple(replace(one, evidence=near.get(i, ())) for i, one in enumerate(answer.options)))


def nearest_run(answer: RunAnswer, option: RunOption) -> tuple[Evidence, ...]:
    """The nearest measured run; none where nothing is near."""
    scored = [(distance(answer, option, setup), row["case_id"], row) for row, setup in _measured()]
    far, _, row = min(scored, default=(math.inf, "", {}), key=lambda item: item[:2])
    if far > FAR:
        return ()
    case = case_of(row)
    made = predict([case])[0]
    if made.predicted is None:
        return ()
    return (
        Evidence(case.case_id, row.get("source") or case.source_id, described(row), case.metric, float(row["value"]), made.predicted, far),
    )


def distance(answer: RunAnswer, option: RunOption, setup: RunSetup) -> float:
    """How far a measured run is from an option, by the rule above."""
    card, other = accelerator(option.accelerator), setup.accelerator
    if other.name == card.name:
        far = 0.0
    elif other.chip == card.chip:
        far = 0.2
    else:
        far = 1.0 if other.generation == card.generation else 2.5 if other.vendor == card.vendor else 4.0
    if setup.pipeline.id != answer.model:
        far += 0.5 + _doublings(setup.pipeline.parameters, answer.parameters)
    job, mine = setup.job, option.job
    far += 0.5 * _doublings(job.width * job.height * job.frames, mine.width * mine.height * mine.frames)
    far += _doublings(setup.execution.split.cards, option.execution.split.cards) + 0.5 * _doublings(job.batch, mine.batch)
    far += 0.25 * _doublings(job.steps, mine.steps)
    return (
        far
        + 0.7 * (setup.execution.mode != option.execution.mode)
        + 0.7 * (setup.stored.denoiser_bytes != element_bytes(option.execution.weights))
    )


def _doublings(a: float, b: float) -> float:
    return abs(math.log2(a / b))


def described(row: dict[str, str]) -> str:
    """The run in words: cards, model, engine, format, size, steps."""
    size = f"{row['width']} x {row['height']}" + (f" x {row['frames']} frames" if row.get("frames") else "")
    return (
        f"{row['count'] or 1}x {row['accelerator']}, {row['model']}, {row['engine'] or 'engine unsaid'}, {row['weights'] or '16 bit'}, "
        f"batch {row['batch'] or 1}, {size}, {row['steps'] or '?'} steps"
    )
