"""Predictions of cases of images and video with their intervals."""

from __future__ import annotations

from cardwise.answer import Estimate
from cardwise.calibration.cases import Case
from cardwise.calibration.runs.intervals import run_estimate, run_knowledge
from cardwise.calibration.runs.predict import MEMORY, RATES, check_metric, memory_value, run_efficiency, speed_of
from cardwise.calibration.runs.predict import run_of as priced
from cardwise.calibration.runs.setup import RunSetup, run_setup
from cardwise.passes.diffusion import PipelineRun


def run_estimate_of(case: Case) -> Estimate:
    """The metric of a case in its own unit. Raises CardwiseError for what is unknown or not predicted."""
    check_metric(case)
    setup = run_setup(case)
    if case.metric == "fits":
        value = memory_value(case, setup)
        return Estimate(value, value, value)
    knowledge = run_knowledge(setup.accelerator, setup.execution)
    task = setup.pipeline.task
    if case.metric in MEMORY:
        return run_estimate(memory_value(case, setup), task, knowledge, case.metric)
    value = speed_of(case, setup, _priced(setup), run_efficiency(setup.context))
    if case.metric in RATES:
        return run_estimate(1.0 / value, task, knowledge).inverse()
    return run_estimate(value, task, knowledge)


_last: list[tuple[RunSetup, PipelineRun]] = []


def _priced(setup: RunSetup) -> PipelineRun:
    """The run of a setup; the last one is kept, since files list the metrics of a run together."""
    if not _last or _last[0][0] != setup:
        _last[:] = [(setup, priced(setup))]
    return _last[0][1]
